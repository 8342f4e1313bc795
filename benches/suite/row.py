"""What a row of the benchmark is, and the register that the other modules of the suite fill."""

from __future__ import annotations

import importlib
import importlib.util
import operator
import pickle
import random
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import picklist

Maker = Callable[[float], Any]
Allowed = Callable[[], Sequence[Any]]
Equal = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Row:
    """One payload.

    Parameters
    ----------
    name : str
        What the table calls it.
    make : callable
        Returns the object, for a size.  Of a cold row: the list of objects, each pickled apart.
    protocols : tuple of int
        The protocols to time: several where the streams differ in kind.
    allow : callable, optional
        Returns what a policy must allow, None if the default policy will do.
    shape : object
        The type that msgspec must be told to give back equal data, None if it needs none.
    equal : callable
        Compares what was loaded with what was pickled.
    needs : tuple of str
        Modules that may be missing.
    fixed : bool
        The payload is of one size: ``make`` takes no notice of the size asked for.
    cold : bool
        Each load gets another payload: the same schema, new values and new keys.
    out_of_band : bool
        Buffers travel beside the stream.
    """

    name: str
    make: Maker
    protocols: tuple[int, ...] = (5,)
    allow: Allowed | None = None
    shape: Any = None
    equal: Equal = operator.eq
    needs: tuple[str, ...] = ()
    fixed: bool = False
    cold: bool = False
    out_of_band: bool = False

    def missing(self) -> list[str]:
        """Return the modules that this row needs and that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]

    def policy(self) -> picklist.Policy | None:
        """Return the policy that loads it, None for the default."""
        return None if self.allow is None else picklist.Policy(allow=self.allow())

    def payload(self, value: Any, protocol: int) -> Payload:
        """Pickle what ``make`` returned."""
        if self.cold:
            return Payload([pickle.dumps(one, protocol) for one in value])
        if not self.out_of_band:
            return Payload([pickle.dumps(value, protocol)])
        buffers: list[pickle.PickleBuffer] = []
        return Payload([pickle.dumps(value, protocol, buffer_callback=buffers.append)], buffers)


@dataclass
class Payload:
    """A row as bytes."""

    streams: list[bytes]
    buffers: list[pickle.PickleBuffer] | None = None

    @property
    def size(self) -> int:
        """The bytes of one load on average, what lies out of band included."""
        beside = sum(buffer.raw().nbytes for buffer in self.buffers or ())
        return (sum(map(len, self.streams)) + beside) // len(self.streams)

    @property
    def keywords(self) -> dict[str, Any]:
        """What every loader must be given besides the stream."""
        return {} if self.buffers is None else {"buffers": self.buffers}


ROWS: list[Row] = []


def row(name: str, **options: Any) -> Callable[[Maker], Maker]:
    """Add the decorated function to the suite, with the options of `Row`."""

    def add(make: Maker) -> Maker:
        ROWS.append(Row(name, make, **options))
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


def module(name: str) -> Any:
    """Import a module that the row which asks for it needs."""
    return importlib.import_module(name)
