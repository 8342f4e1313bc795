"""What a long load makes lies in huge pages, and nobody else's memory does."""

from __future__ import annotations

import ctypes
import io
import os
import pickle
import signal
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import picklist
from children import printed
from picklist import _picklist

SMAPS = Path("/proc/self/smaps")
OPEN = _picklist._ways()["pages"]
MIB = 1 << 20
LONG = pickle.dumps([float(i) for i in range(1_000_000)])
LARGE = 16 * MIB

needs_pages = pytest.mark.skipif(not OPEN, reason="no huge pages here, or the way is closed")
POLICY = Path("/sys/kernel/mm/transparent_hugepage/enabled")


class Arenas(ctypes.Structure):
    """PyObjectArenaAllocator."""

    _fields_ = (
        ("ctx", ctypes.c_void_p),
        ("alloc", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
    )


def allocator() -> tuple[int | None, int | None, int | None]:
    """Who the interpreter asks for arenas."""
    found = Arenas()
    ctypes.pythonapi.PyObject_GetArenaAllocator(ctypes.byref(found))
    return found.ctx, found.alloc, found.free


def advised() -> int:
    """Bytes of this process's memory for which huge pages were asked."""
    total = size = 0
    for line in SMAPS.read_text().splitlines():
        if line.startswith("Size:"):
            size = int(line.split()[1]) * 1024
        elif line.startswith("VmFlags:") and " hg" in line:
            total += size
    return total


class Hooked:
    """An instance whose state is set by code of its own, which loads something long."""

    seen: list[Any]

    def __init__(self) -> None:
        self.x = 1

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        type(self).seen.append(allocator())
        picklist.safe_loads(LONG)
        type(self).seen.append(allocator())


@pytest.fixture(autouse=True)
def left_as_found() -> Iterator[None]:
    before = allocator()
    yield
    assert allocator() == before


def test_the_way_is_open_where_the_kernel_has_huge_pages() -> None:
    accounted = sysconfig.get_config_var("Py_GIL_DISABLED") or hasattr(sys, "gettotalrefcount")
    slow = "PICKLIST_SLOW" in os.environ
    gives = POLICY.exists() and "[never]" not in POLICY.read_text()
    assert (gives and not slow and not accounted) == OPEN


@needs_pages
def test_a_long_load_lies_in_them_and_gives_them_back() -> None:
    before, value, after = printed(
        "import test_pages as t, picklist\n"
        "print(t.advised())\n"
        "value = picklist.safe_loads(t.LONG)\n"
        "print(t.advised())\n"
        "del value\n"
        "print(t.advised())\n"
    ).split()
    assert int(value) - int(before) > 20 * MIB
    assert int(after) - int(before) <= 4 * MIB


@needs_pages
def test_a_short_load_does_not() -> None:
    program = (
        "import test_pages as t, pickle, picklist\n"
        "short = pickle.dumps([float(i) for i in range(20_000)])\n"
        "before = t.advised()\n"
        "values = [{}(short) for _ in range(50)]\n"
        "print(t.advised() - before)\n"
    )
    # From 3.15 on an interpreter may ask for all of its arenas.
    ours, theirs = (
        int(printed(program.format(f))) for f in ("picklist.safe_loads", "pickle.loads")
    )
    assert ours <= theirs


@needs_pages
@pytest.mark.parametrize("make", ["bytes(n)", "bytearray(n)", "'x' * n", "'\u00fc' * n"])
def test_a_large_object_does(make: str) -> None:
    program = (
        "import sys, test_pages as t, pickle, picklist\n"
        f"n = {LARGE}\n"
        f"data = pickle.dumps({make}, 5)\n"
        "before = t.advised()\n"
        "loaded = picklist.safe_loads(data)\n"
        "print(t.advised() - before)\n"
        "same = pickle.loads(data)\n"
        "assert loaded == same and sys.getsizeof(loaded) == sys.getsizeof(same)\n"
    )
    assert int(printed(program)) > LARGE - 4 * MIB


@pytest.mark.parametrize("length", [4 * MIB - 1, 4 * MIB, 4 * MIB + 1])
@pytest.mark.parametrize("make", [os.urandom, lambda n: bytearray(os.urandom(n))])
def test_around_the_size_that_counts_as_large(make: Any, length: int) -> None:
    value = make(length)
    assert picklist.safe_loads(pickle.dumps(value, 5)) == value


@pytest.mark.parametrize("end", [b"cos\nsystem\n.", b"\xff", b""])
def test_a_refusal_leaves_the_allocator_as_it_was(end: bytes) -> None:
    with pytest.raises((pickle.UnpicklingError, EOFError)):
        picklist.safe_loads(LONG[:-1] + end)


def test_code_of_an_allowed_class_finds_the_allocator_as_it_was() -> None:
    Hooked.seen = []
    data = pickle.dumps([[float(i) for i in range(200_000)], Hooked()])
    picklist.safe_loads(data, allow=[Hooked])
    assert Hooked.seen == [allocator()] * 2


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_a_signal_handler_finds_the_allocator_as_it_was() -> None:
    seen: list[Any] = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(allocator()))
    data = pickle.dumps([[i] for i in range(1_500_000)])
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        picklist.safe_loads(data)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen == [allocator()]


def test_a_file_finds_the_allocator_as_it_was() -> None:
    seen: set[Any] = set()

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            seen.add(allocator())
            return super().read(size)

        def readinto(self, buffer: Any, /) -> int:
            seen.add(allocator())
            return super().readinto(buffer)

    assert len(picklist.safe_load(Watched(LONG))) == 1_000_000
    assert seen == {allocator()}


# `realloc(NULL, size)` allocates; what it gave is never given back.
FOREIGN = """
import ctypes
from picklist import _picklist
{learn}
class Arenas(ctypes.Structure):
    _fields_ = (("ctx", ctypes.c_void_p), ("alloc", ctypes.c_void_p), ("free", ctypes.c_void_p))
libc = ctypes.CDLL(None)
foreign = [ctypes.cast(f, ctypes.c_void_p).value for f in (libc.realloc, libc.getpid)]
ours = Arenas(None, *foreign)
ctypes.pythonapi.PyObject_SetArenaAllocator(ctypes.byref(ours))
import test_pages as t, picklist
before = t.advised()
value = picklist.safe_loads(t.LONG)
assert t.allocator() == (None, *foreign)
print(_picklist._ways()["pages"], t.advised() - before)
"""


@needs_pages
@pytest.mark.parametrize(("learn", "open"), [("", "False"), ("_picklist._ways()", "True")])
def test_arenas_that_somebody_else_hands_out_are_left_to_them(learn: str, open: str) -> None:
    way, grown = printed(FOREIGN.format(learn=learn)).split()
    assert way == open
    assert int(grown) <= 2 * MIB
