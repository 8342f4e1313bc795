"""What hostile pickles in the tests aim at: callables that record calls, objects that show changes.

Nothing here has an effect beyond this module.  ``CALLS`` holds every call, ``fingerprint()`` every
attribute that a stream might try to change, ``reset()`` restores both.
"""

from __future__ import annotations

import enum
from typing import Any, ClassVar

CALLS: list[tuple[Any, ...]] = []


def fire(*args: Any, **kwargs: Any) -> str:
    """Record a call: the harmless stand-in for ``os.system``."""
    CALLS.append(("fire", args, kwargs))
    return "fired"


def inert(*args: Any) -> tuple[Any, ...]:
    """Record a call of a function that some policies allow."""
    CALLS.append(("inert", args))
    return args


def shared_list() -> list[int]:
    """Return a list that belongs to the module."""
    return Box.shared


class Box:
    """A plain class that policies in the tests allow; records nothing, can be changed."""

    limit = 10
    shared: ClassVar[list[int]] = []

    def method(self) -> str:
        """Do nothing."""
        return "method"


class Slotted:
    """A class with one slot and nothing else."""

    __slots__ = ("x",)


class Loud:
    """Records every hook that a pickle can trigger."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Loud:
        CALLS.append(("Loud.__new__", args, kwargs))
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        CALLS.append(("Loud.__init__", args, kwargs))

    def __setstate__(self, state: Any) -> None:
        CALLS.append(("Loud.__setstate__", state))

    def __setattr__(self, name: str, value: Any) -> None:
        CALLS.append(("Loud.__setattr__", name))

    def append(self, item: Any) -> None:
        """Record APPEND."""
        CALLS.append(("Loud.append", item))

    def extend(self, items: Any) -> None:
        """Record APPENDS."""
        CALLS.append(("Loud.extend", items))

    def add(self, item: Any) -> None:
        """Record ADDITEMS."""
        CALLS.append(("Loud.add", item))

    def __setitem__(self, key: Any, value: Any) -> None:
        CALLS.append(("Loud.__setitem__", key))


class WithDescriptor:
    """A data descriptor that runs code when a state key of its name is set."""

    x: int

    @property  # type: ignore[no-redef]
    def x(self) -> int:
        """Return a constant."""
        return 1

    @x.setter
    def x(self, value: int) -> None:
        CALLS.append(("WithDescriptor.x", value))


class Hashed:
    """A key whose hash and comparison are recorded."""

    def __hash__(self) -> int:
        CALLS.append(("Hashed.__hash__",))
        return 1

    def __eq__(self, other: object) -> bool:
        CALLS.append(("Hashed.__eq__",))
        return self is other


class Shade(enum.Enum):
    """An enum whose lookup of unknown values runs code."""

    DARK = 1

    @classmethod
    def _missing_(cls, value: object) -> Shade:
        CALLS.append(("Shade._missing_", value))
        return cls.DARK


class Mask(enum.Flag):
    """A flag with two bits."""

    A = 1
    B = 2


def mutable() -> list[Any]:
    """Return the objects that a stream might try to change."""
    return [Box, Slotted, Loud, WithDescriptor, Hashed, fire, inert]


def attributes(target: Any) -> dict[str, int]:
    """Return the identity of every attribute of a class or function."""
    found = {name: id(value) for name, value in vars(target).items()}
    for name in (
        "__code__",
        "__defaults__",
        "__kwdefaults__",
        "__bases__",
        "__doc__",
        "__name__",
        "__qualname__",
        "__module__",
    ):
        if hasattr(target, name):
            found[name] = id(getattr(target, name))
    return found


def fingerprint() -> list[Any]:
    """Return a value that changes when anything here does."""
    names = {
        name: id(value)
        for name, value in globals().items()
        if name not in ("CALLS", "__builtins__", "CLEAN")
    }
    return [names, list(Box.shared), [attributes(target) for target in mutable()]]


def restore() -> None:
    """Undo what an attack that worked (against plain pickle) has changed."""
    for target, clean in CLEAN:
        for name in set(vars(target)) - set(clean):
            delattr(target, name)
        for name, value in clean.items():
            if vars(target).get(name) is not value:
                setattr(target, name, value)
    Box.shared.clear()


def reset() -> None:
    """Forget the calls and undo the changes."""
    CALLS.clear()
    restore()


CLEAN: list[tuple[Any, dict[str, Any]]] = [(target, dict(vars(target))) for target in mutable()]
