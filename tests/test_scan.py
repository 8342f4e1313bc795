"""Many files: how they are batched, what a baseline knows, files that kill the process."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from children import printed
from command_line import command, run
from picklist._cli.batches import Batch, batches
from picklist._scanning import scan_file

pytest.importorskip("click")
pytest.importorskip("rich")

PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."
OTHER = b"cposix\nsystem\n(S'echo hello'\ntR."
GOOD = pickle.dumps({"a": [1, (2.5, None)]})


class TestBatches:
    """Every file once, in its order, and no batch beyond its bounds."""

    @given(
        st.lists(st.integers(0, 50), max_size=200),
        st.integers(1, 9),
        st.integers(1, 20),
        st.integers(1, 100),
    )
    def test_all_files_in_their_order(
        self, sizes: list[int], workers: int, most_files: int, most_bytes: int
    ) -> None:
        paths = [f"f{number}" for number in range(len(sizes))]
        bounds = {"most_files": most_files, "most_bytes": most_bytes}
        found = list(batches(paths, sizes, workers, **bounds))
        assert [path for batch in found for path in batch.paths] == paths
        for batch in found:
            assert batch.paths == tuple(paths[batch.first : batch.first + len(batch.paths)])
            held = sizes[batch.first : batch.first + len(batch.paths)]
            assert len(held) <= most_files
            assert len(held) == 1 or sum(held) <= most_bytes

    def test_few_files_are_spread_over_all_workers(self) -> None:
        found = list(batches(["f"] * 48, [10] * 48, 3, most_files=256, most_bytes=1 << 20))
        assert [len(batch.paths) for batch in found] == [2] * 24

    def test_many_small_files_go_together(self) -> None:
        paths = ["f"] * 100_000
        found = list(batches(paths, [100] * 100_000, 2, most_files=64, most_bytes=4 << 20))
        assert {len(batch.paths) for batch in found[:-1]} == {64}

    @given(st.integers(1, 40), st.integers(0, 9))
    def test_parts_are_the_whole(self, number: int, first: int) -> None:
        batch = Batch(first, tuple(f"f{at}" for at in range(first, first + number)))
        singles = batch.singles()
        assert [single.paths[0] for single in singles] == list(batch.paths)
        assert [single.first for single in singles] == list(range(first, first + number))
        if number > 1:
            left, right = batch.halves()
            assert left.singles() + right.singles() == singles


class TestBaselines:
    """What is known stays known, and nothing else."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "a.pkl").write_bytes(PAYLOAD)
        (tmp_path / "b.pkl").write_bytes(GOOD)
        done = run("scan", "a.pkl", "b.pkl", "--write-baseline", "known.json", cwd=tmp_path)
        assert done.returncode == 1
        return tmp_path

    def scanned(self, folder: Path, *files: str) -> tuple[int, dict[str, Any]]:
        arguments = (*files, "--baseline", "known.json", "--format", "json")
        done = run("scan", *arguments, cwd=folder)
        document: dict[str, Any] = json.loads(done.stdout)
        return done.returncode, document

    def test_offsets_do_not_matter(self, folder: Path) -> None:
        (folder / "a.pkl").write_bytes(b"I1\n0" + PAYLOAD)
        code, document = self.scanned(folder, "a.pkl", "b.pkl")
        assert (code, document["findings"], document["in_baseline"]) == (0, 0, 1)
        assert [row["findings"] for row in document["files"]] == [[], []]

    def test_another_name_is_new(self, folder: Path) -> None:
        (folder / "a.pkl").write_bytes(PAYLOAD + OTHER)
        code, document = self.scanned(folder, "a.pkl", "b.pkl")
        (finding,) = document["files"][0]["findings"]
        assert (code, finding["name"]) == (1, "posix.system")

    def test_another_file_is_new(self, folder: Path) -> None:
        (folder / "b.pkl").write_bytes(PAYLOAD)
        code, document = self.scanned(folder, "a.pkl", "b.pkl")
        assert (code, document["findings"], document["in_baseline"]) == (1, 1, 1)

    def test_what_is_gone_is_no_matter(self, folder: Path) -> None:
        (folder / "a.pkl").write_bytes(GOOD)
        code, document = self.scanned(folder, "a.pkl", "b.pkl")
        assert (code, document["in_baseline"]) == (0, 0)

    def test_a_file_that_cannot_be_read_is_never_excused(self, folder: Path) -> None:
        url = f"nonsense://{folder.name}/a.pkl"
        assert run("scan", url, "--write-baseline", "known.json", cwd=folder).returncode == 2
        code, document = self.scanned(folder, url)
        assert (code, document["failed"], document["findings"]) == (2, 1, 0)
        assert document["files"][0]["failed"].startswith("ValueError: ")

    def test_a_new_baseline_has_what_the_old_one_hides(self, folder: Path) -> None:
        (folder / "b.pkl").write_bytes(PAYLOAD)
        both = ("--baseline", "known.json", "--write-baseline", "new.json")
        assert run("scan", "a.pkl", "b.pkl", *both, cwd=folder).returncode == 1
        assert run("scan", "a.pkl", "b.pkl", "--baseline", "new.json", cwd=folder).returncode == 0


