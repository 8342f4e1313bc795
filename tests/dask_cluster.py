"""A Dask cluster of worker processes, for the tests: run as a program, or loaded by its workers.

As a program it starts a scheduler and workers, prints one line of JSON, and ends with its standard
input.  As the workers' preload it makes files deadly or slow by their names, and a worker's
picklist another one, or none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


def dask_setup(worker: Any) -> None:
    """Prepare a worker; Dask calls this in its process."""
    kind = os.environ.get("PICKLIST_TEST_WORKER", "")
    if kind == "lacks":
        for name in [name for name in sys.modules if name.partition(".")[0] == "picklist"]:
            del sys.modules[name]
        sys.modules["picklist"] = None  # type: ignore[assignment] - how import is told "no"
        return
    import picklist
    from picklist import _scanning

    if kind == "other":
        picklist.__version__ = "0.0.1"
    scan_file = _scanning.scan_file

    def watched(path: str, *arguments: Any, **options: Any) -> Any:
        name = Path(path).name
        if "deadly" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("once"):
            mark = Path(path).with_suffix(".killed")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("slow"):
            time.sleep(0.05)
        return scan_file(path, *arguments, **options)

    _scanning.scan_file = watched


def main() -> None:
    """Run a cluster until standard input ends."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=int(sys.argv[1]),
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        preload=[__file__],
    ) as cluster:
        pids = [worker.process.pid for worker in cluster.workers.values()]
        print(json.dumps({"address": cluster.scheduler_address, "pids": pids}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
