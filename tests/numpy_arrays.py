"""Programs that build numpy's arrays, any part written otherwise, and what grants the names."""

from __future__ import annotations

import os
from typing import Any

import pytest

from assembler import (
    BINBYTES,
    BININT,
    BINUNICODE,
    BUILD,
    BYTEARRAY8,
    EMPTY_DICT,
    GLOBAL,
    LONG1,
    MARK,
    MEMOIZE,
    NEWFALSE,
    NEWTRUE,
    NONE,
    REDUCE,
    SETITEMS,
    TUPLE,
    TUPLE1,
    TUPLE2,
    TUPLE3,
)
from picklist import Allow, Policy

if "CI" in os.environ:  # where it is installed: a skip there would go unnoticed
    import numpy
else:
    numpy = pytest.importorskip("numpy")

CORE = "numpy._core" if numpy.__version__ >= "2" else "numpy.core"
NAMES = [
    Allow(numpy.ndarray),
    Allow(numpy.dtype, call=True, state="setstate"),
    Allow(f"{CORE}.numeric._frombuffer", call=True),
    Allow(f"{CORE}.multiarray._reconstruct", call=True, state="setstate"),
    Allow(f"{CORE}.multiarray.scalar", call=True),
]
PLAIN = Policy(allow=NAMES)
F8 = b"\0\0\0\0\0\0\xf0?"


def alike(left: Any, right: Any) -> None:
    """Assert that two arrays agree in all that can be asked of them."""
    assert type(left) is type(right)
    alike_dtypes(left.dtype, right.dtype)
    assert left.shape == right.shape
    assert left.strides == right.strides
    assert str(left.flags) == str(right.flags)
    assert content(left) == content(right)


def content(array: Any) -> Any:
    """Return the bytes of an array as they lie in memory, those between fields too."""
    if array.dtype.hasobject or not array.dtype.names:
        return array.tobytes()
    return array.ravel("K").view("u1").tobytes()


def alike_dtypes(left: Any, right: Any) -> None:
    """Assert that two dtypes agree in all that can be asked of them."""
    assert left == right
    assert type(left) is type(right)
    assert hash(left) == hash(right)
    for name in ("str", "names", "itemsize", "alignment", "flags", "hasobject", "isalignedstruct"):
        assert getattr(left, name) == getattr(right, name)
    assert left.fields == right.fields
    assert left.metadata == right.metadata


def ints(*values: int) -> tuple[Any, ...]:
    """Return a tuple of ints."""
    return (MARK, *(BININT(v) if abs(v) < 2**31 else LONG1(v) for v in values), TUPLE)


def dtype(
    code: str = "f8", order: str = "<", *, call: Any = None, state: Any = None
) -> tuple[Any, ...]:
    """Return a dtype; a state is given whole."""
    made = (
        GLOBAL("numpy", "dtype"),
        *(call or (BINUNICODE(code), NEWFALSE, NEWTRUE, TUPLE3)),
        REDUCE,
    )
    plain = (
        MARK,
        BININT(3),
        BINUNICODE(order),
        NONE,
        NONE,
        NONE,
        BININT(-1),
        BININT(-1),
        BININT(0),
    )
    return (*made, *(state or (*plain, TUPLE)), BUILD)


def array(
    *,
    new: Any = None,
    version: Any = None,
    shape: Any = None,
    kind: Any = None,
    fortran: Any = None,
    data: Any = None,
    state: Any = None,
) -> tuple[Any, ...]:
    """Return an array of one float, but for what is given."""
    made = (GLOBAL(f"{CORE}.multiarray", "_reconstruct"), GLOBAL("numpy", "ndarray"))
    whole = (
        MARK,
        *(version or (BININT(1),)),
        *(shape or ints(1)),
        *(kind or dtype()),
        *(fortran or (NEWFALSE,)),
        *(data or (BINBYTES(F8),)),
        TUPLE,
    )
    arguments = new or (*ints(0), BINBYTES(b"b"), TUPLE3)
    return (*made, *arguments, REDUCE, *(state or whole), BUILD)


def from_buffer(
    *data: Any, dtype: Any = None, shape: Any = None, rest: Any = None
) -> tuple[Any, ...]:
    """Return an array of one float over a buffer, but for what is given."""
    return (
        GLOBAL(f"{CORE}.numeric", "_frombuffer"),
        MARK,
        *(data or (BYTEARRAY8(F8),)),
        *(dtype or globals()["dtype"]()),
        *(shape or ints(1)),
        *(rest or (BINUNICODE("C"),)),
        TUPLE,
        REDUCE,
    )


def scalar(*data: Any, kind: Any = None) -> tuple[Any, ...]:
    """Return a scalar."""
    return (
        GLOBAL(f"{CORE}.multiarray", "scalar"),
        MARK,
        *(kind or dtype()),
        *(data or (BINBYTES(F8),)),
        TUPLE,
        REDUCE,
    )


def state(*values: Any) -> tuple[Any, ...]:
    """Return a tuple of instructions."""
    return (MARK, *values, TUPLE)


def memoized(program: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the program as a pickler writes it: each tuple and result has its slot in the memo.

    Slots that nothing fetches let an array wait for its state.
    """
    made: list[Any] = []
    for each in program:
        made.append(each)
        if each in (TUPLE, TUPLE1, TUPLE2, TUPLE3, REDUCE):
            made.append(MEMOIZE)
    return tuple(made)


def records(
    *,
    code: str = "V12",
    names: Any = ("a", "b"),
    fields: Any = None,
    rest: Any = None,
    before: Any = None,
) -> tuple[Any, ...]:
    """Return a dtype of records of a float and an int, but for what is given."""
    call = (BINUNICODE(code), NEWFALSE, NEWTRUE, TUPLE3)
    before = before or (BININT(3), BINUNICODE("|"), NONE)
    fields = fields or (("a", dtype(), BININT(0)), ("b", dtype("i4"), BININT(8)))
    return (
        *(GLOBAL("numpy", "dtype"), *call, REDUCE, MARK, *before),
        *(MARK, *map(BINUNICODE, names), TUPLE, EMPTY_DICT, MARK),
        *(part for name, *field in fields for part in (BINUNICODE(name), *flat(field))),
        *(SETITEMS, *(rest or (BININT(12), BININT(1), BININT(16))), TUPLE, BUILD),
    )


def flat(field: Any) -> tuple[Any, ...]:
    """Return the tuple of a field: a dtype, its offset, and a title if there is one."""
    kind, *rest = field
    return (*kind, *rest, (TUPLE2, TUPLE3)[len(rest) - 1])
