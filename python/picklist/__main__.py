"""`picklist` and `python -m picklist`: the command line, or one line that says what it needs."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; return its exit code where it does not exit by itself."""
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
