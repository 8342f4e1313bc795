"""Arrays of records of numbers: built natively, alike to what `pickle` builds, or left to numpy.

numpy believes what a state says of a dtype's fields, and keeps the dict that they are in.  So a
dtype of records is known by what ``policy/contract/numpy/dtype.rs`` recomputes of it, and numpy is
given a copy.
"""

from __future__ import annotations

import io
import itertools
import pickle
from typing import Any

import pytest

import picklist
from assembler import (
    APPENDS,
    BINBYTES,
    BINGET,
    BININT,
    BINUNICODE,
    BUILD,
    BYTEARRAY8,
    EMPTY_DICT,
    EMPTY_LIST,
    GLOBAL,
    LONG1,
    MARK,
    MEMOIZE,
    NEWFALSE,
    NEWTRUE,
    NEXT_BUFFER,
    NONE,
    POP,
    PROTO,
    REDUCE,
    SETITEM,
    SETITEMS,
    TUPLE,
    TUPLE2,
    TUPLE3,
    asm,
)
from numpy_arrays import (
    NAMES,
    PLAIN,
    alike,
    alike_dtypes,
    array,
    dtype,
    from_buffer,
    ints,
    memoized,
    numpy,
    records,
    state,
)
from picklist import Allow, Policy, _picklist, inspect, safe_loads

KINDS = {
    "packed": numpy.dtype([("a", "i1"), ("b", "f8"), ("c", "u2")]),
    "aligned": numpy.dtype([("a", "i1"), ("b", "f8"), ("c", "u2")], align=True),
    "long doubles": numpy.dtype([("a", "u1"), ("b", "g"), ("c", "G"), ("d", "f2")], align=True),
    "one field": numpy.dtype([("only", "i4")]),
    "gaps": numpy.dtype(
        {"names": ["a", "b"], "formats": ["f4", "i8"], "offsets": [4, 16], "itemsize": 40}
    ),
    "two fields in one place": numpy.dtype(
        {"names": ["whole", "half"], "formats": ["u4", "u2"], "offsets": [0, 2]}
    ),
    "backwards": numpy.dtype({"names": ["a", "b"], "formats": ["f8", "c8"], "offsets": [8, 0]}),
    "many": numpy.dtype([(f"field {n}", "f4") for n in range(300)]),
    "not ascii": numpy.dtype([("größe", "f4"), ("名", "i4")]),
}
# What is left to numpy, which needs the names as any other library's do.
OTHERS = {
    "objects": numpy.dtype([("a", "i4"), ("b", "O")]),
    "text": numpy.dtype([("a", "i4"), ("b", "U3")]),
    "bytes": numpy.dtype([("a", "S3")]),
    "times": numpy.dtype([("a", "M8[s]")]),
    "bools": numpy.dtype([("a", "?"), ("b", "i4")]),
    "other order": numpy.dtype([("a", "f8"), ("b", "i4")]).newbyteorder("S"),
    "records": numpy.dtype([("a", "i4"), ("b", [("x", "f4"), ("y", "f4")])]),
    "arrays": numpy.dtype([("a", "i4", (2,))]),
    "titles": numpy.dtype([(("title", "a"), "i4")]),
    "metadata": numpy.dtype([("a", "i4")], metadata={"unit": "m"}),
    "metadata of a field": numpy.dtype([("a", numpy.dtype("i4", metadata={"unit": "m"}))]),
    "no fields": numpy.dtype({"names": [], "formats": [], "itemsize": 8}),
    "void": numpy.dtype("V12"),
    "numpy.record": numpy.dtype((numpy.record, [("a", "i4"), ("b", "f8")])),
}
WHOLE = Policy(
    allow=[
        *NAMES,
        Allow(numpy.ndarray, state="setstate"),
        *(
            Allow(type(numpy.dtype(name)), state="setstate")
            for name in ("i4", "O", "U3", "S3", "M8[s]", "V4")
        ),
        Allow(numpy.recarray, state="setstate"),
        Allow(numpy.record),
    ]
)
SHAPES = [(), (0,), (1,), (3,), (2, 3), (2, 0, 3), (40, 3), (2, 3, 4, 5)]
TWO = b"\0\0\0\0\0\0\xf0?\x07\0\0\0"


