"""Nothing is left behind: references and memory over many loads, good and refused."""

from __future__ import annotations

import gc
import io
import pickle
import sys
import tracemalloc
from typing import Any

import pytest

import picklist
from corpus import SAMPLES

LOADS = 100_000
STD = [s.data for s in SAMPLES if s.base == ("std",) and not s.allow and len(s.data) < 1_500][::9]
BAD = [
    b"cos\nsystem\n.",
    b"}R.",
    b"](K\x01K\x02",
    b"]\x94(]]]h\x00eR.",
    b"}(K\x01NK\x02Nu\x94h\x00]Ns.",
    b"ccollections\ndeque\n]\x94(h\x01NNe\x85Rcos\nsystem\n.",
    b"cuuid\nUUID\n)\x81}X\x03\0\0\0intK\x01sbb.",
    b"L" + b"9" * 5_000 + b"L\n.",
    b"(" * 30 + b"\x8f" * 30 + b"a.",
]


def load_all(data: list[bytes], rounds: int) -> None:
    for at in range(rounds):
        try:
            picklist.safe_loads(data[at % len(data)])
        except Exception:
            continue


@pytest.mark.parametrize("data", [STD, BAD], ids=["good", "refused"])
def test_memory_after_many_loads(data: list[bytes]) -> None:
    """10^5 loads leave less behind than half a byte each, in Python's memory."""
    tracemalloc.start()
    try:
        load_all(data, 20_000)  # caches are bounded, and full by now
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        load_all(data, LOADS)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < LOADS / 2, f"{grown} bytes after {LOADS} loads"


@pytest.mark.parametrize("data", [STD, BAD], ids=["good", "refused"])
def test_resident_memory_after_many_loads(data: list[bytes]) -> None:
    """What Rust holds is not Python's to count: the process must not grow either."""

    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    if sys.platform != "linux":
        pytest.skip("needs /proc")
    load_all(data, 20_000)
    before = resident()
    load_all(data, LOADS)
    assert resident() - before < 4 << 20


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="needs a debug interpreter")
@pytest.mark.parametrize("at", range(len(BAD) + len(STD)))
def test_references_after_many_loads(at: int) -> None:
    """On a debug interpreter every reference is counted."""
    count: Any = getattr(sys, "gettotalrefcount", None)
    data = [(BAD + STD)[at]]
    load_all(data, 20)
    gc.collect()
    before = count()
    load_all(data, 1_000)
    gc.collect()
    assert abs(count() - before) < 500


def test_an_unpickler_in_a_cycle_is_collected() -> None:
    """Its file may hold it."""

    class Holding(io.BytesIO):
        unpickler: Any = None

    import weakref

    file = Holding(pickle.dumps([1]))
    file.unpickler = picklist.Unpickler(file)
    assert file.unpickler.load() == [1]
    gone = weakref.ref(file)
    del file
    gc.collect()
    assert gone() is None
