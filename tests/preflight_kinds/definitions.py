"""Functions and classes that a pickle cannot name, and what wraps them."""

from __future__ import annotations

import collections
import enum
import functools
import threading
import typing
from dataclasses import dataclass
from typing import Any, NamedTuple

from preflight_kinds.table import kind, numbers, top_level


def captured_lambda(size: int = 224) -> Any:
    return lambda x: x * size


def nested_function(size: int = 224) -> Any:
    def scale(x: int, factor: int = 2) -> int:
        return x * size * factor

    return scale


def local_class() -> Any:
    class Point:
        def __init__(self) -> None:
            self.x = 1

    return Point


def local_enum() -> Any:
    class Color(enum.Enum):
        RED = 1

    return Color.RED


def local_dataclass() -> Any:
    @dataclass
    class Point:
        x: int = 1

    return Point()


def local_namedtuple() -> Any:
    class Point(NamedTuple):
        x: int = 1

    return Point()


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def _shadowed() -> int:
    return 1


first_shadowed = _shadowed


def _shadowed() -> int:  # type: ignore[no-redef]
    return 2


def wrapped_inner(x: int) -> int:
    return x


wrapped_other = decorated(wrapped_inner)
Renamed = collections.namedtuple("Pt", "x y")  # type: ignore[name-match]
RenamedEnum = enum.Enum("Colour", "RED GREEN")  # type: ignore[misc]
MadeType = type("SomethingElse", (), {})
UserId = typing.NewType("UserIdentifier", int)  # type: ignore[name-match]
T_named = typing.TypeVar("T_other")  # type: ignore[misc]
renamed_lambda = lambda x: x + 1  # noqa: E731


def local_cache() -> Any:
    @functools.lru_cache
    def square(x: int) -> int:
        return x * x

    return square


def local_singledispatch() -> Any:
    @functools.singledispatch
    def show(x: object) -> str:
        return "object"

    return show


class Locked:
    """Its methods cannot travel."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def method(self) -> int:
        return 1


class Unimportable:
    """Says it is from elsewhere."""


Unimportable.__module__ = "a_module_that_nobody_installed"

kind("lambda", "PKL110", lambda keep: lambda x: x + 1)
kind("lambda with a closure", "PKL110", lambda keep: captured_lambda())
kind("lambda at module level", "PKL110", lambda keep: renamed_lambda)
kind("nested function", "PKL111", lambda keep: nested_function())
kind("class in a function", "PKL112", lambda keep: local_class())
kind("instance of a class in a function", "PKL112", lambda keep: local_class()())
kind("enum in a function", "PKL112", lambda keep: local_enum())
kind("dataclass in a function", "PKL112", lambda keep: local_dataclass())
kind("namedtuple in a function", "PKL112", lambda keep: local_namedtuple())
kind("redefined function", "PKL113", lambda keep: first_shadowed)
kind("function behind its wrapper", "PKL113", lambda keep: wrapped_other)
kind("namedtuple of another name", "PKL114", lambda keep: Renamed(1, 2))
kind("enum of another name", "PKL114", lambda keep: RenamedEnum.RED)  # type: ignore[attr-defined]
kind("type() of another name", "PKL114", lambda keep: MadeType())
kind("NewType of another name", "PKL114", lambda keep: UserId)
kind("TypeVar of another name", "PKL114", lambda keep: T_named)
kind("lru_cache in a function", "PKL115", lambda keep: local_cache())
kind("singledispatch in a function", "PKL115", lambda keep: local_singledispatch())
kind("property", "PKL115", lambda keep: property(top_level))
kind("classmethod object", "PKL115", lambda keep: classmethod(top_level))
kind("staticmethod object", "PKL115", lambda keep: staticmethod(top_level))
kind("partial of a lambda", "PKL110", lambda keep: functools.partial(lambda x: x, 1))
kind(
    "partial with a lock",
    "PKL120",
    lambda keep: functools.partial(top_level, threading.Lock()),
)
kind("bound method of a bad object", "PKL116", lambda keep: Locked().method)
kind("class from nowhere", "PKL117", lambda keep: Unimportable())
kind("slot wrapper", "ok", lambda keep: int.__add__)
kind("getset descriptor", "PKL115", lambda keep: type.__dict__["__dict__"])
kind("method of a generator", "PKL140", lambda keep: numbers().send)
