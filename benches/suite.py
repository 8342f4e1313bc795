"""The payloads of the benchmark: what each row is and how to make it.

Every payload is made here from fixed seeds, so two runs time the same bytes.  Rows are functions
that take a size (1.0 is the full row, ``--quick`` asks for less) and return the object to pickle.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

UTC = datetime.timezone.utc  # noqa: UP017 - the name that the pickle stores


# --- the classes that some rows are made of ------------------------------------------------------


@dataclass
class Order:
    """A plain dataclass: its state is a dict."""

    ident: int
    customer: str
    amount: float
    paid: bool


@dataclass(slots=True)
class Point:
    """A dataclass with slots: its state is a pair."""

    x: float
    y: float
    z: float


class Edge(NamedTuple):
    """A named tuple."""

    source: int
    target: int
    weight: float


class Colour(enum.Enum):
    """An enumeration."""

    RED = 1
    GREEN = 2
    BLUE = 3


# --- the rows ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One payload.

    Parameters
    ----------
    name : str
        What the table calls it.
    make : callable
        Returns the object, for a size.
    protocols : tuple of int
        The protocols to time: several where the streams differ in kind.
    allow : tuple of type
        Classes that a policy must allow.
    shape : object
        The type that msgspec must be told to give back equal data, None if it needs none.
    """

    name: str
    make: Callable[[float], Any]
    protocols: tuple[int, ...] = (5,)
    allow: tuple[type, ...] = ()
    shape: Any = None


ROWS: list[Row] = []

Maker = Callable[[float], Any]


def row(
    name: str,
    *,
    protocols: tuple[int, ...] = (5,),
    allow: tuple[type, ...] = (),
    shape: Any = None,
) -> Callable[[Maker], Maker]:
    """Add the decorated function to the suite."""

    def add(make: Maker) -> Maker:
        ROWS.append(Row(name, make, protocols, allow, shape))
        return make

    return add


def count(size: float, full: int) -> int:
    """Return how many items a row of this size has."""
    return max(1, round(full * size))


def words(rng: random.Random, n: int, letters: str = string.ascii_lowercase) -> Iterator[str]:
    """Yield n words of 3 to 12 letters."""
    for _ in range(n):
        yield "".join(rng.choices(letters, k=rng.randint(3, 12)))


def sentence(rng: random.Random, n: int, letters: str = string.ascii_lowercase) -> str:
    """Return a text of n words."""
    return " ".join(words(rng, n, letters))


# Small payloads.


@row("tiny", protocols=(5, 2))
def tiny(size: float) -> Any:
    """One key, one value."""
    del size
    return {"a": 1}


@row("session 1 kB", protocols=(5, 4, 2))
def session(size: float) -> Any:
    """What a web framework keeps in a session."""
    del size
    rng = random.Random(1)
    return {
        "_auth_user_id": "4711",
        "_auth_user_backend": "auth.backends.ModelBackend",
        "_auth_user_hash": "".join(rng.choices("0123456789abcdef", k=64)),
        "csrf_token": "".join(rng.choices(string.ascii_letters, k=64)),
        "language": "en",
        "is_staff": False,
        "last_seen": 1_700_000_000.25,
        "cart": [
            {"sku": word, "quantity": rng.randint(1, 9), "price": rng.randint(99, 9999) / 100}
            for word in words(rng, 10)
        ],
        "flags": {word: rng.random() < 0.5 for word in words(rng, 12)},
        "messages": [sentence(rng, 6) for _ in range(4)],
    }


# The five payloads that pyperformance times pickle with, in shape.


def profile(rng: random.Random) -> dict[str, Any]:
    """Return a flat record of the kind that pyperformance pickles."""
    record: dict[str, Any] = {f"{word}_count": rng.randint(0, 99) for word in words(rng, 16)}
    record |= {word: sentence(rng, 2) for word in words(rng, 8)}
    record["birthday"] = datetime.date(1980, 5, 7)
    record["tags"] = {word: [] for word in words(rng, 3)}
    return record


@row("pyperf dict", protocols=(5, 2))
def pyperf_dict(size: float) -> Any:
    """One flat record."""
    del size
    return profile(random.Random(2))


@row("pyperf tuple")
def pyperf_tuple(size: float) -> Any:
    """Big numbers in a tuple."""
    del size
    rng = random.Random(3)
    return [rng.randint(10**8, 10**9) for _ in range(18)], 60


@row("pyperf dict group")
def pyperf_dict_group(size: float) -> Any:
    """Three records."""
    del size
    rng = random.Random(4)
    return [profile(rng) for _ in range(3)]


@row("pyperf list")
def pyperf_list(size: float) -> Any:
    """Small lists in lists."""
    del size
    return [[list(range(10)), list(range(10))] for _ in range(10)]


