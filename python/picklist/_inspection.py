"""`inspect` and what it returns: what a pickle would import, call, build and cost.

The looking is Rust's, by the machine that loads; nothing is imported, called or built. This module
turns the report into objects, text, JSON, SARIF and HTML.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from picklist._documents import html_mark, html_report
from picklist._findings import Finding, as_sarif, findings_of
from picklist._judging import readings, seen_besides
from picklist._picklist import Policy, inspect_pickles

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from picklist.containers import Stream

# What files begin with that are containers of pickles, for a hint where one is taken for a pickle.
_CONTAINERS = {
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "gzip data",
    b"BZh": "bz2 data",
    b"\xfd7zXZ": "xz data",
    b"\x28\xb5\x2f\xfd": "zstandard data",
    b"\x04\x22\x4d\x18": "lz4 data",
    b"\x93NUMPY": "a numpy array",
}


@dataclass(frozen=True, slots=True)
class GlobalUse:
    """One name that a pickle mentions, and all that it does with it.

    Attributes
    ----------
    module, name : str
        The pair, after renames.
    spelled : tuple of str or None
        The pair as the stream spells it, where that differs.
    offset, opcode : int, str
        The first opcode that names it.
    count, calls : int
        How many opcodes name it, and how often it is called or instantiated.
    rights : tuple of str
        What is done with it, beyond the mention: "reference", "call", "new", "state", "append",
        "items", "add".
    arguments : tuple of str
        Arguments of the first different calls, as in ``"('id',)"``.
    path : str or None
        Where in the object it is; None where it does not reach the result.
    allowed : bool
        Whether the policy allows everything that is done with it.
    why : str or None
        Why not.
    preset : str or None
        The first preset that has the name.
    gadget : str or None
        Why no data ever needs the name, if it is known to be dangerous.
    """

    module: str
    name: str
    offset: int
    opcode: str
    count: int
    calls: int
    rights: tuple[str, ...]
    arguments: tuple[str, ...]
    path: str | None
    allowed: bool
    why: str | None = None
    preset: str | None = None
    gadget: str | None = None
    spelled: tuple[str, str] | None = None

    @classmethod
    def _of(cls, row: dict[str, Any]) -> GlobalUse:
        spelled = row.get("spelled")
        return cls(
            **{
                **row,
                "rights": tuple(row["rights"]),
                "arguments": tuple(row["arguments"]),
                "spelled": (spelled[0], spelled[1]) if spelled else None,
            }
        )

    @property
    def verdict(self) -> str:
        """Whether it is ``"allowed"`` or ``"refused"``."""
        return "allowed" if self.allowed else "refused"

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a stream could not be followed to its end.

    Attributes
    ----------
    kind : str
        "malformed", "truncated", "limit", "value", … as `UnsafePickleError.kind` has it.
    message : str
        pickle's own sentence, where it has one.
    offset : int
        The byte.
    opcode : str or None
        The opcode there.
    path : str or None
        Where in the object the stream was at work; known of a limit.
    """

    kind: str
    message: str
    offset: int
    opcode: str | None
    path: str | None = None

    def __str__(self) -> str:
        opcode = f", {self.opcode}" if self.opcode else ""
        path = f", at {self.path}" if self.path else ""
        return f"{self.message} (byte {self.offset}{opcode}{path})"


