"""Mutants of joblib files, read by joblib itself: what it asks for, an inspection must have said.

Run as a program, in a child: numpy may crash on a forged dtype, which is none of our business.
Only numpy's own names are what they are; whatever else is asked for is a stand-in.
"""

from __future__ import annotations

import io
import json
import os
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

import joblib
import numpy
from joblib import numpy_pickle

from picklist._judging import judge
from picklist.containers import Stream

Names = set[tuple[str, str]]

REAL = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class Last:
    """What comes after all arrays; never called, not even by joblib's reader."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, ("echo hello",)


class StandIn:
    """Takes whatever it is given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __setstate__(self, state: Any) -> None: ...


class Recording(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]
    """joblib's reader, with stand-ins."""

    def __init__(self, data: bytes) -> None:
        super().__init__("", io.BytesIO(data), ensure_native_byte_order=False)
        self.found: Names = set()

    def find_class(self, module: str, name: str) -> Any:
        """Note a name."""
        self.found.add((module, name))
        return super().find_class(module, name) if (module, name) in REAL else StandIn


def asked_for(data: bytes) -> tuple[Names, bool]:
    """Return the names that joblib's reader asks for, and whether it came to the end."""
    reader = Recording(data)
    try:
        reader.load()
    except BaseException:  # whatever a stand-in or numpy says of nonsense
        return reader.found, False
    return reader.found, True


def samples() -> list[bytes]:
    """Return files with arrays of several kinds, and the payload at their end."""
    found = []
    arrays = [
        numpy.arange(4.0),
        numpy.array([b"ab"] * 3),
        numpy.array([1, "x"], dtype=object),
        numpy.zeros(2, dtype=[("a", "i2"), ("b", "S3")]),
        numpy.arange(6, dtype="u1"),
    ]
    for protocol in (2, 3, 4, 5):
        for array in arrays:
            file = io.BytesIO()
            joblib.dump([array, "k", array, Last()], file, protocol=protocol)
            found.append(file.getvalue())
    return found


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return a file with a few bytes changed, gone or repeated."""
    mutant = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(mutant))
        match rng.randrange(4):
            case 0:
                mutant[at] = rng.randrange(256)
            case 1:
                mutant[at] ^= 1 << rng.randrange(8)
            case 2:
                del mutant[at : at + rng.randrange(1, 9)]
            case _:
                start = rng.randrange(len(mutant))
                mutant[at:at] = mutant[start : start + rng.randrange(1, 30)]
    return bytes(mutant)


def missed(data: bytes, names: Names) -> list[tuple[str, str]]:
    """Return the names that an inspection neither reports nor may have overlooked."""
    _, findings = judge(Stream("", data, named=True), "mutant")
    if any(one.rule in ("malformed", "not-inspected", "limit") for one in findings):
        return []
    said = {one.name for one in findings}
    return [pair for pair in sorted(names - REAL) if ".".join(pair) not in said]


def main(seed: int, count: int) -> None:
    """Look at so many mutants; print what was missed, and how many were read to the end."""
    warnings.simplefilter("ignore")
    rng = random.Random(seed)
    files = samples()
    answer: dict[str, Any] = {"missed": [], "read": 0, "reached": 0}
    for _ in range(count):
        data = mutated(rng, rng.choice(files))
        names, whole = asked_for(data)
        answer["read"] += whole
        answer["reached"] += (os.system.__module__, "system") in names
        answer["missed"] += [[*pair, data.hex()] for pair in missed(data, names)]
    print(json.dumps(answer))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