@row("pyperf micro dict")
def pyperf_micro_dict(size: float) -> Any:
    """A hundred small dicts with int keys."""
    del size
    return {key: dict.fromkeys(range(10)) for key in range(100)}


# Documents.


def document(rng: random.Random, n: int) -> list[dict[str, Any]]:
    """Return n records as a JSON service sends them, about 300 bytes each when pickled."""
    return [
        {
            "id": i,
            "guid": "".join(rng.choices("0123456789abcdef", k=32)),
            "active": rng.random() < 0.5,
            "balance": rng.random() * 10_000,
            "name": sentence(rng, 2),
            "email": None if i % 7 == 0 else f"user{i}@example.org",
            "tags": list(words(rng, 4)),
            "address": {"street": sentence(rng, 3), "city": sentence(rng, 1), "zip": i % 99_999},
            "scores": [rng.randint(0, 1000) for _ in range(8)],
        }
        for i in range(n)
    ]


@row("JSON 3 MB", protocols=(5, 4, 2))
def json_3mb(size: float) -> Any:
    """A list of records."""
    return document(random.Random(5), count(size, 13_000))


@row("JSON 15 MB")
def json_15mb(size: float) -> Any:
    """The same, beyond the caches."""
    return document(random.Random(6), count(size, 65_000))


@row("twitter-like")
def twitter(size: float) -> Any:
    """Short texts in several scripts under repeated keys, users shared between them."""
    rng = random.Random(7)
    scripts = [string.ascii_lowercase, "あいうえおかきくけこ", "абвгдежзик", "éèêàâçñöü"]
    users = [
        {
            "id": rng.randint(10**8, 10**10),
            "screen_name": sentence(rng, 1),
            "description": sentence(rng, 8, rng.choice(scripts)),
            "verified": False,
            "url": None,
        }
        for _ in range(100)
    ]
    return {
        "statuses": [
            {
                "created_at": "Sun Aug 31 00:29:15 +0000 2014",
                "id": rng.randint(10**17, 10**18),
                "text": sentence(rng, 15, rng.choice(scripts)),
                "user": rng.choice(users),
                "retweet_count": rng.randint(0, 500),
                "entities": {"hashtags": [], "urls": [], "user_mentions": list(words(rng, 2))},
                "lang": "ja",
            }
            for _ in range(count(size, 2_000))
        ]
    }


@row("canada-like", protocols=(5, 2))
def canada(size: float) -> Any:
    """Coordinates: floats in short lists in long lists."""
    rng = random.Random(8)
    rings = [
        [[rng.uniform(-140, -50), rng.uniform(40, 80)] for _ in range(230)]
        for _ in range(count(size, 480))
    ]
    return {"type": "Polygon", "coordinates": rings}


@row("citm-like")
def citm(size: float) -> Any:
    """Many small objects with the same keys, ints and None."""
    rng = random.Random(9)
    areas: list[dict[str, Any]] = [
        {"areaId": rng.randint(10**8, 10**9), "blockIds": [], "price": None} for _ in range(50)
    ]
    return {
        "events": {str(i): {"id": i, "name": sentence(rng, 3), "logo": None} for i in range(200)},
        "performances": [
            {
                "id": 337_000_000 + i,
                "eventId": rng.randint(0, 200),
                "start": 1_372_701_600_000 + i,
                "prices": [
                    {"amount": 90_250, "audienceSubCategoryId": 337100890, "seatCategoryId": j}
                    for j in range(4)
                ],
                "seatCategories": [
                    {"areas": rng.sample(areas, 5), "seatCategoryId": j} for j in range(4)
                ],
                "seatMapImage": None,
            }
            for i in range(count(size, 1_500))
        ],
    }


# Many values of one type.


@row("ints 1M", protocols=(5, 2))
def ints(size: float) -> Any:
    """Ints of one, two and four bytes."""
    rng = random.Random(10)
    return [rng.choice((rng.getrandbits(8), rng.getrandbits(16), rng.getrandbits(31)))
            for _ in range(count(size, 1_000_000))]  # fmt: skip


@row("big ints 100k")
def big_ints(size: float) -> Any:
    """Ints of 5 to 40 bytes, both signs."""
    rng = random.Random(11)
    return [
        rng.choice((1, -1)) * rng.getrandbits(rng.randint(40, 320))
        for _ in range(count(size, 100_000))
    ]


@row("floats 1M")
def floats(size: float) -> Any:
    """Floats."""
    rng = random.Random(12)
    return [rng.random() for _ in range(count(size, 1_000_000))]


@row("ASCII strings 1M", protocols=(5, 2))
def ascii_strings(size: float) -> Any:
    """Unique short strings."""
    return [f"item-{i}" for i in range(count(size, 1_000_000))]


