"""Types of the standard library."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import random
import uuid
from typing import Any

from .row import count, row

UTC = datetime.timezone.utc  # noqa: UP017 - the name that the pickle stores


@row("datetimes 100k", protocols=(5, 2), shape=list[datetime.datetime])
def datetimes(size: float) -> Any:
    """Aware datetimes that share their zone."""
    start = datetime.datetime(2020, 1, 1, tzinfo=UTC)
    step = datetime.timedelta(minutes=7, microseconds=13)
    return [start + i * step for i in range(count(size, 100_000))]


@row("Decimals 100k", protocols=(5, 2), shape=list[decimal.Decimal])
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


@row("deques 50k", protocols=(5, 2))
def deques(size: float) -> Any:
    """Short histories, half of them bounded."""
    return [
        collections.deque(range(i % 12), None if i % 2 else 16) for i in range(count(size, 50_000))
    ]


@row("arrays 50k", protocols=(5, 2))
def arrays(size: float) -> Any:
    """Small vectors, and as many counters."""
    return [
        array.array("d", [i, i / 3, -i]) if i % 2 else array.array("q", range(i % 9))
        for i in range(count(size, 50_000))
    ]
