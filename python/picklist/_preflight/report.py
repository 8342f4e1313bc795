"""What a check found: Fix, Reason, Report; as text, JSON, SARIF and HTML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from .render import as_html, as_sarif, as_text


@dataclass(frozen=True, slots=True)
class Fix:
    """One remedy.

    Attributes
    ----------
    text : str
        What to do, in one line.
    code : str
        Python to copy, or empty. For `methods` it belongs into the class
        `target`, for `define` at module level, for `assign` it is a statement.
    kind : str
        "advice", "methods", "define", "assign" or "replace".
    target : str
        The class for `methods`; for `define` and `replace` the expression to
        put in place of the culprit.
    """

    text: str
    code: str = ""
    kind: str = "advice"
    target: str = ""

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, str]:
        """Plain data."""
        return {
            "text": self.text,
            "code": self.code,
            "kind": self.kind,
            "target": self.target,
        }


@dataclass(slots=True)
class Reason:
    """One reason why an object does not pickle, or does not come back as it was.

    Attributes
    ----------
    code, kind : str
        The stable code of the catalogue, and its short name.
    severity : str
        "error" or "warning".
    stage : str
        "dump", "load", "silent", "context" or "policy".
    path : str
        Python expression that evaluates to the culprit.
    inner : str
        Where inside the culprit pickling stops, if that is not the culprit itself.
    type : str
        Qualified type of the culprit.
    summary, cause : str
        What it is, and why that does not pickle.
    fixes : list of Fix
        What to do, the most specific first.
    source : str
        `file:line` of the definition, where there is one.
    also_at : list of str
        Other paths to the same culprit.
    original : BaseException or None
        The exception raised by the object's own code.
    """

    code: str
    kind: str
    severity: str
    stage: str
    path: str
    type: str
    summary: str
    cause: str
    fixes: list[Fix] = field(default_factory=list)
    inner: str = ""
    source: str = ""
    also_at: list[str] = field(default_factory=list)
    original: BaseException | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the original exception as text."""
        return {
            "code": self.code,
            "kind": self.kind,
            "severity": self.severity,
            "stage": self.stage,
            "path": self.path,
            "inner": self.inner,
            "type": self.type,
            "summary": self.summary,
            "cause": self.cause,
            "fixes": [fix.to_dict() for fix in self.fixes],
            "source": self.source,
            "also_at": list(self.also_at),
            "original": exception_text(self.original),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without the original exception, which may not: its text is in `to_dict`."""
        names = [entry.name for entry in fields(self)]
        return Reason, tuple(None if name == "original" else getattr(self, name) for name in names)

    def __str__(self) -> str:
        mark = "E" if self.severity == "error" else "W"
        return f"{mark} {self.code} {self.kind}  {self.path}  {self.summary}"


def exception_text(error: BaseException | None) -> str:
    """`Type: message` of an exception, cut, and safe if its __str__ raises."""
    if error is None:
        return ""
    name = type(error).__name__
    try:
        message = str(error)
    except Exception:  # noqa: BLE001
        return name
    message = " ".join(message.split())
    if len(message) > 200:
        message = message[:200] + "…"
    return f"{name}: {message}" if message else name


@dataclass(slots=True)
class Report:
    """All that a check found. True when the object pickles and comes back.

    Attributes
    ----------
    name : str
        What the object is called in paths.
    objects : int
        How many objects a pickler visits, numbers and texts not counted.
    reasons : list of Reason
        Errors first, each in the order of the pickler.
    size : int
        Bytes of the pickle with its buffers.
    measured : bool
        The size was counted by a real dump, and is no estimate.
    largest : list of (str, int)
        The heaviest places and their bytes.
    omitted : int
        Reasons beyond `max_reasons`.
    disagreement : str
        Not empty when pickle itself did not do what the walk says: a bug here.
    """

    name: str
    objects: int
    reasons: list[Reason]
    size: int = 0
    measured: bool = False
    largest: list[tuple[str, int]] = field(default_factory=list)
    omitted: int = 0
    disagreement: str = ""
    target: str = "pickle"

    @property
    def errors(self) -> list[Reason]:
        """The reasons why it does not pickle or does not load."""
        return [reason for reason in self.reasons if reason.severity == "error"]

    @property
    def warnings(self) -> list[Reason]:
        """What comes back, but different."""
        return [reason for reason in self.reasons if reason.severity == "warning"]

    @property
    def ok(self) -> bool:
        """No errors."""
        return not self.errors

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Reason]:
        return iter(self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "ok": self.ok,
            "target": self.target,
            "objects": self.objects,
            "size": self.size,
            "measured": self.measured,
            "largest": [{"path": path, "bytes": size} for path, size in self.largest],
            "reasons": [reason.to_dict() for reason in self.reasons],
            "omitted": self.omitted,
            "disagreement": self.disagreement,
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_sarif(self) -> dict[str, Any]:
        """Return a SARIF 2.1.0 log, as plain data."""
        return as_sarif(self)

    def render(self, *, color: bool = False) -> str:
        """Return the whole explanation as text, with terminal colours if asked for."""
        return as_text(self, color=color)

    def show(self) -> None:
        """Print the explanation, in colour on a terminal only."""
        import os
        import sys

        color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print(self.render(color=color))

    def __str__(self) -> str:
        return self.render()

    def _repr_html_(self) -> str:
        return as_html(self)