@row("repeated strings 1M")
def repeated_strings(size: float) -> Any:
    """A few strings, fetched from the memo again and again."""
    rng = random.Random(13)
    vocabulary = list(words(rng, 1_000))
    return rng.choices(vocabulary, k=count(size, 1_000_000))


@row("non-ASCII strings 200k")
def non_ascii_strings(size: float) -> Any:
    """Strings of one, two and four bytes a character."""
    rng = random.Random(14)
    scripts = ["éèêàâçñöüabcdefgh", "абвгдежзиклмн", "漢字仮名交文章例", "😀🎉🚀🥒abc"]
    return [sentence(rng, 2, scripts[i % 4]) for i in range(count(size, 200_000))]


@row("short bytes 500k", protocols=(5, 2))
def short_bytes(size: float) -> Any:
    """Byte strings of 16 bytes."""
    rng = random.Random(15)
    return [rng.randbytes(16) for _ in range(count(size, 500_000))]


# Containers.


@row("deep tuples")
def deep_tuples(size: float) -> Any:
    """Tuples nested a hundred deep."""

    def nest(i: int) -> Any:
        value: Any = i
        for level in range(100):
            value = (level, value)
        return value

    return [nest(i) for i in range(count(size, 3_000))]


@row("tuples 300k", protocols=(5, 2))
def tuples(size: float) -> Any:
    """Triples of an int, a float and a short string."""
    return [(i, i / 7, str(i % 1000)) for i in range(count(size, 300_000))]


@row("dict[int, tuple] 300k")
def dict_of_tuples(size: float) -> Any:
    """An index."""
    return {i * 3: (i, i + 1) for i in range(count(size, 300_000))}


@row("dict[str, str] 300k")
def dict_of_strings(size: float) -> Any:
    """Unique keys: a cache of keys cannot help."""
    return {f"key-{i:08x}": f"value {i}" for i in range(count(size, 300_000))}


@row("sets", protocols=(5, 2))
def sets(size: float) -> Any:
    """One big set of strings, many small ones of ints."""
    big = {f"member-{i}" for i in range(count(size, 200_000))}
    return [big, *({i, i + 1, i + 2} for i in range(count(size, 50_000)))]


@row("frozensets")
def frozensets(size: float) -> Any:
    """Frozen sets as values and as keys."""
    n = count(size, 60_000)
    return {frozenset((i, i + 1)): frozenset((str(i), "x")) for i in range(n)}


# Standard-library types.


@row("datetimes 100k", protocols=(5, 2), shape=list[datetime.datetime])
def datetimes(size: float) -> Any:
    """Aware datetimes that share their zone."""
    start = datetime.datetime(2020, 1, 1, tzinfo=UTC)
    step = datetime.timedelta(minutes=7, microseconds=13)
    return [start + i * step for i in range(count(size, 100_000))]


@row("Decimals 100k", shape=list[decimal.Decimal])
def decimals(size: float) -> Any:
    """Amounts."""
    return [decimal.Decimal(i * 37) / 100 for i in range(count(size, 100_000))]


@row("UUIDs 100k", protocols=(5, 2), shape=list[uuid.UUID])
def uuids(size: float) -> Any:
    """Random UUIDs."""
    rng = random.Random(16)
    return [uuid.UUID(int=rng.getrandbits(128), version=4) for _ in range(count(size, 100_000))]


@row("OrderedDicts 50k", protocols=(5, 2))
def ordered_dicts(size: float) -> Any:
    """Small ordered dicts."""
    return [
        collections.OrderedDict([("id", i), ("name", f"n{i}"), ("ok", True)])
        for i in range(count(size, 50_000))
    ]


# Classes.


@row("dataclasses 100k", protocols=(5, 2), allow=(Order,), shape=list[Order])
def dataclasses_(size: float) -> Any:
    """Instances with a dict."""
    return [
        Order(i, f"customer {i % 500}", i * 0.25, i % 2 == 0) for i in range(count(size, 100_000))
    ]


@row("slots dataclasses 100k", allow=(Point,), shape=list[Point])
def slots_dataclasses(size: float) -> Any:
    """Instances without a dict."""
    return [Point(i * 0.5, i * 0.25, float(i)) for i in range(count(size, 100_000))]


@row("namedtuples 100k", protocols=(5, 2), allow=(Edge,))
def namedtuples(size: float) -> Any:
    """Named tuples."""
    return [Edge(i, i + 1, i / 3) for i in range(count(size, 100_000))]


@row("enum members 100k", allow=(Colour,), shape=list[Colour])
def enum_members(size: float) -> Any:
    """Members of an enumeration, each stored once and fetched from the memo."""
    members = list(Colour)
    return [members[i % 3] for i in range(count(size, 100_000))]


# One big buffer.


@row("bytes 80 MB")
def big_bytes(size: float) -> Any:
    """One buffer in the stream: nothing to win, so nothing may be lost."""
    return bytes(bytearray(count(size, 80_000_000)))
