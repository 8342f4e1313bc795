"""``same_structure`` finds the differences that equality does not see."""

from __future__ import annotations

import array
import collections
import copy
import datetime
import sys
from decimal import Decimal
from typing import Any

import pytest

import picklist_samples as samples
import picklist_samples_typed as typed
from structure import same_structure

NAN = float("nan")
INNER: list[int] = [1]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [1, 2.5, "a", b"b", (1, (2,))],
        {"a": {"b": [set(), {1}]}},
        [NAN, 0.0, -0.0, complex(0.0, -0.0)],
        {NAN},
        [INNER, INNER],
        samples.cyclic_list(),
        samples.cyclic_tuple(),
        samples.cyclic_plain(),
        samples.make_list(),
        samples.make_dict(),
        samples.make_set(),
        samples.SlotsAndDict(),
        typed.Nested(typed.Data(), typed.Frozen()),
        collections.OrderedDict(a=1),
        collections.defaultdict(list, {1: [2]}),
        collections.deque([1], 3),
        datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        Decimal("NaN"),
        ValueError("x", 1),
    ],
    ids=repr,
)
def test_a_deep_copy_is_the_same(value: Any) -> None:
    """A deep copy has the same structure."""
    assert same_structure(value, value) == ""
    assert same_structure(value, copy.deepcopy(value)) == ""


# "u" is deprecated from 3.13 on.
CHARACTERS = "w" if sys.version_info >= (3, 13) else "u"


def test_memoryviews_are_their_bytes() -> None:
    """Views of an array of characters are not equal to each other, whatever is in them."""
    views = [memoryview(array.array(CHARACTERS, "ab")).toreadonly() for _ in range(2)]
    assert views[0] != views[1]
    assert same_structure(*views) == ""
    assert same_structure(views[0], memoryview(array.array(CHARACTERS, "ab"))) != ""
    assert same_structure(views[0], memoryview(array.array(CHARACTERS, "ac")).toreadonly()) != ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ([0.0], [-0.0]),
        ("a", b"a"),
        ([1], (1,)),
        ({1}, frozenset([1])),
        ([INNER, INNER], [[1], [1]]),
        ([[1], [1]], [INNER, INNER]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": [1, [2]]}, {"a": [1, [3]]}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.deque([1], 2), collections.deque([1], 3)),
        (collections.deque([1]), collections.deque([1], 1)),
        (collections.defaultdict(list), collections.defaultdict(set)),
        (Decimal("1.0"), Decimal("1.00")),
        (samples.Plain(1), samples.Plain(2)),
        (samples.Slots(1), samples.Slots(2)),
        (samples.make_list(), samples.MyList([1, 2, [3]])),
        (samples.cyclic_list(), [1, samples.cyclic_list()]),
        ({(1, 2)}, {(1, 3)}),
        ({1: "a"}, {True: "a"}),
        ({1.0}, {1}),
    ],
)
def test_differences_are_found(left: Any, right: Any) -> None:
    """Types, order, signs, attributes and sharing are looked at."""
    assert same_structure(left, right) != ""
    assert same_structure(right, left) != ""


def test_depth_does_not_matter() -> None:
    """The comparison does not recurse."""
    left: list[Any] = []
    right: list[Any] = []
    for _ in range(200_000):
        left, right = [left], [right]
    assert same_structure(left, right) == ""
    while left:  # taken apart by hand: freeing a deep list recurses in some interpreters
        left, right = left.pop(), right.pop()


def test_the_path_is_named() -> None:
    """The first difference is named by its path."""
    assert same_structure({"a": [1, (2, 3)]}, {"a": [1, (2, 4)]}).startswith("$['a'][1][1]: 3")
