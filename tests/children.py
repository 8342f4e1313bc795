"""Programs in a fresh interpreter: what must not be seen, or survived, by the one that tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["printed", "run_program"]


def run_program(
    code: str, *arguments: object, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter, which finds the modules that this one finds.

    Parameters
    ----------
    code : str
        The program.
    arguments
        What it finds in ``sys.argv``, as strings.
    cwd : Path, optional
        Where it runs.
    environ
        Variables of its environment besides those of this one.
    """
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def printed(code: str, *arguments: object, **environ: str) -> str:
    """Run a program as above; return what it printed.  One that fails is an error."""
    done = run_program(code, *arguments, cwd=None, **environ)
    assert done.returncode == 0, f"the child ended with {done.returncode}: {done.stderr[-600:]}"
    return done.stdout
