"""Runs a command under callgrind and reads what it counted, part by part.

The command calls ``getpriority`` of the C library before and after each part; nothing else does.
"""

from __future__ import annotations

import collections
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

MARK = "getpriority"
INSTALL = "valgrind is not installed (Debian, Ubuntu: apt-get install valgrind)"


def valgrind_version() -> str | None:
    """Return valgrind's version, None if it is not installed."""
    if shutil.which("valgrind") is None:
        return None
    done = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip().removeprefix("valgrind-")


def run(command: Sequence[str], folder: Path) -> list[Path]:
    """Run a command and return the dumps of its parts, which are written to the folder."""
    if valgrind_version() is None:
        raise SystemExit(INSTALL)
    callgrind = [
        "valgrind",
        "--tool=callgrind",
        f"--callgrind-out-file={folder / 'out'}",
        f"--dump-before={MARK}",
        "--compress-strings=no",
    ]
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [*callgrind, *command], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise SystemExit(f"callgrind failed:\n{done.stderr[-4000:]}")
    dumps = sorted(folder.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    return dumps[1::2]  # the others lie before and between the parts


def total_of(dump: Path) -> int:
    """Return the instructions of a part."""
    found = re.search(r"^totals: (\d+)", dump.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"callgrind wrote no totals to {dump.name}")
    return int(found.group(1))


def self_costs(dump: Path) -> collections.Counter[str]:
    """Return the instructions of a part by function, without those of the functions it calls."""
    costs: collections.Counter[str] = collections.Counter()
    function, library, called = "", "", False
    for line in dump.read_text(encoding="utf-8").splitlines():
        if line.startswith("fn="):
            function = line[3:]
        elif line.startswith("ob="):
            library = line.rpartition("/")[2].removeprefix("ob=")
        elif line.startswith("calls="):
            called = True  # the next line is the cost of the call
        elif line[:1] in set("0123456789+-*"):
            if not called:
                costs[f"{function}  [{library}]"] += int(line.split()[1])
            called = False
    return costs
