"""Cold rows: every load gets another payload, as a server does.

The schema stays, so what is learned of a class or a policy pays; the values differ, and so do the
keys of the mappings that are keyed by data, so a cache of keys fills and turns over.
"""

from __future__ import annotations

import random
from typing import Any

from .classes import Order
from .row import count, row, sentence, words
from .small import session_of


@row("tiny cold", protocols=(5, 2), cold=True)
def tiny_cold(size: float) -> Any:
    """One key, one value; 10,000 of them."""
    return [{f"key-{i:x}": i} for i in range(count(size, 10_000))]


@row("session 1 kB cold", protocols=(5, 2), cold=True)
def session_cold(size: float) -> Any:
    """500 sessions, each with flags of its own."""
    return [session_of(random.Random(f"session {i}")) for i in range(count(size, 500))]


@row("JSON 10 kB cold", protocols=(5, 2), cold=True)
def json_cold(size: float) -> Any:
    """200 answers of a service: 30 records keyed by an identifier, and counts keyed by words."""

    def answer(rng: random.Random) -> Any:
        return {
            "records": {
                "".join(rng.choices("0123456789abcdef", k=16)): {
                    "id": rng.getrandbits(31),
                    "name": sentence(rng, 2),
                    "balance": rng.random(),
                    "active": rng.random() < 0.5,
                    "tags": list(words(rng, 3)),
                    "counts": {word: rng.randint(0, 99) for word in words(rng, 5)},
                }
                for _ in range(30)
            },
            "next": None,
        }

    return [answer(random.Random(f"answer {i}")) for i in range(count(size, 200))]


@row("dataclasses cold", protocols=(5, 2), allow=lambda: [Order], cold=True)
def dataclasses_cold(size: float) -> Any:
    """500 lists of twenty instances."""
    rng = random.Random(21)
    return [
        [
            Order(rng.getrandbits(31), f"customer {i}/{j}", rng.random(), rng.random() < 0.5)
            for j in range(20)
        ]
        for i in range(count(size, 500))
    ]
