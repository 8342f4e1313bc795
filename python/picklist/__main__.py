"""`picklist` and `python -m picklist`: the command line, or one line that says what it needs."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import NoReturn


def main() -> int:
    """Run the command line; return its exit code where it does not exit by itself."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return _run()
    except KeyboardInterrupt:
        print("picklist: interrupted", file=sys.stderr)
        return 130
    except Exception:  # noqa: BLE001 - Python's own code for it, 1, would say "findings"
        traceback.print_exc()
        return 2


def _terminated(number: int, _frame: object) -> NoReturn:
    """End as after Ctrl-C: worker processes too, and no file half written."""
    sys.exit(128 + number)


def _run() -> int:
    try:
        from picklist._cli.commands import picklist
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("click", "rich"):
            raise
        print(
            f"picklist: the command line needs {package}: pip install 'picklist[cli]'",
            file=sys.stderr,
        )
        return 2
    picklist.main(prog_name="picklist")
    return 0  # for the linter: a command exits by itself


if __name__ == "__main__":
    sys.exit(main())
