"""The command `picklist scan`: many files, one output, a baseline, and the exit code."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent
from threading import Timer
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from picklist._cli.options import OUTPUT, asked_policy, formats, with_policy
from picklist._cli.output import Draft, Output, complain, summary
from picklist._cli.paths import files_of
from picklist._cli.processes import keep_memory, scan_files
from picklist._findings import Finding, as_sarif
from picklist._picklist import Policy
from picklist._preflight.render import plural
from picklist._scanning import FileReport

SCHEMA = "picklist-scan/1"
BASELINE = "picklist-baseline/1"
# Seconds before the bar appears.
_MOMENT = 0.5


class Tally:
    """What a scan has come to so far, and the findings of a baseline, which count apart."""

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.files = self.pickles = self.found = self.hidden = self.failed = 0
        self.fingerprints: set[str] = set()

    def add(self, report: FileReport) -> None:
        """Count a report; findings of the baseline are taken out of it."""
        self.fingerprints.update(finding.fingerprint for finding in report.findings)
        before = len(report.findings)
        report.findings = [one for one in report.findings if one.fingerprint not in self.known]
        self.files += 1
        self.pickles += report.pickles
        self.found += len(report.findings)
        self.hidden += before - len(report.findings)
        self.failed += bool(report.failed)

    def to_dict(self) -> dict[str, int]:
        """Return what stands in the JSON document after the files."""
        return {
            "pickles": self.pickles,
            "findings": self.found,
            "in_baseline": self.hidden,
            "failed": self.failed,
        }


@click.command(short_help="Find what is wrong with pickles in files.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@with_policy
@formats("text", "json", "jsonl", "sarif")
@OUTPUT
@click.option(
    "--baseline",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Leave out the findings that this file lists.",
)
@click.option(
    "--write-baseline",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="List all findings in a file.",
)
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Processes; 0: one for each core.",
)
@click.option("--dask", metavar="ADDRESS", help="Scan on the Dask cluster of this scheduler.")
@click.option(
    "--dask-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the cluster.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress bar, no summary.")
def scan(
    paths: tuple[str, ...],
    presets: tuple[str, ...],
    policy_file: str | None,
    form: str,
    output: str | None,
    baseline: str | None,
    write_baseline: str | None,
    jobs: int,
    dask: str | None,
    dask_timeout: float,
    quiet: bool,
) -> None:
    """Find what is wrong with the pickles in files, folders, globs and URLs."""
    if dask and jobs:
        raise click.UsageError("--jobs is for this machine: it and --dask exclude each other")
    policy = asked_policy(presets, policy_file)
    tally = Tally(read_baseline(baseline) if baseline else set())
    files, missing = files_of(paths)
    tally.failed = len(missing)
    for path in missing:
        complain(f"nothing is at {path}")
    try:
        with (
            scanner(dask, dask_timeout, jobs) as scanned,
            Output(output) as out,
            progress(len(files), quiet or (form == "jsonl" and out.on_terminal), out) as advance,
            contextlib.closing(scanned(files, policy)) as reports,
        ):
            WRITERS[form](counted(reports, tally, advance), tally, out)
            if form == "text" and not quiet:
                numbers = (len(files), tally.pickles, tally.found, tally.failed, tally.hidden)
                out.line(summary(*numbers))
    except KeyboardInterrupt:
        done = f"interrupted after {tally.files} of {plural(len(files), 'file')}"
        complain(f"{done}; {output} is not written" if output else done)
        sys.exit(130)
    if write_baseline:
        listed = {"schema": BASELINE, "fingerprints": sorted(tally.fingerprints)}
        draft = Draft(write_baseline)
        draft.file.write(json.dumps(listed, indent=2) + "\n")
        draft.finish()
    sys.exit(2 if tally.failed else 1 if tally.found else 0)


Scanner = Callable[[list[str], Policy | None], Iterator[FileReport]]


@contextlib.contextmanager
def scanner(dask: str | None, timeout: float, jobs: int) -> Iterator[Any]:
    """Yield what scans files: this machine, or a cluster; what is wrong with it is one line."""
    if dask is None:
        keep_memory()
        yield lambda files, policy: scan_files(files, policy, jobs or cores())
        return
    from picklist._cli.cluster import Cluster, ClusterError

    try:
        with Cluster(dask, patience=timeout) as cluster:
            yield cluster.scan
    except ClusterError as error:
        complain(str(error))
        sys.exit(2)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def counted(
    reports: Iterator[FileReport], tally: Tally, advance: Callable[[int], None]
) -> Iterator[FileReport]:
    """Yield the reports as they come, without what the baseline has."""
    for report in reports:
        tally.add(report)
        yield report
        advance(report.size)


# --- one writer for each format; what is for reading along is not kept back ----------------------


def _text(reports: Iterator[FileReport], _tally: Tally, out: Output) -> None:
    for report in reports:
        if report.findings:
            out.findings(report.findings)
            out.file.flush()


def _jsonl(reports: Iterator[FileReport], _tally: Tally, out: Output) -> None:
    for report in reports:
        out.plain(json.dumps(report.to_dict()))
        out.file.flush()


def _json(reports: Iterator[FileReport], tally: Tally, out: Output) -> None:
    """Write the document as its files come: what is clean is not kept."""
    between = ""
    out.file.write(f'{{\n  "schema": "{SCHEMA}",\n  "files": [')
    for report in reports:
        row = json.dumps(report.to_dict(), indent=2)
        out.file.write(f"{between}\n{indent(row, '    ')}")
        between = ","
    rest = json.dumps(tally.to_dict(), indent=2).removeprefix("{")
    out.plain(f"\n  ],{rest}")


def _sarif(reports: Iterator[FileReport], _tally: Tally, out: Output) -> None:
    flat: list[Finding] = []
    for report in reports:
        flat += report.findings
    out.plain(json.dumps(as_sarif(flat), indent=2))


WRITERS: dict[str, Callable[[Iterator[FileReport], Tally, Output], None]] = {
    "text": _text,
    "json": _json,
    "jsonl": _jsonl,
    "sarif": _sarif,
}


# --- the baseline, the bar -----------------------------------------------------------------------


def read_baseline(path: str) -> set[str]:
    """Return the fingerprints of a baseline."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["schema"] == BASELINE:
            return {str(known) for known in document["fingerprints"]}
    except (ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"{path} is no baseline: {error}") from error
    raise click.UsageError(f"{path} is no baseline of this version")


@contextlib.contextmanager
def progress(files: int, quiet: bool, out: Output) -> Iterator[Callable[[int], None]]:
    """Show a bar with throughput, on a terminal only; yields what to call after each file."""
    # On one terminal the findings go above the bar.
    console = out.console if out.on_terminal else Console(stderr=True)
    if quiet or files < 2 or not console.is_terminal:
        yield lambda _size: None
        return
    columns = (
        TextColumn("scanning"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task("scan", total=files, speed="")
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        seconds = bar.tasks[0].elapsed or 1e-9
        bar.update(task, advance=1, speed=f"{done / seconds / 1e6:.0f} MB/s")

    # A scan that is over before one can look needs no bar.
    starting = Timer(_MOMENT, bar.start)
    starting.start()
    try:
        yield advance
    finally:
        starting.cancel()
        starting.join()
        bar.stop()
