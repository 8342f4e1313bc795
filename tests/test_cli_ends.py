"""How the command line ends: Ctrl-C, SIGTERM, a reader that has gone, files that are whole."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from children import run_program
from command_line import command, run

pytest.importorskip("click")
pytest.importorskip("rich")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and modes")

PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Return a folder with some seconds of work: one file under many names."""
    folder = tmp_path / "many"
    folder.mkdir()
    first = folder / "0000.pkl"
    first.write_bytes(pickle.dumps([str(number) * 9 for number in range(60_000)]) + PAYLOAD)
    for number in range(1, 1500):
        (folder / f"{number:04}.pkl").hardlink_to(first)
    return tmp_path


def interrupted(number: int, jobs: str, cwd: Path) -> tuple[int, str, str]:
    """Scan, and send a signal as a terminal does, to all processes, once something is written."""
    with subprocess.Popen(
        command("scan", "many", "--jobs", jobs, "--format", "jsonl", "--output", "out.jsonl"),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while not any(part.stat().st_size for part in cwd.glob(".out.jsonl.*.part")):
            time.sleep(0.02)
            assert process.poll() is None
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, errors = process.communicate(timeout=30)
        with pytest.raises(ProcessLookupError):  # no process of its group is left
            for _ in range(100):
                os.killpg(process.pid, 0)
                time.sleep(0.02)
    return process.returncode, out, errors


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_one_line_and_the_old_output(many: Path, jobs: str) -> None:
    (many / "out.jsonl").write_text("before\n")
    code, out, errors = interrupted(signal.SIGINT, jobs, many)
    assert (code, out) == (130, ""), errors
    assert errors.startswith("picklist: interrupted after ")
    assert errors.endswith(" of 1500 files; out.jsonl is not written\n")
    assert errors.count("\n") == 1
    assert sorted(path.name for path in many.iterdir()) == ["many", "out.jsonl"]
    assert (many / "out.jsonl").read_text() == "before\n"


def test_sigterm_ends_the_workers_too(many: Path) -> None:
    code, out, errors = interrupted(signal.SIGTERM, "2", many)
    assert (code, out, errors) == (128 + signal.SIGTERM, "", "")
    assert [path.name for path in many.iterdir()] == ["many"]


def test_a_reader_that_has_gone(many: Path) -> None:
    """As `picklist scan | head -1`: no traceback, and not clean."""
    with subprocess.Popen(
        command("scan", "many", "--jobs", "1", "--format", "jsonl"),
        cwd=many,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("{")
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 2


class TestOutput:
    """A file is written whole, in its place, as it was."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "bad.pkl").write_bytes(PAYLOAD)
        return tmp_path

    def test_links_and_modes_stay(self, folder: Path) -> None:
        (folder / "real.json").write_text("before")
        (folder / "real.json").chmod(0o640)
        (folder / "link.json").symlink_to("real.json")
        done = run("scan", "bad.pkl", "--format", "json", "-o", "link.json", cwd=folder)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
        assert (folder / "link.json").is_symlink()
        assert (folder / "real.json").read_text().startswith('{\n  "schema"')
        assert stat.S_IMODE((folder / "real.json").stat().st_mode) == 0o640
        assert sorted(path.name for path in folder.iterdir()) == [
            "bad.pkl",
            "link.json",
            "real.json",
        ]

    def test_a_new_file_has_the_mode_of_any_other(self, folder: Path) -> None:
        run("scan", "bad.pkl", "--format", "json", "-o", "out.json", cwd=folder)
        (folder / "any").touch()
        assert (folder / "out.json").stat().st_mode == (folder / "any").stat().st_mode

    def test_devices_take_what_comes(self, folder: Path) -> None:
        done = run("scan", "bad.pkl", "--format", "json", "-o", "/dev/stdout", cwd=folder)
        assert done.returncode == 1
        assert done.stdout.startswith('{\n  "schema"')
        assert run("scan", "bad.pkl", "-o", "/dev/null", cwd=folder).returncode == 1
        assert not Path("/dev/null").is_file()

    @pytest.mark.parametrize("name", ["nowhere/out.json", "."])
    def test_a_place_that_cannot_be_written(self, folder: Path, name: str) -> None:
        for option in ("--output", "--write-baseline"):
            done = run("scan", "bad.pkl", option, name, cwd=folder)
            assert done.returncode == 2
            assert name.partition("/")[0] in done.stderr.splitlines()[-1]
            assert "Traceback" not in done.stderr

    def test_a_full_disk(self, folder: Path) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("needs /dev/full")
        done = run("scan", "bad.pkl", "--format", "json", "-o", "/dev/full", cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "picklist: [Errno 28] No space left on device\n"


def test_a_fault_of_ours_is_not_taken_for_findings(tmp_path: Path) -> None:
    """Python's own exit code for an exception is 1, which says "findings"."""
    program = (
        "import sys, picklist._cli.scan as scan\n"
        "def files_of(paths): raise RuntimeError('ours')\n"
        "scan.files_of = files_of\n"
        "from picklist.__main__ import main\n"
        "sys.argv = ['picklist', 'scan', '.']\n"
        "sys.exit(main())"
    )
    done = run_program(program, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith("RuntimeError: ours\n")
