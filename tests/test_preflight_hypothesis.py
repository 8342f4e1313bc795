"""Nested values made by hypothesis: never a false alarm, never a crash."""

from __future__ import annotations

import collections
import functools
import json
import os
import pickle
import threading
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import picklist

# 100,000 in CI, fewer while editing.
EXAMPLES = 100_000 if os.environ.get("CI") == "true" else 3_000
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.sampled_from([int, len, ValueError, ..., NotImplemented])
)
HASHABLE = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
        | st.builds(lambda value: [value, value], inner)
    ),
    max_leaves=12,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)
@given(VALUES, st.sampled_from([None, 0, 1, 2, 3, 4, 5]))
def test_plain_values_are_never_blamed(value: Any, protocol: int | None) -> None:
    report = picklist.explain(value, protocol=protocol, roundtrip=False)
    pickle.dumps(value, protocol)
    assert report.ok, report
    assert not report.disagreement


@settings(max_examples=500, deadline=None, database=None)
@given(VALUES, st.integers(min_value=0, max_value=5))
def test_a_lambda_is_found_wherever_it_is(value: Any, protocol: int) -> None:
    culprit = lambda: 1  # noqa: E731
    holder = [value, {"deep": (value, [culprit])}]
    report = picklist.explain(holder, protocol=protocol)
    assert [reason.code for reason in report.errors] == ["PKL110"]
    assert eval(report.reasons[0].path, {"obj": holder}) is culprit


class Instance:
    """An ordinary class."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Slotted:
    """A class with slots."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Stated:
    """A class with a state of its own."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getstate__(self) -> Any:
        return {"value": self.value, "more": [self.value]}


class Words(list):  # type: ignore[type-arg]
    """A list with attributes."""


class Table(dict):  # type: ignore[type-arg]
    """A dict with attributes."""


def attached(container: Any, value: Any) -> Any:
    container.extra = value
    return container


CULPRITS: list[Any] = [
    lambda: lambda: 1,
    threading.Lock,
    threading.Event,
    lambda: (number for number in ()),
    lambda: {}.keys(),
    lambda: memoryview(b""),
    lambda: json,
    threading.local,
]


def graphs() -> Any:
    culprits = st.sampled_from(CULPRITS).map(lambda make: Culprit(make()))
    return st.recursive(
        ATOMS | culprits,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(HASHABLE, inner, max_size=3)
            | inner.map(Instance)
            | inner.map(Slotted)
            | inner.map(Stated)
            | inner.map(lambda value: functools.partial(print, value, key=value))
            | inner.map(lambda value: collections.deque([value]))
            | inner.map(lambda value: collections.OrderedDict(a=value))
            | inner.map(lambda value: ValueError(value))
            | st.builds(lambda item, extra: attached(Words([item]), extra), inner, inner)
            | st.builds(lambda item, extra: attached(Table(a=item), extra), inner, inner)
        ),
        max_leaves=8,
    )


class Culprit:
    """Stands for a culprit until the graph is made, so that hypothesis need not show it."""

    def __init__(self, value: Any) -> None:
        self.made = value


def unwrapped(value: Any, found: list[Any]) -> Any:
    """Put the culprits in place of what stands for them."""
    if type(value) is Culprit:
        found.append(value.made)
        return value.made
    if type(value) in (list, tuple):
        return type(value)([unwrapped(item, found) for item in value])
    if type(value) is dict:
        return {key: unwrapped(item, found) for key, item in value.items()}
    if type(value) in (Instance, Stated, Slotted):
        return type(value)(unwrapped(value.value, found))
    if type(value) is functools.partial:
        inner = unwrapped(value.args[0], found)
        return functools.partial(print, inner, key=inner)
    if type(value) is collections.deque:
        return collections.deque([unwrapped(value[0], found)])
    if type(value) is collections.OrderedDict:
        return collections.OrderedDict(a=unwrapped(value["a"], found))
    if type(value) is ValueError:
        return ValueError(unwrapped(value.args[0], found))
    if type(value) is Words:
        return attached(Words([unwrapped(value[0], found)]), unwrapped(value.extra, found))  # type: ignore[attr-defined]
    if type(value) is Table:
        return attached(Table(a=unwrapped(value["a"], found)), unwrapped(value.extra, found))  # type: ignore[attr-defined]
    return value


@settings(
    max_examples=EXAMPLES // 10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)
@given(graphs())
def test_every_culprit_of_a_graph_is_named_once_and_nothing_else(graph: Any) -> None:
    culprits: list[Any] = []
    obj = unwrapped(graph, culprits)
    report = picklist.explain(obj, max_reasons=1000, roundtrip=False)
    assert not report.disagreement
    try:
        pickle.dumps(obj)
        pickles = True
    except Exception:
        pickles = False
    assert report.ok == pickles == (not culprits)
    named = [eval(reason.path, {"obj": obj}) for reason in report.errors]
    assert sorted(map(id, named)) == sorted(map(id, {id(c): c for c in culprits}.values()))
