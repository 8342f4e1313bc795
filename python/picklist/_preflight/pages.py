"""One page per code, from the catalogue: for `picklist explain` and for the docs.

`python -m picklist._preflight.pages docs/reasons` writes the pages again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .catalogue import Entry, kinds, reasons

STAGES = {
    "dump": "found before pickling, by the walk and a real dump",
    "load": "found by a real round trip: it dumps, and does not load",
    "silent": "found by a real round trip: it comes back, but different",
    "context": 'found with `context="spawn"` or `context="forkserver"`',
    "policy": "found with `policy=`",
}
INDEX = """\
# Reasons

Why an object does not pickle, does not come back, or comes back different. Each has a stable code;
`picklist.check_picklable(obj)` says which apply, where, and what to do with the object's own names.

| code | name | |
|---|---|---|
"""


def page(code: str) -> str:
    """Return the page of a code, as Markdown.

    Raises
    ------
    KeyError
        There is no such code.
    """
    entry = reasons()[code.upper()]
    parts = [
        f"# {entry.code}: {entry.slug}\n",
        f"{_sentence(entry.summary)}\n",
        f"*{entry.severity}, {STAGES[entry.stage]}*\n",
        "## Why\n",
        f"{_sentence(entry.cause)}\n",
        "## What to do\n",
        "".join(f"- {fix}\n" for fix in entry.fixes),
    ]
    if entry.before:
        fails = "Fails" if entry.severity == "error" else "Surprises"
        parts += [
            f"## {fails}\n",
            f"```python\n{entry.before.strip()}\n```\n",
            "## Works\n",
            f"```python\n{entry.after.strip()}\n```\n",
        ]
    parts += _types(entry)
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _types(entry: Entry) -> list[str]:
    names = sorted(name for name, kind in kinds().items() if kind.code == entry.code)
    if not names:
        return []
    return ["## Types known by name\n", "".join(f"- `{name}`\n" for name in names)]


def pages() -> dict[str, str]:
    """Return every page by file name, with the index."""
    made = {f"{code}.md": page(code) for code in reasons()}
    rows = [
        f"| [{code}]({code}.md) | {entry.slug} | {entry.summary} |\n"
        for code, entry in reasons().items()
    ]
    made["index.md"] = INDEX + "".join(rows)
    return made


def write(folder: Path) -> None:
    """Write every page into a folder, and remove those of codes that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in folder.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reasons"))