def filled(kind: Any, shape: tuple[int, ...], order: Any) -> Any:
    """Return an array of records, no byte of which is 0."""
    made = numpy.empty(shape, kind, order=order)
    for at in range(made.size):
        made.flat[at] = numpy.frombuffer(bytes([at % 7 + 1]) * kind.itemsize, kind)[0]
    return made


def arrays(kind: Any) -> list[Any]:
    """Return arrays of that dtype, in both orders of their items, with gaps and without."""
    made = []
    for shape, order in itertools.product(SHAPES, "CF"):
        each = filled(kind, shape, order)
        made += [each, each.T] + ([each[::-1, ::2]] if each.ndim == 2 else [])
    return made


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", KINDS)
def test_arrays_of_records_are_as_pickle_makes_them(name: str, protocol: int) -> None:
    """Every kind of record, shape and layout, under a policy that grants what is native alone."""
    many = arrays(KINDS[name])
    for made in many:
        data = pickle.dumps(made, protocol)
        alike(safe_loads(data, policy=PLAIN), pickle.loads(data))
        assert inspect(data, policy=PLAIN).allowed
    # From the fifth call on, an array may wait for its state.
    data = pickle.dumps([*map(numpy.arange, range(6)), *many], protocol)
    ours, theirs = safe_loads(data, policy=PLAIN), pickle.loads(data)
    for left, right in zip(ours, theirs, strict=True):
        alike(left, right)
        assert type(left.base) is type(right.base) or protocol == 5
        for field in right.dtype.names or ():
            alike(left[field], right[field])


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda view: view])
@pytest.mark.parametrize("name", KINDS)
def test_records_out_of_band(name: str, make: Any) -> None:
    """A buffer beside the stream is not copied, and as writeable as it is."""
    found: list[Any] = []
    data = pickle.dumps(filled(KINDS[name], (2, 3), "F"), 5, buffer_callback=found.append)
    buffers = [make(each.raw()) for each in found]
    ours = safe_loads(data, policy=PLAIN, buffers=buffers)
    alike(ours, pickle.loads(data, buffers=buffers))
    # Of fields that lie in another order than their names numpy writes the bytes in band.
    assert all(numpy.shares_memory(ours, numpy.frombuffer(each, "u1")) for each in buffers)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_no_inspection_of_records_and_scalars(protocol: int) -> None:
    """None of numpy's Python code runs, so nothing need be known beforehand."""
    counted = _picklist._inspected()
    if counted is None:
        pytest.skip("this build does not look at the clock")
    one = filled(KINDS["packed"], (3,), "C")
    data = pickle.dumps([one, numpy.float64(1), numpy.int8(3), one.copy()] * 3, protocol)
    safe_loads(data, policy=PLAIN)
    before = _picklist._inspected()
    safe_loads(data, policy=PLAIN)
    assert _picklist._inspected() == before


def test_the_dtype_of_records_is_the_one_in_the_memo() -> None:
    """Its fields share theirs, as in the pickle."""
    kind, number = KINDS["packed"], numpy.dtype("f8")
    values = [numpy.zeros(3, kind), kind, numpy.ones(2, kind), number]
    for protocol in (2, 4, 5):
        data = pickle.dumps(values, protocol)
        ours, theirs = safe_loads(data, policy=PLAIN), pickle.loads(data)
        assert ours[0].dtype is ours[1] is ours[2].dtype
        assert ours[1] is not kind
        assert (ours[1]["b"] is ours[3]) == (theirs[1]["b"] is theirs[3])
        alike_dtypes(ours[1], theirs[1])
        assert ours[1].fields["b"][0].isnative


def test_the_memo_outlives_a_pickle_of_records() -> None:
    """A second pickle of the same Unpickler fetches a dtype of records from the memo."""
    kind = KINDS["aligned"]
    file = io.BytesIO()
    pickler = pickle.Pickler(file, 4)
    pickler.dump([filled(kind, (n,), "C") for n in range(8)])
    pickler.dump([filled(kind, (n,), "C") for n in range(9)])
    loaded = []
    for unpickler in (PLAIN.Unpickler(file), pickle.Unpickler(file)):
        file.seek(0)
        loaded.append([*unpickler.load(), *unpickler.load()])
    for ours, theirs in zip(*loaded, strict=True):
        assert ours.dtype is loaded[0][0].dtype
        alike(ours, theirs)


