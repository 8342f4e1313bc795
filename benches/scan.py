"""How fast `picklist scan` is, and what limits it: files read and nothing else, against the scan.

Makes files of JSON-like pickles in a temporary folder, reads them once so that they are in the page
cache, and prints files/s, MB/s (10**6 bytes), the cores that were busy (CPU time over wall time;
where it is the number of jobs, the scan is limited by them and by nothing else) and MB/s for each
of these (which a machine that does other things too disturbs least) of

read
    every file read whole, in one process: what a scan cannot beat with one worker.
scan, N jobs
    `picklist scan --jobs N` as a user runs it, from the start of the interpreter to its
    end, with the largest memory of any of its processes.
inspect
    `picklist.inspect` of one file's bytes, in one process.
threads, N
    the same files through `scan_file` in N threads of one process: whether the GIL is released.

Whatever is quoted from here needs the release build (``make bench`` makes it).
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pickle
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import picklist
from picklist._scanning import scan_file
from suite.documents import document

# Records of `document` for about one MB.
RECORDS_PER_MB = 4_100
# Different documents; each file is one of them, and has its own number.
DOCUMENTS = 8


def make(folder: Path, files: int, megabytes: float) -> list[Path]:
    """Write the files; return them."""
    bodies = [
        document(random.Random(seed), max(1, round(RECORDS_PER_MB * megabytes)))
        for seed in range(DOCUMENTS)
    ]
    paths = []
    for number in range(files):
        path = folder / f"{number % 10}" / f"{number:06}.pkl"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps([number, bodies[number % DOCUMENTS]]))
        paths.append(path)
    return paths


def measured(rounds: int, work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of the best round, and its CPU time, of child processes too."""
    seconds = []
    for _ in range(rounds):
        started, cpu = time.perf_counter(), spent()
        work()
        seconds.append((time.perf_counter() - started, spent() - cpu))
    return min(seconds)


def spent() -> float:
    """Return the CPU time of this process and of those that it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def read(paths: list[Path]) -> int:
    """Read every file whole."""
    return sum(len(path.read_bytes()) for path in paths)


def scan(folder: Path, jobs: int, files: int) -> int:
    """Run the command, which must see all files; return the bytes of its largest process."""
    output = folder.with_suffix(".jsonl")
    command = [sys.executable, "-m", "picklist", "scan", str(folder), "--jobs", str(jobs)]
    with subprocess.Popen([*command, "--format", "jsonl", "--output", str(output)]) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    with output.open() as lines:
        assert sum(json.loads(line)["pickles"] for line in lines) == files
    assert process.returncode == 0
    return usage.ru_maxrss << 10


def threads(paths: list[Path], number: int) -> None:
    """Scan in threads of this process."""
    with ThreadPoolExecutor(number) as pool:
        assert not any(report.findings for report in pool.map(scan_file, map(str, paths)))


def rows(
    options: argparse.Namespace, folder: Path
) -> Iterator[tuple[str, int, tuple[float, float], str]]:
    """Yield the lines of the table: what, bytes, seconds and CPU seconds, remark."""
    # In a process of its own: a child's memory counts from its parent's.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        paths = pool.submit(make, folder, options.files, options.size).result()
    size = sum(path.stat().st_size for path in paths)
    read(paths)
    yield "read", size, measured(options.rounds, lambda: read(paths)), ""
    for jobs in range(1, options.jobs + 1):
        largest: list[int] = []
        work = functools.partial(scan, folder, jobs, len(paths))
        seconds = measured(options.rounds, lambda: largest.append(work()))  # noqa: B023
        remark = f"{max(largest) / 1e6:.0f} MB at most in a process"
        yield f"scan, {jobs} job{'s' * (jobs > 1)}", size, seconds, remark
    one = paths[0].read_bytes()
    repeats = max(1, (64 << 20) // len(one))
    seconds = measured(
        options.rounds, lambda: [picklist.inspect(one).allowed for _ in range(repeats)]
    )
    yield "inspect", len(one) * repeats, seconds, ""
    for number in range(1, options.jobs + 1):
        seconds = measured(options.rounds, lambda: threads(paths, number))  # noqa: B023
        yield f"threads, {number}", size, seconds, ""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--size", type=float, default=1.0, help="MB of each file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="up to how many")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        print(f"{'':<16}{'files/s':>10}{'MB/s':>10}{'cores':>8}{'a core':>10}")
        folder = Path(name, "files")
        folder.mkdir()
        for what, size, (seconds, cpu), remark in rows(options, folder):
            files = f"{options.files / seconds:,.0f}" if what != "inspect" else ""
            speed = f"{size / seconds / 1e6:>10,.0f}{cpu / seconds:>8.1f}{size / cpu / 1e6:>10,.0f}"
            print(f"{what:<16}{files:>10}{speed}  {remark}".rstrip())


if __name__ == "__main__":
    main()
