"""The payloads of the benchmark: each loads as pickle loads it, so what is timed is right."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import picklist
from suite import ROWS, Row

BENCHES = Path(__file__).resolve().parent.parent / "benches"
SIZE = 0.0005


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_loads_as_pickle_loads_it(row: Row):
    value = row.make(SIZE)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):  # slots need protocol 2
        data = pickle.dumps(value, protocol)
        loaded = picklist.safe_loads(data, policy=picklist.Policy(allow=row.allow))
        assert loaded == value
        assert type(loaded) is type(value)


@pytest.mark.parametrize("row", [row for row in ROWS if row.allow], ids=lambda row: row.name)
def test_rows_of_classes_are_refused_without_them(row: Row):
    with pytest.raises(picklist.ForbiddenGlobalError):
        picklist.safe_loads(pickle.dumps(row.make(SIZE)))


def test_rows_are_the_same_in_every_run():
    for row in ROWS:
        assert pickle.dumps(row.make(SIZE)) == pickle.dumps(row.make(SIZE)), row.name


@pytest.mark.parametrize("name", ["text", "markdown", "json"])
def test_the_benchmark_runs(name, tmp_path):
    command = [sys.executable, str(BENCHES / "run.py"), "--quick", "--rounds", "1"]
    done = subprocess.run(
        [*command, "--rows", "tiny,dataclasses", "--format", name, "--save", str(tmp_path)],
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