# --- what is left to numpy -----------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", OTHERS)
def test_other_records_are_numpys_to_make(name: str, protocol: int) -> None:
    """As `pickle` has them, under a policy that grants it; not under one of native names alone."""
    made = numpy.zeros((2, 3), OTHERS[name])
    for whole in (made, [*map(numpy.arange, range(6)), numpy.zeros(3, KINDS["packed"]), made]):
        data = pickle.dumps(whole, protocol)
        ours, theirs = safe_loads(data, policy=WHOLE), pickle.loads(data)
        ours, theirs = (ours, theirs) if whole is made else (ours[-1], theirs[-1])
        alike_dtypes(ours.dtype, theirs.dtype)
        if not ours.dtype.hasobject:
            alike(ours, theirs)
        assert repr(ours) == repr(theirs)
        assert inspect(data, policy=WHOLE).allowed
        with pytest.raises(picklist.UnsafePickleError):
            safe_loads(data, policy=PLAIN)


def test_record_arrays_are_numpys_to_make() -> None:
    """A subclass is."""
    made = numpy.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    for protocol in (2, 4, 5):
        data = pickle.dumps([numpy.zeros(3, KINDS["packed"]), made], protocol)
        ours = safe_loads(data, policy=WHOLE)[1]
        alike(ours, pickle.loads(data)[1])
        assert ours.a == made.a
        with pytest.raises(picklist.UnsafePickleError):
            safe_loads(data, policy=PLAIN)


# What a stream says of records that is not as it should be: no array of them is made under a policy
# that grants what is native alone.
OBJECT = (GLOBAL("numpy", "dtype"), BINUNICODE("O8"), NEWFALSE, NEWTRUE, TUPLE3, REDUCE)
UNSETTLED = (GLOBAL("numpy", "dtype"), BINUNICODE("f8"), NEWFALSE, NEWTRUE, TUPLE3, REDUCE)


def of(*kind: Any, at: int = 0, title: Any = ()) -> Any:
    """Return the fields of records, the first of which is given."""
    offset = BININT(at) if abs(at) < 2**31 else LONG1(at)
    return (("a", kind, offset, *title), ("b", dtype("i4"), BININT(8)))


FORGED = {
    "objects": records(fields=of(*OBJECT)),
    "objects that the flags admit": records(
        fields=of(*OBJECT), rest=(BININT(12), BININT(1), BININT(27))
    ),
    "objects of all flags": records(rest=(BININT(12), BININT(1), BININT(27))),
    "references": records(rest=(BININT(12), BININT(1), BININT(17))),
    "a field beyond the end": records(fields=of(*dtype(), at=5)),
    "a field before the start": records(fields=of(*dtype(), at=-1)),
    "a field far beyond": records(fields=of(*dtype(), at=2**63 - 4)),
    "a field beyond 64 bits": records(fields=of(*dtype(), at=2**64)),
    "a longer record": records(rest=(BININT(16), BININT(1), BININT(16))),
    "a shorter record": records(code="V16"),
    "an alignment of 3": records(rest=(BININT(12), BININT(3), BININT(144))),
    "an alignment of 0": records(rest=(BININT(12), BININT(0), BININT(144))),
    "an alignment of none": records(rest=(BININT(12), BININT(8), BININT(16))),
    "a title": records(fields=of(*dtype(), title=(BINUNICODE("b"),))),
    "a field without a name": records(names=("a",)),
    "a name without a field": records(names=("a", "b", "c")),
    "other names": records(names=("a", "c")),
    "one name twice": records(names=("a", "a")),
    "a bool": records(fields=of(*dtype("b1", "|"))),
    "a dtype that may change": records(fields=of(*UNSETTLED)),
    "a field that is no dtype": records(fields=of(BININT(0))),
    "a field that is a class": records(fields=of(GLOBAL("numpy", "ndarray"))),
    "a subarray": records(
        before=(BININT(3), BINUNICODE("|"), *OBJECT, *ints(1), TUPLE2),
    ),
    "version 4": records(before=(BININT(4), BINUNICODE("|"), NONE)),
    "an order": records(before=(BININT(3), BINUNICODE("<"), NONE)),
}


