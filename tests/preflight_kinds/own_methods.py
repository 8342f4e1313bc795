"""Objects whose own methods for pickle go wrong."""

from __future__ import annotations

from typing import Any

from preflight_kinds.table import Plain, kind


class ReducesToInt:
    def __reduce__(self) -> Any:
        return 1


class ReducesToShort:
    def __reduce__(self) -> Any:
        return (Plain,)


class ReducesToList:
    def __init__(self, x: int = 1) -> None:
        self.x = x

    def __reduce__(self) -> Any:
        return Plain, [1]


class ReducesToUncallable:
    def __reduce__(self) -> Any:
        return "Plain", ()


class ReducesToItems:
    def __reduce__(self) -> Any:
        return Plain, (), None, [1, 2]


class ReducesToSetter:
    def __reduce__(self) -> Any:
        return Plain, (), {}, None, None, 5


class RaisesInReduce:
    def __reduce__(self) -> Any:
        raise RuntimeError("no")


class RaisesInGetstate:
    def __getstate__(self) -> Any:
        return {"title": self.title}  # type: ignore[attr-defined]


class RaisesInNewargs:
    def __reduce__(self) -> Any:
        raise TypeError("this class does not pickle")


class Recurses:
    def __reduce__(self) -> Any:
        return self.__reduce__()


class NeedsItself:
    def __reduce__(self) -> Any:
        return NeedsItself, (self,)


class StateWithLambda:
    def __getstate__(self) -> Any:
        return {"function": MADE}


MADE = lambda: 1  # noqa: E731


def deep(levels: int) -> Any:
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made


kind("reduce returns an int", "PKL170", lambda keep: ReducesToInt())
kind("reduce returns one element", "PKL170", lambda keep: ReducesToShort())
kind("reduce returns a list of arguments", "PKL170", lambda keep: ReducesToList())
kind("reduce returns an uncallable", "PKL170", lambda keep: ReducesToUncallable())
kind("reduce returns no iterator", "PKL170", lambda keep: ReducesToItems())
kind("reduce returns no setter", "PKL170", lambda keep: ReducesToSetter())
kind("reduce raises", "PKL171", lambda keep: RaisesInReduce())
kind("getstate raises", "PKL171", lambda keep: RaisesInGetstate())
kind("refuses on purpose", "PKL171", lambda keep: RaisesInNewargs())
kind("reduce recurses", "PKL171", lambda keep: Recurses())
kind("reduce needs itself", "PKL172", lambda keep: NeedsItself())
kind("too deep", "PKL172", lambda keep: deep(100_000))
kind("lambda in a state", "PKL110", lambda keep: StateWithLambda())
