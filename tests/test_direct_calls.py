"""Calls in one step: dates, numbers, arrays, and the bytes of protocols 0 to 2.

Such a call is written down where the interpreter's objects are known, and judged by the contract
alone once its name is resolved.  Here the values are pickle's own in all that can be asked of
them, what the contract refuses is refused behind calls that were let through, and both ways cost
the same.  Where `PICKLIST_SLOW` is set the constructors run, under the same tests.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import gc
import io
import itertools
import pickle
import pickletools
import sys
import uuid
import zoneinfo
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import picklist
from assembler import EMPTY_TUPLE, GLOBAL, NEWOBJ, PROTO, REDUCE, TUPLE2, asm
from payloads import Build, call, literal, mention

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
UTC = datetime.timezone.utc  # noqa: UP017 - the name that the pickle stores
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30), "east")
WEST = datetime.timezone(-datetime.timedelta(hours=3, microseconds=1))
NOON = b"\x07\xe8\x06\x0f\x0c\x00\x00\x00\x00\x00"

DATES = [datetime.date.min, datetime.date(2024, 2, 29), datetime.date.max]
CLOCKS = [
    datetime.time.min,
    datetime.time(1, 2, 3, 0x040506),
    datetime.time.max,
    datetime.time(2, 30, fold=1),
    datetime.time(2, 30, tzinfo=UTC),
    datetime.time(2, 30, fold=1, tzinfo=EAST),
]
DATETIMES = [
    datetime.datetime.min,
    datetime.datetime(1970, 1, 1),
    datetime.datetime(2024, 2, 29, 23, 59, 59, 999_999),
    datetime.datetime(2024, 10, 27, 2, 30, fold=1),
    datetime.datetime(2024, 10, 27, 2, 30, 0, 255, tzinfo=UTC, fold=1),
    datetime.datetime(2024, 6, 15, 12, tzinfo=EAST),
    datetime.datetime(2024, 6, 15, 12, tzinfo=WEST),
    datetime.datetime.max,
]
DELTAS = [
    datetime.timedelta(0),
    datetime.timedelta.min,
    datetime.timedelta.max,
    datetime.timedelta(-1, 86_399, 999_999),
    datetime.timedelta(microseconds=1),
]
AMOUNTS = """
0 -0 0.00 -0.000 7 -7 1.50 .5 5. 000123.4500 0.1 99999.99 9999999999999999999 -999999999.9999999999
10000000000000000000 0.00000000000000000001 123456789012345678901234567890 1E+5 1e-7 -1.5E+300
0.1428571428571428571428571428571428571428 99999999999999999999999999999999999999 1E-300 12.50e+300
-0E+10 0E-9999 100000000000000000000000000000000000000 -9999999999999999999.9999999999999999999
0E+10000 Infinity -inf NaN sNaN123 1_0
""".split()  # noqa: SIM905


def many(values: list[Any]) -> list[Any]:
    """Enough of them that the memo is scanned, and every name resolved."""
    return [copy.copy(value) for value in values for _ in range(5)]


def same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    assert repr(ours) == repr(theirs)
    assert sys.getsizeof(ours) == sys.getsizeof(theirs)
    assert gc.is_tracked(ours) == gc.is_tracked(theirs)
    assert pickle.dumps(ours, 4) == pickle.dumps(theirs, 4)
    if not (isinstance(ours, Decimal) and ours.is_nan()):
        assert ours == theirs
        assert hash(ours) == hash(theirs)


def loaded(data: bytes, **options: Any) -> Any:
    """From memory and from a file, whose memo is never known to be dead."""
    first = picklist.safe_loads(data, **options)
    for again in (
        picklist.safe_loads(data, **options),
        picklist.safe_load(io.BytesIO(data), **options),
    ):
        assert repr(again) == repr(first)
    return first


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "values", [DATES, CLOCKS, DATETIMES, DELTAS], ids=["dates", "times", "datetimes", "deltas"]
)
def test_the_datetime_family(values: list[Any], protocol: int) -> None:
    data = pickle.dumps(many(values), protocol)
    for ours, theirs in zip(loaded(data), pickle.loads(data), strict=True):
        same(ours, theirs)
        if isinstance(ours, datetime.date) and theirs.year < 9999:
            same(ours + datetime.timedelta(days=1), theirs + datetime.timedelta(days=1))
            assert ours.isoformat() == theirs.isoformat()
            assert ours.timetuple() == theirs.timetuple()
        if isinstance(ours, (datetime.datetime, datetime.time)):
            assert ours.fold == theirs.fold
            assert ours.utcoffset() == theirs.utcoffset()
            same(ours.replace(minute=1), theirs.replace(minute=1))
        if isinstance(ours, datetime.timedelta):
            same(ours / 3, theirs / 3)
            assert (ours.days, ours.seconds, ours.microseconds) == (
                theirs.days,
                theirs.seconds,
                theirs.microseconds,
            )


@given(st.datetimes(timezones=st.none() | st.sampled_from([UTC, EAST, WEST])))
def test_any_datetime(value: datetime.datetime) -> None:
    for each in (
        value,
        value.timetz(),
        value.date(),
        value - datetime.datetime(1, 1, 1, tzinfo=value.tzinfo),
    ):
        same(picklist.safe_loads(pickle.dumps(each)), pickle.loads(pickle.dumps(each)))


def test_a_zone_is_shared_and_given_back() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2), "shared")
    values = [datetime.datetime(2020, 1, 1 + i, tzinfo=zone) for i in range(20)]
    ours = picklist.safe_loads(pickle.dumps([values, values[0].timetz()]))
    zones = {id(each.tzinfo) for each in ours[0]} | {id(ours[1].tzinfo)}
    assert len(zones) == 1
    kept = ours[0][0].tzinfo
    before = sys.getrefcount(kept)
    del ours
    assert sys.getrefcount(kept) == before - 21
    data = pickle.dumps([datetime.datetime(2020, 1, 1 + i, tzinfo=UTC) for i in range(20)])
    assert all(each.tzinfo is UTC for each in picklist.safe_loads(data))
    before = sys.getrefcount(UTC)
    for _ in range(100):
        picklist.safe_loads(data)
    assert abs(sys.getrefcount(UTC) - before) < 100


class Fixed(datetime.tzinfo):
    """A zone of a user's own."""

    def utcoffset(self, _: Any) -> datetime.timedelta:
        return datetime.timedelta(hours=1)

    def __repr__(self) -> str:
        return "Fixed()"


