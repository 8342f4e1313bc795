"""How fast `picklist.is_picklable` is, as a ratio to `pickle.dumps` of the same object.

Both take turns, A B A B, in this one process; CPU time; the collector is left alone, and each
round ends with ``gc.collect(0)`` inside the timer. The check runs with ``roundtrip=False``: a
round trip is a real dump and load by definition. A ratio of 3.0 is a third of the time that
``pickle.dumps`` takes.

    python benches/preflight.py [--rounds 15] [--least 3.0]

With ``--least``, exits 1 if a row of plain data (JSON-like, dataclasses) is slower than that.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import pickle
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import picklist


@dataclass
class Reading:
    """100,000 of these: numbers and text."""

    id: int
    name: str
    value: float
    valid: bool


@dataclass
class Series:
    """100,000 of these: with a list of its own."""

    id: int
    name: str
    values: list[int]


class Slots:
    """With slots and no dict."""

    __slots__ = ("x", "y")

    def __init__(self, x: int, y: str) -> None:
        self.x = x
        self.y = y


def parsed(value: Any) -> Any:
    """Return the value as a JSON parser makes it: nothing shared but keys."""
    return json.loads(json.dumps(value))


def records() -> Any:
    """JSON-like: users with tags and a place."""
    return parsed(
        [
            {
                "id": number,
                "name": f"user {number}",
                "tags": ["a", "b", "c"],
                "geo": {"lat": number * 1.5, "lon": 2.5},
                "active": True,
                "note": None,
            }
            for number in range(30_000)
        ]
    )


def polygons() -> Any:
    """JSON-like: mostly lists of two floats."""
    ring = [[number * 1.5, number * 2.5] for number in range(50)]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    return parsed([feature] * 1_000)


def statuses() -> Any:
    """JSON-like: text with nested users."""
    return parsed(
        [
            {
                "id": number * 1_000_003,
                "text": f"a status of about a hundred and forty characters, number {number}" * 2,
                "user": {"name": f"n{number}", "followers": number, "url": None, "lang": "en"},
                "entities": {"tags": [], "urls": [{"url": f"u{number}", "at": [1, 20]}]},
            }
            for number in range(10_000)
        ]
    )


PLAIN: dict[str, Callable[[], Any]] = {
    "JSON-like records": records,
    "JSON-like polygons": polygons,
    "JSON-like statuses": statuses,
    "100k dataclasses": lambda: [Reading(i, str(i), i * 0.5, True) for i in range(100_000)],
    "100k dataclasses with lists": lambda: [Series(i, str(i), [i]) for i in range(100_000)],
}
OTHER: dict[str, Callable[[], Any]] = {
    "100k slots": lambda: [Slots(i, str(i)) for i in range(100_000)],
    "100k tuples": lambda: [(i, str(i)) for i in range(100_000)],
    "dict of tuples": lambda: {i: (i, i) for i in range(100_000)},
    "1M ints": lambda: list(range(1_000_000)),
    "1M floats": lambda: [i * 0.5 for i in range(1_000_000)],
    "1M strings": lambda: [str(i) for i in range(1_000_000)],
    "20k datetimes": lambda: [datetime.datetime(2024, 1, 1, 0, 0, i % 60) for i in range(20_000)],
    "shared lists": lambda: [[1, 2]] * 100_000,
    "tiny": lambda: {"a": 1},
}


def timed(call: Callable[[Any], Any], value: Any) -> float:
    """Return the CPU seconds of one call, with what it leaves to the collector."""
    start = time.process_time_ns()
    call(value)
    gc.collect(0)
    return (time.process_time_ns() - start) / 1e9


def check(value: Any) -> None:
    """Check without a round trip."""
    if not picklist.is_picklable(value, roundtrip=False):
        raise SystemExit("a payload of the benchmark does not pickle")


def measure(value: Any, rounds: int) -> tuple[float, float]:
    """Return the minima of `pickle.dumps` and of the check."""
    dumps, checks = [], []
    for _ in range(rounds):
        dumps.append(timed(pickle.dumps, value))
        checks.append(timed(check, value))
    return min(dumps), min(checks)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--least", type=float, default=0.0)
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}; times in ms\n")
    print(f"{'payload':<30}{'pickle.dumps':>14}{'is_picklable':>14}{'ratio':>8}")
    slow = []
    ratios = []
    for name, make in {**PLAIN, **OTHER}.items():
        value = make()
        dump, checked = measure(value, options.rounds)
        ratio = dump / checked
        print(f"{name:<30}{dump * 1e3:>14.3f}{checked * 1e3:>14.3f}{ratio:>7.1f}x")
        if name in PLAIN:
            ratios.append(ratio)
            if ratio < options.least:
                slow.append(name)
    print(f"\nplain data, geometric mean: {statistics.geometric_mean(ratios):.1f}x")
    for name in slow:
        print(f"below {options.least}x: {name}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
