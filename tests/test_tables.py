"""Dicts and sets filled in batches are those that inserting makes: in size, order and afterlife."""

from __future__ import annotations

import gc
import io
import pickle
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import picklist

# 5, 10, 21, … keys fill a dict's table; 4, 18, 76, … are the most a set's holds.
EDGES = [
    1,
    2,
    4,
    5,
    6,
    10,
    11,
    18,
    19,
    21,
    22,
    42,
    43,
    76,
    77,
    85,
    86,
    170,
    171,
    307,
    308,
    341,
    342,
]
GREAT = [682, 683, 999, 1000, 1001, 1365, 1366, 2000, 2001, 3000]
TEXTS = ["key {}", "ключ {}", "é{}", "漢{}", "😀 {}", "{}"]


def alike(ours: Any, theirs: Any) -> None:
    """Compare all that can be asked of two dicts or sets."""
    assert type(ours) is type(theirs)
    assert ours == theirs
    assert list(ours) == list(theirs)
    assert [type(key) for key in ours] == [type(key) for key in theirs]
    assert sys.getsizeof(ours) == sys.getsizeof(theirs)
    assert repr(ours) == repr(theirs)
    assert all(key in ours for key in theirs)
    inside = [*ours, *ours.values()] if isinstance(ours, dict) else [*ours]
    # A tuple of atoms is not tracked here from the start; the collector finds that later.
    assert gc.is_tracked(ours) or not any(map(gc.is_tracked, inside))
    assert gc.is_tracked(theirs) or not gc.is_tracked(ours)


def both(data: bytes) -> Iterator[tuple[Any, Any]]:
    """Load a pickle three times: a template is met, made, and used."""
    for _ in range(3):
        yield picklist.safe_loads(data), pickle.loads(data)


def mutate(rng: random.Random, keys: list[Any], *containers: Any) -> None:
    """Do the same things to all of them."""
    keys = [*keys, "new", 77, -1]
    for _ in range(20):
        action, one, other = rng.randrange(9), rng.choice(keys), rng.choice(keys)
        for each in containers:
            if isinstance(each, dict):
                if action < 3:
                    each[one] = other
                elif action < 5:
                    each.pop(one, None)
                elif action == 5 and each:
                    each.popitem()
                elif action == 6:
                    each.update({other: [one], one: 1})
                elif action == 7:
                    each.setdefault(other, ())
                else:
                    each.copy()[one] = 1
            elif action < 4:
                each.add(one)
            elif action < 7:
                each.discard(one)
            elif action == 7:
                each |= {one, other}
            else:
                each -= {one}
        alike(containers[0], containers[1])
    for each in containers:
        each.update([(i, i) for i in range(40)])
    alike(containers[0], containers[1])
    for each in containers:
        for one in list(each):
            each.pop(one) if isinstance(each, dict) else each.remove(one)
    alike(containers[0], containers[1])
    for each in containers:
        each.clear()
        each.update([(i, i) for i in range(9)])
    alike(containers[0], containers[1])


