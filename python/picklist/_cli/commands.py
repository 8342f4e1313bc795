"""The commands of `picklist` and their options. Exit codes: 0 clean, 1 findings, 2 not finished."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress

import picklist as library
from picklist._cli.listing import listing
from picklist._cli.output import Output, summary
from picklist._cli.scan import files_of, scan_files, without
from picklist._findings import RULES, Finding, as_sarif
from picklist._inspection import Inspection, inspect_stream
from picklist._preflight.pages import page
from picklist._preflight.render import as_sarif as report_as_sarif
from picklist._scanning import FileReport, open_binary
from picklist.containers import streams
from picklist.errors import PolicyError, UnsafePickleError

F = TypeVar("F", bound=Callable[..., Any])
BASELINE = "picklist-baseline/1"
FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...")
POLICIES = [
    click.option("--policy", "presets", multiple=True, help="A preset to go by; may be repeated."),
    click.option("--policy-file", type=click.Path(exists=True), help="A policy as TOML."),
]
OUTPUT = click.option("--output", "-o", type=click.Path(), help="Write to a file.")


def asked_policy(presets: Sequence[str], policy_file: str | None) -> library.Policy | None:
    """Return the policy of the options; None is the default one."""
    if presets and policy_file:
        raise click.UsageError("--policy and --policy-file exclude each other")
    try:
        if policy_file:
            return library.Policy.from_file(policy_file)
        return library.Policy(base=list(presets)) if presets else None
    except PolicyError as error:
        raise click.UsageError(str(error)) from error


def with_policy(command: F) -> F:
    """Add the options that choose a policy."""
    for option in reversed(POLICIES):
        command = option(command)
    return command


def formats(*names: str) -> Callable[[F], F]:
    """Return the option `--format`."""
    return click.option(
        "--format", "form", type=click.Choice(names), default=names[0], show_default=True
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(library.__version__, prog_name="picklist")
def picklist() -> None:
    """Look at pickles, load them under a policy, and check objects before pickling.

    Exit codes: 0 clean, 1 findings, 2 could not finish.
    """


@picklist.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@with_policy
@formats("text", "json", "jsonl", "sarif")
@OUTPUT
@click.option("--baseline", type=click.Path(exists=True), help="Leave out what this file lists.")
@click.option("--write-baseline", type=click.Path(), help="List all findings in a file.")
@click.option("--jobs", "-j", type=int, default=0, help="Processes; 0: one for each core.")
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
    quiet: bool,
) -> None:
    """Find what is wrong with the pickles in files, folders, globs and URLs."""
    policy = asked_policy(presets, policy_file)
    known = read_baseline(baseline) if baseline else []
    files, missing = files_of(paths)
    out = Output(output)
    reports: list[FileReport] = []
    hidden = pickles = found = failed = 0
    prints: list[str] = []
    with progress(len(files), quiet or (form == "jsonl" and out.on_terminal), out) as advance:
        for report in scan_files(files, policy, jobs or os.cpu_count() or 1):
            prints += (finding.fingerprint for finding in report.findings)
            hidden += without(report, known)
            pickles += report.pickles
            found += len(report.findings)
            failed += bool(report.failed)
            if form == "text":
                out.findings(report.findings)
                if report.failed:
                    out.line(f"{report.source}: {report.failed}", "bold red")
            elif form == "jsonl":
                out.plain(json.dumps(report.to_dict()))
            else:
                reports.append(report)
            advance(report.size)
    for path in missing:
        failed += 1
        click.echo(f"picklist: nothing is at {path}", err=True)
    if form == "json":
        document = {
            "schema": "picklist-scan/1",
            "files": [report.to_dict() for report in reports],
            "pickles": pickles,
            "findings": found,
            "in_baseline": hidden,
            "failed": failed,
        }
        out.plain(json.dumps(document, indent=2))
    elif form == "sarif":
        flat = [finding for report in reports for finding in report.findings]
        flat += (
            Finding("not-inspected", report.failed, report.source)
            for report in reports
            if report.failed
        )
        out.plain(json.dumps(as_sarif(flat), indent=2))
    elif form == "text" and not quiet:
        out.line(summary(len(files), pickles, found, failed, hidden))
    out.close()
    if write_baseline:
        listed = {"schema": BASELINE, "fingerprints": sorted(set(prints))}
        Path(write_baseline).write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    sys.exit(2 if failed else 1 if found else 0)


def read_baseline(path: str) -> list[str]:
    """Return the fingerprints of a baseline."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["schema"] == BASELINE:
            return [str(known) for known in document["fingerprints"]]
    except (ValueError, KeyError, TypeError) as error:
        raise click.UsageError(f"{path} is no baseline: {error}") from error
    raise click.UsageError(f"{path} is no baseline of this version")