def test_zones_of_every_kind_take_turns() -> None:
    zones = [UTC, EAST, zoneinfo.ZoneInfo("UTC"), Fixed(), None]
    values = [datetime.datetime(2024, 1, 1, tzinfo=zone) for zone in zones * 5]
    values += [each.timetz() for each in values]  # type: ignore[misc]
    policy = picklist.Policy([Fixed], base=["std", "zoneinfo"])
    data = pickle.dumps(values)
    for ours, theirs in zip(loaded(data, policy=policy), pickle.loads(data), strict=True):
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("encoding", ["latin1", "bytes"])
def test_states_of_python_2(encoding: str) -> None:
    """Its native str: text under one encoding, bytes under the other."""
    state = b"U\x0a" + NOON
    each = b"cdatetime\ndatetime\n" + state + b"\x85R"
    day = b"cdatetime\ndate\nU\x04" + NOON[:4] + b"\x85R"
    clock = b"cdatetime\ntime\nU\x06" + NOON[4:] + b"\x85R"
    data = b"\x80\x02(" + (each + day + clock) * 6 + b"l."
    assert loaded(data, encoding=encoding) == pickle.loads(data, encoding=encoding)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_decimals(protocol: int) -> None:
    values = many([Decimal(text) for text in AMOUNTS])
    data = pickle.dumps(values, protocol)
    for ours, theirs in zip(loaded(data), pickle.loads(data), strict=True):
        if ours.is_snan():
            assert ours.as_tuple() == theirs.as_tuple()
            continue
        same(ours, theirs)
        assert ours.as_tuple() == theirs.as_tuple()
        if ours.is_finite():
            for change in (Decimal.copy_negate, Decimal.normalize, Decimal.sqrt, int, float):
                if not (change is Decimal.sqrt and ours < 0):
                    assert repr(change(ours)) == repr(change(theirs))
            assert repr(ours * 3 - 7) == repr(theirs * 3 - 7)
            assert repr(ours**3) == repr(theirs**3)


