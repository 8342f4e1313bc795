"""How fast pickles are looked at: `picklist.inspect` in memory, ``picklist scan`` over files.

    python benches/look.py [--files 1000] [--megabytes 1] [--rounds 5] [--quick] [--least MB/S]

``inspect`` is timed in CPU time, on the documents of the suite; the minimum counts.  The scan is
the command, started as a user would: wall-clock time with one process and with one for each core,
in turn, over files that are in the page cache.  With ``--least``, exits 1 if a JSON-like payload is
inspected more slowly than that.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import picklist
from report import megabytes
from run import chosen
from timing import measure

DOCUMENTS = ("JSON 3 MB", "JSON 15 MB", "twitter-like", "canada-like", "citm-like")
#: Different contents, so that no two neighbours are the same file.
DIFFERENT = 16


def inspected(rounds: int, size: float) -> dict[str, float]:
    """Return how many megabytes of each document are inspected in a second."""
    speeds = {}
    for row in chosen(DOCUMENTS):
        value = row.make(size)
        for protocol in row.protocols:
            (data,) = row.payload(value, protocol).streams
            found = picklist.inspect(data)
            if not found.allowed or found.size != len(data):
                raise SystemExit(f"{row.name}: the inspector saw something else")
            timings = measure(
                {
                    "pickle": functools.partial(pickle.loads, data),
                    "inspect": functools.partial(picklist.inspect, data),
                },
                rounds=rounds,
                wanted_ns=30_000_000,
            )
            least = timings["inspect"].minimum
            speeds[f"{row.name}, protocol {protocol}"] = len(data) * 1e3 / least
            print(
                f"{row.name:<14} protocol {protocol} {megabytes(len(data)):>8} "
                f"{len(data) * 1e3 / least:>7.0f} MB/s "
                f"{timings['pickle'].minimum / least:>7.2f} x pickle.loads",
                flush=True,
            )
    return speeds


def write_files(folder: Path, files: int, size: float) -> int:
    """Write pickles of about that many megabytes and return their bytes."""
    (row,) = chosen(["JSON 3 MB"])
    records = row.make(size / 3 * DIFFERENT)
    each = len(records) // DIFFERENT
    contents = [pickle.dumps(records[at * each : (at + 1) * each]) for at in range(DIFFERENT)]
    total = 0
    for at, data in enumerate(itertools.islice(itertools.cycle(contents), files)):
        (folder / f"{at:05}.pkl").write_bytes(data)
        total += len(data)
    return total


def scan_seconds(folder: Path, jobs: int) -> float:
    """Scan the folder and return the seconds by the clock on the wall."""
    command = [sys.executable, "-m", "picklist", "scan", "--quiet", "--jobs", str(jobs)]
    started = time.perf_counter()
    done = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the scan exited {done.returncode}:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def scanned(folder: Path, total: int, files: int, rounds: int) -> None:
    """Scan the folder with one process and with one for each core, in turn, and print the speed."""
    jobs = sorted({1, os.cpu_count() or 1})
    times = [[scan_seconds(folder, count) for count in jobs] for _ in range(rounds)]
    for count, taken in zip(jobs, zip(*times, strict=True), strict=True):
        print(
            f"scan of {files} files, {megabytes(total)}, {count} processes: {min(taken):.2f} s, "
            f"{total / 1e6 / min(taken):.0f} MB/s",
            flush=True,
        )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--megabytes", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small documents")
    parser.add_argument("--least", type=float, default=0.0, metavar="MB/S")
    options = parser.parse_args()
    speeds = inspected(options.rounds, 0.02 if options.quick else 1.0)
    if options.files:
        with tempfile.TemporaryDirectory() as folder:
            total = write_files(Path(folder), options.files, options.megabytes)
            scanned(Path(folder), total, options.files, min(options.rounds, 3))
    slow = [name for name, speed in speeds.items() if speed < options.least]
    for name in slow:
        print(f"below {options.least:.0f} MB/s: {name}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
