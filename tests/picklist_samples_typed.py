"""User classes for the tests and for the corpus that need Python 3.7's syntax or newer.

Imported by every interpreter from 3.7 on that wrote the corpus; classes with dataclass slots exist
from 3.10 on.
"""

import sys
from dataclasses import dataclass, field


@dataclass
class Data:
    """A plain dataclass."""

    x: int = 1
    y: str = "two"
    z: list = field(default_factory=list)  # type: ignore[type-arg]


@dataclass(frozen=True)
class Frozen:
    """A frozen dataclass: hashable, state set without ``__setattr__``."""

    x: int = 1
    y: str = "two"


if sys.version_info >= (3, 10):  # noqa: UP036

    @dataclass(slots=True)
    class SlotsData:
        """A dataclass with slots."""

        x: int = 1
        y: str = "two"

    @dataclass(frozen=True, slots=True)
    class FrozenSlots:
        """A frozen dataclass with slots: has a generated ``__setstate__``."""

        x: int = 1
        y: str = "two"


class Base:
    """A generic-looking base with a class attribute."""

    kind = "base"


@dataclass
class Nested(Base):
    """A dataclass that holds others."""

    left: Data
    right: Frozen


class Holder:
    """Holds a nested dataclass."""

    @dataclass
    class Deep:
        """Known as ``Holder.Deep``."""

        value: int = 3
