"""Options that several commands share, and the policy that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

import picklist as library
from picklist.errors import PolicyError

F = TypeVar("F", bound=Callable[..., Any])
FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...")
POLICIES = [
    click.option(
        "--policy",
        "presets",
        multiple=True,
        metavar="NAME",
        help="A preset to go by; may be repeated.  [default: std]",
    ),
    click.option(
        "--policy-file",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="A policy as TOML.",
    ),
]
OUTPUT = click.option(
    "--output", "-o", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file."
)


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
        "--format",
        "form",
        type=click.Choice(names),
        default=names[0],
        show_default=True,
        help="What to write.",
    )
