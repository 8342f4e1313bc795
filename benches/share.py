"""What it costs that no code of a class runs before its whole pickle was found allowed.

    python benches/share.py [--only ROW ...] [--protocol N ...] [--rounds N] [--quick]

Where an allowed class or function could run code, `picklist.safe_loads` has the whole stream
inspected first.  A build with the feature ``testing`` counts how often it did and how long that
took, by the clock, within the loads themselves.  The share is that time divided by the time of the
same loads, in the quickest of the rounds.  Rows that need no inspection are left out.  Looking at
the clock is part of both times: some 50 ns a load.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import picklist
from contestants import Call, bind, call_of
from picklist import _picklist
from run import chosen, installed
from suite import ROWS, Row

CLOCKLESS = "the extension was built without the feature `testing`: it does not look at the clock"


@dataclass(frozen=True)
class Share:
    """What a load takes, and what of it the inspection takes, in nanoseconds."""

    load: float
    inspection: float

    @property
    def part(self) -> float:
        """The inspection, as a part of the load."""
        return self.inspection / self.load


def inspected() -> tuple[int, int]:
    """Return how many streams were inspected so far, and the nanoseconds that it took."""
    counted = _picklist._inspected()
    if counted is None:
        raise SystemExit(CLOCKLESS)
    return counted


def once(call: Call, loads: int) -> Share | None:
    """Time so many loads, each freed at once; None if none of them was inspected."""
    runs, before = inspected()
    started = time.perf_counter_ns()
    for _ in range(loads):
        call()
    elapsed = time.perf_counter_ns() - started
    runs_after, after = inspected()
    return Share(elapsed / loads, (after - before) / loads) if runs_after > runs else None


def share(call: Call, *, rounds: int, wanted_ns: int) -> Share | None:
    """Return the quickest round, None if nothing is inspected.

    A first load may be, until its names are resolved.
    """
    once(call, 1)
    first = once(call, 1)
    if first is None:
        return None
    loads = max(1, round(wanted_ns / first.load))
    gc.collect()
    found = [one for _ in range(rounds) if (one := once(call, loads)) is not None]
    return min(found, key=lambda one: one.load, default=None)


def shares(
    rows: Sequence[Row], *, protocols: Sequence[int], rounds: int, quick: bool
) -> dict[tuple[str, int], Share]:
    """Return the share of each row that is inspected, by its name and protocol."""
    found = {}
    for row in rows:
        value = row.make(0.02 if quick else 1.0)
        for protocol in row.protocols:
            if protocols and protocol not in protocols:
                continue
            payload = row.payload(value, protocol)
            policy = row.policy()
            ours = {} if policy is None else {"policy": policy}
            load = bind(picklist.safe_loads, payload.keywords | ours)
            call = call_of(load, payload.streams)
            wanted = 3_000_000 if quick else 100_000_000
            one = share(call, rounds=rounds, wanted_ns=wanted)
            if one is not None:
                each = len(payload.streams)
                found[row.name, protocol] = Share(one.load / each, one.inspection / each)
    return found


def microseconds(nanoseconds: float) -> str:
    """Return a time with three digits that mean something."""
    return f"{nanoseconds / 1e3:,.{0 if nanoseconds >= 1e5 else 2}f} µs"


def table(found: dict[tuple[str, int], Share]) -> str:
    """Return the shares for a terminal, and for the document."""
    lines = [f"{'row':<24} {'protocol':>8} {'a load':>14} {'inspection':>14} {'share':>6}"]
    for (name, protocol), one in found.items():
        cells = f"{microseconds(one.load):>14} {microseconds(one.inspection):>14} {one.part:>6.0%}"
        lines.append(f"{name:<24} {protocol:>8} {cells}")
    return "\n".join(lines)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="ROW", help="row names or their beginnings")
    parser.add_argument("--protocol", nargs="+", type=int, default=[], metavar="N")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="small payloads")
    options = parser.parse_args()
    rows, left_out = installed(chosen(options.only) if options.only else ROWS)
    # Without names of its own a row calls nothing but what is built natively.
    rows = [row for row in rows if row.allow is not None]
    found = shares(rows, protocols=options.protocol, rounds=options.rounds, quick=options.quick)
    print("\n".join(left_out), file=sys.stderr)
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
