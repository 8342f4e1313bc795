"""The cost curve of each row: time per byte while n doubles over eight steps.

    python benches/curves.py [--only ROW ...] [--steps 8] [--rounds 5] [--save DIR]

The last step is the full row of the suite; a row of one fixed size is repeated in a list instead.
A flat curve is linear cost; a step is a cache that no longer suffices, for both alike.  Times are
the minima of CPU time, contestants in turn, the collector as in ``run.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contestants import BASE, OURS, contestants
from report import environment, megabytes
from run import chosen, installed
from suite import ROWS, Row
from svg import Page
from timing import measure

STEPS = 8
#: Copies of a row of one size in the longest list.
COPIES = 4096

ACROSS, CELL_WIDTH, CELL_HEIGHT, HEAD = 5, 184, 124, 58


@dataclass(frozen=True)
class Point:
    """One step: the bytes of a load and the nanoseconds per byte."""

    size: int
    pickle: float
    picklist: float


def at_step(row: Row, step: int, steps: int) -> Any:
    """Return the row's value at a step; the last is the whole row."""
    share = 2.0 ** (step - steps + 1)
    if not row.fixed:
        return row.make(share)
    return [row.make(1.0) for _ in range(max(1, round(COPIES * share)))]


def curve(row: Row, *, steps: int, rounds: int) -> list[Point]:
    """Time a row in its first protocol, step by step."""
    points = []
    for step in range(steps):
        value = at_step(row, step, steps)
        payload = row.payload(value, row.protocols[0])
        calls = contestants(row, value, payload, inspect=False, peers=False)
        timings = measure(
            {name: calls[name] for name in (BASE, OURS)},
            rounds=rounds,
            wanted_ns=5_000_000,
            loads=len(payload.streams),
        )
        points.append(
            Point(
                payload.size,
                timings[BASE].minimum / payload.size,
                timings[OURS].minimum / payload.size,
            )
        )
    return points


def growing(rows: Sequence[Row]) -> list[Row]:
    """Leave out the cold rows: they grow in payloads, and each payload keeps its size."""
    return [row for row in rows if not row.cold]


def as_text(curves: dict[str, list[Point]]) -> str:
    """Return the curves as a table of nanoseconds per byte, picklist's under pickle's."""
    width = max(map(len, curves))
    lines = [f"{'ns per byte':<{width}}           n, 2 n, 4 n, ...  up to"]
    for name, points in curves.items():
        for who in ("pickle", "picklist"):
            cells = "".join(f"{getattr(point, who):>8.3f}" for point in points)
            lines.append(f"{name if who == 'pickle' else '':<{width}}  {who:<8}{cells}")
        lines[-1] += f"  {megabytes(points[-1].size)}"
    return "\n".join(lines)


def draw(curves: dict[str, list[Point]]) -> Page:
    """Return small multiples: a cell for each row, each with its own scale from zero."""
    height = HEAD + CELL_HEIGHT * -(-len(curves) // ACROSS)
    page = Page(ACROSS * CELL_WIDTH + 16, height, "Time per byte while the payload doubles")
    page.text(12, 20, f"time per byte while n doubles over {STEPS} steps", "title")
    page.dot(16, 38, "grey", BASE)
    page.text(26, 42, "pickle.loads")
    page.dot(116, 38, "a", OURS)
    page.text(126, 42, "picklist.safe_loads")
    page.text(250, 42, "each cell from 0 to the number at its top, in ns per byte", "note")
    for at, (name, points) in enumerate(curves.items()):
        left = 12 + CELL_WIDTH * (at % ACROSS)
        top = HEAD + CELL_HEIGHT * (at // ACROSS)
        right, bottom = left + CELL_WIDTH - 18, top + CELL_HEIGHT - 28
        most = max(max(point.pickle, point.picklist) for point in points)
        page.text(left, top + 8, name)
        page.text(right, top + 22, f"{most:.2g}", "note", "end")
        page.text(right, bottom + 12, megabytes(points[-1].size), "note", "end")
        page.line((left, bottom), (right, bottom), "grid")
        for who, kind in (("pickle", "grey"), ("picklist", "a")):
            page.curve(
                [
                    (
                        left + (right - left) * step / max(1, len(points) - 1),
                        bottom - (bottom - top - 26) * getattr(point, who) / most,
                    )
                    for step, point in enumerate(points)
                ],
                kind,
            )
    return page


def main() -> None:
    """Measure and print; save what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="ROW", help="row names or their beginnings")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rounds", type=int, default=5, help="turns for each contestant")
    parser.add_argument("--save", type=Path, metavar="DIR", help="also write JSON and a figure")
    options = parser.parse_args()
    rows, left_out = installed(growing(chosen(options.only) if options.only else ROWS))
    if not rows:
        raise SystemExit("\n".join(["nothing to time", *left_out]))
    curves = {}
    for row in rows:
        curves[row.name] = curve(row, steps=options.steps, rounds=options.rounds)
        print(f"  {row.name}", file=sys.stderr, flush=True)
    print("\n".join([as_text(curves), *left_out]))
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        stem = f"curves-{platform.python_version()}"
        report = {
            "environment": environment(),
            "rows": {name: [asdict(point) for point in points] for name, points in curves.items()},
        }
        (options.save / f"{stem}.json").write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        (options.save / f"{stem}.svg").write_text(draw(curves).render(), "utf-8")


if __name__ == "__main__":
    main()
