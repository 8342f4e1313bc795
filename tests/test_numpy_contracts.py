"""What pickles say of numpy's plain arrays is held against a contract, by loader and inspector."""

from __future__ import annotations

import gc
import pickle
import sys
import tracemalloc

import pytest

import picklist
from assembler import (
    APPENDS,
    BINBYTES,
    BINFLOAT,
    BININT,
    BINUNICODE,
    BUILD,
    BYTEARRAY8,
    EMPTY_LIST,
    EMPTY_TUPLE,
    GLOBAL,
    MARK,
    NEWFALSE,
    NEWTRUE,
    NONE,
    POP,
    PROTO,
    REDUCE,
    TUPLE,
    TUPLE1,
    TUPLE2,
    TUPLE3,
    asm,
)
from numpy_arrays import (
    CORE,
    F8,
    NAMES,
    PLAIN,
    alike,
    array,
    dtype,
    from_buffer,
    ints,
    memoized,
    numpy,
    scalar,
    state,
)
from picklist import Allow, Policy, inspect, safe_loads

SOUND = {
    "array": array(),
    "fortran": array(fortran=(NEWTRUE,)),
    "fortran as numpy 1.6 wrote it": array(fortran=(BININT(0),)),
    "no dimensions": array(shape=(EMPTY_TUPLE,)),
    "empty": array(shape=ints(3, 0), data=(BINBYTES(b""),)),
    "dtype as numpy 1.6 wrote it": array(
        kind=dtype(call=(BINUNICODE("f8"), BININT(0), BININT(1), TUPLE3))
    ),
    "dtype with its order": array(
        kind=(GLOBAL("numpy", "dtype"), BINUNICODE("<f8"), NEWFALSE, NEWTRUE, TUPLE3, REDUCE)
    ),
    "str of Python 2": array(data=(BINUNICODE("\0\0\0\0\0\0\xf0?"),)),
    "bools": array(kind=dtype("b1", "|"), shape=ints(2), data=(BINBYTES(b"\0\1"),)),
    "buffer": from_buffer(),
    "readonly": from_buffer(BINBYTES(F8)),
    "buffer in Fortran's order": from_buffer(rest=(BINUNICODE("F"),)),
    "scalar": scalar(),
}