@given(st.from_regex(r"\A[+-]?[0-9]{0,22}\.?[0-9]{0,22}([eE][+-]?[0-9]{0,5})?\Z"))
def test_any_literal_of_digits(text: str) -> None:
    """As given, zeros and points and all: the class itself would write another text."""
    data = asm(PROTO(4), b"(", *[call("decimal.Decimal", text)] * 6, b"l")
    try:
        want = Decimal(text)
    except decimal.InvalidOperation:
        with pytest.raises(picklist.UnsafePickleError):
            picklist.safe_loads(data)
    else:
        for ours in picklist.safe_loads(data):
            assert ours.as_tuple() == want.as_tuple()
            same(ours, want)


def test_no_context_has_a_say_in_a_literal() -> None:
    data = pickle.dumps(
        [Decimal("1234567.891")] * 2 + [Decimal("-7.77"), Decimal("1.5"), Decimal("8")] * 3
    )
    with decimal.localcontext() as context:
        context.clear_flags()
        context.prec, context.Emax, context.Emin = 2, 1, -1
        for signal in context.traps:
            context.traps[signal] = True
        assert list(map(repr, picklist.safe_loads(data))) == list(map(repr, pickle.loads(data)))
        assert not any(context.flags.values())


@pytest.mark.parametrize("protocol", range(3))
@pytest.mark.parametrize("value", [b"a\xff\x00", b"ab", b"x" * 300, b"\xff"])
def test_bytes_before_protocol_3(value: bytes, protocol: int) -> None:
    data = pickle.dumps([bytes(bytearray(value)) for _ in range(8)], protocol)
    assert loaded(data) == [value] * 8


def mention_of(module: str, name: str) -> Build:
    return Build(mention(module, name))


