"""The benchmark: how fast picklist loads, as ratios to what people use today.

Every payload is first loaded by each contestant and compared with what was pickled; only equal
results are timed.  Then the contestants take turns, A B A B, in this one process.  Times are
CPU time.  The garbage collector is left alone, and what a contestant leaves to it is billed: every
round ends with ``gc.collect(0)`` inside the timer.  Payloads too small to be timed alone are loaded
many times a round and dropped at once, as a server would; the others are freed outside the timer.

Contestants
-----------
picklist
    ``picklist.safe_loads`` under the default policy, plus the row's own classes where it has any.
pickle
    ``pickle.loads``, which checks nothing.  It is the unit of every ratio.
find_class
    A ``pickle.Unpickler`` subclass whose ``find_class`` holds an exact allowlist, over a BytesIO,
    as pickle's manual shows it.  Below protocol 4 it is slow for a second reason, which the summary
    keeps apart: such streams have no frames, so the file is read a few bytes at a time.
marshal, orjson, msgspec
    Other formats on the same object, where they give it back equal.  A blank means they do not,
    or that the package is not installed.
inspect
    ``picklist.inspect``, with ``--inspect``.

A ratio says how many times as fast as ``pickle.loads``: 2.0 is half the time.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib
import io
import json
import marshal
import math
import pickle
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import picklist
from suite import ROWS, Row

Call = Callable[[], Any]

BASE = "pickle"
OURS = "picklist"
TODAY = "find_class"
PEERS = ("marshal", "orjson", "msgspec")


@dataclass
class Timing:
    """What one contestant needed for one payload, in nanoseconds a load."""

    minimum: float
    median: float


@dataclass
class Result:
    """One line of the table."""

    row: str
    protocol: int
    size: int
    timings: dict[str, Timing] = field(default_factory=dict)

    def ratio(self, name: str, base: str = BASE, *, by: str = "minimum") -> float | None:
        """Return how many times as fast as `base` a contestant is, None if it took no part."""
        if name not in self.timings or base not in self.timings:
            return None
        ratio: float = getattr(self.timings[base], by) / getattr(self.timings[name], by)
        return ratio


# --- contestants ---------------------------------------------------------------------------------


def find_class_loader(data: bytes) -> Call:
    """Return a loader as people write it today, with exactly the names that the data needs."""
    needed: set[tuple[str, str]] = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            needed.add((module, name))
            return super().find_class(module, name)

    Recorder(io.BytesIO(data)).load()
    allowed = frozenset(needed)

    class AllowlistUnpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            if (module, name) in allowed:
                return super().find_class(module, name)
            raise pickle.UnpicklingError(f"{module}.{name} is forbidden")

    return lambda: AllowlistUnpickler(io.BytesIO(data)).load()


def peer_loaders(value: Any, shape: Any) -> dict[str, Call]:
    """Return the loaders of other formats that give back an equal value."""
    loaders: dict[str, Call] = {}

    def enter(name: str, make: Callable[[], Call]) -> None:
        try:
            load = make()
            equal = load() == value
        except (TypeError, ValueError, OverflowError, RecursionError):
            return  # the format cannot hold this value
        if equal:
            loaders[name] = load

    def with_marshal() -> Call:
        return functools.partial(marshal.loads, marshal.dumps(value))

    def with_orjson() -> Call:
        return functools.partial(orjson.loads, orjson.dumps(value))

    def with_msgspec() -> Call:
        decoder = msgspec.msgpack.Decoder() if shape is None else msgspec.msgpack.Decoder(shape)
        return functools.partial(decoder.decode, msgspec.msgpack.encode(value))

    enter("marshal", with_marshal)
    orjson = optional("orjson")
    if orjson is not None:
        enter("orjson", with_orjson)
    msgspec = optional("msgspec")
    if msgspec is not None:
        enter("msgspec", with_msgspec)
    return loaders


def optional(name: str) -> Any:
    """Import a module that may be missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def contestants(
    row: Row, value: Any, data: bytes, *, inspect: bool, peers: bool
) -> dict[str, Call]:
    """Return every loader that takes part in a row, each already found to be right."""
    ours: Call
    if row.allow:
        policy = picklist.Policy(allow=row.allow)
        ours = functools.partial(picklist.safe_loads, data, policy=policy)
    else:
        ours = functools.partial(picklist.safe_loads, data)
    field_: dict[str, Call] = {
        BASE: functools.partial(pickle.loads, data),
        OURS: ours,
        TODAY: find_class_loader(data),
    }
    for name, load in field_.items():
        loaded = load()
        if loaded != value or type(loaded) is not type(value):
            raise SystemExit(f"{row.name}: {name} returned another value than was pickled")
    if peers:
        field_ |= peer_loaders(value, row.shape)
    if inspect:
        look: Callable[[bytes], Any] = vars(picklist)["inspect"]
        field_["inspect"] = functools.partial(look, data)
    return field_


# --- timing --------------------------------------------------------------------------------------


def once(call: Call) -> int:
    """Time one load; the result is freed after the clock has stopped."""
    started = time.process_time_ns()
    kept = call()
    gc.collect(0)
    elapsed = time.process_time_ns() - started
    del kept
    return elapsed


def many(call: Call, loads: int) -> int:
    """Time several loads, each dropped at once."""
    turns = range(loads)
    started = time.process_time_ns()
    for _ in turns:
        call()
    gc.collect(0)
    return time.process_time_ns() - started