BROKEN = {
    "too few bytes": array(data=(BINBYTES(F8[1:]),)),
    "too many bytes": array(data=(BINBYTES(F8 + b"\0"),)),
    "no bytes": array(data=(BINBYTES(b""),)),
    "bytes for an empty array": array(shape=ints(0)),
    "a negative side": array(shape=ints(-1)),
    "two negative sides": array(shape=ints(-1, -1)),
    "items overflow to 1": array(shape=ints(2**32, 2**32), data=(BINBYTES(b""),)),
    "bytes overflow": array(shape=ints(2**61), data=(BINBYTES(b""),)),
    "bytes overflow beside an empty side": array(
        shape=ints(0, 2**62, 2**62), data=(BINBYTES(b""),)
    ),
    "bytes overflow by a bit": array(shape=ints(0, 2**60), data=(BINBYTES(b""),)),
    "a side of more than 64 bits": array(shape=ints(2**64 + 1)),
    "too many dimensions": array(shape=ints(*[1] * 65)),
    "a side that is no int": array(shape=(BINFLOAT(1.0), TUPLE1)),
    "a side that is a bool": array(shape=(NEWTRUE, TUPLE1)),
    "a shape that is no tuple": array(shape=(BININT(1),)),
    "bytes that are a list": array(data=(EMPTY_LIST,)),
    "bytes that are a bytearray": array(data=(BYTEARRAY8(F8),)),
    "bytes that are None": array(data=(NONE,)),
    "text beyond latin-1": array(data=(BINUNICODE("\0\0\0\0\0\0\u0100?"),)),
    "text of another length": array(data=(BINUNICODE("\xf0?"),)),
    "fortran 2": array(fortran=(BININT(2),)),
    "fortran None": array(fortran=(NONE,)),
    "version 0": array(version=(BININT(0),)),
    "version None": array(version=(NONE,)),
    "a state of four": array(state=state(*ints(1), *dtype(), NEWFALSE, BINBYTES(F8))),
    "a state that is None": array(state=(NONE,)),
    "a state that is a dict of slots": array(state=(NONE, NONE, TUPLE2)),
    "memory as it was": array(new=(*ints(5), BINBYTES(b"b"), TUPLE3)),
    "objects that are none": array(new=(*ints(0), BINBYTES(b"O"), TUPLE3)),
    "no code": array(new=(*ints(0), TUPLE2)),
    "a bool of 2": array(kind=dtype("b1", "|"), data=(BINBYTES(b"\2"),)),
    "a bool in text": array(kind=dtype("b1", "|"), data=(BINUNICODE("\x80"),)),
    "state twice": (*array(), *state(BININT(1), *ints(1), *dtype(), NEWFALSE, BINBYTES(F8)), BUILD),
    "the dtype of everybody": dtype(call=(BINUNICODE("f8"), NEWFALSE, NEWFALSE, TUPLE3)),
    "a dtype without arguments": dtype(call=(BINUNICODE("f8"), TUPLE1)),
    "a dtype with four": dtype(call=state(BINUNICODE("f8"), NEWFALSE, NEWTRUE, NONE)),
    "a byte has no order": dtype("i1", "<"),
    "eight bytes have one": dtype("f8", "|"),
    "the order of the machine": dtype("f8", "="),
    "no order": dtype("f8", ""),
    "a dtype's state of seven": dtype(
        state=state(BININT(3), BINUNICODE("<"), NONE, NONE, NONE, BININT(-1), BININT(-1))
    ),
    "a dtype's state of version 2": dtype(
        state=state(BININT(2), BINUNICODE("<"), NONE, NONE, NONE, BININT(-1), BININT(-1), BININT(0))
    ),
    "a dtype of another size": dtype(
        state=state(BININT(3), BINUNICODE("<"), NONE, NONE, NONE, BININT(4), BININT(1), BININT(0))
    ),
    "a dtype of objects": dtype(
        state=state(
            BININT(3), BINUNICODE("<"), NONE, NONE, NONE, BININT(-1), BININT(-1), BININT(63)
        )
    ),
    "a subarray": dtype(
        state=state(
            BININT(3),
            BINUNICODE("<"),
            *(*dtype("O8", "|"), *ints(1), TUPLE2),
            *(NONE, NONE, BININT(-1), BININT(-1), BININT(0)),
        )
    ),
    "a buffer too short": from_buffer(BYTEARRAY8(F8[1:])),
    "a buffer too long": from_buffer(BINBYTES(F8 * 2)),
    "a buffer that is text": from_buffer(BINUNICODE("12345678")),
    "a buffer that is a list": from_buffer(EMPTY_LIST),
    "a side that is whatever is left": from_buffer(shape=ints(-1)),
    "order A": from_buffer(rest=(BINUNICODE("A"),)),
    "order K without axes": from_buffer(rest=(BINUNICODE("K"),)),
    "order None": from_buffer(rest=(NONE,)),
    "axes with order C": from_buffer(rest=(BINUNICODE("C"), *ints(0))),
    "an axis that is none": from_buffer(rest=(BINUNICODE("K"), *ints(1))),
    "an axis twice": from_buffer(shape=ints(1, 1), rest=(BINUNICODE("K"), *ints(0, 0))),
    "an axis too few": from_buffer(shape=ints(1, 1), rest=(BINUNICODE("K"), *ints(0))),
    "a negative axis": from_buffer(rest=(BINUNICODE("K"), *ints(-1))),
    "six arguments": from_buffer(rest=(BINUNICODE("C"), NONE, NONE)),
    "a bool of 255 in a buffer": from_buffer(BYTEARRAY8(b"\xff"), dtype=dtype("b1", "|")),
    "a bool of 3 in bytes": from_buffer(BINBYTES(b"\3"), dtype=dtype("b1", "|")),
    "a scalar too short": scalar(BINBYTES(b"\0")),
    "a scalar of nothing": scalar(BINBYTES(b"")),
    "a scalar of three": scalar(BINBYTES(F8), NONE),
    "a scalar that is false": scalar(BINBYTES(b"\2"), kind=dtype("b1", "|")),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_picklers_have_written_is_accepted(name: str) -> None:
    """As `pickle` loads it."""
    many = (EMPTY_LIST, MARK, *array() * 6, *SOUND[name], APPENDS)
    for program in (SOUND[name], many, memoized(many)):
        data = asm(PROTO(5), *program)
        ours, theirs = safe_loads(data, policy=PLAIN), pickle.loads(data)
        if type(ours) is list:
            ours, theirs = ours[-1], theirs[-1]
        assert type(ours) is type(theirs)
        alike(numpy.asarray(ours), numpy.asarray(theirs))
        assert inspect(data, policy=PLAIN).allowed


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_contract_is_refused(name: str) -> None:
    """By the loader and by the inspector, in words, and behind other arrays too."""
    many = (EMPTY_LIST, MARK, *array() * 6, *BROKEN[name], APPENDS)
    for program in (BROKEN[name], many, memoized(many)):
        data = asm(PROTO(5), *program)
        with pytest.raises(picklist.ForbiddenCallError) as caught:
            safe_loads(data, policy=PLAIN)
        assert str(caught.value)
        report = inspect(data, policy=PLAIN)
        assert not report.allowed


def test_a_contract_of_the_policy_counts_too() -> None:
    """What is written in it is asked first, native or not."""
    narrow = Policy(
        allow=[
            *NAMES[:2],
            Allow(f"{CORE}.numeric._frombuffer", call="(bytes, instance, tuple[int], 'F')"),
            Allow(f"{CORE}.multiarray._reconstruct", call="(type, tuple[int], bytes)"),
        ]
    )
    assert safe_loads(
        asm(PROTO(5), *from_buffer(BINBYTES(F8), rest=(BINUNICODE("F"),))), policy=narrow
    )
    for program in (from_buffer(), from_buffer(BINBYTES(F8)), array()):
        with pytest.raises(picklist.ForbiddenCallError):
            safe_loads(asm(PROTO(5), *program), policy=narrow)
        assert not inspect(asm(PROTO(5), *program), policy=narrow).allowed
    waiting = array()[: array().index(REDUCE) + 1]
    # From here on the names are resolved, and no inspection comes first.
    assert safe_loads(asm(PROTO(4), *waiting), policy=narrow).size == 0
    data = asm(PROTO(4), MARK, *memoized((*waiting * 6, *array())), TUPLE)
    with pytest.raises(picklist.ForbiddenCallError, match="granted only"):
        safe_loads(data, policy=narrow)


@pytest.mark.parametrize("code", ["d", "=f8", "float64"])
def test_state_for_a_dtype_that_numpy_made(code: str) -> None:
    """A dtype of the same class that was made natively grants nothing to those that were not."""

    def call(code: str) -> tuple[object, ...]:
        arguments = (BINUNICODE(code), NEWFALSE, NEWTRUE, TUPLE3)
        return (GLOBAL("numpy", "dtype"), *arguments, REDUCE)

    forged = (
        *(MARK, BININT(3), BINUNICODE("<"), *call("O8"), *ints(1), TUPLE2, NONE, NONE),
        *(BININT(-1), BININT(-1), BININT(0), TUPLE, BUILD),
    )
    made = from_buffer(BYTEARRAY8(b"\0" * 8), dtype=(*call(code), *forged))
    for program in (made, (*dtype(), POP, *made)):
        with pytest.raises(picklist.UnsafePickleError):
            safe_loads(asm(PROTO(5), *program), policy=PLAIN)


def test_nothing_is_left_behind() -> None:
    """Loads of arrays, good and refused, leave no memory and no references."""
    good = [pickle.dumps([numpy.arange(float(n)) for n in range(9)], p) for p in (2, 4, 5)]
    good.append(pickle.dumps(numpy.arange(3000.0), 4))
    records = [numpy.zeros(n, "i4,f8") for n in (1, 2, 100, 200)] * 4
    good += [pickle.dumps([*records, *map(numpy.float64, range(9))], p) for p in (2, 4, 5)]
    bad = [
        asm(PROTO(5), *memoized((EMPTY_LIST, MARK, *array() * 6, *each, APPENDS)))
        for each in BROKEN.values()
    ]

    def load_all() -> None:
        for data in [*good, *bad]:
            try:
                safe_loads(data, policy=PLAIN)
            except picklist.UnsafePickleError:
                continue

    tracemalloc.start()
    try:
        # The interpreter keeps some thousand tuples of each length for reuse.
        for _ in range(100):
            load_all()
        singleton = sys.getrefcount(numpy.dtype("f8"))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            load_all()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    load_all()  # notices that nobody traces any more
    assert grown < 50_000
    assert abs(sys.getrefcount(numpy.dtype("f8")) - singleton) < 50
