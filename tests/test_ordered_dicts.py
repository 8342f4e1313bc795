"""OrderedDicts that are linked here are the interpreter's own in all that can be done to them.

The dict part is copied from a template and the nodes are linked in order; where `PICKLIST_SLOW` is
set every item is set by the interpreter, under the same tests.
"""

from __future__ import annotations

import collections
import copy
import gc
import pickle
import sys
import weakref
from typing import Any

import pytest

import picklist
from assembler import PROTO, asm
from payloads import literal

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def ordered(keys: int, count: int) -> list[Any]:
    pairs = [[(f"key {k}", [i, k] if k % 3 else i) for k in range(keys)] for i in range(count)]
    return [collections.OrderedDict(each) for each in pairs]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("keys", [0, 1, 2, 3, 5, 6, 10, 11, 21, 22, 32, 33, 70, 1_500])
def test_ordered_dicts(keys: int, protocol: int) -> None:
    data = pickle.dumps(ordered(keys, 6), protocol)
    for _ in range(3):
        for ours, theirs in zip(picklist.safe_loads(data), pickle.loads(data), strict=True):
            for both in ((ours, theirs), (copy.copy(ours), copy.copy(theirs))):
                for each in both:
                    assert type(each) is collections.OrderedDict
                alike(*both)
                for each in both:
                    each["another"] = 1
                    each.move_to_end("another", last=False)
                    each.pop("key 1", None)
                    each["key 1"] = "again"
                    each["key 0"] = "changed"
                    for more in range(keys):
                        each[more] = more
                alike(*both)
                for each in both:
                    each.popitem()
                    each.popitem(last=False)
                alike(*both)
                for each in both:
                    each.clear()
                    each["new"] = each
                alike(*both)


def alike(ours: Any, theirs: Any) -> None:
    assert repr(ours) == repr(theirs)
    assert list(reversed(ours.keys())) == list(reversed(theirs.keys()))
    assert dict.__repr__(ours) == dict.__repr__(theirs)
    assert sys.getsizeof(ours) == sys.getsizeof(theirs)
    assert pickle.dumps(ours) == pickle.dumps(theirs)


@pytest.mark.parametrize(
    "program",
    [
        b"(X\x01\0\0\0aK\x01X\x01\0\0\0bK\x02X\x01\0\0\0aK\x03u",
        b"(X\x02\0\0\0abK\x01X\x02\0\0\0cdK\x02u(X\x02\0\0\0cdK\x05X\x02\0\0\0efK\x06u",
        b"X\x02\0\0\0abK\x01s(X\x02\0\0\0cdK\x05X\x02\0\0\0efK\x06u",
        b"(K\x01NK\x02NG?\xf0\0\0\0\0\0\0Nu",
        b"(\x88K\x01K\x01K\x02)K\x03u",
        b"(u",
    ],
    ids=["twice", "two batches", "one and two", "equal numbers", "bool and int", "nothing"],
)
def test_items_of_an_ordered_dict(program: bytes) -> None:
    data = asm(PROTO(4), b"(", *[b"ccollections\nOrderedDict\n)R" + program] * 7, b"l")
    for _ in range(3):
        for ours, theirs in zip(picklist.safe_loads(data), pickle.loads(data), strict=True):
            alike(ours, theirs)


def test_a_key_that_cannot_be_hashed() -> None:
    data = asm(PROTO(4), b"ccollections\nOrderedDict\n)R(K\x01K\x02]K\x03u")
    with pytest.raises(picklist.UnsafePickleError, match="unhashable"):
        picklist.safe_loads(data)


def test_keys_that_collide_are_counted_in_an_ordered_dict() -> None:
    keys = b"".join(literal((k + 1) * (2**61 - 1)) + b"N" for k in range(3_000))
    data = asm(PROTO(4), b"ccollections\nOrderedDict\n)R(" + keys + b"u")
    with pytest.raises(picklist.LimitExceededError, match="max_key_collisions"):
        picklist.safe_loads(data)


def test_the_collector_sees_what_an_ordered_dict_holds() -> None:
    class Canary:
        pass

    last = picklist.safe_loads(pickle.dumps(ordered(3, 8)))[-1]
    assert gc.is_tracked(last)
    last["itself"], last["canary"] = last, Canary()
    gone = weakref.ref(last["canary"])
    del last
    gc.collect()
    assert gone() is None


def test_keys_of_ordered_dicts_are_given_back() -> None:
    data = pickle.dumps(ordered(4, 30))
    key = next(iter(picklist.safe_loads(data)[-1]))
    before = sys.getrefcount(key), sys.getrefcount(None)
    for _ in range(50):
        picklist.safe_loads(data)
    assert sys.getrefcount(key) - before[0] < 5
    assert abs(sys.getrefcount(None) - before[1]) < 50


def test_a_refused_item_leaves_nothing_behind() -> None:
    """Refused in the middle of a filling, many times: what was built goes with it."""
    good = pickle.dumps(ordered(4, 6))
    bad = good[:-2] + b"(K\x01]K\x02]ueccollections\nnothing\n."
    for _ in range(200):
        with pytest.raises(picklist.UnsafePickleError):
            picklist.safe_loads(bad)
    assert picklist.safe_loads(good) == ordered(4, 6)