ARRAY = mention_of("array", "array")
COMPLEX = mention_of("builtins", "complex")
REFUSED: dict[str, list[tuple[Any, ...]]] = {
    "decimal.Decimal": [
        ("1.5.2",),
        ("",),
        (".",),
        ("-",),
        ("+-1",),
        ("1,5",),
        ("\u0661",),
        (1.5,),
        (7,),
        ("1", 2),
    ],
    "datetime.date": [
        (b"\7\xe8\2\x1e",),
        (b"\7\xe8\x81\1",),
        (b"\0\0\1\1",),
        (b"\x27\x10\1\1",),
        (b"\7\xe8\1",),
    ],
    "datetime.time": [
        (b"\x18\0\0\0\0\0",),
        (b"\0\x3c\0\0\0\0",),
        (b"\0\0\x3c\0\0\0",),
        (b"\0\0\0\x0f\x42\x40",),
    ],
    "datetime.datetime": [
        (NOON[:2] + b"\0" + NOON[3:],),
        (NOON[:3] + b"\x1f" + NOON[4:],),
        (NOON[:4] + b"\x18" + NOON[5:],),
        (NOON[:4] + b"\x8c" + NOON[5:],),
        (NOON[:7] + b"\xff\xff\xff",),
        (NOON + b"\0",),
        (NOON[:9],),
        (NOON, None),
        (NOON, NOON),
        (NOON, Build([call("datetime.timedelta", 0, 3600, 0)])),
        (NOON, Build(mention("datetime", "timezone"))),
    ],
    "datetime.timedelta": [
        (10**9, 0, 0),
        (0, -1, 0),
        (0, 86_400, 0),
        (0, 0, 10**6),
        (True, 0, 0),
        (2**80, 0, 0),
        (1,),
    ],
    "collections.OrderedDict": [({},), ((),), ([1],)],
    "builtins.range": [(0, 5), (0, 5, 0), (0, True, 1), (0, 1, 1.0), ("0", 1, 1)],
    "builtins.slice": [(1, 2), (1,), ([1], None, None), (1, None, (1,))],
    "fractions.Fraction": [(1, 0), (1, -3), (1.5, 1), (True, 1), (1, None), ("1/0",), ("1e9",)],
    "collections.deque": [((), -1), ((1,),), ("ab",), ((), 2**70), ((), 1.0), ((), 1, 2)],
    "collections.defaultdict": [(1,), (COMPLEX,), (mention_of("builtins", "int"), {})],
    "types.SimpleNamespace": [(1,), ({"a": 1},)],
    "array.array": [
        ("i", [1, 2**31]),
        ("i", [1.5]),
        ("i", [True]),
        ("B", [-1]),
        ("Q", [2**64]),
        ("d", [2**70]),
        ("d", ["1"]),
        ("x", [1]),
        ("ii", [1]),
        ("i", (1,)),
        ("i",),
    ],
    "array._array_reconstructor": [
        (ARRAY, "i", 22, b"abcd"),
        (ARRAY, "i", -1, b"abcd"),
        (ARRAY, "i", 8, b"abc"),
        (ARRAY, "i", 16, b"abcdabcd"),
        (ARRAY, "i", 6, b"abcd"),
        (ARRAY, "x", 8, b"abcd"),
        (ARRAY, "i", 8, "abcd"),
        (mention_of("collections", "deque"), "i", 8, b"abcd"),
    ],
    "ipaddress.IPv4Address": [(-1,), (2**32,), (True,), ("1.2.3.4",), (b"1234",), ()],
    "ipaddress.IPv6Address": [
        ("1::2::3",),
        ("::g",),
        ("::1/64",),
        ("::1%",),
        ("1.2.3.4",),
        ("",),
        (b"::1",),
        (-1,),
    ],
    "ipaddress.IPv4Network": [
        ("10.0.0.1/8",),
        ("10.0.0.0",),
        ("10.0.0.0/33",),
        ("10.0.0.0/+8",),
        ("010.0.0.0/8",),
        ("0.0.0.1/0",),
        ("::/8",),
        (("10.0.0.0", 8),),
    ],
    "ipaddress.IPv6Interface": [("::1",), ("::1/129",), ("::g/64",), ("1.2.3.4/8",), (1,)],
    "pathlib.PurePosixPath": [(1,), (b"a",), ("/", None)],
    "builtins.ValueError": [(mention_of("collections", "deque"),)],
    "_codecs.encode": [
        ("a", "utf-8"),
        ("Ā", "latin1"),
        ("a", b"latin1"),
        ("a",),
        ("a", "latin1", "strict"),
    ],
}
GOOD = {
    "decimal.Decimal": ("1.5",),
    "datetime.date": (NOON[:4],),
    "datetime.time": (NOON[4:],),
    "datetime.datetime": (NOON,),
    "datetime.timedelta": (1, 2, 3),
    "collections.OrderedDict": (),
    "builtins.range": (0, 1000, 7),
    "builtins.slice": (1, None, -1),
    "fractions.Fraction": (-7, 3),
    "collections.deque": ((), 5),
    "collections.defaultdict": (mention_of("builtins", "int"),),
    "types.SimpleNamespace": (),
    "array.array": ("i", [1, -2, 2**31 - 1]),
    "array._array_reconstructor": (ARRAY, "i", 8, b"abcdefgh"),
    "ipaddress.IPv4Address": (0x7F000001,),
    "ipaddress.IPv6Address": ("2001:db8::1",),
    "ipaddress.IPv4Network": ("10.0.0.0/8",),
    "ipaddress.IPv6Interface": ("2001:db8::1/64",),
    "pathlib.PurePosixPath": ("/", "usr", "lib"),
    "builtins.ValueError": ("text", 1, None, (1,)),
    "_codecs.encode": ("a\xff", "latin1"),
}


@pytest.mark.parametrize(
    ("path", "args"), [(path, args) for path, all_ in REFUSED.items() for args in all_]
)
def test_what_the_contract_refuses_behind_what_it_lets_through(
    path: str, args: tuple[Any, ...]
) -> None:
    """The right to call is judged once, the arguments each time."""
    good = call(path, *GOOD[path])
    policy = picklist.Policy(base="exceptions")
    assert len(policy.loads(asm(PROTO(4), b"(", *[good] * 8, b"l"))) == 8
    with pytest.raises(picklist.UnsafePickleError) as caught:
        policy.loads(asm(PROTO(4), b"(", *[good] * 8, call(path, *args), b"l"))
    alone = asm(PROTO(4), call(path, *args))
    with pytest.raises(type(caught.value)) as first:
        picklist.Policy(base="exceptions").loads(alone)
    assert getattr(first.value, "kind", None) == getattr(caught.value, "kind", None)


