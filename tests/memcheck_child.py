"""What valgrind watches: every way in which the loader makes objects, and streams cut anywhere."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import gc
import pickle
import uuid
from typing import Any

import picklist


@dataclasses.dataclass
class Record:
    """Attributes in a dict."""

    x: int
    y: str
    z: list[Any]


@dataclasses.dataclass(slots=True)
class Slotted:
    """Attributes in slots."""

    x: int
    y: str


Pair = collections.namedtuple("Pair", "a b")


class Colour(enum.Enum):
    """Members by int and by str."""

    RED = 1
    BLUE = "b"


def value() -> list[Any]:
    """Some of everything."""
    made: list[Any] = [
        {
            f"key {k}": [i, k, f"text {i}", b"bytes%d" % k, i * 1.5, (i, k), f"é{i}"]
            for k in range(n)
        }
        for n in (2, 5, 6, 11, 22, 32, 40)
        for i in range(5)
    ]
    made += [Record(i, f"s{i}", [i]) for i in range(20)] + [Slotted(i, "y") for i in range(20)]
    made += [Pair(i, (i,)) for i in range(20)] + [Colour.RED, Colour.BLUE] * 3
    made += [uuid.UUID(int=i << 90) for i in range(5)] + [decimal.Decimal(i) / 7 for i in range(5)]
    made += [datetime.datetime(2020, 1, 1 + i) for i in range(8)]
    made += [datetime.datetime(2020, 1, 1 + i, tzinfo=datetime.UTC) for i in range(8)]
    made += [datetime.date(2020, 1, 1 + i) for i in range(8)] + [datetime.time(i) for i in range(8)]
    made += [decimal.Decimal(i * 37) / 100 for i in range(8)]
    made += [collections.OrderedDict(a=i, b=[i], c=i) for i in range(8)]
    made += [{i, str(i), (i,)} for i in range(8)] + [collections.OrderedDict(a=i) for i in range(5)]
    made += [sign * 2**k for k in range(80) for sign in (1, -1)]
    made += [sign * 7**k for k in range(20, 300, 3) for sign in (1, -1)]
    for scripts in ("é", "éa", "ж", "漢 a", "😀", "aé漢😀"):
        made += ["".join(scripts[i * i % len(scripts)] for i in range(n)) for n in range(90)]
        made += ["a" * n + scripts for n in range(0, 200, 7)]
    return made


def main() -> None:
    """Load it whole, several times, and cut."""
    allow = [Record, Slotted, Pair, Colour]
    for protocol in (0, 1, 2, 4, 5):
        # Slots came with protocol 2.
        want = [part for part in value() if protocol >= 2 or not isinstance(part, Slotted)]
        data = pickle.dumps(want, protocol)
        for _ in range(3):
            assert picklist.safe_loads(data, allow=allow) == want
        for end in range(0, len(data), len(data) // 40):
            with contextlib.suppress(pickle.UnpicklingError, EOFError):
                picklist.safe_loads(data[:end], allow=allow)
    gc.collect()
    print("loaded")


if __name__ == "__main__":
    main()
