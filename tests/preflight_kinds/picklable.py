"""What pickles, and must be found to."""

from __future__ import annotations

import array
import ast
import collections
import datetime
import decimal
import enum
import fractions
import functools
import inspect
import ipaddress
import itertools
import operator
import os
import pathlib
import random
import re
import string
import sys
import tracemalloc
import types
import uuid
import xml.dom.minidom
import xml.etree.ElementTree
import zoneinfo
from dataclasses import dataclass
from typing import NamedTuple

from preflight_kinds.table import KEPT, Plain, kind, top_level


class Status(enum.Enum):
    NEW = 1


class Bits(enum.Flag):
    A = 1
    B = 2


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self) -> None:
        self.x = 1


class Words(list):  # type: ignore[type-arg]
    """A list of the user's own."""


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


@dataclass
class Record:
    """A dataclass."""

    x: int
    tags: list[str]


class Outer:
    """A class with one inside."""

    class Inner:
        """Found by its dotted name."""


for _name, _value in {
    "None": None,
    "ellipsis": ...,
    "NotImplemented": NotImplemented,
    "big int": 1 << 200,
    "complex": 1j,
    "bytearray": bytearray(b"x"),
    "range": range(3),
    "slice": slice(1, 2),
    "frozenset": frozenset({1}),
    "deque": collections.deque([1], 3),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "Counter": collections.Counter("aab"),
    "OrderedDict": collections.OrderedDict(a=1),
    "ChainMap": collections.ChainMap({"a": 1}),
    "datetime": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC),
    "timedelta": datetime.timedelta(1),
    "Decimal": decimal.Decimal("1.5"),
    "Fraction": fractions.Fraction(1, 3),
    "UUID": uuid.UUID(int=5),
    "path": pathlib.Path("/tmp/x"),
    "IPv4Address": ipaddress.ip_address("127.0.0.1"),
    "array": array.array("i", [1]),
    "ZoneInfo": None,
    "enum member": Status.NEW,
    "flag": Bits.A | Bits.B,
    "slots": Slotted(),
    "list subclass": Words([1]),
    "NamedTuple": Point(1, 2),
    "dataclass": Record(1, ["a"]),
    "nested class": Outer.Inner(),
    "class": Plain,
    "function": top_level,
    "bound method": KEPT.method,
    "builtin function": len,
    "bound builtin": [].append,
    "partial": functools.partial(top_level, 1),
    "itemgetter": operator.itemgetter(1),
    "pattern": re.compile("x"),
    "exception": ValueError("x"),
    "SimpleNamespace": types.SimpleNamespace(a=1),
    "generic alias": list[int],
    "union": int | str,
    "syntax tree": ast.parse("x = 1"),
    "Random": random.Random(1),
    "Template": string.Template("$x"),
    "struct_time": __import__("time").gmtime(0),
    "Signature": inspect.signature(top_level),
    "DOM": xml.dom.minidom.parseString("<a/>"),
    "Element": xml.etree.ElementTree.Element("a"),
    "count": itertools.count(3) if sys.version_info < (3, 14) else 1,
    "stat": os.stat("/"),
    "tracemalloc filter": tracemalloc.Filter(True, "x"),
}.items():
    kind(_name, "ok", functools.partial(lambda keep, value: value, value=_value))
kind("ZoneInfo of a key", "ok", lambda keep: zoneinfo.ZoneInfo("UTC"))
