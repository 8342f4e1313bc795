"""The table of speeds: as text, Markdown and JSON, and what is said under it."""

from __future__ import annotations

import json
import math
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import picklist
from contestants import BASE, OURS, PEERS, TODAY
from timing import Result


def duration(ns: float) -> str:
    """Return a time for people."""
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= scale:
            return f"{ns / scale:.3g} {unit}"
    return f"{ns:.3g} ns"


def megabytes(size: int) -> str:
    """Return a size for people."""
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} B"


def number(ratio: float | None) -> str:
    """Return a ratio, blank where there is none."""
    return "" if ratio is None else f"{ratio:.2f}"


def mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def table(results: Sequence[Result]) -> list[list[str]]:
    """Return heading and lines, every cell as text."""
    extra = [
        name for name in (*PEERS, "inspect") if any(name in result.timings for result in results)
    ]
    heading = ["row", "proto", "size", "pickle", "picklist", "(median)", "vs find_class", TODAY]
    if "inspect" in extra:
        extra.append("inspect MB/s")
    lines = [heading + extra]
    for result in results:
        cells = [
            result.row,
            str(result.protocol),
            megabytes(result.size),
            duration(result.timings[BASE].minimum),
            number(result.ratio(OURS)),
            number(result.ratio(OURS, by="median")),
            number(result.ratio(OURS, TODAY)),
            number(result.ratio(TODAY)),
        ]
        for name in extra:
            if name != "inspect MB/s":
                cells.append(number(result.ratio(name)))
            elif "inspect" in result.timings:
                cells.append(f"{result.size * 1e3 / result.timings['inspect'].minimum:.0f}")
            else:
                cells.append("")
        lines.append(cells)
    return lines


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Return the figures under the table."""
    ours = {result.title: result.ratio(OURS) or 0.0 for result in results}
    against_today = [(result, r) for result in results if (r := result.ratio(OURS, TODAY))]
    framed = [ratio for result, ratio in against_today if result.protocol >= 4]
    figures: dict[str, Any] = {
        "geometric mean against pickle.loads": round(mean(list(ours.values())), 2),
        "geometric mean against find_class": round(mean([ratio for _, ratio in against_today]), 2),
    }
    if framed:
        figures["the same, protocols 4 and 5 only"] = round(mean(framed), 2)
    slower = sorted((ratio, title) for title, ratio in ours.items() if ratio < 1)
    figures["rows below 1.0"] = {title: round(ratio, 2) for ratio, title in slower}
    return figures


def environment() -> dict[str, str]:
    """Return what the numbers depend on."""
    return {
        "picklist": picklist.__version__,
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def figures(results: Sequence[Result]) -> list[str]:
    """Return the figures under the table, a line each."""
    lines = []
    for name, value in summary(results).items():
        if isinstance(value, dict):
            rows = "; ".join(f"{title} {ratio}" for title, ratio in value.items())
            lines.append(f"{name}: {len(value)}" + (f" ({rows})" if rows else ""))
        else:
            lines.append(f"{name}: {value}")
    return lines


def as_text(results: Sequence[Result], left_out: Sequence[str] = ()) -> str:
    """Return the table for a terminal."""
    lines = table(results)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    out = ["  ".join(f"{name} {value}" for name, value in environment().items()), ""]
    for line in lines:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    out += ["", *figures(results), *left_out]
    return "\n".join(out)


def as_markdown(results: Sequence[Result], left_out: Sequence[str] = ()) -> str:
    """Return the table for a document."""
    heading, *lines = table(results)
    rule = ["---", *("---:" for _ in heading[1:])]
    out = ["| " + " | ".join(cells) + " |" for cells in (heading, rule, *lines)]
    out.append("")
    out += [f"- {name}: {value}" for name, value in environment().items()]
    out += [f"- {line}" for line in (*figures(results), *left_out)]
    return "\n".join(out)


def as_json(results: Sequence[Result], left_out: Sequence[str] = ()) -> str:
    """Return everything, for programs."""
    rows = [
        asdict(result)
        | {"ratios": {name: result.ratio(name) for name in result.timings if name != BASE}}
        for result in results
    ]
    report = {
        "environment": environment(),
        "summary": summary(results),
        "left out": list(left_out),
        "rows": rows,
    }
    return json.dumps(report, indent=2)


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}
SUFFIXES = {"text": "txt", "markdown": "md", "json": "json"}
