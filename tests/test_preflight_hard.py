"""Hostile and odd objects: a report, never a crash, a hang or a side effect."""

from __future__ import annotations

import contextlib
import dataclasses
import pickle
import threading
import unittest.mock
import zipfile
from pathlib import Path
from typing import Any

import pytest

import picklist

TOUCHED: list[str] = []


class RaisingProperty:
    @property
    def value(self) -> Any:
        TOUCHED.append("property")
        raise RuntimeError("property")

    @property
    def endless(self) -> Any:
        TOUCHED.append("endless")
        while True:
            pass

    def __repr__(self) -> str:
        TOUCHED.append("repr")
        raise RuntimeError("repr")

    __str__ = __repr__

    def __dir__(self) -> Any:
        TOUCHED.append("dir")
        return []

    def __eq__(self, other: object) -> bool:
        TOUCHED.append("eq")
        raise RuntimeError("eq")

    def __hash__(self) -> int:
        TOUCHED.append("hash")
        raise RuntimeError("hash")

    def __bool__(self) -> bool:
        TOUCHED.append("bool")
        raise RuntimeError("bool")

    def __len__(self) -> int:
        TOUCHED.append("len")
        raise RuntimeError("len")


class AnyAttribute:
    def __getattr__(self, name: str) -> Any:
        return 5


class AnyAttributeFunction:
    def __getattr__(self, name: str) -> Any:
        return lambda *args: self


class Liar:
    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return dict


class LyingMeta(type):
    @property
    def __module__(cls) -> Any:  # type: ignore[override]
        raise RuntimeError("module")

    def __repr__(cls) -> str:
        raise RuntimeError("repr")

    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("instancecheck")

    def __getattribute__(cls, name: str) -> Any:
        if name == "__mro__":
            raise RuntimeError("mro")
        return super().__getattribute__(name)


class Lied(metaclass=LyingMeta):
    pass


class Mutating:
    def __init__(self, holder: Any) -> None:
        self.holder = holder

    def __reduce__(self) -> Any:
        self.holder.clear()
        return Mutating, ([],)


class RaisingGetattribute:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Exits:
    def __reduce__(self) -> Any:
        raise SystemExit(3)


class BadIterator:
    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        raise RuntimeError("next")


class RaisesWhileIterating:
    def __reduce__(self) -> Any:
        return list, (), None, BadIterator()


class SelfDescribing:
    def __reduce_ex__(self, protocol: Any) -> Any:
        return "no.such.name"


class Overridden:
    """An instance that overrides pickling by an attribute of its own."""


class Registry:
    def __getstate__(self) -> Any:
        TOUCHED.append("getstate")
        return {"a": 1}


def cycles() -> Any:
    everything: list[Any] = [{}, set(), RaisingProperty()]
    everything[0]["self"] = everything
    everything[0]["tuple"] = (everything, everything[0])
    everything[2].me = everything
    everything.append(threading.Lock())
    return everything


def deep(levels: int) -> Any:
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made


def overridden() -> Any:
    made: Any = Overridden()
    made.__reduce_ex__ = lambda protocol: 5
    return made


OBJECTS: dict[str, Any] = {
    "attribute for everything": AnyAttribute,
    "function for everything": AnyAttributeFunction,
    "lying class": Liar,
    "lying metaclass": Lied,
    "raising getattribute": RaisingGetattribute,
    "exit": Exits,
    "raising iterator": RaisesWhileIterating,
    "name of nothing": SelfDescribing,
    "overridden instance": overridden,
    "mock": unittest.mock.Mock,
    "magic mock": unittest.mock.MagicMock,
    "cycles": cycles,
    "raising property": RaisingProperty,
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=list(OBJECTS))
@pytest.mark.parametrize("target", ["pickle", "deepcopy"])
def test_a_report_whatever_the_object(make: Any, target: str) -> None:
    value = [make()]
    report = picklist.explain(value, target=target)
    text = str(report)
    assert text
    assert report.to_json()
    assert report.to_sarif()
    assert report._repr_html_()
    if target == "pickle":
        try:
            pickle.loads(pickle.dumps(value))
            really = True
        except BaseException:
            really = False
        assert report.ok == really
        assert not report.disagreement


