"""numpy's scalars: those of numbers are made natively, in one step from the second on."""

from __future__ import annotations

import itertools
import pickle

import pytest

import picklist
from assembler import APPENDS, BINBYTES, BINGET, EMPTY_LIST, MARK, MEMOIZE, NONE, PROTO, TUPLE, asm
from numpy_arrays import CORE, NAMES, PLAIN, alike_dtypes, dtype, numpy, scalar
from picklist import Allow, Policy, inspect, safe_loads

NUMBERS = ["?", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), *"efdgFDG"]


@pytest.mark.parametrize("code", NUMBERS)
def test_many_scalars_are_as_pickle_makes_them(code: str) -> None:
    """From the second on, they are made in one step."""
    kind = numpy.dtype(code)
    values = list((numpy.arange(20) % 2).astype(kind))
    if kind.kind in "fc":
        values += list(numpy.array([numpy.nan, numpy.inf, -0.0, 1.5]).astype(kind))
    for protocol in (2, 3, 4, 5):
        data = pickle.dumps([*values, kind], protocol)
        ours, theirs = safe_loads(data, policy=PLAIN), pickle.loads(data)
        for left, right in zip(ours[:-1], theirs[:-1], strict=True):
            assert type(left) is type(right)
            assert left.tobytes() == right.tobytes()
            alike_dtypes(left.dtype, right.dtype)
    swapped = dtype(kind.str[1:], "|" if kind.itemsize == 1 else ">")
    content = numpy.array(values[1]).astype(kind.newbyteorder(">")).tobytes()
    one = scalar(BINBYTES(content), kind=(*swapped, MEMOIZE))
    more = scalar(BINBYTES(content), kind=(BINGET(0),)) * 3
    data = asm(PROTO(4), MARK, *one, *more, TUPLE)
    assert safe_loads(data, policy=PLAIN) == pickle.loads(data) == (values[1],) * 4


def test_many_scalars_that_break_the_contract() -> None:
    """Where those before it were made in one step."""
    good = scalar(kind=(*dtype(), MEMOIZE)), scalar(kind=(BINGET(0),)), scalar(kind=(BINGET(0),))
    for bad in (
        scalar(BINBYTES(b"\0" * 7), kind=(BINGET(0),)),
        scalar(BINBYTES(b"\0" * 9), kind=(BINGET(0),)),
        scalar(BINBYTES(b""), kind=(BINGET(0),)),
        scalar(NONE, kind=(BINGET(0),)),
        scalar(BINBYTES(b"\2"), kind=dtype("b1", "|")),
        scalar(BINBYTES(b"\0" * 8), NONE, kind=(BINGET(0),)),
    ):
        data = asm(
            PROTO(4), EMPTY_LIST, MARK, *(part for one in good for part in one), *bad, APPENDS
        )
        with pytest.raises(picklist.ForbiddenCallError):
            safe_loads(data, policy=PLAIN)
        assert not inspect(data, policy=PLAIN).allowed


def test_scalars_that_are_numpys_to_make() -> None:
    """Text, bytes, times, records and objects, behind native ones too."""
    values = [
        numpy.str_("abc"),
        numpy.bytes_(b"abc"),
        numpy.datetime64("2020-01-01"),
        numpy.timedelta64(3, "s"),
        numpy.zeros((), "i4,f8")[()],
    ]
    policy = Policy(
        allow=[
            *NAMES,
            *(Allow(type(v.dtype), state="setstate") for v in values),
        ]
    )
    for protocol, value in itertools.product((2, 4, 5), values):
        data = pickle.dumps([*map(numpy.float64, range(4)), value, numpy.float64(9)], protocol)
        ours, theirs = safe_loads(data, policy=policy), pickle.loads(data)
        assert [type(v) for v in ours] == [type(v) for v in theirs]
        assert ours == theirs
        assert ours[4].dtype == theirs[4].dtype


def test_a_contract_of_scalars_counts_too() -> None:
    """What is written in a policy is asked of the first, and of all that differ from it."""
    values = [numpy.float64(n) for n in range(5)]
    for call, allowed in (("(instance, bytes)", True), ("(instance, str)", False)):
        names = [*NAMES[:2], Allow(f"{CORE}.multiarray.scalar", call=call)]
        data = pickle.dumps(values, 4)
        if allowed:
            assert safe_loads(data, policy=Policy(allow=names)) == values
        else:
            with pytest.raises(picklist.ForbiddenCallError, match="its contract is"):
                safe_loads(data, policy=Policy(allow=names))
