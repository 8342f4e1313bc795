"""picklist in two minutes, on pickles that nobody here wrote.

Run it with ``make demo``.  Each part is one function of ``PARTS``, in the order shown.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import picklist

WIDTH = 96


# --- how it is printed ---------------------------------------------------------------------------


def heading(text: str) -> None:
    """Print the title of a part."""
    print(f"\n\n{text}\n{'=' * len(text)}")


def say(text: str) -> None:
    """Print a paragraph."""
    print("\n" + textwrap.fill(" ".join(text.split()), WIDTH))


def show(text: str) -> None:
    """Print code or output, indented and not wrapped."""
    print("\n" + textwrap.indent(text, "    "))


def shorten(value: object, width: int = WIDTH - 4) -> str:
    """Return a repr that fits a line."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 4] + " ..."


# --- real pickles --------------------------------------------------------------------------------


def folder(package: str) -> Path | None:
    """Return where a package is installed, without importing it."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def find(package: str, pattern: str) -> Path | None:
    """Return the first file of an installed package that matches, None if there is none."""
    where = folder(package)
    found = sorted(where.glob(pattern)) if where is not None else []
    return found[0] if found else None


def grammar() -> Path | None:
    """Return a pickle of plain data: the parser tables that lib2to3 writes when it is installed."""
    return find("lib2to3", "Grammar3*.pickle")


def foreign() -> list[Path]:
    """Return pickles that need names outside the default policy."""
    files = (
        # Written by Python 3.4 and numpy 1.9 for joblib's own tests.
        find("joblib", "test/data/joblib_0.9.2_pickle_py34_np19.pkl"),
        # A random.Random, in the tests of the standard library since Python 3.0.
        find("test", "randv3.pck"),
    )
    return [file for file in files if file is not None]


# --- the parts -----------------------------------------------------------------------------------


def load_what_is_data() -> None:
    """Part one: data loads."""
    heading("1. A pickle that is data loads")
    path = grammar()
    if path is None:
        say("""This Python comes without lib2to3, whose parser tables this part would have loaded.
            Run it under CPython 3.11 or 3.12 to see it.""")
        return
    data = path.read_bytes()
    say(f"""Python's own lib2to3 keeps its parser tables in a pickle: {path.name},
        {len(data):,} bytes. We did not write it, so we would rather not let it run code.""")
    show(f">>> tables = picklist.safe_loads(Path({path.name!r}).read_bytes())")
    tables: dict[str, Any] = picklist.safe_loads(data)
    show("\n".join(f"{key:16} {shorten(tables[key], WIDTH - 24)}" for key in sorted(tables)))
    same = tables == pickle.loads(data)  # our own interpreter's file: we may trust it this once
    say(f"""It held nothing but numbers, strings and containers, so it loaded without importing
        or calling anything. Equal to what pickle.loads returns: {same}.""")


def refuse_what_is_code() -> None:
    """Part two: a program disguised as data does not run."""
    heading("2. A pickle that is a program is refused")
    data = (
        pickle.GLOBAL
        + b"os\nsystem\n"
        + pickle.MARK
        + pickle.STRING
        + b"'echo hello from inside a pickle'\n"
        + pickle.TUPLE
        + pickle.REDUCE
        + pickle.STOP
    )
    say("""A pickle is a small program, and one of its instructions calls a function. These bytes
        say: import os.system, put a string on the stack, call. pickle.loads would obey.""")
    commands: list[object] = []
    sys.addaudithook(lambda event, args: commands.append(args) if event == "os.system" else None)
    show(f">>> picklist.safe_loads({data!r})")
    refuse(data)
    say(f"""Shell commands that were run, according to the interpreter's audit hook:
        {len(commands)}. This exception is also a pickle.UnpicklingError, so programs that handle
        bad pickles already handle it.""")


def refuse_what_nobody_asked_for() -> None:
    """Part three: honest pickles may need names that a policy must grant."""
    files = foreign()
    if not files:
        return
    heading("3. Real pickles that want more than data")
    say("""Most pickles mean no harm and still ask for more than data. What they ask for is listed
        before any of it is imported. For example:""")
    for path in files:
        data = path.read_bytes()
        show(f">>> picklist.safe_loads(Path({path.name!r}).read_bytes())     # {len(data):,} bytes")
        refuse(data)


@dataclass
class Invoice:
    """A class of your own."""

    number: int
    total: float


def allow_what_you_trust() -> None:
    """Part four: one line of policy."""
    heading("4. Your own classes load once you say so")
    say("""The default policy knows no class of yours. Naming one grants what its pickles need:
        making an instance and setting the fields that the class declares.""")
    data = pickle.dumps([Invoice(1, 99.5), Invoice(2, 12.0)])
    show(">>> picklist.safe_loads(data)")
    refuse(data)
    show(">>> picklist.safe_loads(data, allow=[Invoice])")
    show(repr(picklist.safe_loads(data, allow=[Invoice])))


def refuse(data: bytes) -> None:
    """Load a pickle that the default policy refuses, and print the refusal."""
    try:
        value = picklist.safe_loads(data)
    except picklist.UnsafePickleError as error:
        show(f"{type(error).__module__}.{type(error).__qualname__}: {error}")
    else:
        raise SystemExit(f"this pickle should have been refused, but loaded: {shorten(value)}")


PARTS = (
    load_what_is_data,
    refuse_what_is_code,
    refuse_what_nobody_asked_for,
    allow_what_you_trust,
)


def main() -> None:
    """Run every part."""
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"picklist {picklist.__version__} on Python {version}")
    for part in PARTS:
        part()
    print()


if __name__ == "__main__":
    main()
