"""Objects made without the interpreter's constructors are its own in all that can be asked of them.

The ways are closed where `PICKLIST_SLOW` is set: then the same tests run over the constructors.
"""

from __future__ import annotations

import gc
import os
import pickle
import platform
import random
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import picklist
from children import printed
from picklist import _picklist

ACCOUNTED = bool(
    sysconfig.get_config_var("Py_GIL_DISABLED")
    or sysconfig.get_config_var("Py_DEBUG")
    or hasattr(sys, "gettotalrefcount")
)
SLOW = "PICKLIST_SLOW" in os.environ
PROTOCOLS = [2, 4, 5]
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
GIVES_HUGE_PAGES = HUGE_PAGES.exists() and "[never]" not in HUGE_PAGES.read_text()


def same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    assert ours == theirs
    assert repr(ours) == repr(theirs)
    assert sys.getsizeof(ours) == sys.getsizeof(theirs)
    if not isinstance(ours, (list, dict)):
        assert hash(ours) == hash(theirs)


def test_every_way_is_open_where_objects_carry_no_accounts() -> None:
    ways = _picklist._ways()
    objects = {"ints", "float", "ascii", "text", "wide text", "bytes", "small", "characters"}
    containers = {"dicts", "tables", "sets", "ordered", "hashes"}
    library = {"arrays", "calendar", "decimals", "defaults", "deques", "namespaces", "numpy"}
    library |= {"paths", "ranges", "slots"}
    machine = {"vectors", "pages", "generations"}
    assert set(ways) == {*objects, *containers, *library, *machine}
    if "numpy" not in sys.modules:  # nobody imports it to find out
        assert not ways.pop("numpy")
    vectors = ways.pop("vectors")
    if SLOW:
        assert not vectors
    elif platform.machine() in ("x86_64", "AMD64"):
        assert vectors
    if sys.version_info >= (3, 14):
        assert not ways.pop("generations")
    if not GIVES_HUGE_PAGES:
        assert not ways.pop("pages")
    if sys.version_info < (3, 12):  # a str of 3.11 holds its own address where it is also a wstr
        del ways["wide text"]
    if sys.platform != "linux" or sys.hash_info.algorithm != "siphash13":
        del ways["hashes"]
    if ACCOUNTED or SLOW:
        assert not any(ways.values())
    else:
        assert all(ways.values())


def test_the_switch_of_the_tests_closes_them() -> None:
    code = "from picklist import _picklist; print(any(_picklist._ways().values()))"
    if printed(code, PICKLIST_SLOW="1").strip() != "False":
        pytest.skip("the extension was built without the feature `testing`")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ints(protocol: int) -> None:
    edges = [0, 5, 255, 256, 257, 1024, 1025, 2047, 2048, 2049, 65535, 65536]
    for power in (15, 29, 30, 31, 59, 60, 61, 62, 63, 64):
        edges += [2**power - 1, 2**power, 2**power + 1]
    values = edges + [-v for v in edges]
    loaded = picklist.safe_loads(pickle.dumps(values, protocol))
    for ours, theirs in zip(loaded, values, strict=True):
        same(ours, theirs)
        same(ours + 1, theirs + 1)
        same(ours * 3, theirs * 3)
        same(-ours, -theirs)
    ascii_characters = [chr(i) for i in range(128)]
    loaded = picklist.safe_loads(pickle.dumps(ascii_characters, protocol))
    assert all(ours is theirs for ours, theirs in zip(loaded, ascii_characters, strict=True))
    small = picklist.safe_loads(pickle.dumps(list(range(256)), protocol))
    assert all(ours is theirs for ours, theirs in zip(small, range(256), strict=True))


def long1(twos: bytes) -> bytes:
    """Return the pickle of an int from its two's complement."""
    return b"\x8a" + bytes([len(twos)]) + twos + b"."