def test_an_instance_of_anything_else_is_no_zone() -> None:
    """Its entry says that it may be one, the object says that it is not."""
    box = Build([*mention("picklist_canary", "Box"), EMPTY_TUPLE, NEWOBJ])
    for path, state in (("datetime.datetime", NOON), ("datetime.time", NOON[4:])):
        good = call(
            path,
            state,
            Build([b"cdatetime\ntimezone\n", call("datetime.timedelta", 0, 60, 0), b"\x85R"]),
        )
        with pytest.raises(picklist.UnsafePickleError, match="tzinfo"):
            picklist.safe_loads(
                asm(PROTO(4), b"(", *[good] * 6, call(path, state, box), b"l"),
                allow=["picklist_canary.Box"],
            )


class Keywords:
    """Made by NEWOBJ_EX, which protocol 2 spells as a `functools.partial`."""

    def __new__(cls, *_: Any, **__: Any) -> Keywords:
        return object.__new__(cls)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (1,), {"b": 2}


def test_an_instance_that_is_not_made_yet_is_no_argument() -> None:
    """It passes for an instance of its class, and has no object: refused, and no crash."""
    data = pickletools.optimize(pickle.dumps(Keywords(), 2))
    waiting = data[2 : data.rindex(b")R")].replace(b"c__builtin__", b"cbuiltins")
    allow = [picklist.Allow(f"{__name__}.Keywords", new="(*any, **any)")]
    assert isinstance(picklist.safe_loads(data, allow=allow), Keywords)
    for program in (
        [GLOBAL("datetime", "datetime"), literal(NOON), waiting, TUPLE2, REDUCE],
        [GLOBAL("datetime", "time"), literal(NOON[4:]), waiting, TUPLE2, REDUCE],
        [GLOBAL("_operator", "or_"), waiting, waiting, TUPLE2, REDUCE],
    ):
        with pytest.raises(picklist.UnsafePickleError):
            picklist.safe_loads(asm(PROTO(4), *program), allow=allow)


def test_arguments_that_hold_a_name_are_no_value_of_an_enum() -> None:
    """A tuple of a name that may only be called is never made: refused, and no crash."""
    assert uuid.SafeUUID  # so that the class is found without an import
    inner = [GLOBAL("_codecs", "encode"), b"\x85"]
    data = asm(PROTO(4), GLOBAL("uuid", "SafeUUID"), *inner, b"\x85", REDUCE)
    for _ in range(2):
        with pytest.raises(picklist.UnsafePickleError):
            picklist.safe_loads(data)


# --- what it costs -------------------------------------------------------------------------------

AWARE = Build([b"cdatetime\ntimezone\n", call("datetime.timedelta", 0, 60, 0), b"\x85R"])
PRICED = {
    **GOOD,
    "datetime.datetime": (NOON, AWARE),
    "datetime.time": (NOON[4:], AWARE),
    "decimal.Decimal": ("12345678901.25",),
    "_codecs.encode": ("a" * 500, "latin1"),
}


def least(limit: str, data: bytes, policy: Any, low: int, high: int) -> int:
    """The least limit under which it loads."""
    while low < high:
        middle = (low + high) // 2
        try:
            picklist.safe_loads(data, policy=policy(), limits=picklist.Limits(**{limit: middle}))
            high = middle
        except picklist.LimitExceededError:
            low = middle + 1
    return low


@pytest.mark.parametrize("path", PRICED)
@pytest.mark.parametrize(("limit", "high"), [("max_memory", 4096), ("max_depth", 16)])
def test_both_ways_cost_the_same(path: str, limit: str, high: int) -> None:
    """The first call of a policy takes the long way, since its name is not resolved."""
    data = asm(PROTO(4), call(path, *PRICED[path]))

    def new() -> picklist.Policy:
        return picklist.Policy(base="exceptions")

    known = new()
    for _ in range(2):
        known.loads(data)
    assert least(limit, data, lambda: known, 0, high) == least(limit, data, new, 0, high)


def test_items_of_an_ordered_dict_cost_the_same_from_a_template() -> None:
    """Seven of them: the first are filled key by key, the last from a template."""

    def cost(count: int) -> int:
        each = b"ccollections\nOrderedDict\n)R(X\x02\0\0\0abK\x01X\x02\0\0\0cdK\x02u0"
        data = asm(PROTO(4), *[each] * count, b"N")
        return least("max_memory", data, lambda: known, 0, 1 << 15)

    known = picklist.Policy()
    costs = [cost(count) for count in range(1, 8)]
    assert len({after - before for before, after in itertools.pairwise(costs)}) == 1
