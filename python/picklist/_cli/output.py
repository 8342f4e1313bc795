"""How the command line prints: plain when piped, coloured and wrapped on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from picklist._findings import Finding
from picklist._inspection import Inspection
from picklist._preflight.render import plural

STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
# Names of one pickle that are shown on a terminal.
_SHOWN = 100
MARKS = {"error": "E", "warning": "W", "note": "N"}


def printable(text: str) -> str:
    """Return text that does nothing to a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """Return lines of text that do nothing to a terminal."""
    return "\n".join(map(printable, text.splitlines()))


class Output:
    """Where results go: a file, or standard output."""

    def __init__(self, path: str | None) -> None:
        self.file: IO[str] = sys.stdout
        if path:
            self.file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 - `close` closes it
        self.console = Console(file=self.file, highlight=False, markup=False, emoji=False)

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks on."""
        return self.console.is_terminal

    def line(self, text: str, style: str = "", indent: int = 0) -> None:
        """Print a line; on a terminal it is wrapped under itself, elsewhere it stays whole."""
        if self.console.is_terminal:
            shown = Text(printable(text), style=style, overflow="fold")
            self.console.print(Padding(shown, (0, 0, 0, indent)))
        else:
            print(" " * indent + printable(text), file=self.file)

    def plain(self, text: str) -> None:
        """Print a document as it is."""
        print(text, file=self.file)

    def findings(self, findings: Iterable[Finding]) -> None:
        """Print findings under the place where they are."""
        where = None
        for finding in findings:
            if finding.where != where:
                where = finding.where
                self.line(where, "bold")
            place = [f"{MARKS[finding.level]} {finding.rule}"]
            if finding.offset is not None:
                place.append(f"byte {finding.offset}")
            if finding.opcode:
                place.append(finding.opcode)
            if finding.path:
                place.append(f"at {finding.path}")
            self.line("  ".join(place), STYLES[finding.level], 2)
            self.line(finding.message, "", 4)

    def inspection(self, found: Inspection) -> None:
        """Print what a pickle would do: a table when piped, names over their uses on a terminal."""
        if not self.on_terminal:
            self.plain(printable_lines(str(found)))
            return
        head, *rest = str(found).splitlines()
        self.line(head, "bold")
        for used in found.globals[:_SHOWN]:
            style = "" if used.allowed else STYLES["error" if used.gadget else "warning"]
            self.line(f"byte {used.offset}  {used.opcode}  {used}  {used.verdict}", style, 2)
            does = ", ".join(used.rights) or "mentioned"
            parts = [f"{does} {used.arguments[0]}" if used.arguments else does]
            parts.append(f"at {used.path}" if used.path else "not in the result")
            if used.gadget:
                parts.append(f"never needed to store data: {used.gadget}")
            elif used.preset and not used.allowed:
                parts.append(f'in preset "{used.preset}"')
            self.line("  ".join(parts), "", 4)
        if len(found.globals) > _SHOWN:
            self.line(f"and {len(found.globals) - _SHOWN} more names", "", 2)
        for further in found.pickles:
            self.inspection(further)
        if rest and rest[-1].startswith(("  it is", "and ")):
            self.line(rest[-1])

    def close(self) -> None:
        """Finish the file."""
        if self.file is not sys.stdout:
            self.file.close()


def summary(files: int, pickles: int, findings: int, failed: int, known: int) -> str:
    """`3 files, 2 pickles: 1 finding`."""
    parts = [plural(findings, "finding") if findings else "no findings"]
    if known:
        parts.append(f"{known} in the baseline")
    if failed:
        parts.append(f"{plural(failed, 'file')} could not be read")
    return f"{plural(files, 'file')}, {plural(pickles, 'pickle')}: {', '.join(parts)}"
