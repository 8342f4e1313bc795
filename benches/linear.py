"""Cost in proportion to the input: n doubles over eight steps, for each opcode family and type.

    python benches/linear.py [--steps 8] [--only NAME]

For each family the CPU time is the least of three loads; the exponent is the slope of log(time)
over log(n) on the upper half of the steps, where the fixed cost no longer shows.  1.0 is linear.  A
row above 1.05 is marked; on a busy machine run it again alone, or count instructions (``valgrind
--tool=callgrind``) before believing it: caches, and the collector's own steps, bend small rows.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import decimal
import fractions
import gc
import ipaddress
import math
import pathlib
import pickle
import time
import types
import uuid
from collections.abc import Callable
from typing import Any

import picklist

START = 2_000
BOUND = 1.05
DAY = datetime.datetime(2020, 1, 1)


def each(make: Callable[[int], Any], protocol: int = 4) -> Callable[[int], bytes]:
    """Return a pickle of n values."""
    return lambda n: pickle.dumps([make(at) for at in range(n)], protocol)


FAMILIES: dict[str, Callable[[int], bytes]] = {
    "INT, text": each(int, 0),
    "BININT": each(lambda at: at * 7919),
    "LONG1": each(lambda at: (at + 1) << 100),
    "FLOAT, text": each(lambda at: at / 7, 0),
    "BINFLOAT": each(lambda at: at / 7),
    "UNICODE, text": each(lambda at: f"\xe9{at}", 0),
    "SHORT_BINUNICODE": each(str),
    "BINUNICODE, wide": each(lambda at: f"日本{at}"),
    "BINBYTES": each(lambda at: b"%d" % at),
    "BYTEARRAY8": each(lambda at: bytearray(b"%d" % at), 5),
    "one long text": lambda n: pickle.dumps("a" * n * 20),
    "one long bytes": lambda n: pickle.dumps(bytes(n * 20)),
    "one long int": lambda n: b"\x8b" + (n * 4).to_bytes(4, "little") + b"\x01" * (n * 4) + b".",
    "TUPLE1-3": each(lambda at: (at, (at,))),
    "TUPLE": each(lambda at: (1, 2, 3, 4, at)),
    "LIST": each(lambda at: [at]),
    "APPEND": lambda n: b"]" + b"Na" * n + b".",
    "DICT": each(lambda at: {"a": at}),
    "SETITEM": lambda n: (
        b"}" + b"".join(b"J" + i.to_bytes(4, "little") + b"Ns" for i in range(n)) + b"."
    ),
    "int keys": lambda n: pickle.dumps(dict.fromkeys(range(n)), 4),
    "float keys": lambda n: pickle.dumps({at / 7: None for at in range(n)}, 4),
    "tuple keys": lambda n: pickle.dumps({(at, str(at)): None for at in range(n)}, 4),
    "big int keys": lambda n: pickle.dumps({at + (1 << 200): None for at in range(n)}, 4),
    "frozenset keys": lambda n: pickle.dumps({frozenset([at, -at]): None for at in range(n)}, 4),
    "ADDITEMS": lambda n: pickle.dumps(set(range(n)), 4),
    "FROZENSET": each(lambda at: frozenset([at])),
    "set(list), protocol 2": each(lambda at: {at / 7}, 2),
    "POP, DUP": lambda n: b"N" + b"20" * n * 10 + b".",
    "MARK, POP_MARK": lambda n: b"(1" * n * 10 + b"N.",
    "MEMOIZE, GET": lambda n: b"](" + b"N\x940h\x00" * n + b"e.",
    "LONG_BINPUT, sparse": lambda n: b"N" + b"".join(
        b"r" + (i * 977 + 5).to_bytes(4, "little") for i in range(n)) + b".",
    "GLOBAL": lambda n: b"(" + b"cbuiltins\nint\n" * n + b"l.",
    "FRAME": lambda n: b"\x80\x04" + (b"\x95" + bytes(8)) * n + b"N.",
    "complex": each(lambda at: complex(at, 1)),
    "range": each(range),
    "slice": each(slice),
    "date": each(lambda at: DAY.date() + datetime.timedelta(at % 9000)),
    "time": each(lambda at: datetime.time(at % 24)),
    "datetime": each(lambda at: DAY + datetime.timedelta(seconds=at)),
    "timedelta": each(lambda at: datetime.timedelta(at)),
    "timezone": each(lambda at: datetime.timezone(datetime.timedelta(minutes=at % 999))),
    "Decimal": each(lambda at: decimal.Decimal(at) / 7),
    "Fraction": each(lambda at: fractions.Fraction(at, 7)),
    "UUID": each(lambda at: uuid.UUID(int=at << 64)),
    "UUID keys": lambda n: pickle.dumps({uuid.UUID(int=at << 64): None for at in range(n)}, 4),
    "OrderedDict": each(lambda at: collections.OrderedDict(a=at)),
    "one OrderedDict": lambda n: pickle.dumps(collections.OrderedDict.fromkeys(range(n)), 4),
    "deque": each(lambda at: collections.deque([at])),
    "one deque": lambda n: pickle.dumps(collections.deque(range(n)), 4),
    "defaultdict": each(lambda at: collections.defaultdict(list, a=at)),
    "Counter": each(lambda at: collections.Counter(a=at)),
    "PurePosixPath": each(lambda at: pathlib.PurePosixPath("a", str(at))),
    "IPv4Address": each(ipaddress.IPv4Address),
    "SimpleNamespace": each(lambda at: types.SimpleNamespace(a=at)),
}  # fmt: skip


def seconds(data: bytes) -> float:
    """Return the least CPU time of three loads; a refusal is an outcome like any other."""
    best = math.inf
    for _ in range(3):
        gc.collect()
        started = time.process_time()
        with contextlib.suppress(picklist.LimitExceededError):
            picklist.safe_loads(data)
        best = min(best, time.process_time() - started)
    return best


def exponent(points: list[tuple[int, float]]) -> float:
    """Fit log(time) over log(n) by least squares."""
    xs = [math.log(n) for n, _ in points]
    ys = [math.log(max(spent, 1e-7)) for _, spent in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)


def main() -> int:
    """Print a row for each family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    over = 0
    for name, make in FAMILIES.items():
        if options.only not in name:
            continue
        points = [(n, seconds(make(n))) for n in (START << step for step in range(options.steps))]
        slope = exponent(points[len(points) // 2 :])
        over += slope > BOUND
        mark = "  above" if slope > BOUND else ""
        print(f"{name:24} {points[-1][0]:>8} in {points[-1][1] * 1000:8.1f} ms  {slope:5.2f}{mark}")
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
