"""The clock: contestants take turns, A B A B, in one process.

Times are CPU time.  The garbage collector is left alone, and what a contestant leaves to it is
billed: every round ends with ``gc.collect(0)`` inside the timer.  Payloads too small to be timed
alone, below a millisecond, are loaded many times a round and dropped at once, as a server would;
the others are timed one by one and freed while the clock stands still.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from contestants import BASE, Call

MOST = 1_000_000
ALONE_NS = 1_000_000


@dataclass
class Timing:
    """What one contestant needed for one load, in nanoseconds."""

    minimum: float
    median: float


@dataclass
class Result:
    """One line of the table."""

    row: str
    protocol: int
    size: int
    timings: dict[str, Timing] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The row and the protocol."""
        return f"{self.row}, protocol {self.protocol}"

    def ratio(self, name: str, base: str = BASE, *, by: str = "minimum") -> float | None:
        """Return how many times as fast as `base` a contestant is, None if it took no part."""
        if name not in self.timings or base not in self.timings:
            return None
        ratio: float = getattr(self.timings[base], by) / getattr(self.timings[name], by)
        return ratio


def alone(call: Call, calls: int = 1) -> int:
    """Time calls one by one; each result is freed after the clock has stopped."""
    elapsed = 0
    for _ in range(calls):
        started = time.process_time_ns()
        kept = call()
        gc.collect(0)
        elapsed += time.process_time_ns() - started
        del kept
    return elapsed


def many(call: Call, calls: int) -> int:
    """Time several calls, each result dropped at once."""
    turns = range(calls)
    started = time.process_time_ns()
    for _ in turns:
        call()
    gc.collect(0)
    return time.process_time_ns() - started


def calls_per_round(call: Call, wanted_ns: int) -> int:
    """Return how often to call in a round so that a round lasts about as long as wanted."""
    calls = 1
    while True:
        elapsed = many(call, calls)
        if elapsed >= wanted_ns or calls >= MOST:
            return calls
        calls = min(MOST, calls * max(2, wanted_ns // max(elapsed, 1)))


def measure(
    calls: Mapping[str, Call], *, rounds: int, wanted_ns: int, loads: int = 1
) -> dict[str, Timing]:
    """Let the contestants take turns and return what each needed for one load.

    Parameters
    ----------
    calls : mapping
        The contestants; the one called `BASE` decides how many calls a round has.
    rounds : int
        Turns for each.
    wanted_ns : int
        About how long a round shall last.
    loads : int
        How many loads a call makes.
    """
    turns = calls_per_round(calls[BASE], wanted_ns)
    turn = alone if min(alone(calls[BASE]) for _ in range(3)) >= loads * ALONE_NS else many
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect()
            times[name].append(turn(call, turns) / turns / loads)
    return {name: Timing(min(taken), statistics.median(taken)) for name, taken in times.items()}
