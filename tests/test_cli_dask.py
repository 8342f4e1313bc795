"""`picklist scan --dask`: the local scan's results from a real cluster, whatever happens to it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import picklist
from children import run_program
from command_line import command, run
from picklist._cli import cluster as client
from picklist._cli.batches import Batch
from picklist._scanning import FileReport, scan_batch, scan_file

fcntl = pytest.importorskip("fcntl", reason="signals and descriptors as Unix has them")

PROGRAM = Path(__file__).parent / "dask_cluster.py"
PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."
GOOD = pickle.dumps({"a": [1, (2.5, None)]})
FILES = 60


class Cluster(NamedTuple):
    """A running cluster."""

    address: str
    pids: list[int]
    process: Any


@contextlib.contextmanager
def started(workers: int = 3, kind: str = "") -> Iterator[Cluster]:
    """Run a cluster as a program; in CI a missing package is a failure."""
    if importlib.util.find_spec("distributed") is None:
        text = "distributed is not installed: pip install picklist[test-extra]"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    environ = {
        **os.environ,
        "PICKLIST_TEST_WORKER": kind,
        # A task goes to no third worker when two have died of it.
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
        # How long the scheduler asks a dead worker for a result before it has it made again.
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3s",
    }
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environ,
    ) as process:
        try:
            row = json.loads(process.stdout.readline())
            yield Cluster(row["address"], row["pids"], process)
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Return a cluster of three workers; whoever kills one finds it again as another process."""
    with started() as cluster:
        yield cluster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of files, every tenth of which is hostile."""
    for number in range(FILES):
        data = PAYLOAD if number % 10 == 9 else GOOD
        (tmp_path / f"f{number:02}.pkl").write_bytes(data)
    (tmp_path / "notes.txt").write_text("hello\n")
    return tmp_path


def one_line(done: Any) -> str:
    """Return the one line that a command ended with."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("picklist: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return str(done.stderr)


class TestResults:
    """Equal to the local scan's, byte for byte."""

    @pytest.mark.parametrize("form", ["text", "json", "jsonl", "sarif"])
    def test_every_format(self, cluster: Cluster, folder: Path, form: str) -> None:
        local = run("scan", ".", "--format", form, cwd=folder)
        there = run("scan", ".", "--format", form, "--dask", cluster.address, cwd=folder)
        assert local.returncode == there.returncode == 1, there.stderr
        assert (there.stdout, there.stderr) == (local.stdout, "")

    def test_policies_and_baselines(self, cluster: Cluster, folder: Path) -> None:
        (folder / "e.pkl").write_bytes(pickle.dumps(ValueError("x")))
        dask = ("--dask", cluster.address)
        assert run("scan", "e.pkl", *dask, cwd=folder).returncode == 1
        both = ("--policy", "std", "--policy", "exceptions")
        assert run("scan", "e.pkl", *both, *dask, cwd=folder).returncode == 0
        text = picklist.Policy(base=["std", "exceptions"]).to_toml()
        (folder / "policy.toml").write_text(text)
        filed = ("--policy-file", "policy.toml")
        assert run("scan", "e.pkl", *filed, *dask, cwd=folder).returncode == 0
        assert run("scan", ".", "--write-baseline", "known.json", *dask, cwd=folder).returncode == 1
        done = run("scan", ".", "--baseline", "known.json", *dask, cwd=folder)
        assert done.returncode == 0
        assert "no findings, 7 in the baseline" in done.stdout

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
    def test_a_file_that_the_workers_do_not_see(self, cluster: Cluster, folder: Path) -> None:
        """As where a folder is not mounted there: here, a descriptor of the command's own."""
        with (folder / "f00.pkl").open("rb") as file:
            number = fcntl.fcntl(file, fcntl.F_DUPFD, 200)
        path = f"/proc/self/fd/{number}"
        done = subprocess.run(
            command("scan", "f01.pkl", path, "--dask", cluster.address),
            cwd=folder,
            capture_output=True,
            text=True,
            pass_fds=[number],
            check=False,
        )
        os.close(number)
        assert done.returncode == 2
        message = f"FileNotFoundError: [Errno 2] No such file or directory: {path!r}"
        assert done.stdout == (
            f"{path}\n  E not-inspected\n    {message} (on {socket.gethostname()})\n"
            "2 files, 1 pickle: 1 finding, 1 file could not be read\n"
        )
        assert done.stderr == ""


