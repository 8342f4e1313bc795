"""The scan on this machine: files in worker processes, reports in their order, nothing lost.

A worker that dies takes no result with it: the batches that were out are scanned again, each in a
process of its own; one that kills its process again is halved, and a file that does is reported as
failed. Ctrl-C is this process's alone: it ends the workers.
"""

from __future__ import annotations

import contextlib
import ctypes
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context

from picklist._cli.batches import Batch, batches
from picklist._cli.paths import is_url, size_of
from picklist._picklist import Policy
from picklist._scanning import FileReport, scan_file

# Below so many bytes a pool costs more than it gives.
_ALONE = 16 << 20
# A batch of small files; a task costs some 0.2 ms, a MB about 2 ms.
_MOST_FILES = 64
_MOST_BYTES = 4 << 20
# Batches for each process that are out at a time.
_AHEAD = 4
_POLICY: Policy | None = None


def scan_files(paths: Sequence[str], policy: Policy | None, jobs: int) -> Iterator[FileReport]:
    """Scan files with `jobs` processes; reports come in the order of the paths."""
    sizes = [size_of(path) for path in paths]
    alone = sum(sizes) < _ALONE and not any(map(is_url, paths))
    # What is in this process's memory is only here.
    if jobs <= 1 or len(paths) < 2 or alone or any(p.startswith("memory://") for p in paths):
        yield from (scan_file(path, policy) for path in paths)
        return
    bounds = {"most_files": _MOST_FILES, "most_bytes": _MOST_BYTES}
    waiting = deque(batches(paths, sizes, jobs, **bounds))
    while waiting:
        yield from _pooled(waiting, policy, min(jobs, len(waiting)))
        # Only if the pool broke is something left: what was out goes again.
        for _ in range(min(len(waiting), _AHEAD * jobs)):
            yield from _isolated(waiting.popleft(), policy)


def _pooled(waiting: deque[Batch], policy: Policy | None, jobs: int) -> Iterator[FileReport]:
    """Yield reports until the pool breaks or all are there; `waiting` keeps the rest."""
    out: deque[Future[list[FileReport]]] = deque()
    with _pool(policy, jobs) as pool:
        try:
            for batch in list(waiting):
                out.append(_submitted(pool, batch))
                if len(out) >= _AHEAD * jobs:
                    reports = out.popleft().result()
                    waiting.popleft()
                    yield from reports
            while out:
                reports = out.popleft().result()
                waiting.popleft()
                yield from reports
        except BrokenProcessPool:
            return


def _isolated(batch: Batch, policy: Policy | None) -> Iterator[FileReport]:
    """Yield the reports of a batch that was out when a process died."""
    with _pool(policy, 1) as pool:
        try:
            reports = _submitted(pool, batch).result()
        except BrokenProcessPool:
            reports = None
    if reports is not None:
        yield from reports
    elif len(batch.paths) > 1:
        for half in batch.halves():
            yield from _isolated(half, policy)
    else:
        report = FileReport(batch.paths[0])
        report.fail("the process that scanned it was killed")
        yield report


@contextlib.contextmanager
def _pool(policy: Policy | None, jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes; where the scan ends early, so do they."""
    others = set(active_children())
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_initialize, initargs=(policy,)
    )
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(active_children()) - others:
            child.terminate()
        raise
    pool.shutdown()


def _submitted(pool: ProcessPoolExecutor, batch: Batch) -> Future[list[FileReport]]:
    """Submit a batch, with Ctrl-C held back: a process that starts here inherits that for good."""
    if not hasattr(signal, "pthread_sigmask"):
        return pool.submit(_scan_batch, batch.paths)
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(_scan_batch, batch.paths)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _initialize(policy: Policy | None) -> None:
    global _POLICY
    _POLICY = policy
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_memory()


def _scan_batch(paths: Sequence[str]) -> list[FileReport]:
    return [scan_file(path, _POLICY) for path in paths]


def keep_memory() -> None:
    """Let glibc keep what one file needed for the next one, up to 128 MB.

    A file and the notes on it are some large blocks, which glibc would otherwise give back and get
    anew, page by page, for every file: 450 MB/s rather than 320 on files of 1 MB.
    """
    trim_threshold, mmap_threshold = -1, -3  # as <malloc.h> has them
    # Another C library has no such function, and musl and macOS no need of it.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(trim_threshold, 128 << 20)
        mallopt(mmap_threshold, 32 << 20)
