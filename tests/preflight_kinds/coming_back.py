"""Objects that dump and do not load."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from preflight_kinds.table import kind


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class KeywordError(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__()
        self.code = code


class Money:
    def __new__(cls, amount: int) -> Any:
        self = super().__new__(cls)
        self.amount = amount
        return self


class Proxy:
    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


@dataclass(frozen=True)
class FrozenSlots:
    __slots__ = ("x",)
    x: int


class LoggingDict(dict):  # type: ignore[type-arg]
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def __setitem__(self, key: Any, value: Any) -> None:
        self.seen.append(key)
        super().__setitem__(key, value)


class LoggingList(list):  # type: ignore[type-arg]
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def append(self, value: Any) -> None:
        self.seen.append(value)
        super().append(value)

    def extend(self, values: Any) -> None:
        for value in values:
            self.append(value)


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.friends: set[Any] = set()

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self.name == other.name


class Gone:
    def __reduce__(self) -> Any:
        return importlib.import_module, ("a_module_that_nobody_installed",)


class NeedsProtocol5:
    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol < 5:
            raise TypeError("protocol 5, please")
        return NeedsProtocol5, ()


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__qualname__", "__name__"):
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class WithoutName(metaclass=Nameless):
    pass


class Box:
    def __getstate__(self) -> Any:
        return [1]

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)


def filled(container: Any) -> Any:
    if isinstance(container, dict):
        container["a"] = 1
    else:
        container.append(1)
    return container


def cycle() -> Any:
    node = Node("a")
    node.friends.add(node)
    return node


kind("exception with two arguments", "PKL210", lambda keep: ApiError(404, "not found"))
kind("exception with keywords", "PKL210", lambda keep: KeywordError(code=1))
kind("new with arguments", "PKL211", lambda keep: Money(3))
kind("getattr without end", "PKL212", lambda keep: Proxy(1))
kind("frozen slots", "PKL213", lambda keep: FrozenSlots(1))
kind("dict that logs", "PKL214", lambda keep: filled(LoggingDict()))
kind("list that logs", "PKL214", lambda keep: filled(LoggingList()))
kind("hash in a cycle", "PKL215", lambda keep: cycle())
kind("module that is gone", "PKL216", lambda keep: Gone())
kind("protocol 5 only", "PKL171", lambda keep: NeedsProtocol5())
kind("class without a name", "PKL156", lambda keep: WithoutName())
kind("setstate raises", "PKL217", lambda keep: Box())
