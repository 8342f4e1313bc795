"""The command line, run as a user runs it; nothing of the terminal around the tests counts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["command", "environment", "run"]

TERMINAL = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")


def command(*arguments: str | Path) -> list[str]:
    """Return the command with these arguments."""
    return [sys.executable, "-m", "picklist", *map(str, arguments)]


def environment(**added: str) -> dict[str, str]:
    """Return the environment of a command, with these variables besides."""
    kept = {key: value for key, value in os.environ.items() if key not in TERMINAL}
    return {**kept, "TERM": "xterm-256color", "PYTHONUTF8": "1", **added}


def run(*arguments: str | Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command; return what it wrote, and how it ended."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**environ),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