@dataclass(frozen=True, eq=False, repr=False)
class Inspection:
    """What one pickle would do, found without doing it.

    Attributes
    ----------
    source : str
        The file, or ``"<bytes>"``.
    start : int
        Where in the data the pickle begins.
    pickles : list of Inspection
        Further pickles that follow in the same data. `pickle.loads` reads the first only, programs
        that call `pickle.load` again read them too.
    seen, refused : int
        How many pickles there are in all, and how many of them are not allowed; of very many
        `pickles` has the first.
    readings : list of Inspection
        Of a file of joblib with raw arrays, which is inspected as joblib reads it: how `pickle`
        reads the same bytes, and joblib before 1.2.
    """

    _report: dict[str, Any]
    _text: str
    source: str = "<bytes>"
    start: int = 0
    pickles: list[Inspection] = field(default_factory=list)
    seen: int = 1
    refused: int = 0
    readings: list[Inspection] = field(default_factory=list)

    @property
    def allowed(self) -> bool:
        """Whether `safe_loads` accepts the data under the same policy.

        Of a file of joblib with raw arrays: whether the policy has all that any reader of it does.
        """
        return bool(self._report["allowed"]) and not self._besides

    @cached_property
    def globals(self) -> list[GlobalUse]:
        """Every name, in the order in which the stream mentions them."""
        return [GlobalUse._of(row) for row in self._report["globals"]]

    @property
    def fault(self) -> Fault | None:
        """Why the stream could not be followed to its end; what came before it is reported."""
        row = self._report["fault"]
        if row is None:
            return None
        return Fault(row["class"], row["message"], row["offset"], row["opcode"], row["path"])

    @property
    def policy(self) -> str:
        """The policy that was asked, as messages call it."""
        return str(self._report["policy"])

    @property
    def protocol(self) -> int:
        """The protocol that PROTO declares; 0 without one."""
        return int(self._report["protocol"])

    @property
    def protocol_needed(self) -> int:
        """The lowest protocol that has all of its opcodes."""
        return int(self._report["protocol_needed"])

    @property
    def opcodes(self) -> dict[str, int]:
        """How often each opcode occurs."""
        return dict(self._report["opcodes"])

    @property
    def size(self) -> int:
        """Bytes up to STOP, or all there are where the stream is at fault."""
        return int(self._report["size"])

    @property
    def trailing(self) -> int:
        """Bytes after STOP, further pickles included."""
        return int(self._report["trailing"])

    @property
    def leftovers(self) -> int:
        """Values left on the stack at STOP, which ``strict=True`` refuses."""
        return int(self._report["leftovers"])

    @property
    def depth(self) -> int:
        """How deep values are nested."""
        return int(self._report["depth"])

    @property
    def memo(self) -> int:
        """Values in the memo."""
        return int(self._report["memo"])

    @property
    def persistent_ids(self) -> list[str]:
        """The first persistent ids, as Python would show them; `persistent_count` says how many."""
        return list(self._report["persistent_ids"])

    @property
    def persistent_count(self) -> int:
        """How many persistent ids there are."""
        return int(self._report["persistent_count"])

    @property
    def extension_codes(self) -> list[int]:
        """The first different extension codes."""
        return list(self._report["extension_codes"])

    @property
    def buffers(self) -> int:
        """Out-of-band buffers that it asks for."""
        return int(self._report["buffers"])

    @property
    def arrays(self) -> int:
        """Arrays that lie raw between the opcodes, where a joblib file is read as joblib does."""
        return int(self._report["arrays"])

    @property
    def limits(self) -> dict[str, int]:
        """What loading would spend of `Limits`: "memory" (bytes), "hash_work", "depth"."""
        return dict(self._report["limits"])

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with it and with the pickles that follow; empty: nothing."""
        found = findings_of(self._report, source=self.source, member="", start=self.start)
        for further in self.pickles:
            found += further._own_findings()
        return found + self._besides

    @cached_property
    def _besides(self) -> list[Finding]:
        """What only other readers of the same bytes meet."""
        if not self.readings:
            return []
        found = findings_of(self._report, source=self.source, member="", start=self.start)
        for further in self.pickles:
            found += further._own_findings()
        besides: list[Finding] = []
        for other in self.readings:
            besides += seen_besides(found + besides, other.findings)
        return besides

    def _own_findings(self) -> list[Finding]:
        """As a further pickle: what cannot even begin as one is trailing data."""
        if self.fault and not self.globals and not self._report["refusals"]:
            message = f"{self.size} bytes follow that are no pickle: {self.fault.message}"
            return [Finding("trailing-data", message, self.source, "", self.start)]
        return findings_of(self._report, source=self.source, member="", start=self.start)

    def __iter__(self) -> Iterator[GlobalUse]:
        return iter(self.globals)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, by the schema ``picklist-inspection/1`` of the manual."""
        return {
            **self._report,
            "source": self.source,
            "start": self.start,
            "seen": self.seen,
            "refused": self.refused,
            "pickles": [further.to_dict() for further in self.pickles],
            **self._in_other_readings(),
        }

    def _in_other_readings(self) -> dict[str, Any]:
        if not self.readings:
            return {}
        readings = [other.to_dict() for other in self.readings]
        return {"allowed": self.allowed, "readings": readings}

    def to_json(self, *, indent: int | None = 2) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False)

    def to_sarif(self) -> dict[str, Any]:
        """Return the findings as a SARIF 2.1.0 log, as plain data."""
        return as_sarif(self.findings)

    def __str__(self) -> str:
        lines = [self._headed(self._text)]
        if hint := self._hint():
            lines.append(hint)
        lines += [further._headed(further._text) for further in self.pickles]
        left_out = self.seen - 1 - len(self.pickles)
        if left_out > 0:
            lines.append(f"and {left_out} more pickles; {self.refused} of all are not allowed")
        for besides in self._besides:
            lines.append(
                f"  to other readers of the file, byte {besides.offset}: {besides.message}"
            )
        return "\n".join(lines)

    def _headed(self, text: str) -> str:
        source = "" if self.source == "<bytes>" else self.source
        at = f"byte {self.start}" if self.start else ""
        head = " ".join(part for part in (source, at) if part)
        return f"{head}: {text.rstrip()}" if head else text.rstrip()

    def _hint(self) -> str:
        kind = self._report.get("container")
        if kind is None:
            return ""
        return f"  it is {kind}, and no pickle itself"

    def __repr__(self) -> str:
        verdict = "allowed" if self.allowed else "not allowed"
        return (
            f"<Inspection of {self.source}: {verdict} by {self.policy}, "
            f"{len(self.globals)} names, {self.size} bytes>"
        )

    def _repr_html_(self) -> str:
        rows = []
        for used in self.globals:
            level = "note" if used.allowed else "error" if used.gadget else "warning"
            does = ", ".join(used.rights) or "mentioned"
            shown = f"{does} {used.arguments[0]}" if used.arguments else does
            rows.append(
                f"<tr>{html_mark(level, used.verdict)}<td>{used.offset}</td>"
                f"<td>{html.escape(used.opcode)}</td><td><code>{html.escape(str(used))}</code></td>"
                f"<td>{html.escape(shown)}</td><td><code>{html.escape(used.path or '')}</code></td>"
                f"<td>{html.escape(used.gadget or used.why or '')}</td></tr>"
            )
        footer = str(self.fault) if self.fault else ""
        return html_report(self._headed(self._text).partition("\n")[0], rows, footer)