@pytest.mark.parametrize("name", FORGED)
def test_no_array_of_forged_records(name: str) -> None:
    """Neither of bytes in a state nor of a buffer: numpy is asked under grants of its own alone."""
    kind = FORGED[name]
    waiting = array() * 6
    for made in (
        array(kind=kind, data=(BINBYTES(b"\x01" * 12),)),
        array(kind=kind, data=(BINBYTES(b"\x01" * 1200),), shape=ints(100)),
    ):
        for program in (made, (EMPTY_LIST, MARK, *waiting, *made, APPENDS)):
            for each in (program, memoized(program)):
                with pytest.raises(picklist.UnsafePickleError):
                    safe_loads(asm(PROTO(5), *each), policy=PLAIN)
    made = from_buffer(BYTEARRAY8(b"\x01" * 12), dtype=kind)
    for program in (made, (EMPTY_LIST, MARK, *array(kind=records(), data=(BINBYTES(TWO),)), *made)):
        data = asm(PROTO(5), *program, *((APPENDS,) if program is not made else ()))
        with pytest.raises(picklist.UnsafePickleError):
            safe_loads(data, policy=PLAIN)


def test_items_of_which_nothing_is_said() -> None:
    """Without a state a dtype has a size and no fields: its arrays are numpy's to make."""
    kind = (*UNSETTLED[:1], BINUNICODE("V12"), *UNSETTLED[2:])
    made = array(kind=kind, data=(BINBYTES(TWO),))
    for program in (made, memoized((EMPTY_LIST, MARK, *array() * 6, *made, APPENDS))):
        with pytest.raises(picklist.UnsafePickleError):
            safe_loads(asm(PROTO(4), *program), policy=PLAIN)
        assert safe_loads(asm(PROTO(4), *program), policy=WHOLE)