class TestKilledWorkers:
    """Nothing is lost, nothing counted twice."""

    def test_a_worker_killed_in_the_middle(self, folder: Path) -> None:
        """By SIGKILL, from outside, twice, while the results stream back."""
        for path in sorted(folder.glob("f*.pkl")):
            path.rename(path.with_name(f"slow-{path.name}"))
        expected = run("scan", ".", "--format", "jsonl", cwd=folder)
        with started() as cluster:
            with subprocess.Popen(
                command("scan", ".", "--format", "jsonl", "--dask", cluster.address),
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
            ) as process:
                lines = []
                for line in process.stdout:
                    lines.append(line)
                    if len(lines) in (5, 20):
                        os.kill(cluster.pids.pop(), signal.SIGKILL)
            assert process.returncode == 1
        assert "".join(lines) == expected.stdout

    def test_a_worker_killed_by_a_file_once(self, cluster: Cluster, folder: Path) -> None:
        """Dask runs the batch again; its files come once."""
        expected = run("scan", ".", "--format", "jsonl", cwd=folder)
        for path in (folder / "f03.pkl", folder / "f29.pkl"):
            path.rename(path.with_name(f"once-{path.name}"))
        done = run("scan", ".", "--format", "jsonl", "--dask", cluster.address, cwd=folder)
        assert len(list(folder.glob("once-*.killed"))) == 2
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [row["failed"] for row in rows] == [""] * (FILES + 1)
        again = [row["source"].replace("once-", "") for row in rows]
        assert sorted(again) == [
            json.loads(line)["source"] for line in expected.stdout.split("\n")[:-1]
        ]
        assert sum(len(row["findings"]) for row in rows) == FILES // 10

    def test_files_that_kill_every_worker(self, folder: Path) -> None:
        """They are findings; all others are scanned, also what stood beside them on a worker."""
        deadly = ["deadly.pkl", "f30-deadly.pkl"]
        for path in deadly:
            (folder / path).write_bytes(PAYLOAD)
        with started() as cluster:
            done = run("scan", ".", "--format", "json", "--dask", cluster.address, cwd=folder)
        assert (done.returncode, done.stderr) == (2, "")
        document = json.loads(done.stdout)
        assert document["failed"] == 2
        assert [row["source"] for row in document["files"] if row["failed"]] == deadly
        assert len({row["source"] for row in document["files"]}) == FILES + 3
        assert len(document["files"]) == FILES + 3
        rules = [one["rule"] for row in document["files"] for one in row["findings"]]
        assert sorted(rules) == ["dangerous-global"] * (FILES // 10) + ["not-inspected"] * 2


class TestClustersThatCannotBeUsed:
    """One line, no traceback, and the code 2."""

    def test_no_scheduler(self, cluster: Cluster, folder: Path) -> None:
        with socket.socket() as taken:  # bound, and nothing listens
            taken.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
            done = run("scan", ".", "--dask", address, "--dask-timeout", "1", cwd=folder)
        assert f"no Dask scheduler answers at {address}: " in one_line(done)
        for address in ("nonsense", "foo://127.0.0.1:1", "tcp://no.such.host.invalid:8786", ""):
            done = run("scan", ".", "--dask", address, cwd=folder)
            assert f"no Dask scheduler answers at {address}: " in one_line(done)

    def test_no_workers(self, folder: Path) -> None:
        with started(workers=0) as cluster:
            done = run("scan", ".", "--dask", cluster.address, "--dask-timeout", "1", cwd=folder)
        assert f"the Dask cluster at {cluster.address} has no workers" in one_line(done)

    def test_workers_without_picklist(self, folder: Path) -> None:
        with started(workers=2, kind="lacks") as cluster:
            done = run("scan", ".", "--dask", cluster.address, cwd=folder)
        line = one_line(done)
        assert "2 of 2 workers cannot import picklist: tcp://" in line
        assert "(ModuleNotFoundError: " in line

    def test_workers_with_another_picklist(self, folder: Path) -> None:
        with started(workers=1, kind="other") as cluster:
            done = run("scan", ".", "--dask", cluster.address, cwd=folder)
        line = one_line(done)
        assert f"1 of 1 workers have another picklist than {picklist.__version__}: tcp://" in line
        assert line.endswith(" (0.0.1)\n")

    def test_a_scheduler_that_goes_away(self, folder: Path) -> None:
        for path in sorted(folder.glob("f*.pkl")):
            path.rename(path.with_name(f"slow-{path.name}"))
        (folder / "out.jsonl").write_text("before\n")
        with (
            started() as cluster,
            subprocess.Popen(
                command("scan", ".", "--dask", cluster.address, "--dask-timeout", "2"),
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process,
        ):
            assert process.stdout.readline().startswith("slow-f09.pkl")
            cluster.process.kill()
            _, errors = process.communicate(timeout=30)
        assert process.returncode == 2
        assert errors.count("\n") == 1
        assert f"picklist: the Dask scheduler at {cluster.address} went away: " in errors

    def test_ctrl_c(self, cluster: Cluster, folder: Path) -> None:
        """One line, the old output, and a cluster that is free for the next."""
        for path in sorted(folder.glob("f*.pkl")):
            path.rename(path.with_name(f"slow-{path.name}"))
        (folder / "out").write_text("before\n")
        with subprocess.Popen(
            command("scan", ".", "--dask", cluster.address, "--output", "out"),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            while not any(folder.glob(".out.*.part")):
                time.sleep(0.02)
                assert process.poll() is None
            time.sleep(0.3)
            os.killpg(process.pid, signal.SIGINT)
            out, errors = process.communicate(timeout=30)
        assert (process.returncode, out) == (130, ""), errors
        assert errors.startswith("picklist: interrupted after ")
        assert errors.endswith(" of 62 files; out is not written\n")
        assert errors.count("\n") == 1
        assert (folder / "out").read_text() == "before\n"
        assert run("scan", "notes.txt", "--dask", cluster.address, cwd=folder).returncode == 0

    def test_a_worker_that_joins_late_with_another_picklist(self) -> None:
        """Its answer says so: nothing of it is taken."""
        there = client.Cluster.__new__(client.Cluster)
        future = types.SimpleNamespace(status="finished")
        answer = {"host": "late", "version": "0.0.1", "files": []}
        with pytest.raises(client.ClusterError, match=r"a worker joined .*: late \(0\.0\.1\)"):
            there._reports(Batch(0, ("f.pkl",)), future, answer)
        answer = scan_batch([("g.pkl", "g.pkl")], None, picklist.__version__)
        with pytest.raises(client.ClusterError, match="answered for other files"):
            there._reports(Batch(0, ("f.pkl",)), future, answer)

    def test_jobs_are_local(self, folder: Path) -> None:
        done = run("scan", ".", "--dask", "tcp://127.0.0.1:1", "--jobs", "2", cwd=folder)
        assert done.returncode == 2
        assert "--jobs is for this machine" in done.stderr


class TestTheWire:
    """What crosses it: text one way, plain data the other."""

    def test_findings_are_plain_data(self, folder: Path) -> None:
        files = [(str(folder / "f09.pkl"), "f09.pkl"), (str(folder / "nowhere"), "nowhere")]
        answer = scan_batch(files, picklist.Policy().to_toml(), picklist.__version__)
        assert json.loads(json.dumps(answer)) == answer
        first, second = answer["files"]
        assert [one["rule"] for one in first["findings"]] == ["dangerous-global"]
        assert second["failed"].startswith("FileNotFoundError: ")
        assert FileReport.from_dict(first) == scan_file(files[0][0], source="f09.pkl")

    def test_another_version_scans_nothing(self, folder: Path) -> None:
        """A worker that joins late was not asked at the start; its answer says so."""
        answer = scan_batch([(str(folder / "f09.pkl"), "f09.pkl")], None, "0.0.1")
        assert (answer["files"], answer["version"]) == ([], picklist.__version__)


def test_without_the_extra_one_line_says_what_to_install(folder: Path) -> None:
    program = (
        "import sys; sys.modules['distributed'] = None\n"
        "from picklist.__main__ import main\n"
        "sys.argv = ['picklist', 'scan', '.', '--dask', 'tcp://127.0.0.1:1']\n"
        "sys.exit(main())"
    )
    done = run_program(program, cwd=folder)
    assert done.returncode == 2
    assert done.stderr == "picklist: --dask needs distributed: pip install 'picklist[dask]'\n"
