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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(r"(?<=```pycon\n).*?(?=```)", re.DOTALL)
PROMPT = re.compile(r"^>>> (.*)\n", re.MULTILINE)


def examples(block: str) -> Iterator[tuple[str, str]]:
    """Yield each line of input with the output that follows it."""
    parts = PROMPT.split(block)[1:]
    yield from zip(parts[::2], parts[1::2], strict=True)


def run(line: str, names: dict[str, Any]) -> str:
    """Return what the interactive interpreter prints for a line, tracebacks cut to their ends."""
    tree = ast.parse(line, mode="single")
    printed: list[str] = []
    names["__builtins__"] = {**vars(sys.modules["builtins"])}
    hook, sys.displayhook = sys.displayhook, lambda value: printed.append(f"{value!r}\n")
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            exec(compile(tree, "README.md", "single"), names)
    except Exception as error:
        printed = ["Traceback (most recent call last):\n  ...\n"]
        printed += traceback.format_exception_only(error)
    finally:
        sys.displayhook = hook
    return output.getvalue() + "".join(text for text in printed if text != "None\n")


def rewritten(text: str) -> str:
    """Return the README with every output replaced by what is printed now."""
    names: dict[str, Any] = {}

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
