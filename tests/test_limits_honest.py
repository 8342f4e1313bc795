"""Honest data is not refused by any default: what CPython writes at its limits, and large data.

Every row is loaded in a child with the memory and the time that ``Limits`` promises, and the value
comes back whole.
"""

from __future__ import annotations

import collections
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import picklist
from bounded import outcome

MILLION = 10**6


def nested_frozensets(levels: int) -> Any:
    """Return frozensets in one another."""
    value: Any = frozenset()
    for level in range(levels):
        value = frozenset([value, level])
    return value


def frozenset_tree(levels: int) -> Any:
    """Return a tree of frozensets, each with two different ones below it."""
    if levels == 0:
        return frozenset()
    below = frozenset_tree(levels - 1)
    return frozenset([below, frozenset([below, levels]), levels])


def nested_defaultdicts(levels: int) -> Any:
    """Return defaultdicts in one another."""
    value: Any = collections.defaultdict(list)
    for level in range(levels):
        value = collections.defaultdict(list, {level: value})
    return value


def uuid_keys(count: int) -> bytes:
    """Return what the pickler writes for ``{uuid4(): number}``, without making the UUIDs."""
    numbers = random.Random(7)
    first = b"(cuuid\nUUID\n\x94)\x81\x94}\x94\x8c\x03int\x94\x8a\x11%bsb"
    later = b"h\x01)\x81\x94}\x94h\x04\x8a\x11%bsb"
    out = [b"\x80\x04}\x94"]
    for at in range(count):
        value = numbers.getrandbits(128).to_bytes(17, "little")
        if at % 1_000 == 0 and at > 0:
            out.append(b"u(")
        out.append((later if at else first) % value)
        out.append(b"J" + at.to_bytes(4, "little"))
    return b"".join(out) + b"u."


HONEST: dict[str, tuple[Callable[[], bytes], int]] = {
    "lists 5,000 deep": (lambda: b"]" * 5_000 + b"a" * 4_999 + b".", 1),
    "dicts 5,000 deep": (lambda: b"}" + b"N}" * 4_999 + b"s" * 4_999 + b".", 1),
    "tuples 10,000 deep": (lambda: b")" + b"\x85" * 9_999 + b".", 1),
    "a million int keys": (lambda: pickle.dumps(dict.fromkeys(range(MILLION)), 4), MILLION),
    "a million pairs as keys": (
        lambda: pickle.dumps({(at, -at): None for at in range(MILLION)}, 4), MILLION,
    ),
    "a set of a million texts": (
        lambda: pickle.dumps({str(at) for at in range(MILLION)}, 4), MILLION,
    ),
    "a set of a million texts, protocol 2": (
        lambda: pickle.dumps({str(at) for at in range(MILLION)}, 2), MILLION,
    ),
    "a million UUIDs as keys": (lambda: uuid_keys(MILLION), MILLION),
    "frozensets 300 deep": (lambda: pickle.dumps(nested_frozensets(300), 4), 2),
    "a tree of frozensets 60 deep": (lambda: pickle.dumps(frozenset_tree(60), 4), 3),
    "10^4 sets of one float each, protocol 2": (
        lambda: pickle.dumps([{1.5} for _ in range(10**4)], 2), 10**4,
    ),
    "10^4 frozensets of a pair, protocol 3": (
        lambda: pickle.dumps([frozenset([(1.5, 2)]) for _ in range(10**4)], 3), 10**4,
    ),
    "defaultdicts 250 deep": (lambda: pickle.dumps(nested_defaultdicts(250), 4), 1),
    "10^5 floats as keys": (lambda: pickle.dumps({at / 7: at for at in range(10**5)}, 4), 10**5),
    "10^5 complex numbers as keys": (
        lambda: pickle.dumps({complex(at, 1): at for at in range(10**5)}, 4), 10**5,
    ),
    "one list in 10^4 tuples": (
        lambda: pickle.dumps([(shared, at) for shared in [list(range(10**4))]
                              for at in range(10**4)], 4),
        10**4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_honest_data_is_not_refused(name: str, tmp_path: Path) -> None:
    """What CPython's own pickler writes at its limits, and large data of every shape."""
    make, length = HONEST[name]
    assert outcome(make(), tmp_path)["length"] == length


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("digits", [300, 4_300])
def test_a_long_int_is_honest(digits: int, protocol: int) -> None:
    """A 300-digit int, and one as long as the interpreter itself converts."""
    value = -(10**digits) + 7
    assert picklist.safe_loads(pickle.dumps(value, protocol)) == value


def test_the_uuids_are_as_the_pickler_writes_them() -> None:
    """The assembled bytes give what pickle makes of them."""
    data = uuid_keys(2_500)
    value = pickle.loads(data)
    assert len(value) == 2_500
    assert picklist.safe_loads(data) == value
    assert list(value.values()) == list(range(2_500))


def test_shared_arguments_of_user_classes_are_not_charged() -> None:
    """A namedtuple only keeps what it is given: a shared list costs nothing each time."""
    from picklist_samples import Point

    shared = list(range(50_000))
    value = [Point(shared, at) for at in range(2_000)]
    data = pickle.dumps(value, 4)
    assert picklist.safe_loads(data, allow=[Point])[-1][1] == 1_999
