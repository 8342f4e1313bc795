"""Many values of one plain type."""

from __future__ import annotations

import random
from typing import Any

from .row import count, row, sentence, words


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


@row("non-ASCII strings 200k", protocols=(5, 2))
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
