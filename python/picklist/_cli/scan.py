"""Many files at once: which ones, in worker processes, in their order, with nothing lost.

A worker that dies takes no result with it: the files that were out are scanned again, each in a
process of its own, and the one that kills its process is reported as failed.
"""

from __future__ import annotations

import glob
import importlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from picklist._picklist import Policy
from picklist._scanning import FileReport, scan_file

# Below so many bytes a pool costs more than it gives.
_ALONE = 16 << 20
_POLICY: Policy | None = None


def files_of(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the files that paths, folders and globs stand for, and what stands for none."""
    found: dict[str, None] = {}
    missing = []
    for path in paths:
        if "://" in path:
            found.update(dict.fromkeys(_remote(path)))
        elif Path(path).is_dir():
            found.update(dict.fromkeys(_walked(path)))
        elif Path(path).exists():
            found[path] = None
        else:
            matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - absolute too
            if not matches:
                missing.append(path)
            for match in matches:
                found.update(dict.fromkeys(_walked(match) if Path(match).is_dir() else [match]))
    return list(found), missing


def _remote(url: str) -> list[str]:
    """Return the files that an URL stands for; what cannot be listed stands for itself."""
    try:
        files, root = importlib.import_module("fsspec.core").url_to_fs(url)
        if files.isdir(root):
            names = files.find(root)
        else:
            names = files.glob(root) if glob.has_magic(root) else [root]
    except Exception:  # noqa: BLE001 - every service has errors of its own; opening it says why
        return [url]
    return [str(files.unstrip_protocol(name)) for name in sorted(names)] or [url]


def _walked(folder: str) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = str(Path(root, name))
            # Pipes and devices have no end; a broken link has no content.
            if Path(path).is_file():
                yield path


def scan_files(paths: Sequence[str], policy: Policy | None, jobs: int) -> Iterator[FileReport]:
    """Scan files with all cores; reports come in the order of the paths."""
    total = 0
    for path in paths:
        if "://" in path:
            # Its size would be another request; what is in this process's memory is only here.
            total += 0 if path.startswith("memory://") else _ALONE
            continue
        try:
            total += Path(path).stat().st_size
        except OSError:
            continue
    if jobs <= 1 or len(paths) < 2 or total < _ALONE:
        yield from (scan_file(path, policy) for path in paths)
        return
    waiting = deque(paths)
    while waiting:
        yield from _pooled(waiting, policy, min(jobs, len(waiting)))
        # The pool broke: what was out goes again, one process for each file.
        for _ in range(min(len(waiting), 4 * jobs)):
            yield _isolated(waiting.popleft(), policy)


def _pooled(waiting: deque[str], policy: Policy | None, jobs: int) -> Iterator[FileReport]:
    """Yield reports until the pool breaks or all are there; `waiting` keeps the rest."""
    out: deque[Future[FileReport]] = deque()
    with _pool(policy, jobs) as pool:
        try:
            for path in list(waiting):
                out.append(pool.submit(_scan_one, path))
                if len(out) >= 4 * jobs:
                    report = out.popleft().result()
                    waiting.popleft()
                    yield report
            while out:
                report = out.popleft().result()
                waiting.popleft()
                yield report
        except BrokenProcessPool:
            return


def _isolated(path: str, policy: Policy | None) -> FileReport:
    with _pool(policy, 1) as pool:
        try:
            return pool.submit(_scan_one, path).result()
        except BrokenProcessPool:
            return FileReport(path, failed="the process that scanned it was killed")


def _pool(policy: Policy | None, jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_initialize, initargs=(policy,)
    )


def _initialize(policy: Policy | None) -> None:
    global _POLICY
    _POLICY = policy


def _scan_one(path: str) -> FileReport:
    return scan_file(path, _POLICY)


def without(report: FileReport, known: Iterable[str]) -> int:
    """Take the findings of a baseline out of a report; return how many they were."""
    fingerprints = set(known)
    before = len(report.findings)
    report.findings = [one for one in report.findings if one.fingerprint not in fingerprints]
    return before - len(report.findings)
