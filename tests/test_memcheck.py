"""No read or write outside what was allocated: memcheck over the ways that make objects."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from callgrind import INSTALL, valgrind_version

CHILD = Path(__file__).with_name("memcheck_child.py")
# Blocks of a report are parted by lines that hold nothing but valgrind's prefix.
PREFIX = re.compile(r"^==\d+== ?", re.MULTILINE)
OURS = re.compile(r"_picklist\.|\.rs:\d+|picklist::")


def blamed(report: str) -> list[str]:
    """Return the errors of a report in which our code takes part."""
    blocks = re.split(r"\n\s*\n", PREFIX.sub("", report))
    return [block for block in blocks if " at 0x" in block and OURS.search(block)]


def test_no_error_goes_through_our_code():
    if sys.version_info[:2] != (3, 11):
        pytest.skip("run once, on the reference interpreter")
    if valgrind_version() is None:
        if os.environ.get("CI"):
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    ran = subprocess.run(
        ["valgrind", "--error-limit=no", "--num-callers=30", sys.executable, str(CHILD)],
        env={**os.environ, "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert ran.stdout == "loaded\n"
    assert "ERROR SUMMARY" in ran.stderr
    assert not blamed(ran.stderr)


def test_a_report_that_blames_us_is_read_so():
    ours = """==7== Invalid write of size 8
==7==    at 0x61B2C3: ??? (in /site-packages/picklist/_picklist.cpython-311-x86_64-linux-gnu.so)
==7==    by 0x49F9331: cfunction_vectorcall (methodobject.c:443)
==7==
==7== Conditional jump or move depends on uninitialised value(s)
==7==    at 0x49E04DA: maybe_small_long (longobject.c:71)
==7==
"""
    assert [block.splitlines()[0] for block in blamed(ours)] == ["Invalid write of size 8"]
