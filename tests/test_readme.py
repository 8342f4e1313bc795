"""The README's examples print what the README says they print.

Fill the outputs in anew with ``python tests/test_readme.py``.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(?<=```pycon\n).*?(?=```)", re.DOTALL)
PROMPT = re.compile(r"^>>> (.*(?:\n\.\.\..*)*)\n", re.MULTILINE)
CONTINUED = re.compile(r"^\.\.\. ?", re.MULTILINE)


def examples(block: str) -> Iterator[tuple[str, str]]:
    """Yield each input, of one line or several, with the output that follows it."""
    parts = PROMPT.split(block)[1:]
    yield from zip(parts[::2], parts[1::2], strict=True)


def run(line: str, names: dict[str, Any]) -> str:
    """Return what the interactive interpreter prints for an input, tracebacks cut to their ends."""
    tree = ast.parse(CONTINUED.sub("", line) + "\n", mode="single")
    names["__builtins__"] = {**vars(sys.modules["builtins"])}
    hook, sys.displayhook = sys.displayhook, shown
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            exec(compile(tree, "<stdin>", "single"), names)
        except Exception as error:
            print("Traceback (most recent call last):\n  ...")
            print(*traceback.format_exception_only(error), sep="", end="")
        finally:
            sys.displayhook = hook
    return printed.getvalue()


def shown(value: object) -> None:
    """Print a value as the interactive interpreter does."""
    if value is not None:
        print(repr(value))


@contextlib.contextmanager
def session() -> Iterator[dict[str, Any]]:
    """The names of an interactive session; its classes are found in ``__main__``, as there."""
    main = types.ModuleType("__main__")
    before, sys.modules["__main__"] = sys.modules["__main__"], main
    try:
        yield vars(main)
    finally:
        sys.modules["__main__"] = before


def rewritten(text: str) -> str:
    """Return the README with every output replaced by what is printed now."""
    with session() as names:

        def rerun(block: re.Match[str]) -> str:
            found = examples(block.group())
            return "".join(f">>> {line}\n{run(line, names)}" for line, _ in found)

        return BLOCK.sub(rerun, text)


def test_the_examples_print_what_they_say() -> None:
    """Every ``pycon`` block, in order, in one session."""
    text = README.read_text("utf-8")
    assert len(BLOCK.findall(text)) >= 4
    assert rewritten(text) == text


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text("utf-8")), "utf-8")
