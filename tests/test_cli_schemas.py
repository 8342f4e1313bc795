"""What the command line writes as JSON, against the schemas in the manual, by jsonschema."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import picklist
from command_line import run
from corpus import SAMPLES
from picklist._findings import RULES
from picklist._scanning import FileReport, scan_file
from preflight_kinds.table import needs

pytest.importorskip("click")
pytest.importorskip("rich")

SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas"
PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."


def schema(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SCHEMAS / f"{name}-1.schema.json").read_text("utf-8"))
    return read


def strict(found: Any) -> Any:
    """Return a schema in which every object has the fields that are described, and no other."""
    found = copy.deepcopy(found)

    def close(node: Any) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                node.setdefault("additionalProperties", False)
            for value in node.values():
                close(value)
        elif isinstance(node, list):
            for value in node:
                close(value)

    close(found)
    return found


def valid(document: Any, by: dict[str, Any]) -> None:
    """Fail where a document is not what a schema says, or has more than it says."""
    jsonschema.Draft202012Validator(strict(by)).validate(document)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with something for most rules."""
    (tmp_path / "bad.bin").write_bytes(PAYLOAD)
    (tmp_path / "good.pkl").write_bytes(pickle.dumps({"a": [1, (2.5, None)]}))
    (tmp_path / "several.pkl").write_bytes(pickle.dumps(ValueError("x")) + PAYLOAD + b"garbage")
    (tmp_path / "broken.pkl").write_bytes(PAYLOAD[:-1] + b"\xff")
    (tmp_path / "deep.pkl").write_bytes(b"]" * 20_000 + b"a" * 19_999 + b".")
    (tmp_path / "codes.pkl").write_bytes(b"\x80\x02\x82\x05Pid\n\x86.")
    (tmp_path / "call.pkl").write_bytes(b"cbuiltins\nint\n(S'1'\ntR.")
    (tmp_path / "cut.pkl.gz").write_bytes(gzip.compress(PAYLOAD * 100)[:-4])
    (tmp_path / "link.pkl").symlink_to(tmp_path / "loop.pkl")
    (tmp_path / "loop.pkl").symlink_to(tmp_path / "link.pkl")
    return tmp_path


@pytest.mark.parametrize("name", ["scan", "baseline", "inspection"])
def test_schemas_are_schemas(name: str) -> None:
    found = schema(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["title"] == found["properties"]["schema"]["const"] == f"picklist-{name}/1"


def test_the_manual_describes_every_field() -> None:
    text = (SCHEMAS.parent / "cli.md").read_text("utf-8")
    found = schema("scan")
    for part in (found, found["$defs"]["file"], found["$defs"]["finding"]):
        assert set(part["required"]) == set(part["properties"])
        for field in part["properties"]:
            assert f"`{field}`" in text, field
    assert found["$defs"]["finding"]["properties"]["rule"]["enum"] == list(RULES)


def test_scan(folder: Path) -> None:
    by = schema("scan")
    done = run("scan", ".", "nowhere.pkl", "--format", "json", cwd=folder)
    document = json.loads(done.stdout)
    valid(document, by)
    assert document["failed"] == 1
    rows = document["files"]
    assert document["pickles"] == sum(row["pickles"] for row in rows)
    assert document["findings"] == sum(len(row["findings"]) for row in rows)
    assert {one["rule"] for row in rows for one in row["findings"]} >= {
        "dangerous-global",
        "forbidden-global",
        "forbidden-call",
        "extension-code",
        "external",
        "limit",
        "malformed",
        "trailing-data",
        "mismatch",
    }
    lines = run("scan", ".", "--format", "jsonl", cwd=folder).stdout.splitlines()
    assert [json.loads(line) for line in lines] == rows
    for line in lines:
        valid(json.loads(line), {**by["$defs"]["file"], "$defs": by["$defs"]})
    empty = json.loads(run("scan", "good.pkl", "--format", "json", cwd=folder).stdout)
    valid(empty, by)
    (folder / "nothing").mkdir()
    none = run("scan", "nothing", "--format", "json", cwd=folder)
    valid(json.loads(none.stdout), by)
    assert none.returncode == 0


def test_baselines(folder: Path) -> None:
    run("scan", ".", "--write-baseline", "known.json", cwd=folder)
    valid(json.loads((folder / "known.json").read_text("utf-8")), schema("baseline"))


def test_inspect(folder: Path) -> None:
    names = sorted(path.name for path in folder.glob("*.pkl") if path.is_file())
    done = run("inspect", *names, "bad.bin", "--format", "json", cwd=folder)
    for report in json.loads(done.stdout):
        valid(report, schema("inspection"))


def test_an_inspection_of_a_joblib_file(tmp_path: Path) -> None:
    joblib, numpy = needs("joblib"), needs("numpy")
    joblib.dump([numpy.arange(3.0), 1], tmp_path / "a.joblib")
    report = json.loads(picklist.inspect(tmp_path / "a.joblib").to_json())
    assert (report["arrays"], len(report["raw"]), len(report["readings"])) == (1, 1, 2)
    valid(report, schema("inspection"))


def test_inspections_of_the_corpus() -> None:
    validator = jsonschema.Draft202012Validator(strict(schema("inspection")))
    for sample in SAMPLES:
        validator.validate(json.loads(picklist.inspect(sample.data).to_json()))
    for data in (b"", b"PK\x03\x04", b"N" * 10 + b".", b"\x80\x05\x95", b"(" * 100):
        validator.validate(json.loads(picklist.inspect(data).to_json()))


def test_a_report_comes_back_from_plain_data(folder: Path) -> None:
    for path in [*sorted(folder.iterdir()), folder / "nowhere"]:
        report = scan_file(str(path))
        plain = json.loads(json.dumps(report.to_dict()))
        assert FileReport.from_dict(plain) == report
        assert FileReport.from_dict(plain).to_dict() == plain
