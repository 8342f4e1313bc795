"""Draws what ``run.py --save`` wrote: each row's ratio to ``pickle.loads``, for each interpreter.

    python benches/plot.py benches/out/bench-*.json [--protocol 5] [--to docs/speed.svg]

Also prints the geometric means and the rows below 1.0, a line for each interpreter.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from report import mean
from svg import SERIES, Page

LEFT, RIGHT, TOP, ROW = 190, 30, 74, 15
WIDTH = 860
LEAST, MOST = 0.25, 8.0
TICKS = (0.25, 0.5, 1, 2, 4, 8)

Report = dict[str, Any]


def version(report: Report) -> str:
    """Return the interpreter's version without the patch level."""
    return ".".join(report["environment"]["python"].split(".")[:2])


def across(ratio: float) -> float:
    """Return where a ratio stands on the logarithmic axis; what is off it stands at its end."""
    share = math.log(min(max(ratio, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def ratios(report: Report, protocol: int) -> dict[str, dict[str, float]]:
    """Return the ratios of each row, one protocol for each: this, or the first that was timed."""
    found: dict[str, dict[str, float]] = {}
    for row in report["rows"]:
        if row["protocol"] == protocol:
            found[row["row"]] = row["ratios"]
    return found


def draw(reports: list[Report], protocol: int) -> Page:
    """Return the figure."""
    columns = [ratios(report, protocol) for report in reports]
    rows = list(dict.fromkeys(name for column in columns for name in column))
    height = TOP + ROW * len(rows) + 30
    page = Page(WIDTH, height, "Speed of picklist.safe_loads as a ratio to pickle.loads")
    page.text(
        12, 20, f"picklist.safe_loads, times as fast as pickle.loads (protocol {protocol})", "title"
    )
    x = 12.0
    for report, kind in zip(reports, SERIES, strict=False):
        ours = [row["ratios"]["picklist"] for row in report["rows"]]
        words = f"CPython {version(report)}: mean {mean(ours):.2f}"
        page.dot(x + 4, 38, kind, words)
        page.text(x + 12, 42, words)
        x += 12 + 6.6 * len(words)
    page.dot(x + 4, 38, "grey", "find_class", 2)
    page.text(x + 12, 42, "find_class subclass", "note")
    bottom = TOP + ROW * len(rows)
    for tick in TICKS:
        page.line((across(tick), TOP - 8), (across(tick), bottom), "one" if tick == 1 else "grid")
        page.text(across(tick), TOP - 12, f"{tick:g}x", "note", "middle")
    for at, name in enumerate(rows):
        y = TOP + ROW * (at + 0.5)
        page.text(LEFT - 10, y + 4, name, anchor="end")
        page.line((LEFT, y), (WIDTH - RIGHT, y), "grid")
        for report, column, kind in reversed(list(zip(reports, columns, SERIES, strict=False))):
            if name not in column:
                continue
            here = f"{name}, CPython {version(report)}"
            if "find_class" in column[name] and report is reports[0]:
                today = column[name]["find_class"]
                page.dot(across(today), y, "grey", f"{here}, find_class: {today:.2f}", 2)
            ratio = column[name]["picklist"]
            page.dot(across(ratio), y, kind, f"{here}: {ratio:.2f}")
    page.text(
        LEFT,
        bottom + 20,
        "logarithmic, to the right is faster; means are geometric, over all rows and protocols",
        "note",
    )
    return page


def line(report: Report) -> str:
    """Return the means of an interpreter, and the rows below 1.0."""
    summary = report["summary"]
    below = "; ".join(f"{title} {ratio}" for title, ratio in summary["rows below 1.0"].items())
    against_pickle = summary["geometric mean against pickle.loads"]
    against_today = summary["geometric mean against find_class"]
    return (
        f"CPython {report['environment']['python']}: geometric mean {against_pickle} against "
        f"pickle.loads, {against_today} against find_class; below 1.0: {below or 'none'}"
    )


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("reports", nargs="+", type=Path)
    parser.add_argument("--protocol", type=int, default=5)
    parser.add_argument("--to", type=Path, metavar="FILE", help="the figure")
    options = parser.parse_args()
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in options.reports]
    reports.sort(key=lambda report: [int(p) for p in version(report).split(".")])
    for report in reports:
        print(line(report))
    if options.to:
        options.to.write_text(draw(reports, options.protocol).render(), encoding="utf-8")


if __name__ == "__main__":
    main()
