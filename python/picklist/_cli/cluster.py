"""The scan on a Dask cluster: the same reports, in the same order, from workers elsewhere.

Out go paths, URLs and the policy as text; back come reports as plain data. A batch whose worker
dies is run again by Dask, and its result is taken once. A batch that takes down worker after worker
is given back by Dask (`KilledWorker`); each of its files is then scanned with nothing of ours
beside it, so that the one to blame is known for certain and the others are not lost.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import picklist
from picklist._cli.batches import Batch, batches
from picklist._cli.paths import is_url, size_of
from picklist._picklist import Policy
from picklist._scanning import FileReport, scan_batch

# A task costs Dask some milliseconds; 32 MB are about 100.
_MOST_FILES = 256
_MOST_BYTES = 32 << 20
# Batches for each thread of the cluster that are out at a time.
_AHEAD = 3
# Workers that a message names.
_NAMED = 3
# Seconds between two looks at the cluster while nothing comes back.
_LOOK = 5.0
_MOMENT = 0.01


class ClusterError(Exception):
    """The cluster cannot be used, or no longer; the message is one line."""


class Cluster:
    """A connection to a scheduler whose workers have all been asked for their picklist.

    Parameters
    ----------
    address : str
        Of the scheduler, as in ``"tcp://10.0.0.1:8786"``.
    patience : float
        Seconds to wait for the scheduler, and for a worker where there is none.

    Raises
    ------
    ClusterError
        There is no scheduler, or no worker, or one without this picklist.
    """

    def __init__(self, address: str, *, patience: float = 30.0) -> None:
        self.address = address
        self.patience = patience
        try:
            self.distributed: Any = importlib.import_module("distributed")
        except ImportError as error:
            message = "--dask needs distributed: pip install 'picklist[dask]'"
            raise ClusterError(message) from error
        # What it logs is about itself; what matters is said here.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        for name in list(logging.root.manager.loggerDict):
            if name.startswith(("distributed.", "tornado")):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            # A client that cannot even begin leaves noise behind; this fails first.
            importlib.import_module("distributed.comm").resolve_address(address)
            self.client = self.distributed.Client(
                address, timeout=patience, set_as_default=False, name="picklist-scan"
            )
        except Exception as error:
            message = f"no Dask scheduler answers at {address}: {_line(error)}"
            raise ClusterError(message) from error
        try:
            self._check()
        except BaseException:
            self.close()
            raise
        self.done: Any = None
        self.threads = 0
        # When the cluster was last looked at, and last seen with a worker.
        self.looked = self.seen = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; what is still out for this scan is dropped there."""
        self.client.close(timeout=2)

    def _check(self) -> None:
        """Ask every worker for its picklist, by a function of the standard library."""
        try:
            self.client.wait_for_workers(1, timeout=self.patience)
        except TimeoutError as error:
            message = f"the Dask cluster at {self.address} has no workers"
            raise ClusterError(message) from error
        answers = self.client.run(pkgutil.resolve_name, "picklist:__version__", on_error="return")
        lacking, different = [], []
        for worker, answer in answers.items():
            if isinstance(answer, ImportError | AttributeError):
                lacking.append(f"{worker} ({_line(answer)})")
            elif isinstance(answer, str) and answer != picklist.__version__:
                different.append(f"{worker} ({answer})")
        if lacking:
            message = f"{len(lacking)} of {len(answers)} workers cannot import picklist"
            raise ClusterError(f"{message}: {_some(lacking)}")
        if different:
            message = f"{len(different)} of {len(answers)} workers have another picklist"
            raise ClusterError(f"{message} than {picklist.__version__}: {_some(different)}")

    def scan(self, paths: Sequence[str], policy: Policy | None) -> Iterator[FileReport]:
        """Scan files; reports come in the order of the paths, each once.

        Raises
        ------
        ClusterError
            The cluster went away.
        """
        document = None if policy is None else policy.to_toml()
        self.done = self.distributed.as_completed(
            [], loop=self.client.loop, with_results=True, raise_errors=False
        )
        self.looked, self.seen = -_LOOK, time.monotonic()
        self._look()
        sizes = [size_of(path) for path in paths]
        bounds = {"most_files": _MOST_FILES, "most_bytes": _MOST_BYTES}
        waiting = deque(batches(paths, sizes, self.threads, **bounds))
        suspects: deque[Batch] = deque()
        out: dict[str, Batch] = {}
        held: dict[int, FileReport] = {}
        at = 0
        while waiting or suspects or out:
            alone = bool(suspects) and not out
            if alone:
                self._submit(suspects.popleft(), document, out)
            elif not suspects:
                while waiting and len(out) < max(2, _AHEAD * self.threads):
                    self._submit(waiting.popleft(), document, out)
            future, result = self._next()
            batch = out.pop(future.key)
            reports = self._reports(batch, future, result)
            future.release()
            if reports is None and not alone:
                # Perhaps it only stood beside the one to blame.
                suspects.extend(batch.singles())
                continue
            held.update(enumerate(reports or _killed(batch), batch.first))
            while at in held:
                yield held.pop(at)
                at += 1

    def _submit(self, batch: Batch, document: str | None, out: dict[str, Batch]) -> None:
        """Send a batch; its key is its own, so that Dask never takes it for another."""
        # A worker has a working directory of its own.
        files = [
            (path if is_url(path) else str(Path(path).absolute()), path) for path in batch.paths
        ]
        key = f"picklist-scan-{uuid.uuid4().hex}"
        future = self.client.submit(
            scan_batch, files, document, picklist.__version__, key=key, pure=False
        )
        out[key] = batch
        self.done.add(future)

    def _next(self) -> tuple[Any, Any]:
        """Return the next future that is done, and its result; watch the cluster meanwhile."""
        self._look()
        while not self.done.has_ready():
            time.sleep(_MOMENT)
            self._look()
        pair: tuple[Any, Any] = next(self.done)
        return pair

    def _look(self) -> None:
        """Count the cluster's threads, now and then: clusters grow, shrink and die."""
        now = time.monotonic()
        if now < self.looked + _LOOK:
            return
        try:
            self.threads = sum(self.client.nthreads().values())
        except Exception as error:
            raise self._lost(error) from error
        self.looked = now
        if self.threads:
            self.seen = now
        elif now > self.seen + self.patience:
            raise ClusterError(f"the Dask cluster at {self.address} has lost all its workers")

    def _lost(self, error: BaseException) -> ClusterError:
        message = f"the Dask scheduler at {self.address} went away: {_line(error)}"
        return ClusterError(message)

    def _reports(self, batch: Batch, future: Any, result: Any) -> list[FileReport] | None:
        """Return the reports of a batch; None where it took its workers down with it."""
        if isinstance(result, BaseException):  # cancelled: the scheduler has forgotten it
            raise self._lost(result)
        if future.status == "error":
            error = result[1]
            if not isinstance(error, self.distributed.KilledWorker):
                raise ClusterError(f"a Dask worker cannot scan: {_line(error)}")
            return None
        if result["version"] != picklist.__version__:
            found = f"{result['host']} ({result['version']})"
            message = f"a worker joined that has another picklist than {picklist.__version__}"
            raise ClusterError(f"{message}: {found}")
        reports = [FileReport.from_dict(row) for row in result["files"]]
        if [report.source for report in reports] != list(batch.paths):
            raise ClusterError(f"a worker at {result['host']} answered for other files")
        for report in reports:
            if report.failed:
                report.findings.pop()
                report.fail(f"{report.failed} (on {result['host']})")
        return reports


def _killed(batch: Batch) -> list[FileReport]:
    """Return the report of a file that took its workers down with nothing beside it."""
    (path,) = batch.paths
    report = FileReport(path)
    report.fail("every worker that scanned it was killed")
    return [report]


def _line(error: BaseException) -> str:
    """Return an error as one line."""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _some(workers: list[str]) -> str:
    shown = ", ".join(workers[:_NAMED])
    left_out = len(workers) - _NAMED
    return f"{shown} and {left_out} more" if left_out > 0 else shown
