"""The preflight in one run: an object of a training script, why it does not pickle, and the fixes.

python demo/preflight.py
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable

import picklist


class Cache:
    """Holds a table, and an event of this process."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.table = b"x" * 2_000_000


class Loader:
    """Applies transforms to images."""

    def __init__(self, transforms: list[Callable[[int], int]]) -> None:
        self.transforms = transforms


class ApiError(Exception):
    """Passes one of its two arguments on."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Training:
    """What a worker process would get."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.loader = Loader([abs, resized(224)])
        self.last_error = ApiError(404, "not found")


def resized(size: int) -> Callable[[int], int]:
    """Return a transform that captures its argument."""
    return lambda x: x * size


def main() -> None:
    """Show what pickle says, and what picklist says."""
    obj = Training()
    try:
        pickle.dumps(obj)
    except Exception as error:  # noqa: BLE001
        print(f"pickle says:    {type(error).__name__}: {error}\n")
    report = picklist.explain(obj)
    print("picklist says:\n")
    report.show()
    fix = report.reasons[0].fixes[0]
    print(f"\nthe code of the first fix, for class {fix.target}:\n\n{fix.code}")


if __name__ == "__main__":
    main()
