"""What `counts` runs under callgrind: loads between calls of ``getpriority``, which mark the parts.

    python benches/counted.py LAYOUT ROW PROTOCOL SIZE LOADS [ROW PROTOCOL SIZE LOADS ...]

LAYOUT is how many objects to make beforehand, which moves every later one to another address.  For
each row, for picklist and then for pickle: LOADS loads to warm up, LOADS loads, twice LOADS loads.
Every result is dropped at once and the collector is off, so a part holds the loads and nothing
else.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
from collections.abc import Iterator, Sequence

import picklist
from contestants import Call, bind, call_of
from suite import ROWS


def calls(name: str, protocol: int, size: float) -> Iterator[Call]:
    """Yield the two calls that load a row."""
    (row,) = (row for row in ROWS if row.name == name)
    payload = row.payload(row.make(size), protocol)
    policy = row.policy()
    ours = {} if policy is None else {"policy": policy}
    yield call_of(bind(picklist.safe_loads, payload.keywords | ours), payload.streams)
    yield call_of(bind(pickle.loads, payload.keywords), payload.streams)


def part(call: Call, loads: int) -> None:
    """Call between two marks."""
    turns = range(loads)
    os.getpriority(os.PRIO_PROCESS, 0)
    for _ in turns:
        call()
    os.getpriority(os.PRIO_PROCESS, 0)


def main(layout: int, rows: Sequence[str]) -> None:
    """Load the rows named on the command line."""
    moved = [f"object {at}" for at in range(layout)]
    work = [
        (call, int(loads))
        for name, protocol, size, loads in zip(*[iter(rows)] * 4, strict=True)
        for call in calls(name, int(protocol), float(size))
    ]
    gc.collect()
    gc.disable()
    for call, loads in work:
        for _ in range(loads):
            call()
        part(call, loads)
        part(call, 2 * loads)
    del moved


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