def test_nothing_of_the_object_is_touched() -> None:
    TOUCHED.clear()
    value = RaisingProperty()
    report = picklist.explain([value, {"a": value}, lambda: 1])
    str(report)
    report.to_json()
    assert TOUCHED == []


def test_mutation_during_the_walk() -> None:
    holder: dict[str, Any] = {}
    holder["a"] = Mutating(holder)
    holder["b"] = lambda: 1
    report = picklist.explain(holder)
    assert str(report)


def test_a_million_nested_lists() -> None:
    value = deep(1_000_000)
    report = picklist.explain(value)
    assert [reason.code for reason in report.errors] == ["PKL172"]
    assert report.objects == 1_000_001


def test_a_lambda_ten_thousand_levels_down_is_named() -> None:
    culprit = lambda: 1  # noqa: E731
    value: Any = [culprit]
    for _ in range(10_000):
        value = [value]
    report = picklist.explain(value)
    found = [reason for reason in report.errors if reason.code == "PKL110"]
    assert eval(found[0].path, {"obj": value}) is culprit


def test_an_open_zip_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        report = picklist.explain({"archive": archive})
        archive.writestr("still", "open")
    assert [reason.code for reason in report.errors] == ["PKL130"]


def test_keyboard_interrupt_passes() -> None:
    class Interrupted:
        def __reduce__(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        picklist.explain(Interrupted())


@dataclasses.dataclass
class Culprits:
    values: list[Any]
    table: dict[str, Any]


def test_twenty_culprits_of_twelve_kinds_at_once(tmp_path: Path) -> None:
    import contextvars
    import hashlib
    import json
    import re
    import sqlite3
    import weakref

    connection = sqlite3.connect(":memory:")
    with (tmp_path / "x").open("w") as file, contextlib.closing(connection):
        values: list[Any] = [
            lambda: 1,
            lambda: 2,
            threading.Lock(),
            threading.Event(),
            threading.RLock(),
            threading.Thread(),
            file,
            connection,
            (x for x in "ab"),
            (x for x in "cd"),
        ]
        table: dict[str, Any] = {
            "module": json,
            "keys": {}.keys(),
            "values": {}.values(),
            "ref": weakref.ref(Culprits),
            "hash": hashlib.sha256(),
            "hash2": hashlib.md5(usedforsecurity=False),
            "match": re.match("a", "a"),
            "variable": contextvars.ContextVar("x"),
            "local": threading.local(),
            "mock": unittest.mock.Mock(),
        }
        obj = Culprits(values, table)
        report = picklist.explain(obj, max_reasons=100)
        assert len(report.errors) == 20, report
        assert len({reason.code for reason in report.errors}) >= 12
        culprits = [eval(reason.path, {"obj": obj}) for reason in report.errors]
        assert {id(culprit) for culprit in culprits} == {
            id(culprit) for culprit in [*values, *table.values()]
        }


def test_shared_and_repeated_culprits_are_named_once() -> None:
    lock = threading.Lock()
    report = picklist.explain({"a": lock, "b": [lock], "c": (lock,)})
    assert len(report.errors) == 1
    assert report.errors[0].path == "obj['a']"
    assert report.errors[0].also_at == ["obj['b'][0]", "obj['c'][0]"]


def test_state_is_asked_as_often_as_by_two_dumps_and_a_walk() -> None:
    TOUCHED.clear()
    assert picklist.is_picklable(Registry(), roundtrip=False)
    assert len(TOUCHED) <= 3


def test_the_limit_of_reasons() -> None:
    report = picklist.explain([(lambda: number) for number in range(80)], max_reasons=50)  # noqa: B023
    assert len(report.reasons) == 50
    assert report.omitted == 30
    assert not report.ok
