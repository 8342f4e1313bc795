"""Print the CPython interpreters that the project can be tested with, one path a line.

At most one for each minor version, oldest first.  An interpreter counts if it is CPython, of a
version that the project supports, and can make virtual environments.  Looked for are the
interpreter that runs this script, ``python3.X`` on PATH, and the installations that stand beside
the running interpreter's own, which is where version managers put them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MINORS = range(11, 16)

# Run by each candidate: prints (minor, path), or fails.  A command on PATH may be a launcher
# that starts something else, or nothing, so only what it says of itself counts.
ASK = """
import os, sys, ensurepip, venv
assert sys.implementation.name == "cpython" and sys.version_info.releaselevel == "final"
minor = sys.version_info.minor
print(minor, os.path.join(sys.base_prefix, "bin", f"python3.{minor}"))
"""


def candidates() -> Iterator[str]:
    """Yield the commands to ask, best first."""
    yield sys.executable
    names = [f"python3.{minor}" for minor in MINORS]
    for name in names:
        found = shutil.which(name)
        if found:
            yield found
    beside = Path(sys.base_prefix).parent
    for name in names:
        # The newest installation of each version first.
        yield from (str(path) for path in sorted(beside.glob(f"*/bin/{name}"), reverse=True))


def ask(command: str) -> tuple[int, str] | None:
    """Return the minor version and the real path of an interpreter, None if it is of no use."""
    try:
        answer = subprocess.run(
            [command, "-I", "-c", ASK], capture_output=True, text=True, timeout=30, check=True
        ).stdout.split(maxsplit=1)
    except (OSError, subprocess.SubprocessError):
        return None
    minor, path = int(answer[0]), answer[1].strip()
    return (minor, path) if minor in MINORS and os.access(path, os.X_OK) else None


def find() -> dict[int, str]:
    """Return the first usable interpreter of each minor version."""
    found: dict[int, str] = {}
    for command in candidates():
        answer = ask(command)
        if answer is not None:
            found.setdefault(*answer)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print("\n".join(find().values()))
