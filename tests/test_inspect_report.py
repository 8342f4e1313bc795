"""The faces of an Inspection: text, JSON by a documented schema, SARIF by the standard's, HTML."""

from __future__ import annotations

import html.parser
import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest

import picklist
from picklist._findings import RULES

HOSTILE = pickle.dumps({"<b>": ValueError("<script>"), "n": 1}) + b"cos\nsystem\n(S'<i>'\ntR."
DOCS = Path(__file__).parent.parent / "docs" / "inspect.md"


def valid_sarif(log: dict[str, Any]) -> None:
    """Fail where a log is not SARIF 2.1.0, by the official schema."""
    sarif_kit = pytest.importorskip("sarif_kit")
    sarif_kit.assert_valid(log)


def test_text() -> None:
    text = str(picklist.inspect(HOSTILE))
    assert text.startswith("1 refused by policy 'std': protocol 4, ")
    assert "builtins.ValueError  called with ('<script>',)" in text
    assert "os.system  called with ('<i>',)" in text
    assert all(line == line.rstrip() for line in text.splitlines())
    assert repr(picklist.inspect(b"N.")) == (
        "<Inspection of <bytes>: allowed by policy 'std', 0 names, 2 bytes>"
    )


def test_json_is_what_the_manual_says() -> None:
    found = picklist.inspect(HOSTILE)
    plain = json.loads(found.to_json())
    assert plain == found.to_dict()
    assert plain["schema"] == "picklist-inspection/1"
    documented = set(re.findall(r"^\| `(\w+)`", DOCS.read_text("utf-8"), re.MULTILINE))
    for report in (plain, *plain["pickles"], picklist.inspect(b"PK\x03\x04").to_dict()):
        assert set(report) <= documented
        for rows in (report["globals"], report["refusals"]):
            assert all(set(row) <= documented for row in rows)


def test_an_inspection_of_nothing() -> None:
    found = picklist.inspect(b"")
    assert found.fault is not None
    assert found.fault.kind == "truncated"
    assert [finding.rule for finding in found.findings] == ["malformed"]


@pytest.mark.parametrize("data", [b"N.", b"", HOSTILE, HOSTILE + b"\xff", b"\x80\x04\x95"])
def test_sarif_is_valid(data: bytes) -> None:
    log = picklist.inspect(data).to_sarif()
    json.dumps(log)
    valid_sarif(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == list(RULES)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]


def test_sarif_places_are_bytes_of_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my model.pkl").write_bytes(HOSTILE)
    results = picklist.inspect("my model.pkl").to_sarif()["runs"][0]["results"]
    places = [result["locations"][0]["physicalLocation"] for result in results]
    assert {place["artifactLocation"]["uri"] for place in places} == {"my%20model.pkl"}
    data = Path("my model.pkl").read_bytes()
    offsets = [place["region"]["byteOffset"] for place in places]
    assert [data[offset : offset + 1] for offset in offsets] == [b"\x93", b"c"]


def test_fingerprints_outlive_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    prints = []
    for before in (b"", b"N0"):
        path.write_bytes(before + b"cos\nsystem\n.")
        (finding,) = picklist.inspect(path).findings
        prints.append(finding.fingerprint)
    assert prints[0] == prints[1]


def test_the_preflight_log_is_valid_too() -> None:
    valid_sarif(picklist.explain([lambda: 1]).to_sarif())


class Strict(html.parser.HTMLParser):
    """Fails on tags that are not closed, or that came from the pickle."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in {"div", "p", "b", "table", "tr", "td", "code"}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_escaped() -> None:
    markup = picklist.inspect(HOSTILE)._repr_html_()
    Strict().feed(markup)
    assert "&lt;script&gt;" in markup
    assert markup.count("<b>") == 1