def inspect(
    data_or_path: ReadableBuffer | str | os.PathLike[str],
    /,
    *,
    policy: Policy | None = None,
    encoding: str = "ASCII",
) -> Inspection:
    r"""Say what a pickle would import, call, build and cost, without doing any of it.

    Parameters
    ----------
    data_or_path : bytes-like, str or os.PathLike
        The pickle, or the file that begins with one. A str is always a path. A file of joblib is
        read as joblib does, raw arrays and all, and as other readers do; bytes are what `pickle`
        reads.
    policy : Policy, optional
        The policy that is asked; the default is ``Policy(base="std")``. Classes that it allows by
        name only are not imported, so what their own pickles need is taken to be granted.
    encoding : str
        As for :func:`safe_loads`: how a Python 2 `str` becomes a value.

    Returns
    -------
    Inspection
        Its `allowed` is what :func:`safe_loads` with the same arguments decides. A malformed
        stream raises nothing: everything up to its fault is reported, and the fault.

    Examples
    --------
    >>> found = inspect(b"cos\nsystem\n(S'echo hello'\ntR.")
    >>> found.allowed, str(found.globals[0]), found.globals[0].arguments
    (False, 'os.system', ("('echo hello',)",))
    """
    if isinstance(data_or_path, (str, os.PathLike)):
        # Imported here: the modules of archives and compressed files are not needed for bytes.
        from picklist.containers import Stream

        source = os.fspath(data_or_path)
        stream = Stream("", Path(source).read_bytes())
        return inspect_file(stream, source, policy, encoding=encoding)
    return inspect_stream(data_or_path, source="<bytes>", policy=policy, encoding=encoding)


def inspect_file(
    stream: Stream, source: str, policy: Policy | None = None, *, encoding: str = "latin1"
) -> Inspection:
    """Inspect a stream of a file, in all ways in which it is read."""
    found, others = readings(stream, source, policy, encoding=encoding)
    return replace(found, readings=others)


def inspect_stream(
    data: ReadableBuffer,
    *,
    source: str,
    policy: Policy | None = None,
    encoding: str = "ASCII",
    persistent_load: bool = False,
    arrays: Literal["opcodes", "padded", "unpadded"] = "opcodes",
) -> Inspection:
    """Inspect every pickle of some bytes.

    `persistent_load` says that ids have a resolver; `arrays`, what joblib's arrays are: opcodes
    like all else as `pickle` reads them, or raw bytes, behind padding since joblib 1.2.
    """
    rows, seen, refused = inspect_pickles(
        data, policy, encoding=encoding, persistent_load=persistent_load, arrays=arrays
    )
    reports = [(start, json.loads(report), text) for start, report, text in rows]
    further = [
        Inspection(report, text, source=source, start=start) for start, report, text in reports[1:]
    ]
    _, first, text = reports[0]
    if first["fault"] is not None:
        head = bytes(memoryview(data)[:8])
        kinds = (kind for mark, kind in _CONTAINERS.items() if head.startswith(mark))
        if (kind := next(kinds, None)) is not None:
            first["container"] = kind
    return Inspection(first, text, source=source, pickles=further, seen=seen, refused=refused)
