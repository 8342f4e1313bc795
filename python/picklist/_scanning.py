"""One file, scanned: every stream that its containers hold, inspected; what is wrong, as findings.

This is what `picklist scan` runs in every worker process.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from picklist._findings import Finding
from picklist._judging import judge
from picklist._picklist import Policy
from picklist.containers import Bounds, streams


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
        Why the file could not be read at all, or "".
    """

    source: str
    findings: list[Finding] = field(default_factory=list)
    pickles: int = 0
    size: int = 0
    failed: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "source": self.source,
            "size": self.size,
            "pickles": self.pickles,
            "failed": self.failed,
            "findings": [finding.to_dict() for finding in self.findings],
        }


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
    path: str, policy: Policy | None = None, *, bounds: Bounds | None = None
) -> FileReport:
    """Scan one file; what cannot be read is part of the report, and raises nothing."""
    report = FileReport(path)
    try:
        with open_binary(path) as file:
            report.size = file.seek(0, 2)
            file.seek(0)
            scan_stream(file, report, policy, bounds=bounds)
    except Exception as error:  # noqa: BLE001 - one file never ends a scan; it is not clean either
        report.failed = f"{type(error).__name__}: {error}"
    return report


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