def loads_per_round(call: Call, wanted_ns: int) -> int:
    """Return how often to load in a round so that a round lasts about as long as wanted."""
    loads = 1
    while True:
        elapsed = many(call, loads)
        if elapsed >= wanted_ns or loads >= 1_000_000:
            return loads
        loads = min(1_000_000, loads * max(2, wanted_ns // max(elapsed, 1)))


def measure(calls: dict[str, Call], *, rounds: int, wanted_ns: int) -> dict[str, Timing]:
    """Let the contestants take turns and return what each needed for one load."""
    loads = loads_per_round(calls[BASE], wanted_ns)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            gc.collect()
            elapsed = once(call) if loads == 1 else many(call, loads)
            times[name].append(elapsed / loads)
    return {name: Timing(min(taken), statistics.median(taken)) for name, taken in times.items()}


def run(
    rows: Sequence[Row], *, quick: bool, rounds: int, inspect: bool, peers: bool
) -> list[Result]:
    """Time every row in every protocol."""
    results = []
    for row in rows:
        value = row.make(0.02 if quick else 1.0)
        for protocol in row.protocols:
            data = pickle.dumps(value, protocol)
            calls = contestants(row, value, data, inspect=inspect, peers=peers)
            timings = measure(calls, rounds=rounds, wanted_ns=3_000_000 if quick else 30_000_000)
            results.append(Result(row.name, protocol, len(data), timings))
            print(f"  {row.name}, protocol {protocol}", file=sys.stderr, flush=True)
    return results


# --- output --------------------------------------------------------------------------------------


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
            if name == "inspect MB/s":
                cells.append(f"{result.size * 1e3 / result.timings['inspect'].minimum:.0f}")
            else:
                cells.append(number(result.ratio(name)))
        lines.append(cells)
    return lines


def mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def summary(results: Sequence[Result]) -> dict[str, float | str]:
    """Return the figures under the table."""
    against_pickle = {
        f"{result.row}, protocol {result.protocol}": ratio
        for result in results
        if (ratio := result.ratio(OURS)) is not None
    }
    against_today = [(result, r) for result in results if (r := result.ratio(OURS, TODAY))]
    framed = [ratio for result, ratio in against_today if result.protocol >= 4]
    slowest = min(against_pickle, key=against_pickle.__getitem__)
    figures: dict[str, float | str] = {
        "geometric mean against pickle.loads": round(mean(list(against_pickle.values())), 2),
        "geometric mean against find_class": round(mean([ratio for _, ratio in against_today]), 2),
    }
    if framed:
        figures["the same, protocols 4 and 5 only"] = round(mean(framed), 2)
    figures["slowest row"] = slowest
    figures["slowest ratio"] = round(against_pickle[slowest], 2)
    return figures


def environment() -> dict[str, str]:
    """Return what the numbers depend on."""
    return {
        "picklist": picklist.__version__,
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def as_text(results: Sequence[Result]) -> str:
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
    out.append("")
    out += [f"{name}: {value}" for name, value in summary(results).items()]
    return "\n".join(out)


def as_markdown(results: Sequence[Result]) -> str:
    """Return the table for a document."""
    heading, *lines = table(results)
    rule = ["---", *("---:" for _ in heading[1:])]
    out = ["| " + " | ".join(cells) + " |" for cells in (heading, rule, *lines)]
    out.append("")
    out += [f"- {name}: {value}" for name, value in (environment() | summary(results)).items()]
    return "\n".join(out)


def as_json(results: Sequence[Result]) -> str:
    """Return everything, for programs."""
    rows = [
        asdict(result)
        | {"ratios": {name: result.ratio(name) for name in result.timings if name != BASE}}
        for result in results
    ]
    report = {"environment": environment(), "summary": summary(results), "rows": rows}
    return json.dumps(report, indent=2)


FORMATS = {"text": as_text, "markdown": as_markdown, "json": as_json}
SUFFIXES = {"text": "txt", "markdown": "md", "json": "json"}


def chosen(names: str) -> list[Row]:
    """Return the rows whose names start with one of these, separated by commas."""
    prefixes = [name.strip().casefold() for name in names.split(",") if name.strip()]
    for prefix in prefixes:
        if not any(row.name.casefold().startswith(prefix) for row in ROWS):
            known = ", ".join(row.name for row in ROWS)
            raise argparse.ArgumentTypeError(f"no row starts with {prefix!r}; there are: {known}")
    return [row for row in ROWS if row.name.casefold().startswith(tuple(prefixes))]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Time picklist against pickle.")
    parser.add_argument("--rows", type=chosen, default=ROWS, help="row names or their beginnings")
    parser.add_argument("--quick", action="store_true", help="small payloads, few rounds")
    parser.add_argument("--rounds", type=int, help="turns for each contestant (11; quick: 3)")
    parser.add_argument("--no-peers", action="store_true", help="leave out the other formats")
    parser.add_argument("--inspect", action="store_true", help="time picklist.inspect as well")
    parser.add_argument("--format", choices=FORMATS, default="text")
    parser.add_argument("--save", type=Path, metavar="DIR", help="also write all three formats")
    options = parser.parse_args()
    if options.inspect and not hasattr(picklist, "inspect"):
        parser.error("this picklist has no inspect")
    results = run(
        options.rows,
        quick=options.quick,
        rounds=options.rounds or (3 if options.quick else 11),
        inspect=options.inspect,
        peers=not options.no_peers,
    )
    print(FORMATS[options.format](results))
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        for name, render in FORMATS.items():
            target = options.save / f"bench-{platform.python_version()}.{SUFFIXES[name]}"
            target.write_text(render(results) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