def keys_of(kind: str, count: int, rng: random.Random) -> list[Any]:
    if kind == "text":
        return [TEXTS[i % len(TEXTS)].format(i) for i in range(count)]
    if kind == "text of every length":
        return [f"{i}" + "x" * (i % 80) for i in range(count)]
    if kind == "ints":
        return [i * 77 - 1000 for i in range(count)]
    if kind == "small ints":
        return list(range(-5, count - 5))
    if kind == "scattered":
        return list({rng.randrange(-(2**61), 2**61) for _ in range(count)})
    if kind == "one slot":
        return [i << 32 for i in range(count)]
    if kind == "text, then an int":
        return [f"{i}" if i != count // 2 else i for i in range(count)]
    if kind == "an int, then text":
        return [f"{i}" if i else i for i in range(count)]
    if kind == "text, then a tuple":
        return [f"{i}" if i != 2 * count // 3 else (i,) for i in range(count)]
    assert kind == "all"
    odd: list[Any] = [
        None,
        True,
        0,
        1.5,
        b"x",
        (1, "x"),
        2**61,
        -1,
        -2,
        2**61 - 1,
        2**70,
        "x",
        0.25,
    ]
    return [*odd, *range(2, 40), *(f"{i}" for i in range(count))]


KINDS = [
    "text",
    "text of every length",
    "ints",
    "small ints",
    "scattered",
    "one slot",
    "text, then an int",
    "an int, then text",
    "text, then a tuple",
    "all",
]


@pytest.mark.parametrize(("protocol", "sizes"), [(2, EDGES[::4]), (4, EDGES), (5, GREAT)])
@pytest.mark.parametrize("kind", KINDS)
def test_dicts_of_every_size(kind: str, protocol: int, sizes: list[int]) -> None:
    rng = random.Random(8)
    for count in sizes:
        keys = keys_of(kind, count, rng)
        for values in ([0.5] * len(keys), [[i] for i in range(len(keys))]):
            data = pickle.dumps(dict(zip(keys, values, strict=True)), protocol)
            for ours, theirs in both(data):
                alike(ours, theirs)
            mutate(rng, keys, ours, theirs)


@pytest.mark.parametrize(("protocol", "sizes"), [(2, EDGES[::4]), (4, EDGES), (5, GREAT)])
@pytest.mark.parametrize("kind", KINDS)
def test_sets_of_every_size(kind: str, protocol: int, sizes: list[int]) -> None:
    rng = random.Random(9)
    for count in sizes:
        keys = keys_of(kind, count, rng)
        for make in (set, frozenset):
            data = pickle.dumps(make(keys), protocol)
            for ours, theirs in both(data):
                alike(ours, theirs)
                alike(ours | {"new"}, theirs | {"new"})
                assert hash(frozenset(ours)) == hash(frozenset(theirs))
            if make is set:
                mutate(rng, keys, ours, theirs)


def test_a_great_dict_and_a_great_set() -> None:
    for keys in ([f"key {i}" for i in range(120_000)], [i * 7 for i in range(120_000)]):
        for ours, theirs in both(pickle.dumps(dict.fromkeys(keys, 1))):
            assert list(ours) == list(theirs)
            assert sys.getsizeof(ours) == sys.getsizeof(theirs)
        assert all(key in ours for key in keys)
        for ours, theirs in both(pickle.dumps(set(keys))):
            assert list(ours) == list(theirs)
            assert sys.getsizeof(ours) == sys.getsizeof(theirs)
        assert all(key in ours for key in keys)


def batch(pairs: list[tuple[Any, Any]], *, sizes: list[int]) -> bytes:
    """Return a dict that is filled with these pairs in batches of these sizes."""
    data, rest = b"\x80\x04}", pairs
    for size in [*sizes, len(pairs)]:
        now, rest = rest[:size], rest[size:]
        data += b"(" + b"".join(code(key) + code(value) for key, value in now) + b"u"
    return data + b"."


def code(value: Any) -> bytes:
    """Return what puts a value on the stack, and not into the memo."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, 3)
    pickler.fast = True
    pickler.dump(value)
    return stream.getvalue()[2:-1]


KEY = st.one_of(
    st.sampled_from(["a", "b", "", "é", "é ", "漢", "😀", "key", "key 1"]),
    st.sampled_from([0, 1, -1, -2, 2, 2**61 - 2, 1 - 2**61, 2**61 - 1, 2 * (2**61 - 1), 1 << 40]),
    st.sampled_from([0.0, 1.0, -1.0, -2.0, 0.5, None, True, False]),
    st.integers(-20, 20),
    st.integers(0, 300).map(lambda i: i << 33),
)


@given(
    st.lists(st.tuples(KEY, st.integers(0, 255)), max_size=120),
    st.lists(st.integers(0, 30), max_size=6),
)
def test_any_batches_of_any_keys(pairs: list[tuple[Any, Any]], sizes: list[int]) -> None:
    for ours, theirs in both(batch(pairs, sizes=sizes)):
        alike(ours, theirs)


@given(st.lists(KEY, max_size=120))
def test_any_items(items: list[Any]) -> None:
    body = b"".join(map(code, items))
    for data in (b"\x80\x04\x8f(" + body + b"\x90.", b"\x80\x04(" + body + b"\x91."):
        for ours, theirs in both(data):
            alike(ours, theirs)


@pytest.mark.parametrize("count", [*EDGES, 1000])
@pytest.mark.parametrize("tenths", [0, 1, 5, 10])
def test_the_first_of_equal_keys_stays_and_the_last_value_counts(count: int, tenths: int) -> None:
    pairs = [(f"key {i}", i) for i in range(count)]
    place = tenths * count // 10
    for again in (("key 0", 200), (f"key {count - 1}", 201)):
        doubled = [*pairs[:place], again, *pairs[place:]]
        for ours, theirs in both(batch(doubled, sizes=[])):
            alike(ours, theirs)


def test_only_what_the_collector_must_look_at_is_tracked() -> None:
    values: list[Any] = [1, "x", (1, "x"), [], (1, []), {}, {1: 2}, ((),), 2.5, None, b"x"]
    for value in values:
        for count in (1, 2, 5, 6, 12):
            for keys in (range(count), map(str, range(count))):
                data = pickle.dumps(dict.fromkeys(keys, value))
                for ours, theirs in both(data):
                    alike(ours, theirs)
    gc.collect()
    alike(ours, theirs)


def test_a_dict_in_itself() -> None:
    inner: dict[Any, Any] = {}
    inner["me"] = inner
    inner.update((f"{i}", i) for i in range(20))
    ours = picklist.safe_loads(pickle.dumps(inner))
    assert ours["me"] is ours
    assert list(ours) == list(inner)
    assert sys.getsizeof(ours) == sys.getsizeof(pickle.loads(pickle.dumps(inner)))


def test_references_are_neither_lost_nor_kept() -> None:
    marker = object()
    kinds: list[list[Any]] = [
        [f"k{i}" for i in range(30)],
        list(range(1000, 1030)),
        ["x", 1000, "x", 1000, "y"],
        [1, 1.0, 1, "y"],
        ["a", "b", "c"],
    ]
    for keys in kinds:
        body = b"".join(code(key) + b"K\x01Q" for key in keys)
        for data in (
            b"\x80\x04}(" + body + b"u.",
            b"\x80\x04](" + (b"}(" + body + b"u") * 9 + b"e.",
        ):
            before = sys.getrefcount(marker)
            kept = [picklist.safe_loads(data, persistent_load=lambda _: marker) for _ in range(9)]
            theirs = picklist.safe_loads(data, persistent_load=lambda _: marker)
            assert sys.getrefcount(marker) > before
            del kept, theirs
            assert sys.getrefcount(marker) == before


def test_a_set_that_the_stream_goes_on_filling() -> None:
    items = b"(K\x01K\x02X\x01\0\0\0a\x90"
    for _ in range(3):
        data = (
            b"\x80\x04\x8f\x94"
            + items * 2
            + b"h\0("
            + b"".join(map(code, range(90)))
            + b"\x90\x86."
        )
        ours, theirs = picklist.safe_loads(data), pickle.loads(data)
        assert ours[0] is ours[1]
        alike(ours[0], theirs[0])
