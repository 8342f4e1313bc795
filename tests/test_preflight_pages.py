"""The catalogue and the pages made from it: complete, current, and their code is true."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import picklist
from picklist._preflight.catalogue import kind_of, kinds, reasons
from picklist._preflight.classify import TRANSPARENT
from picklist._preflight.pages import page, pages

DOCS = Path(__file__).parent.parent / "docs" / "reasons"
WITH_CODE = [code for code, entry in reasons().items() if entry.before]


def run(text: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "example.py"
    path.write_text(text)
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("code", WITH_CODE)
def test_the_code_before_fails_and_the_code_after_works(code: str, tmp_path: Path) -> None:
    entry = reasons()[code]
    before = run(entry.before, tmp_path)
    assert before.returncode != 0, entry.before
    after = run(entry.after, tmp_path)
    assert after.returncode == 0, after.stderr


def test_the_pages_are_current() -> None:
    """Run `python -m picklist._preflight.pages docs/reasons` after a change."""
    written = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    assert written == pages()


def test_every_page_has_its_parts() -> None:
    for code in reasons():
        text = page(code)
        assert text.startswith(f"# {code}: ")
        for heading in ("## Why", "## What to do"):
            assert heading in text
    assert page("pkl110") == page("PKL110")
    with pytest.raises(KeyError):
        page("PKL999")


def test_every_kind_names_a_code() -> None:
    assert {kind.code for kind in kinds().values()} <= set(reasons())


@pytest.mark.parametrize("name", kinds())
def test_every_type_of_the_table_is_known_by_name(name: str) -> None:
    """Nothing is imported for it: the class here only carries the name."""
    module, _, short = name.rpartition(".")
    made = type(short, (), {"__module__": module})
    derived = type("Derived", (made,), {"__module__": "app"})
    for cls in (made, derived):
        assert kind_of(cls) is kinds()[name]
    own = type("Own", (made,), {"__module__": "app", "__getstate__": lambda self: {}})
    assert kind_of(own) is None
    if kinds()[name].code in TRANSPARENT:
        return
    held = made()
    vars(held)["lock"] = threading.Lock()
    report = picklist.explain({"held": held}, roundtrip=False)
    assert report.errors[0].code == kinds()[name].code
    assert len(report.errors[0].fixes) >= 2
