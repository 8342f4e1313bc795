"""How the command line prints: plain when piped, coloured and wrapped on a terminal.

A file is written beside its place and moved there at the end: a run that is interrupted leaves what
was there before.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.text import Text

from picklist._findings import Finding
from picklist._inspection import Inspection
from picklist._preflight.render import plural

STYLES = {"error": "bold red", "warning": "yellow", "note": "dim"}
# Names of one pickle that are shown on a terminal.
_SHOWN = 100
# What a wrapped line hangs under: the text after its indentation and its bullet.
_HANG = re.compile(r" *(- |fix  )?")
MARKS = {"error": "E", "warning": "W", "note": "N"}


def printable(text: str) -> str:
    """Return text that does nothing to a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def printable_lines(text: str) -> str:
    """Return lines of text that do nothing to a terminal."""
    return "\n".join(map(printable, text.splitlines()))


class Draft:
    """A text file that appears whole or not at all."""

    def __init__(self, path: str) -> None:
        self.draft: Path | None = None
        given = Path(path)
        if path.startswith("/dev/") or (given.exists() and not given.is_file()):
            # A device or a pipe takes what comes, and cannot be replaced.
            self.file: IO[str] = given.open("w", encoding="utf-8")
            return
        # Through links: the file is replaced, the link stays.
        self.target = given.resolve()
        self.draft = self.target.with_name(f".{self.target.name}.{uuid.uuid4().hex[:8]}.part")
        self.file = self.draft.open("x", encoding="utf-8")

    def finish(self) -> None:
        """Put the file in its place."""
        self.file.close()
        if self.draft is not None:
            if self.target.exists():
                shutil.copymode(self.target, self.draft)
            self.draft.replace(self.target)

    def discard(self) -> None:
        """Leave what was there before."""
        with contextlib.suppress(OSError):
            self.file.close()
        if self.draft is not None:
            self.draft.unlink(missing_ok=True)


class Output:
    """Where results go: a file, or a stream; standard output if nothing else is said."""

    def __init__(self, path: str | None = None, *, stream: IO[str] | None = None) -> None:
        self.draft = Draft(path) if path else None
        self.file: IO[str] = self.draft.file if self.draft else stream or sys.stdout
        self.console = Console(file=self.file, highlight=False, markup=False, emoji=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.draft is None:
            return
        if kind is None:
            self.draft.finish()
        else:
            self.draft.discard()

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks on."""
        return self.console.is_terminal

    def line(self, text: str, style: str = "", indent: int = 0) -> None:
        """Print a line; on a terminal it is wrapped under itself, elsewhere it stays whole."""
        self._print(self._wrapped(_text(text, style, indent)))

    def colored(self, text: str) -> None:
        """Print lines of our own that have colours already."""
        self._print(*(self._wrapped(Text.from_ansi(line)) for line in text.splitlines()))

    def plain(self, text: str) -> None:
        """Print a document as it is."""
        print(text, file=self.file)

    def _wrapped(self, text: Text) -> Text:
        if not self.on_terminal:
            return text
        found = _HANG.match(text.plain)
        hang = min(found.end() if found else 0, self.console.width // 2)
        lines = text[hang:].wrap(self.console, self.console.width - hang, overflow="fold")
        for line in lines:
            line.rstrip()
        under = Text(" " * hang)
        return Text("\n").join(
            [text[:hang] + line if at == 0 else under + line for at, line in enumerate(lines)]
        )

    def _print(self, *texts: Text) -> None:
        """Print what is wrapped already, at once: a progress bar is drawn anew each time."""
        if not self.on_terminal:
            for text in texts:
                print(text.plain, file=self.file)
        elif texts:
            whole = Text("\n").join(texts)
            self.console.print(whole, no_wrap=True, overflow="ignore", crop=False)

    def findings(self, findings: Iterable[Finding]) -> None:
        """Print findings under the place where they are."""
        where = None
        shown = []
        for finding in findings:
            if finding.where != where:
                where = finding.where
                # Never broken: a terminal that wraps it by itself still copies it whole.
                shown.append(_text(where, "bold"))
            place = [f"{MARKS[finding.level]} {finding.rule}"]
            if finding.offset is not None:
                place.append(f"byte {finding.offset}")
            if finding.opcode:
                place.append(finding.opcode)
            if finding.path:
                place.append(f"at {finding.path}")
            shown.append(self._wrapped(_text("  ".join(place), STYLES[finding.level], 2)))
            shown.append(self._wrapped(_text(finding.message, "", 4)))
        self._print(*shown)

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


def _text(text: str, style: str = "", indent: int = 0) -> Text:
    """Return text that does nothing to a terminal but be there, and be coloured."""
    shown = Text(printable(text), style=style)
    return Text(" " * indent) + shown if indent else shown


def complain(text: str) -> None:
    """Say on standard error what is wrong; lines after the first stand under it."""
    out = Output(stream=sys.stderr)
    first, *rest = text.splitlines() or [""]
    out.line(f"picklist: {first}")
    for line in rest:
        out.line(line)


def summary(files: int, pickles: int, findings: int, failed: int, known: int) -> str:
    """`3 files, 2 pickles: 1 finding`."""
    parts = [plural(findings, "finding") if findings else "no findings"]
    if known:
        parts.append(f"{known} in the baseline")
    if failed:
        parts.append(f"{plural(failed, 'file')} could not be read")
    return f"{plural(files, 'file')}, {plural(pickles, 'pickle')}: {', '.join(parts)}"