BROKEN = {
    "too few bytes": array(kind=records(), data=(BINBYTES(TWO[1:]),)),
    "too many bytes": array(kind=records(), data=(BINBYTES(TWO + b"\0"),)),
    "as many bytes as a float": array(kind=records(), data=(BINBYTES(TWO[:8]),)),
    "bytes overflow": array(kind=records(), shape=ints(2**61), data=(BINBYTES(b""),)),
    "bytes that are a list": array(kind=records(), data=(EMPTY_LIST,)),
    "a negative side": array(kind=records(), shape=ints(-1)),
    "a buffer too short": from_buffer(BYTEARRAY8(TWO[1:]), dtype=records()),
    "a buffer too long": from_buffer(BINBYTES(TWO * 2), dtype=records()),
    "a side that is whatever is left": from_buffer(
        BYTEARRAY8(TWO), dtype=records(), shape=ints(-1)
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_contract_of_records_is_refused(name: str) -> None:
    """By the loader and by the inspector, in words, and behind other arrays too."""
    good = array(kind=records(), data=(BINBYTES(TWO),))
    many = (EMPTY_LIST, MARK, *good * 6, *BROKEN[name], APPENDS)
    for program in (BROKEN[name], many, memoized(many)):
        data = asm(PROTO(5), *program)
        with pytest.raises(picklist.ForbiddenCallError) as caught:
            safe_loads(data, policy=PLAIN)
        assert str(caught.value)
        assert not inspect(data, policy=PLAIN).allowed


def test_a_buffer_beside_the_stream_has_the_length_of_its_records() -> None:
    """Nobody has seen it before the load."""
    data = asm(PROTO(5), *from_buffer(NEXT_BUFFER, dtype=records()))
    assert safe_loads(data, policy=PLAIN, buffers=[TWO]).tolist() == [(1.0, 7)]
    for buffer in (TWO[1:], TWO + b"\0", bytearray(8)):
        with pytest.raises(picklist.ForbiddenCallError):
            safe_loads(data, policy=PLAIN, buffers=[buffer])


# --- what a stream may change later --------------------------------------------------------------


def test_fields_are_nobody_elses() -> None:
    """numpy keeps the dict of a state: what the stream puts there later is not in the dtype."""
    fields = (EMPTY_DICT, MEMOIZE, MARK, BINUNICODE("a"), *dtype(), BININT(0), TUPLE2, SETITEMS)
    kind = (
        *(GLOBAL("numpy", "dtype"), BINUNICODE("V8"), NEWFALSE, NEWTRUE, TUPLE3, REDUCE),
        *(MARK, BININT(3), BINUNICODE("|"), NONE, MARK, BINUNICODE("a"), TUPLE, *fields),
        *(BININT(8), BININT(1), BININT(16), TUPLE, BUILD),
    )
    changed = (BINGET(0), BINUNICODE("a"), *dtype("i4"), BININT(4), TUPLE2, SETITEM)
    program = (*kind, *changed, TUPLE2)
    ours = safe_loads(asm(PROTO(4), *program), policy=PLAIN)
    assert ours[0].fields["a"] == (numpy.dtype("f8"), 0)
    assert ours[1]["a"] == (numpy.dtype("i4"), 4)
    assert pickle.loads(asm(PROTO(4), *program))[0].fields["a"] == (numpy.dtype("i4"), 4)


def test_the_dtype_of_a_field_changes_no_more() -> None:
    """One that waits for its state is no field: BUILD could give it another."""
    early = (*UNSETTLED, MEMOIZE)
    field = (("a", (BINGET(0),), BININT(0)),)
    kind = records(code="V8", names=("a",), fields=field, rest=(BININT(8), BININT(1), BININT(16)))
    order = state(BININT(3), BINUNICODE("<"), NONE, NONE, NONE, BININT(-1), BININT(-1), BININT(0))
    late = asm(PROTO(4), *early, *array(kind=kind), POP, *order, BUILD)
    with pytest.raises(picklist.UnsafePickleError):
        safe_loads(late, policy=PLAIN)
    sound = asm(PROTO(4), *early, *order, BUILD, POP, *array(kind=kind))
    assert safe_loads(sound, policy=PLAIN).tolist() == [(1.0,)]


def test_state_for_a_dtype_of_records_that_numpy_made() -> None:
    """A dtype of the same class that was made natively grants nothing to those that were not."""
    made = (*UNSETTLED[:1], BINUNICODE("V012"), *UNSETTLED[2:])
    fields = (EMPTY_DICT, BINUNICODE("a"), *OBJECT, BININT(0), TUPLE2, SETITEM)
    forged = (
        *(MARK, BININT(3), BINUNICODE("|"), NONE, MARK, BINUNICODE("a"), TUPLE, *fields),
        *(BININT(12), BININT(1), BININT(16), TUPLE, BUILD),
    )
    made = from_buffer(BYTEARRAY8(b"\0" * 12), dtype=(*made, *forged))
    for program in (made, (*records(), POP, *made)):
        with pytest.raises(picklist.UnsafePickleError):
            safe_loads(asm(PROTO(5), *program), policy=PLAIN)


# --- cost ----------------------------------------------------------------------------------------


def test_records_are_charged_each_time() -> None:
    """Bytes that are copied, and fields that are read and copied, cost as much each time."""
    content = (BINBYTES(b"\x01" * 120_000), MEMOIZE, POP)
    arrays = array(kind=(BINGET(1),), shape=ints(10_000), data=(BINGET(0),)) * 300
    whole = (*content, *records(), MEMOIZE, POP, EMPTY_LIST, MARK, *arrays, APPENDS)
    limits = picklist.Limits(max_memory=20_000_000)
    with pytest.raises(picklist.LimitExceededError, match="max_memory"):
        safe_loads(asm(PROTO(4), *whole), policy=PLAIN, limits=limits)
    many = [f"f{n}" for n in range(1000)]
    fields = (
        *(MARK, *map(BINUNICODE, many), TUPLE, MEMOIZE, POP, *dtype("i1", "|"), MEMOIZE, POP),
        *(BINGET(1), BININT(0), TUPLE2, MEMOIZE, POP, EMPTY_DICT, MEMOIZE, MARK),
        *(part for name in many for part in (BINUNICODE(name), BINGET(2))),
        *(SETITEMS, POP),
    )
    kind = (
        *(GLOBAL("numpy", "dtype"), BINUNICODE("V1"), NEWFALSE, NEWTRUE, TUPLE3, REDUCE),
        *(MARK, BININT(3), BINUNICODE("|"), NONE, BINGET(0), BINGET(3)),
        *(BININT(1), BININT(1), BININT(16), TUPLE, BUILD),
    )
    data = asm(PROTO(4), *fields, EMPTY_LIST, MARK, *kind * 400, APPENDS)
    with pytest.raises(picklist.LimitExceededError, match="max_memory"):
        safe_loads(data, policy=PLAIN)
    assert not inspect(data, policy=PLAIN).allowed
    assert len(safe_loads(data, policy=PLAIN, limits=picklist.Limits(max_memory=80_000_000))) == 400
