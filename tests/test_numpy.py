"""numpy's plain arrays: built natively under a contract, alike to what `pickle` builds, or refused.

numpy's own rebuild functions are made for pickles that one trusts, as numpy's documentation says of
`numpy.load`.  What a policy grants of them by name is held against the contract of
``policy/contract/numpy.rs``; what is no plain array goes to numpy as it always did.
"""

from __future__ import annotations

import io
import itertools
import pickle
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

import picklist
from assembler import (
    APPENDS,
    BINBYTES,
    BINGET,
    BINUNICODE,
    DUP,
    EMPTY_LIST,
    EMPTY_TUPLE,
    GLOBAL,
    MARK,
    MEMOIZE,
    NEWFALSE,
    NEWTRUE,
    NEXT_BUFFER,
    NONE,
    POP,
    PROTO,
    REDUCE,
    TUPLE,
    TUPLE3,
    asm,
)
from children import printed
from numpy_arrays import (
    NAMES,
    PLAIN,
    alike,
    array,
    dtype,
    from_buffer,
    ints,
    memoized,
    numpy,
)
from picklist import Allow, Policy, _picklist, inspect, safe_loads

# What is no plain array needs the names as any other library's do.
WHOLE = Policy(
    allow=[
        *NAMES,
        Allow(numpy.ndarray, state="setstate"),
        *(
            Allow(type(numpy.dtype(name)), state="setstate")
            for name in ("f8", "i4", "O", "U3", "M8[ns]", "V4", "S2")
        ),
        Allow(numpy.recarray, state="setstate"),
        Allow(numpy.record),
    ]
)
CODES = ["?", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8", "g"]
CODES += ["F", "D", "G"]
SHAPES = [(), (0,), (1,), (3,), (2, 3), (2, 0, 3), (200, 3), (2, 3, 4, 5), (1,) * 32]


def arrays(code: str) -> Iterator[Any]:
    """Yield arrays of that dtype, in both byte orders and both orders of their items."""
    for order, shape, layout in itertools.product("<>", SHAPES, "CF"):
        dtype = numpy.dtype(code).newbyteorder(order)
        size = 1
        for side in shape:
            size *= side
        array = (numpy.arange(size) % 2).astype(dtype).reshape(shape, order=layout)
        yield array
        yield array.T
        if array.ndim == 2:
            yield array[::-1, ::2]


def test_the_way_through_numpys_own_interface_is_open() -> None:
    """Where objects carry no accounts; the test of its arrays against numpy's has passed."""
    ways = _picklist._ways()
    assert ways["numpy"] == ways["ints"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("code", CODES)
def test_plain_arrays_are_as_pickle_makes_them(code: str, protocol: int) -> None:
    """Every dtype of numbers, byte order, shape and layout."""
    for made in arrays(code):
        data = pickle.dumps(made, protocol)
        alike(safe_loads(data, policy=PLAIN), pickle.loads(data))
        assert inspect(data, policy=PLAIN).allowed
    # From the fifth call on, an array may wait for its state.
    many = list(arrays(code))
    data = pickle.dumps(many, protocol)
    for ours, theirs in zip(safe_loads(data, policy=PLAIN), pickle.loads(data), strict=True):
        alike(ours, theirs)


@pytest.mark.parametrize("code", CODES)
def test_scalars_are_as_pickle_makes_them(code: str) -> None:
    """In both byte orders, for a dtype that holds the other one."""
    scalar = numpy.dtype(code).type(1)
    for protocol in (2, 4, 5):
        data = pickle.dumps(scalar, protocol)
        loaded = safe_loads(data, policy=PLAIN)
        assert type(loaded) is type(scalar)
        assert loaded == scalar


def test_axes_in_another_order() -> None:
    """From numpy 2.3 on, the pickle of a transposed array says how its axes lie."""
    whole = numpy.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    for axes in itertools.permutations(range(4)):
        data = pickle.dumps(whole.transpose(axes), 5)
        alike(safe_loads(data, policy=PLAIN), pickle.loads(data))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_no_inspection_where_all_calls_are_native(protocol: int) -> None:
    """None of numpy's Python code runs, so nothing need be known beforehand."""
    counted = _picklist._inspected()
    if counted is None:
        pytest.skip("this build does not look at the clock")
    data = pickle.dumps([numpy.arange(5.0), numpy.float64(1), numpy.ones(3, "?")] * 3, protocol)
    safe_loads(data, policy=PLAIN)
    before = _picklist._inspected()
    safe_loads(data, policy=PLAIN)
    assert _picklist._inspected() == before


def test_inspection_comes_before_the_first_other_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """An array is made, and nothing is called once a name is forbidden."""
    data = asm(
        PROTO(4),
        EMPTY_LIST,
        MARK,
        pickle.dumps(numpy.arange(3.0), 4)[2:-1][9:],
        GLOBAL("picklist_canary", "sing"),
        EMPTY_TUPLE,
        REDUCE,
        GLOBAL("os", "getpid"),
        EMPTY_TUPLE,
        REDUCE,
        APPENDS,
    )
    policy = Policy(allow=[*NAMES, Allow("picklist_canary.sing", call="()")])
    monkeypatch.delitem(sys.modules, "picklist_canary", raising=False)
    with pytest.raises(picklist.ForbiddenGlobalError):
        safe_loads(data, policy=policy)
    assert "picklist_canary" not in sys.modules


# --- buffers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda view: view])
@pytest.mark.parametrize("array", [numpy.arange(6.0), numpy.ones((2, 3), "?", order="F")])
def test_out_of_band(make: Any, array: Any) -> None:
    """A buffer beside the stream is not copied, and as writeable as it is."""
    found: list[Any] = []
    data = pickle.dumps(array, 5, buffer_callback=found.append)
    buffers = [make(each.raw()) for each in found]
    ours = safe_loads(data, policy=PLAIN, buffers=buffers)
    alike(ours, pickle.loads(data, buffers=buffers))
    assert numpy.shares_memory(ours, numpy.frombuffer(buffers[0], "u1"))
    assert not ours.flags.owndata


def test_readonly_buffers() -> None:
    """READONLY_BUFFER makes the array one that nobody writes to."""
    array = numpy.arange(6.0)
    array.flags.writeable = False
    found: list[Any] = []
    data = pickle.dumps(array, 5, buffer_callback=found.append)
    for buffers in ([bytearray(array.tobytes())], [array.tobytes()], found):
        ours = safe_loads(data, policy=PLAIN, buffers=buffers)
        alike(ours, pickle.loads(data, buffers=buffers))
        assert not ours.flags.writeable
    in_band = pickle.dumps(array, 5)
    assert not safe_loads(in_band, policy=PLAIN).flags.writeable


def test_a_large_array_keeps_the_bytes() -> None:
    """Above 1000 bytes numpy takes the bytes object as the base of the array, and so it is here."""
    for size in (125, 126):
        data = pickle.dumps(
            [numpy.arange(float(size))] * 2 + [numpy.arange(1.0) for _ in range(9)], 4
        )
        ours, theirs = safe_loads(data, policy=PLAIN), pickle.loads(data)
        assert ours[0] is ours[1]
        for left, right in zip(ours, theirs, strict=True):
            alike(left, right)
            assert type(left.base) is type(right.base)
    tracemalloc.start()
    try:
        data = pickle.dumps(numpy.zeros(1_000_000), 4)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        loaded = safe_loads(data, policy=PLAIN)
        assert tracemalloc.get_traced_memory()[1] - before < loaded.nbytes * 1.1
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "buffer", [b"1234567", b"123456789", b"", bytearray(9), numpy.ones(2), "text"]
)
def test_a_buffer_of_another_length_is_refused(buffer: Any) -> None:
    """Nobody has seen it before the load."""
    data = asm(PROTO(5), *from_buffer(NEXT_BUFFER))
    with pytest.raises(picklist.UnsafePickleError):
        safe_loads(data, policy=PLAIN, buffers=[buffer])


def test_bools_beside_the_stream_are_0_or_1() -> None:
    """As within it."""
    data = asm(PROTO(5), *from_buffer(NEXT_BUFFER, dtype=dtype("b1", order="|"), shape=ints(3)))
    assert safe_loads(data, policy=PLAIN, buffers=[b"\0\1\0"]).tolist() == [False, True, False]
    for buffer in (b"\0\2\0", bytearray(b"\0\0\xff")):
        with pytest.raises(picklist.ForbiddenCallError, match="neither 0 nor 1"):
            safe_loads(data, policy=PLAIN, buffers=[buffer])


# --- identity ------------------------------------------------------------------------------------


def test_dtypes_are_shared_within_a_pickle_and_with_nobody_else() -> None:
    """As `pickle` shares them: the memo does, and two loads do not."""
    shared = numpy.dtype("f8")
    data = pickle.dumps([numpy.arange(3.0), shared, numpy.ones(2), shared], 4)
    first, second = safe_loads(data, policy=PLAIN), safe_loads(data, policy=PLAIN)
    assert first[0].dtype is first[1] is first[2].dtype is first[3]
    assert first[1] is not second[1]
    assert first[1] is not numpy.dtype("f8")


def test_the_order_of_a_dtype_reaches_the_memo() -> None:
    """BUILD comes after MEMOIZE, and changes the one object that both have."""
    native = numpy.dtype("f8")
    swapped = numpy.dtype("f8").newbyteorder("S")
    loaded = safe_loads(pickle.dumps([swapped, swapped, numpy.ones(2, swapped)], 5), policy=PLAIN)
    assert loaded[0] is loaded[1] is loaded[2].dtype
    assert loaded[0] == swapped
    assert numpy.dtype("f8") is native
    assert native.isnative


def test_an_array_without_state() -> None:
    """It is empty, as `pickle` leaves it, wherever it stands."""
    made = array(state=(NONE,))[:-2]
    assert made[-1] is REDUCE
    for program in (
        made,
        (EMPTY_LIST, MARK, *array() * 6, *made, APPENDS),
        memoized((EMPTY_LIST, MARK, *array() * 6, *made, APPENDS)),
        (EMPTY_LIST, MARK, *memoized((*array() * 6, *made)), MARK, POP, APPENDS),
        (EMPTY_LIST, MARK, *array() * 6, *made, MEMOIZE, MARK, POP, APPENDS),
        (EMPTY_LIST, MARK, *array() * 6, *made, MEMOIZE, BINGET(0), APPENDS),
    ):
        data = asm(PROTO(4), *program)
        ours, theirs = safe_loads(data, policy=PLAIN), pickle.loads(data)
        if type(ours) is list:
            assert len(ours) == len(theirs)
            ours, theirs = ours[6], theirs[6]
        alike(ours, theirs)


def test_an_array_that_waits_for_its_state_may_be_used_before() -> None:
    """From the memo it is the same object, and a copy that nobody filled is refused."""
    given = array()
    index = given.index(REDUCE) + 1
    seen = (*given[:index], MEMOIZE, *given[index:], BINGET(0))
    many = asm(PROTO(4), MARK, *array() * 6, *seen, TUPLE)
    *_, first, second = safe_loads(many, policy=PLAIN)
    assert first is second
    twice = (*memoized((*array() * 6, *given[:index])), MARK, POP, DUP, *given[index:])
    with pytest.raises(picklist.UnsafePickleError):
        safe_loads(asm(PROTO(4), MARK, *twice, TUPLE), policy=PLAIN)
    unfilled = (*memoized((*array() * 6, *given[:index])), MARK, POP, DUP)
    try:
        *_, first, second = safe_loads(asm(PROTO(4), MARK, *unfilled, TUPLE), policy=PLAIN)
    except picklist.UnsafePickleError:
        return
    assert first is second


def test_an_unpickler_keeps_arrays_in_its_memo() -> None:
    """Several pickles with one memo: what the first made, the next may fetch."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 4)
    values = [numpy.arange(float(n)) for n in range(8)]
    pickler.dump(values)
    pickler.dump([*values, numpy.ones(3)])
    file.seek(0)
    unpickler = WHOLE.Unpickler(file)
    first, second = unpickler.load(), unpickler.load()
    assert all(left is right for left, right in zip(first, second[:-1], strict=True))
    assert second[-1].tolist() == [1, 1, 1]


# --- what is no plain array ----------------------------------------------------------------------


def test_other_arrays_are_numpys_to_make() -> None:
    """Objects, text, times, other records and subclasses come out as `pickle` has them."""
    own = numpy.empty(2, object)
    own[:] = ["a", own]
    metadata = numpy.dtype("i4", metadata={"unit": "m"})
    swapped = numpy.dtype(">i4", metadata={"unit": "m"})
    values = [
        numpy.array(["a", None, 3], object),
        numpy.array(["abc", "d"]),
        numpy.array([b"ab"]),
        numpy.array(["2020-01-01"], "M8[ns]"),
        numpy.zeros(3, "i4,?"),
        numpy.zeros(3, "V4"),
        numpy.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        numpy.ones(3, metadata),
        numpy.ones(3, swapped),
    ]
    for protocol, value in itertools.product((2, 4, 5), values):
        # Alone, and where arrays before it have become native.
        for whole in (value, [*map(numpy.arange, range(6)), value]):
            data = pickle.dumps(whole, protocol)
            ours, theirs = safe_loads(data, policy=WHOLE), pickle.loads(data)
            ours, theirs = (ours, theirs) if whole is value else (ours[-1], theirs[-1])
            assert type(ours) is type(theirs)
            assert ours.dtype == theirs.dtype
            assert ours.dtype.metadata == theirs.dtype.metadata
            assert ours.tolist() == theirs.tolist()
            assert inspect(data, policy=WHOLE).allowed
    for protocol in (2, 4, 5):
        itself = safe_loads(pickle.dumps(own, protocol), policy=WHOLE)
        assert itself[1] is itself


def test_other_arrays_need_their_own_grants() -> None:
    """What is native grants nothing beyond."""
    for value in (numpy.array([None], object), numpy.array(["abc"])):
        for whole in (value, [*map(numpy.arange, range(6)), value]):
            with pytest.raises(picklist.UnsafePickleError):
                safe_loads(pickle.dumps(whole, 4), policy=PLAIN)


def test_another_object_of_that_name_is_not_taken_for_numpys() -> None:
    """A class that calls itself ``numpy.dtype`` is called as what it is, behind the inspector."""

    class Impostor:
        def __init__(self, *args: Any) -> None:
            self.args = args

    Impostor.__module__, Impostor.__qualname__ = "numpy", "dtype"
    policy = Policy(allow=[Allow(Impostor, call=True)])
    program = (GLOBAL("numpy", "dtype"), BINUNICODE("f8"), NEWFALSE, NEWTRUE, TUPLE3, REDUCE)
    loaded = safe_loads(asm(PROTO(4), *program), policy=policy)
    assert type(loaded) is Impostor
    assert loaded.args == ("f8", False, True)


def test_another_object_of_that_name_is_not_asked_what_it_is() -> None:
    """Nor where an earlier pickle of the same Unpickler has left it in the memo."""
    safe_loads(pickle.dumps(numpy.arange(3.0), 4), policy=PLAIN)

    class Impostor:
        def __init__(self, *args: Any) -> None:
            self.args = args

        @property
        def str(self) -> Any:
            raise AssertionError("asked")

    Impostor.__module__, Impostor.__qualname__ = "numpy", "dtype"
    policy = Policy(allow=[Allow(Impostor, call=True)])
    program = (GLOBAL("numpy", "dtype"), BINUNICODE("f8"), NEWFALSE, NEWTRUE, TUPLE3, REDUCE)
    file = io.BytesIO(asm(PROTO(4), *program, MEMOIZE) + asm(PROTO(4), BINGET(0)))
    unpickler = policy.Unpickler(file)
    assert unpickler.load() is unpickler.load()


# --- cost ----------------------------------------------------------------------------------------


def test_bytes_are_charged_each_time() -> None:
    """One bytes object may be the state of many arrays, and is copied for each."""
    size = 100_000
    content = struct.pack(f"<{size}d", *range(size))[:1000]
    shared = (BINBYTES(content * 800), MEMOIZE, POP)
    one = array(kind=(BINGET(1),), shape=ints(size), data=(BINGET(0),))
    before = (PROTO(4), *shared, *dtype(), MEMOIZE, POP, EMPTY_LIST, MARK)
    for arrays in (one * 200, memoized(one * 200)):
        data = asm(*before, *arrays, APPENDS)
        with pytest.raises(picklist.LimitExceededError, match="max_memory"):
            safe_loads(data, policy=PLAIN, limits=picklist.Limits(max_memory=100_000_000))
        with pytest.raises(picklist.LimitExceededError, match="max_memory"):
            safe_loads(data, policy=WHOLE, limits=picklist.Limits(max_memory=100_000_000))
    assert len(pickle.loads(data)) == 200


DIRTY = """
import sys
import numpy
import picklist
from picklist import _picklist
# What is freed here is what numpy is given next, with this in it.
blocks = [bytes([int(sys.argv[1])]) * size for size in range(1, 5_000) for _ in range(8)]
del blocks
ways = _picklist._ways()
print(ways["numpy"] == ways["ints"])
"""


@pytest.mark.parametrize("filling", [0, 7, 255])
def test_what_was_in_memory_before_does_not_close_the_way(filling: int) -> None:
    assert printed(DIRTY, filling) == "True\n"
