"""The payloads of the benchmark: each loads as pickle loads it, so what is timed is right."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import picklist
from contestants import contestants, right
from picklist import _picklist
from share import inspected, shares, table
from suite import ROWS, Row

BENCHES = Path(__file__).resolve().parent.parent / "benches"
SIZE = 0.0005


def made(row: Row) -> Any:
    """Return the row's value, small; skip where a library is not installed."""
    if row.missing():
        pytest.skip(f"not installed: {', '.join(row.missing())}")
    return row.make(SIZE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_loads_as_pickle_loads_it(row: Row):
    value = made(row)
    # A list of names is exact: those of the libraries cover the protocols that are timed.
    protocols = row.protocols if row.needs else range(2, pickle.HIGHEST_PROTOCOL + 1)
    for protocol in protocols:  # slots need protocol 2
        payload = row.payload(value, protocol)
        policy = row.policy() or picklist.Policy()
        assert right(
            row, [policy.loads(data, **payload.keywords) for data in payload.streams], value
        )


@pytest.mark.parametrize("row", [row for row in ROWS if row.allow], ids=lambda row: row.name)
def test_rows_of_classes_are_refused_without_them(row: Row):
    payload = row.payload(made(row), 5)
    for data in payload.streams:
        with pytest.raises(picklist.ForbiddenGlobalError):
            picklist.safe_loads(data, **payload.keywords)


# Libraries share and cache as they like: what their rows load is compared above.
@pytest.mark.parametrize("row", [row for row in ROWS if not row.needs], ids=lambda row: row.name)
def test_rows_are_the_same_in_every_run(row: Row):
    first, second = (row.payload(row.make(SIZE), row.protocols[0]) for _ in range(2))
    assert first.streams == second.streams


def test_cold_rows_repeat_nothing():
    for row in ROWS:
        if row.cold:
            streams = row.payload(row.make(0.02), 5).streams
            assert len(streams) == len(set(streams)) > 1, row.name


def test_every_contestant_takes_part_and_is_right():
    (row,) = [row for row in ROWS if row.name == "session 1 kB cold"]
    value = row.make(0.01)
    calls = contestants(row, value, row.payload(value, 5), inspect=True, peers=True)
    assert {"pickle", "picklist", "find_class", "marshal", "inspect"} <= calls.keys()


def test_a_contestant_that_is_wrong_stops_the_benchmark():
    wrong = Row("wrong", lambda size: {"a": 1}, equal=lambda got, want: False)
    with pytest.raises(SystemExit, match="another value"):
        contestants(wrong, {"a": 1}, wrong.payload({"a": 1}, 5), inspect=False, peers=False)


@pytest.mark.parametrize("name", ["text", "markdown", "json"])
def test_the_benchmark_runs(name, tmp_path):
    command = [sys.executable, str(BENCHES / "run.py"), "--quick", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--only", "tiny", "dataclasses 100k", "--format", name, "--save", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "dataclasses 100k" in done.stdout
    assert len(list(tmp_path.iterdir())) == 3
    (report,) = tmp_path.glob("*.json")
    assert [row["row"] for row in json.loads(report.read_text(encoding="utf-8"))["rows"]] == [
        "tiny",
        "tiny",
        "dataclasses 100k",
        "dataclasses 100k",
    ]


def test_what_was_saved_is_drawn_and_published(tmp_path):
    once = ["--rounds", "1", "--only", "tiny", "--save", str(tmp_path / "out")]
    for script, *arguments in (
        ["run.py", "--quick", *once],
        ["curves.py", "--steps", "3", *once],
        ["publish.py", str(tmp_path / "out"), str(tmp_path / "docs")],
    ):
        command = [sys.executable, str(BENCHES / script), *arguments]
        subprocess.run(command, capture_output=True, text=True, check=True)
    document = (tmp_path / "docs" / "speed.md").read_text(encoding="utf-8")
    assert "| tiny | 5 |" in document
    assert "geometric mean" in document
    for name in ("speed.svg", "curves.svg"):
        assert name in document
        figure = ElementTree.parse(tmp_path / "docs" / name)
        assert "tiny" in {text.text for text in figure.iter("{http://www.w3.org/2000/svg}text")}


class Guarded:
    """An instance whose state its own code receives: its pickles are inspected first."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def counts_inspections() -> bool:
    return _picklist._inspected() is not None


@pytest.mark.skipif(counts_inspections(), reason="this build looks at the clock")
def test_without_a_clock_no_share_is_told():
    with pytest.raises(SystemExit, match="testing"):
        inspected()


@pytest.mark.skipif(not counts_inspections(), reason="built without the feature `testing`")
def test_the_share_of_the_inspection_is_told_where_there_is_one():
    guarded = Row("guarded", lambda size: [Guarded(1)] * 50, allow=lambda: [Guarded])
    plain = Row("plain", lambda size: list(range(50)), allow=list)
    found = shares([guarded, plain], protocols=[], rounds=3, quick=True)
    assert list(found) == [("guarded", 5)]
    (one,) = found.values()
    assert 0 < one.inspection < one.load
    assert "guarded" in table(found)


@pytest.mark.skipif(not counts_inspections(), reason="built without the feature `testing`")
def test_a_load_inspects_its_stream_once_and_only_where_code_could_run():
    def runs(load: Any, data: bytes) -> int:
        before = inspected()[0]
        load(data)
        return inspected()[0] - before

    policy = picklist.Policy(allow=[Guarded])
    policy.loads(pickle.dumps(Guarded(0)))  # the policy meets the class
    assert runs(policy.loads, pickle.dumps([Guarded(at) for at in range(1_000)])) == 1
    assert runs(policy.loads, pickle.dumps([1, "a", {"b": 2}])) == 0
    assert runs(picklist.safe_loads, pickle.dumps([1, "a", {"b": 2}])) == 0


@pytest.mark.parametrize("name", ["share.txt", "look.txt"])
def test_what_other_benches_print_is_published(tmp_path, name):
    found, documents = tmp_path / "out", tmp_path / "docs"
    command = [sys.executable, str(BENCHES / "run.py"), "--quick", "--rounds", "1"]
    subprocess.run([*command, "--only", "tiny", "--save", str(found)], check=True)
    (found / name).write_text("a table of numbers", encoding="utf-8")
    publish = [sys.executable, str(BENCHES / "publish.py"), str(found), str(documents)]
    subprocess.run(publish, check=True)
    document = (documents / "speed.md").read_text(encoding="utf-8")
    assert "```text\na table of numbers\n```" in document
    assert ("## Inspecting first" in document) == (name == "share.txt")
    assert ("## Looking and checking" in document) == (name == "look.txt")


def test_inspection_and_scans_are_timed():
    command = [sys.executable, str(BENCHES / "look.py"), "--quick", "--rounds", "1", "--files", "3"]
    done = subprocess.run(
        [*command, "--megabytes", "0.01"], capture_output=True, text=True, check=True
    )
    assert "JSON 3 MB" in done.stdout
    assert "scan of 3 files" in done.stdout
