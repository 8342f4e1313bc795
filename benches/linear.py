"""Cost in proportion to the input: n doubles over eight steps, for each opcode family and type.

    python benches/linear.py [--steps 8] [--only NAME]

The first n is the one whose load takes a millisecond, or 2,000.  For each family the exponent is
the slope of log(cost) over log(n), fitted over the upper half of the steps; 1.0 is linear.  Cost is
measured twice: as CPU time, the least of five loads, and, where the processor's counter can be
read, as instructions.  Each is bent by something that is no work of the loader's: time by other
programs, and by memory that is slow once the data has outgrown the caches; instructions where the
processor copies a megabyte with one.  Cost that grows faster than the input shows in both, so the
verdict goes by the lower one.

The garbage collector is off: it walks all that is alive from 70,000 new containers on, each time a
quarter has been added.  That is linear too, and the same for ``pickle.loads``, but it begins in the
middle of the scale.
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
from counting import counter

START = 2_000
LARGEST = 64_000
SHORTEST = 1e-3
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
    "one long text": lambda n: pickle.dumps("a" * n * 40),
    "BINBYTES, 512 each": each(lambda at: bytes([at % 251]) * 512),
    "one long int": lambda n: b"\x8b" + n.to_bytes(4, "little") + b"\x01" * n + b".",
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


Cost = tuple[float, float]


def cost(data: bytes, count: Callable[[], int] | None) -> Cost:
    """Return the least CPU time and the fewest instructions of five loads.

    A refusal is an outcome like any other.
    """
    best, fewest = math.inf, math.inf
    for _ in range(5):
        before = count() if count else 0
        started = time.process_time()
        with contextlib.suppress(picklist.LimitExceededError):
            picklist.safe_loads(data)
        best = min(best, time.process_time() - started)
        fewest = min(fewest, count() - before) if count else math.inf
    return best, fewest


def sizes(make: Callable[[int], bytes], steps: int) -> list[int]:
    """Return n for each step, the first large enough to be timed."""
    first = START
    while first < LARGEST and cost(make(first), None)[0] < SHORTEST:
        first *= 2
    return [first << step for step in range(steps)]


def exponent(points: list[tuple[int, float]]) -> float:
    """Fit log(cost) over log(n) by least squares."""
    xs = [math.log(n) for n, _ in points]
    ys = [math.log(max(spent, 1e-7)) for _, spent in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)


def main() -> int:
    """Print a row for each family."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    count = counter()
    over, most = 0, 0.0
    gc.disable()
    print(f"{'family':24} {'n':>8} {'ms':>9} {'time':>6} {'instructions':>13}")
    for name, make in FAMILIES.items():
        if options.only not in name:
            continue
        costs = [(n, cost(make(n), count)) for n in sizes(make, options.steps)]
        upper = costs[len(costs) // 2 :]
        slopes = [exponent([(n, spent[which]) for n, spent in upper]) for which in (0, 1)]
        verdict = min(slopes) if count else slopes[0]
        over += verdict > BOUND
        most = max(most, verdict)
        counted = f"{slopes[1]:.3f}" if count else ""
        mark = "  above" if verdict > BOUND else ""
        n, (spent, _) = costs[-1]
        print(
            f"{name:24} {n:>8} {spent * 1000:>9.1f} {slopes[0]:>6.2f} {counted:>13}{mark}",
            flush=True,
        )
    print(f"highest exponent: {most:.3f}; above {BOUND}: {over}")
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
