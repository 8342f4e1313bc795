"""Instances of a program's own classes, which a policy must allow."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

from .row import count, row


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


@dataclass(frozen=True)
class Money:
    """A frozen dataclass with a property."""

    amount: int
    currency: str

    @property
    def text(self) -> str:
        """For people to read."""
        return f"{self.amount / 100:.2f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Place:
    """A frozen dataclass with slots: its state is a list."""

    x: float
    y: float


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


@row("dataclasses 100k", protocols=(5, 2), allow=lambda: [Order], shape=list[Order])
def dataclasses_(size: float) -> Any:
    """Instances with a dict."""
    return [
        Order(i, f"customer {i % 500}", i * 0.25, i % 2 == 0) for i in range(count(size, 100_000))
    ]


@row("slots dataclasses 100k", protocols=(5, 2), allow=lambda: [Point], shape=list[Point])
def slots_dataclasses(size: float) -> Any:
    """Instances without a dict."""
    return [Point(i * 0.5, i * 0.25, float(i)) for i in range(count(size, 100_000))]


@row("namedtuples 100k", protocols=(5, 2), allow=lambda: [Edge])
def namedtuples(size: float) -> Any:
    """Named tuples."""
    return [Edge(i, i + 1, i / 3) for i in range(count(size, 100_000))]


@dataclass
class Delivery:
    """What real records look like: instances of several classes, one in another."""

    order: Order
    at: Point
    via: tuple[Edge, ...]
    colour: Colour


@row(
    "mixed classes 100k",
    protocols=(5, 2),
    allow=lambda: [Delivery, Order, Point, Edge, Colour],
)
def mixed_classes(size: float) -> Any:
    """Instances in instances: the class is another at nearly every step."""
    colours = list(Colour)
    return [
        Delivery(
            Order(i, f"customer {i % 500}", i * 0.25, i % 2 == 0),
            Point(i * 0.5, i * 0.25, float(i)),
            (Edge(i, i + 1, i / 3),),
            colours[i % 3],
        )
        for i in range(count(size, 25_000))
    ]


@row("frozen dataclasses 100k", protocols=(5, 2), allow=lambda: [Money, Place])
def frozen_dataclasses(size: float) -> Any:
    """Two sorts of instances that refuse to be written to."""
    return [
        part
        for i in range(count(size, 50_000))
        for part in (Money(i * 7, "EUR"), Place(i * 0.5, i * 0.25))
    ]


@row("enum members 100k", protocols=(5, 2), allow=lambda: [Colour], shape=list[Colour])
def enum_members(size: float) -> Any:
    """Members of an enumeration, each stored once and fetched from the memo."""
    members = list(Colour)
    return [members[i % 3] for i in range(count(size, 100_000))]
