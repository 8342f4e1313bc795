"""Containers: tuples, dicts, sets."""

from __future__ import annotations

from typing import Any

from .row import count, row


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


@row("dict[str, str] 300k", protocols=(5, 2))
def dict_of_strings(size: float) -> Any:
    """Unique keys: a cache of keys cannot help."""
    return {f"key-{i:08x}": f"value {i}" for i in range(count(size, 300_000))}


@row("sets", protocols=(5, 2))
def sets(size: float) -> Any:
    """One big set of strings, many small ones of ints."""
    big = {f"member-{i}" for i in range(count(size, 200_000))}
    return [big, *({i, i + 1, i + 2} for i in range(count(size, 50_000)))]


@row("frozensets", protocols=(5, 2))
def frozensets(size: float) -> Any:
    """Frozen sets as values and as keys."""
    n = count(size, 60_000)
    return {frozenset((i, i + 1)): frozenset((str(i), "x")) for i in range(n)}
