"""The commands of `picklist`, but for `scan`. Exit codes: 0 clean, 1 findings, 2 not finished."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

import picklist as library
from picklist._cli.listing import listing
from picklist._cli.options import FILES, OUTPUT, asked_policy, formats, with_policy
from picklist._cli.output import Output, complain, printable_lines
from picklist._cli.scan import scan
from picklist._findings import RULES, Finding, as_sarif
from picklist._inspection import Inspection, inspect_file
from picklist._preflight.pages import page
from picklist._preflight.render import as_sarif as report_as_sarif
from picklist._scanning import open_binary
from picklist.containers import streams
from picklist.errors import PolicyError, UnsafePickleError


class Commands(click.Group):
    """Commands that end in one line and the code 2 where they cannot finish, 130 after Ctrl-C."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run the command line, and exit."""
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except (KeyboardInterrupt, click.Abort):
            complain("interrupted")
            code = 130
        except click.ClickException as error:
            written = io.StringIO()
            error.show(written)
            out = Output(stream=sys.stderr)
            for line in written.getvalue().splitlines():
                out.line(line)
            code = error.exit_code
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Who read has gone. Python would try to flush what is left, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(2)
        except OSError as error:
            complain(str(error))
            sys.exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(library.__version__, prog_name="picklist")
def picklist() -> None:
    """Look at pickles, load them under a policy, and check objects before pickling.

    Exit codes: 0 clean, 1 findings, 2 could not finish.
    """


picklist.add_command(scan)


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
    found: list[tuple[bytes, Inspection]] = []
    findings: list[Finding] = []
    for path in files:
        for stream in opened(path):
            if isinstance(stream, Finding):
                findings.append(stream)
                continue
            source = f"{path}!{stream.member}" if stream.member else path
            found.append((stream.data, inspect_file(stream, source, policy)))
    with Output(output) as out:
        if form == "json":
            out.plain(json.dumps([one.to_dict() for _, one in found], indent=2))
        elif form == "sarif":
            flat = [finding for _, one in found for finding in one.findings]
            out.plain(json.dumps(as_sarif([*findings, *flat]), indent=2))
        else:
            for data, one in found:
                width = out.console.width if out.on_terminal else 0
                for line, style in listing(data, limit, width, one.to_dict()["raw"]):
                    out.line(line, style)
                out.inspection(one)
            out.findings(findings)
    clean = not findings and all(not one.findings for _, one in found)
    sys.exit(0 if clean else 1)


def opened(path: str) -> Iterator[Any]:
    """Yield the streams and findings of a file; end the command where it cannot be read."""
    try:
        with open_binary(path) as file:
            yield from streams(file, path)
    except (OSError, ImportError, ValueError) as error:
        complain(str(error))
        sys.exit(2)


@picklist.command()
@FILES
@click.option(
    "--base",
    multiple=True,
    default=("std",),
    metavar="NAME",
    help="A preset to start from; may be repeated.  [default: std]",
)
@formats("toml", "python")
@OUTPUT
def learn(files: tuple[str, ...], base: tuple[str, ...], form: str, output: str | None) -> None:
    """Write the least policy that accepts trusted samples."""
    try:
        learned = library.learn_report(*files, base=base)
    except PolicyError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        complain(str(error))
        sys.exit(2)
    with Output(output) as out:
        out.plain((learned.to_toml() if form == "toml" else learned.to_python()).rstrip())
    findings = [*learned.dangerous, *learned.unlearned]
    for finding in findings:
        complain(f"not learned: {finding.where}: {finding.message}")
    sys.exit(1 if findings else 0)


@picklist.command()
@click.argument("file")
@with_policy
@click.option(
    "--as",
    "form",
    type=click.Choice(["repr", "json"]),
    default="repr",
    show_default=True,
    help="How to print the value.",
)
def load(file: str, presets: tuple[str, ...], policy_file: str | None, form: str) -> None:
    """Load a pickle under the policy and print its value."""
    policy = asked_policy(presets, policy_file)
    try:
        with Path(file).open("rb") as opened_file:
            value = library.safe_load(opened_file, policy=policy)
    except OSError as error:
        complain(str(error))
        sys.exit(2)
    except UnsafePickleError as error:
        complain(str(error))
        sys.exit(1)
    if form == "json":
        text = json.dumps(_jsonable(value), indent=2, ensure_ascii=False, default=repr)
    else:
        text = repr(value)
    out = Output()
    # What is loaded may be anybody's text.
    out.plain(printable_lines(text) if out.on_terminal else text)


def _jsonable(value: Any) -> Any:
    """Return a value whose keys JSON can write; everything else is left to `default`."""
    if isinstance(value, dict):
        named = {key if isinstance(key, str) else repr(key): value[key] for key in value}
        return {key: _jsonable(item) for key, item in named.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value


@picklist.command(short_help="Check whether an object can be pickled.")
@click.argument("target", metavar="MODULE:EXPR")
@click.option(
    "--context",
    type=click.Choice(["spawn", "forkserver", "fork"]),
    help="The start method of the process that it is for.",
)
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
        complain(f"{target}: {type(error).__name__}: {error}")
        sys.exit(2)
    report = library.explain(value, name=expression, context=context)
    if form == "json":
        click.echo(report.to_json())
    elif form == "sarif":
        click.echo(json.dumps(report_as_sarif(report), indent=2))
    else:
        out = Output()
        out.colored(report.render(color=out.on_terminal))
    sys.exit(0 if report.ok else 1)


@picklist.command(short_help="Explain a code (PKL110) or a rule (mismatch).")
@click.argument("code")
def explain(code: str) -> None:
    """Explain a code of the preflight (PKL110) or a rule of the scan (dangerous-global)."""
    out = Output()
    if rule := RULES.get(code.lower()):
        text = f"# {rule.code}\n\n{rule.summary}\n\n{rule.text}\n\n{rule.remedy}"
    else:
        try:
            text = page(code)
        except KeyError:
            known = ", ".join(RULES)
            complain(f"there is no {code!r}; codes are PKL110 and so on, {known}")
            sys.exit(2)
    for line in text.splitlines():
        out.line(line, "bold" if line.startswith("#") else "")
