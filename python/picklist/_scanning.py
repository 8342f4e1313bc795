"""One file, scanned: every stream that its containers hold, inspected; what is wrong, as findings.

This is what `picklist scan` runs in every worker process, and on every worker of a cluster: there,
`scan_batch` takes paths and a policy as text, and gives plain data. Whether bytes are a pickle at
all is decided by what they would do: a stream that fails before it names or calls anything does
nothing, and counts as other data unless its name says that it is a pickle.
"""

from __future__ import annotations

import importlib
import socket
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import picklist
from picklist._findings import Finding
from picklist._judging import judge
from picklist._picklist import Policy
from picklist.containers import Bounds, streams

_LAST: dict[str, Policy] = {}


@dataclass(slots=True)
class FileReport:
    """What a scan found in one file.

    Attributes
    ----------
    source : str
        The file.
    findings : list of Finding
        What is wrong; empty: nothing.
    pickles : int
        How many pickles there were.
    size : int
        Bytes of the file.
    failed : str
        Why the file could not be inspected to its end, or ""; it is among the findings too.
    """

    source: str
    findings: list[Finding] = field(default_factory=list)
    pickles: int = 0
    size: int = 0
    failed: str = ""

    def fail(self, why: str) -> None:
        """Note why the file could not be inspected to its end."""
        self.failed = why
        self.findings.append(Finding("not-inspected", why, self.source))

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "source": self.source,
            "size": self.size,
            "pickles": self.pickles,
            "failed": self.failed,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> FileReport:
        """Return the report that `to_dict` made plain data of.

        Raises
        ------
        KeyError, TypeError
            It made no such thing.
        """
        findings = [
            Finding(**{name: one[name] for name in Finding.__dataclass_fields__})
            for one in row["findings"]
        ]
        return cls(row["source"], findings, row["pickles"], row["size"], row["failed"])


def open_binary(path: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file, or by fsspec what an URL leads to.

    Raises
    ------
    ImportError
        It is an URL, and fsspec or the package for its scheme is not there.
    """
    if "://" not in path:
        return Path(path).open("rb")
    opened: AbstractContextManager[IO[bytes]] = importlib.import_module("fsspec").open(path, "rb")
    return opened


def scan_file(
    path: str,
    policy: Policy | None = None,
    *,
    bounds: Bounds | None = None,
    source: str | None = None,
) -> FileReport:
    """Scan one file; what cannot be read is part of the report, and raises nothing.

    `source` is what the report calls the file, where that is not its path.
    """
    report = FileReport(path if source is None else source)
    try:
        with open_binary(path) as file:
            report.size = file.seek(0, 2)
            file.seek(0)
            scan_stream(file, report, policy, bounds=bounds)
    except Exception as error:  # noqa: BLE001 - one file never ends a scan; it is not clean either
        report.fail(f"{type(error).__name__}: {error}")
    return report


def scan_batch(
    files: Sequence[tuple[str, str]], document: str | None, version: str
) -> dict[str, Any]:
    """Scan files on a worker of a cluster: text in, plain data out.

    Parameters
    ----------
    files : sequence of (str, str)
        The path or URL to open, and what reports call it.
    document : str or None
        The policy, as `Policy.to_toml` writes it; None is the default one.
    version : str
        Of the picklist that asks. Another one might see other things, so it scans nothing.

    Returns
    -------
    dict
        ``host`` and ``version`` of the worker, and ``files``, the reports.
    """
    answer: dict[str, Any] = {"host": socket.gethostname(), "version": picklist.__version__}
    reports = []
    if picklist.__version__ == version:
        policy = None if document is None else _policy_of(document)
        for path, source in files:
            reports.append(scan_file(path, policy, source=source).to_dict())
    return answer | {"files": reports}


def _policy_of(document: str) -> Policy:
    """Return the policy that a document describes; the last one is kept for the next batch."""
    policy = _LAST.get(document)
    if policy is None:
        with tempfile.TemporaryDirectory(prefix="picklist-") as folder:
            path = Path(folder, "policy.toml")
            path.write_text(document, encoding="utf-8")
            policy = Policy.from_file(path)
        _LAST.clear()
        _LAST[document] = policy
    return policy


def scan_stream(
    file: IO[bytes],
    report: FileReport,
    policy: Policy | None = None,
    *,
    bounds: Bounds | None = None,
) -> None:
    """Scan an open file into a report."""
    for found in streams(file, report.source, bounds=bounds):
        if isinstance(found, Finding):
            report.findings.append(found)
        else:
            pickles, findings = judge(found, report.source, policy)
            report.pickles += pickles
            report.findings += findings
        del found  # not in memory while the next member is read