@contextlib.contextmanager
def progress(files: int, quiet: bool, out: Output) -> Iterator[Any]:
    """Show a bar with throughput, on a terminal only; yields what to call after each file."""
    # On one terminal the findings go above the bar.
    console = out.console if out.on_terminal else Console(stderr=True)
    if quiet or files < 2 or not console.is_terminal:
        yield lambda _size: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("scanning"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("scan", total=files, speed="")
        done = 0

        def advance(size: int) -> None:
            nonlocal done
            done += size
            seconds = bar.tasks[0].elapsed or 1e-9
            bar.update(task, advance=1, speed=f"{done / seconds / 1e6:.0f} MB/s")

        yield advance


@picklist.command()
@FILES
@with_policy
@formats("text", "json", "sarif")
@OUTPUT
@click.option("--limit", default=1000, show_default=True, help="Opcodes to list of each pickle.")
def inspect(
    files: tuple[str, ...],
    presets: tuple[str, ...],
    policy_file: str | None,
    form: str,
    output: str | None,
    limit: int,
) -> None:
    """Show what pickles would do, opcode by opcode, without doing it."""
    policy = asked_policy(presets, policy_file)
    out = Output(output)
    found: list[tuple[bytes, Inspection]] = []
    findings: list[Finding] = []
    for path in files:
        for stream in opened(path):
            if isinstance(stream, Finding):
                findings.append(stream)
                continue
            source = f"{path}!{stream.member}" if stream.member else path
            found.append((stream.data, inspect_stream(stream.data, source=source, policy=policy)))
    if form == "json":
        out.plain(json.dumps([one.to_dict() for _, one in found], indent=2))
    elif form == "sarif":
        flat = [finding for _, one in found for finding in one.findings]
        out.plain(json.dumps(as_sarif([*findings, *flat]), indent=2))
    else:
        for data, one in found:
            for line in listing(data, limit, out.console.width if out.on_terminal else 0):
                out.line(line)
            out.inspection(one)
        out.findings(findings)
    out.close()
    clean = not findings and all(not one.findings for _, one in found)
    sys.exit(0 if clean else 1)


def opened(path: str) -> Iterator[Any]:
    """Yield the streams and findings of a file; end the command where it cannot be read."""
    try:
        with open_binary(path) as file:
            yield from streams(file, path)
    except (OSError, ImportError, ValueError) as error:
        click.echo(f"picklist: {error}", err=True)
        sys.exit(2)


@picklist.command()
@FILES
@click.option("--base", multiple=True, default=("std",), help="A preset to start from.")
@formats("toml", "python")
@OUTPUT
def learn(files: tuple[str, ...], base: tuple[str, ...], form: str, output: str | None) -> None:
    """Write the least policy that accepts trusted samples."""
    try:
        learned = library.learn_report(*files, base=base)
    except PolicyError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        click.echo(f"picklist: {error}", err=True)
        sys.exit(2)
    out = Output(output)
    out.plain((learned.to_toml() if form == "toml" else learned.to_python()).rstrip())
    out.close()
    findings = [*learned.dangerous, *learned.unlearned]
    for finding in findings:
        click.echo(f"picklist: not learned: {finding.where}: {finding.message}", err=True)
    sys.exit(1 if findings else 0)


@picklist.command()
@click.argument("file")
@with_policy
@click.option("--as", "form", type=click.Choice(["repr", "json"]), default="repr")
def load(file: str, presets: tuple[str, ...], policy_file: str | None, form: str) -> None:
    """Load a pickle under the policy and print its value."""
    policy = asked_policy(presets, policy_file)
    try:
        with Path(file).open("rb") as opened_file:
            value = library.safe_load(opened_file, policy=policy)
    except OSError as error:
        click.echo(f"picklist: {error}", err=True)
        sys.exit(2)
    except UnsafePickleError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    if form == "json":
        click.echo(json.dumps(_jsonable(value), indent=2, ensure_ascii=False, default=repr))
    else:
        click.echo(repr(value))


def _jsonable(value: Any) -> Any:
    """Return a value whose keys JSON can write; everything else is left to `default`."""
    if isinstance(value, dict):
        named = {key if isinstance(key, str) else repr(key): value[key] for key in value}
        return {key: _jsonable(item) for key, item in named.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value


@picklist.command()
@click.argument("target", metavar="MODULE:EXPR")
@click.option("--context", type=click.Choice(["spawn", "forkserver", "fork"]))
@formats("text", "json", "sarif")
def check(target: str, context: Any, form: str) -> None:
    """Check whether an object can be pickled: MODULE is imported, EXPR is evaluated in it."""
    module, colon, expression = target.partition(":")
    if not colon or not expression:
        raise click.UsageError("give MODULE:EXPR, as in app.main:build_model()")
    sys.path.insert(0, str(Path.cwd()))
    try:
        scope = vars(importlib.import_module(module))
        value = eval(compile(expression, target, "eval"), dict(scope))
    except Exception as error:  # noqa: BLE001 - whatever the user's module raises
        click.echo(f"picklist: {target}: {type(error).__name__}: {error}", err=True)
        sys.exit(2)
    report = library.explain(value, name=expression, context=context)
    if form == "json":
        click.echo(report.to_json())
    elif form == "sarif":
        click.echo(json.dumps(report_as_sarif(report), indent=2))
    else:
        click.echo(report.render(color=Console().is_terminal))
    sys.exit(0 if report.ok else 1)


@picklist.command()
@click.argument("code")
def explain(code: str) -> None:
    """Explain a code of the preflight (PKL110) or a rule of the scan (dangerous-global)."""
    if rule := RULES.get(code.lower()):
        lines = (f"# {rule.code}", rule.summary, rule.text, rule.remedy)
        click.echo("\n\n".join(lines))
        return
    try:
        click.echo(page(code))
    except KeyError:
        known = ", ".join(RULES)
        click.echo(f"picklist: there is no {code!r}; codes are PKL110 and so on, {known}", err=True)
        sys.exit(2)