# Put where every interpreter imports it at its start, worker processes too.
DEADLY = """
import os, signal
from picklist import _scanning
scan_file = _scanning.scan_file
def deadly(path, *arguments, **options):
    if "deadly" in path:
        os.kill(os.getpid(), signal.SIGKILL)
    return scan_file(path, *arguments, **options)
_scanning.scan_file = deadly
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_file_that_kills_its_process_is_a_finding(tmp_path: Path) -> None:
    """The others of its batch are scanned all the same, and all come in their order."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(DEADLY)
    body = pickle.dumps([str(number) * 9 for number in range(20_000)])
    files = tmp_path / "files"
    files.mkdir()
    for number in range(120):
        name = f"f{number:03}-deadly.pkl" if number in (5, 77) else f"f{number:03}.pkl"
        (files / name).write_bytes(body + (PAYLOAD if number % 10 == 9 else b""))
    arguments = ("files", "--jobs", "2", "--format", "json")
    done = run("scan", *arguments, cwd=tmp_path, PYTHONPATH=str(site))
    assert (done.returncode, done.stderr) == (2, "")
    document = json.loads(done.stdout)
    names = [Path(row["source"]).name for row in document["files"]]
    assert names == sorted(path.name for path in files.iterdir())
    failed = [Path(row["source"]).name for row in document["files"] if row["failed"]]
    assert failed == ["f005-deadly.pkl", "f077-deadly.pkl"]
    assert (document["failed"], document["findings"]) == (2, 12 + 2)


def test_a_file_that_cannot_be_opened_is_a_finding(tmp_path: Path) -> None:
    report = scan_file(str(tmp_path / "nowhere"), source="models/nowhere")
    assert report.source == "models/nowhere"
    (finding,) = report.findings
    assert (finding.rule, finding.source) == ("not-inspected", "models/nowhere")
    assert finding.message == report.failed
    assert report.failed.startswith("FileNotFoundError: ")


def test_the_benchmark_runs() -> None:
    program = Path(__file__).resolve().parent.parent / "benches" / "scan.py"
    arguments = ("--files", "20", "--size", "0.02", "--rounds", "1", "--jobs", "2")
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("  ")[0] for line in done.stdout.splitlines()[1:]]
    assert rows == ["read", "scan, 1 job", "scan, 2 jobs", "inspect", "threads, 1", "threads, 2"]


# A child's memory counts from its parent's, and pytest is large.
LAUNCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
assert status == 0
print(usage.ru_maxrss)
"""


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs wait4")
@pytest.mark.parametrize("form", ["json", "text"])
def test_memory_is_that_of_a_file_however_many_there_are(tmp_path: Path, form: str) -> None:
    first = tmp_path / "000.pkl"
    first.write_bytes(pickle.dumps([str(number) * 9 for number in range(100_000)]))
    largest = []
    for number in (4, 120):
        for at in range(number):
            path = tmp_path / f"{at:03}.pkl"
            if not path.exists():
                path.hardlink_to(first)
        options = ("--jobs", "2", "--format", form, "--output", os.devnull)
        largest.append(int(printed(LAUNCHER, *command("scan", tmp_path, *options))))
    few, many = largest
    assert many < 1.3 * few, largest
