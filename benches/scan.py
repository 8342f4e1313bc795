"""How fast `picklist scan` is, and what limits it: files read and nothing else, against the scan.

Makes files of JSON-like pickles in a temporary folder, reads them once so that they are in the page
cache, and prints files/s, MB/s (10**6 bytes) and the cores that were busy (CPU time over wall time;
where it is the number of jobs, the scan is limited by them, and by nothing else) of

read
    every file read whole, in one process: what a scan cannot beat with one worker.
inspect
    `picklist.inspect` of one file's bytes, in one process.
scan, N jobs
    `picklist scan --quiet --jobs N` as a user runs it, from the start of the interpreter to its
    end, with the largest memory of any of its processes.
threads, N
    the same files through `scan_file` in N threads of one process: whether the GIL is released.

Whatever is quoted from here needs the release build (``make bench`` makes it).
"""

from __future__ import annotations

import argparse
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import picklist
from picklist._scanning import scan_file
from suite import document

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
        started, cpu = time.perf_counter(), sum(os.times()[:4])
        work()
        seconds.append((time.perf_counter() - started, sum(os.times()[:4]) - cpu))
    return min(seconds)


def read(paths: list[Path]) -> int:
    """Read every file whole."""
    return sum(len(path.read_bytes()) for path in paths)


def scan(folder: Path, jobs: int, files: int) -> None:
    """Run the command; the files must all be seen, and clean."""
    command = [sys.executable, "-m", "picklist", "scan", str(folder), "--jobs", str(jobs)]
    done = subprocess.run(
        [*command, "--quiet", "--format", "json"], capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout)
    assert (len(answer["files"]), answer["pickles"], answer["failed"]) == (files, files, 0)


def threads(paths: list[Path], number: int) -> None:
    """Scan in threads of this process."""
    with ThreadPoolExecutor(number) as pool:
        assert not any(report.findings for report in pool.map(scan_file, map(str, paths)))


def rows(
    options: argparse.Namespace, folder: Path
) -> Iterator[tuple[str, int, tuple[float, float], str]]:
    """Yield the lines of the table: what, bytes, seconds and CPU seconds, remark."""
    paths = make(folder, options.files, options.size)
    size = read(paths)
    yield "read", size, measured(options.rounds, lambda: read(paths)), ""
    one = paths[0].read_bytes()
    repeats = max(1, (64 << 20) // len(one))
    seconds = measured(
        options.rounds, lambda: [picklist.inspect(one).allowed for _ in range(repeats)]
    )
    yield "inspect", len(one) * repeats, seconds, ""
    for jobs in range(1, options.jobs + 1):
        seconds = measured(options.rounds, lambda: scan(folder, jobs, len(paths)))  # noqa: B023
        # The largest child so far: of one job, the command itself; of more, any of its workers.
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
        remark = f"{largest:.0f} MB at most in a process"
        yield f"scan, {jobs} job{'s' * (jobs > 1)}", size, seconds, remark
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
        print(f"{'':<16}{'files/s':>10}{'MB/s':>10}{'cores':>8}")
        for what, size, (seconds, cpu), remark in rows(options, Path(name)):
            files = f"{options.files / seconds:,.0f}" if what != "inspect" else ""
            speed = f"{size / seconds / 1e6:>10,.0f}{cpu / seconds:>8.1f}"
            print(f"{what:<16}{files:>10}{speed}  {remark}".rstrip())


if __name__ == "__main__":
    main()
