"""The benchmark: how fast picklist loads, as ratios to what people use today.

    python benches/run.py [--only ROW ...] [--protocol N ...] [--rounds N] [--quick] [--inspect]

Every payload is first loaded by each contestant and compared with what was pickled; only equal
results are timed.  Then the contestants take turns in this one process (`timing`).  Who they are
is in `contestants`, what they load in `suite`.

A ratio says how many times as fast as ``pickle.loads``: 2.0 is half the time.  A blank means that
a contestant cannot hold the data, or is not installed.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from contestants import contestants
from report import FORMATS, SUFFIXES
from suite import ROWS, Row
from timing import Result, measure


def run(
    rows: Sequence[Row],
    *,
    protocols: Sequence[int],
    quick: bool,
    rounds: int,
    inspect: bool,
    peers: bool,
) -> list[Result]:
    """Time every row in every protocol."""
    results = []
    for row in rows:
        chosen_protocols = [each for each in row.protocols if not protocols or each in protocols]
        value = row.make(0.02 if quick else 1.0) if chosen_protocols else None
        for protocol in chosen_protocols:
            payload = row.payload(value, protocol)
            calls = contestants(row, value, payload, inspect=inspect, peers=peers)
            timings = measure(
                calls,
                rounds=rounds,
                wanted_ns=3_000_000 if quick else 30_000_000,
                loads=len(payload.streams),
            )
            results.append(Result(row.name, protocol, payload.size, timings))
            print(f"  {row.name}, protocol {protocol}", file=sys.stderr, flush=True)
    return results


def matching(name: str) -> list[Row]:
    """Return the row of that name, or those whose names start with it."""
    wanted = name.casefold()
    exact = [row for row in ROWS if row.name.casefold() == wanted]
    found = exact or [row for row in ROWS if row.name.casefold().startswith(wanted)]
    if not found:
        known = ", ".join(row.name for row in ROWS)
        raise SystemExit(f"no row starts with {name!r}; there are: {known}")
    return found


def chosen(names: Sequence[str]) -> list[Row]:
    """Return the rows that these names mean, in the order of the suite."""
    wanted = {row.name for name in names for row in matching(name)}
    return [row for row in ROWS if row.name in wanted]


def installed(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """Return the rows that can be made here, and a line for each that cannot."""
    left_out = [
        f"left out: {row.name} ({', '.join(row.missing())} not installed)"
        for row in rows
        if row.missing()
    ]
    return [row for row in rows if not row.missing()], left_out


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Time picklist against pickle.")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="row names or their beginnings")
    parser.add_argument("--protocol", nargs="+", type=int, default=[], metavar="N")
    parser.add_argument("--quick", action="store_true", help="small payloads, few rounds")
    parser.add_argument("--rounds", type=int, help="turns for each contestant (11; quick: 3)")
    parser.add_argument("--no-peers", action="store_true", help="leave out the other formats")
    parser.add_argument("--inspect", action="store_true", help="time picklist.inspect as well")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--save", type=Path, metavar="DIR", help="also write all three formats")
    options = parser.parse_args()
    rows, left_out = installed(chosen(options.only) if options.only else ROWS)
    results = run(
        rows,
        protocols=options.protocol,
        quick=options.quick,
        rounds=options.rounds or (3 if options.quick else 11),
        inspect=options.inspect,
        peers=not options.no_peers,
    )
    if not results:
        raise SystemExit("\n".join(["nothing to time", *left_out]))
    print(FORMATS[options.format](results, left_out))
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        for name, render in FORMATS.items():
            target = options.save / f"bench-{platform.python_version()}.{SUFFIXES[name]}"
            target.write_text(render(results, left_out) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