def test_ints_of_every_length() -> None:
    rng = random.Random(6)
    values = [0]
    for bits in range(1, 700):
        values += [2**bits - 1, 2**bits, 2**bits + 1, rng.getrandbits(bits), 3 << bits - 1]
    values += [rng.getrandbits(bits) for bits in (5_000, 14_000)]
    for ours, theirs in zip(picklist.safe_loads(pickle.dumps(values)), values, strict=True):
        same(ours, theirs)
        assert ours.bit_length() == theirs.bit_length()
        assert (ours + 1) * 3 - 2 == theirs * 3 + 1
        assert ours.__reduce_ex__(2) == theirs.__reduce_ex__(2)
    below = [-value for value in values]
    for ours, theirs in zip(picklist.safe_loads(pickle.dumps(below)), below, strict=True):
        same(ours, theirs)
        assert -ours == -theirs
        assert (ours - 1) // 7 == (theirs - 1) // 7


def test_ints_with_more_bytes_than_they_need() -> None:
    for value in [
        0,
        1,
        -1,
        5,
        -5,
        127,
        128,
        -128,
        -129,
        256,
        2**63,
        -(2**63),
        2**64,
        3**99,
        -(3**99),
    ]:
        for length in range(value.bit_length() // 8 + 1, 90):
            twos = value.to_bytes(length, "little", signed=True)
            ours = picklist.safe_loads(long1(twos))
            same(ours, value)
            assert pickle.loads(long1(twos)) == value
            if -5 <= value <= 256:
                assert ours is value, "the interpreter keeps those"
    assert picklist.safe_loads(long1(b"")) == 0


@given(st.binary(max_size=80))
def test_any_int(twos: bytes) -> None:
    value = int.from_bytes(twos, "little", signed=True)
    ours = picklist.safe_loads(long1(twos))
    same(ours, value)
    assert {ours: 1}[value] == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_floats(protocol: int) -> None:
    values = [0.0, -0.0, 1.5, -1e300, 5e-324, float("inf"), float("-inf")]
    for ours, theirs in zip(
        picklist.safe_loads(pickle.dumps(values, protocol)), values, strict=True
    ):
        same(ours, theirs)
    assert picklist.safe_loads(pickle.dumps(float("nan"), protocol)) != 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_text_and_bytes_of_every_length(protocol: int) -> None:
    for length in [*range(70), 255, 256, 511, 512, 513, 4_000, 70_000]:
        text = "".join(chr(97 + i % 26) for i in range(length))
        ours = picklist.safe_loads(pickle.dumps(text, protocol))
        same(ours, text)
        assert ours.isascii()
        assert ours.encode() == text.encode()
        assert (ours + "é").endswith("é")
        same(picklist.safe_loads(pickle.dumps(text.encode(), protocol)), text.encode())
        for odd in ("é", "ж", "漢", "😀"):
            for at in {0, length // 2, length}:
                wide = text[:at] + odd + text[at:]
                # A str that has been encoded keeps the copy: compared is a new one.
                data = pickle.dumps(wide, protocol)
                same(picklist.safe_loads(data), pickle.loads(data))


def records(keys: int, count: int) -> list[dict[str, Any]]:
    return [{f"key {k}": [i, k] if k % 3 else i for k in range(keys)} for i in range(count)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("keys", [*range(1, 36), 70, 200])
def test_dicts_with_the_same_keys(protocol: int, keys: int) -> None:
    values = records(keys, 7)
    data = pickle.dumps(values, protocol)
    for _ in range(3):
        loaded = picklist.safe_loads(data)
        for ours, theirs in zip(loaded, pickle.loads(data), strict=True):
            same(ours, theirs)
            for change in (ours, theirs):
                change["another"] = 1
                change.pop("key 0")
                change["key 1"] = "changed"
            same(ours, theirs)
            assert list(ours) == list(theirs)
        # One dict's changes are its own.
        assert picklist.safe_loads(data) == values


def test_dicts_that_share_their_keys_share_nothing_else() -> None:
    data = pickle.dumps(records(5, 6))
    first, second = picklist.safe_loads(data)[-2:]
    first.clear()
    assert second == records(5, 6)[-1]
    first.update(second)
    assert first == second
    assert first is not second


@pytest.mark.parametrize(
    "value",
    [
        [{"a": i, i: "a", "b": i} for i in range(6)],
        [dict.fromkeys("abcdef"[i % 4 :], i) for i in range(40)],
        [{"a": 1, "b": {"a": 2, "b": {"a": 3, "b": i}}} for i in range(6)],
        [{"k" * 100: i, "l": i} for i in range(6)],
        [{chr(97 + (i + k) % 7): k for k in range(7)} for i in range(400)],
        [{f"{i} {k}": k for k in range(6)} for i in range(400)],
        [{"first": i, "middle" if i < 5 else f"odd {i % 3}": i, "last": i} for i in range(30)],
    ],
    ids=["mixed", "suffixes", "nested", "long keys", "rotating", "unique", "same ends"],
)
def test_dicts_that_are_no_records(value: Any) -> None:
    for protocol in PROTOCOLS:
        data = pickle.dumps(value, protocol)
        for _ in range(2):
            loaded = picklist.safe_loads(data)
            assert loaded == value
            assert [list(ours) for ours in loaded] == [list(theirs) for theirs in value]


def test_duplicate_keys_and_second_batches_are_set_one_by_one() -> None:
    # Three dicts of the same two keys, one that names a key twice, one filled in two goes.
    pairs = b"X\x01\0\0\0a\x94K\x01X\x01\0\0\0b\x94K\x02"
    again = b"h\x00K\x01h\x01K\x02"
    data = b"\x80\x04(}(" + pairs + b"u}(" + again + b"u}(" + again + b"u"
    data += b"}(h\x00K\x03h\x00K\x04u" + b"}(" + again + b"u(h\x00K\x07h\x01K\x08ul."
    want = [{"a": 1, "b": 2}] * 3 + [{"a": 4}, {"a": 7, "b": 8}]
    assert picklist.safe_loads(data) == pickle.loads(data) == want


def test_a_dict_from_a_template_is_seen_by_the_collector() -> None:
    class Canary:
        pass

    value = [{"a": i, "b": [i]} for i in range(5)]
    loaded = picklist.safe_loads(pickle.dumps(value))
    last = loaded[-1]
    assert gc.is_tracked(last)
    last["b"].append(last)
    last["c"] = canary = Canary()
    import weakref

    gone = weakref.ref(canary)
    del loaded, last, canary
    gc.collect()
    assert gone() is None, "a cycle through a copied dict was never collected"


def test_none_is_given_back() -> None:
    data = pickle.dumps(records(6, 50))
    picklist.safe_loads(data)
    before = sys.getrefcount(None)
    for _ in range(200):
        picklist.safe_loads(data)
    assert abs(sys.getrefcount(None) - before) < 200


@pytest.mark.skipif(sys.version_info < (3, 13), reason="reference tracers came with 3.13")
@pytest.mark.skipif(ACCOUNTED or SLOW, reason="all is closed here")
def test_a_reference_tracer_closes_all_ways() -> None:
    import ctypes

    # A function that takes nothing, does nothing and says 0.
    harmless = ctypes.cast(ctypes.pythonapi.Py_IsFinalizing, ctypes.c_void_p)
    set_tracer = ctypes.pythonapi.PyRefTracer_SetTracer
    set_tracer.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    data = pickle.dumps(records(4, 4))
    before = _picklist._ways()
    assert set_tracer(harmless, None) == 0
    try:
        loaded = picklist.safe_loads(data)
        traced = _picklist._ways()
    finally:
        set_tracer(None, None)
    assert loaded == records(4, 4)
    assert not any(way for name, way in traced.items() if name != "vectors")
    picklist.safe_loads(data)
    assert _picklist._ways() == before
