"""Allowed callables with dangerous arguments (THREATS C).

Everything here is in the default policy or in a preset: the names are allowed, and what is judged
is the call.  Contracts are checked on exact types and ranges before Python sees anything, so that
nothing is allocated, parsed or looked up for a call that is refused.  CPython's documentation of
the functions says what they would do; the weaknesses are CWE-502, CWE-400 and CWE-1284.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

import picklist
import picklist_canary as canary
from assembler import (
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    NEWOBJ,
    NONE,
    PROTO,
    REDUCE,
    SETITEM,
    TUPLE,
    asm,
)
from payloads import Build, call, dict_state, literal, mention, params, slot_state

INERT = Build(mention("picklist_canary", "inert"))
BOX = Build([*mention("picklist_canary", "Box"), EMPTY_TUPLE, NEWOBJ])
LIST = Build(mention("builtins", "list"))
# Kept small: what is judged is the type of the argument, and a failure must not eat the machine.
SIZE = 4096
RANGE = Build([call("builtins.range", 0, SIZE, 1)])
DAY = Build([call("datetime.timedelta", 1, 0, 0)])
HOUR = Build([call("datetime.timedelta", 0, 3600, 0)])
DECIMAL = Build([call("decimal.Decimal", "1E+10000")])
ARRAY = Build(mention("array", "array"))
DIGITS = "9" * 5000
NOON = b"\x07\xe8\x06\x0f\x0c\x00\x00\x00\x00\x00"
ALLOW = ["picklist_canary.Box", "picklist_canary.inert"]

REFUSED: dict[str, tuple[str, tuple[Any, ...]]] = {
    # Allocation by a number, or by a range that costs nine bytes.
    "bytearray of a size": ("builtins.bytearray", (SIZE,)),
    "bytearray of a range": ("builtins.bytearray", (RANGE,)),
    "bytearray of a list": ("builtins.bytearray", ([1, 2],)),
    "bytearray in another codec": ("builtins.bytearray", ("abc", "utf-7")),
    "bytearray with errors": ("builtins.bytearray", ("abc", "latin-1", "picklist")),
    "bytes of a size": ("builtins.bytes", (SIZE,)),
    "bytes of a range": ("builtins.bytes", (RANGE,)),
    "set of a range": ("builtins.set", (RANGE,)),
    "frozenset of a range": ("builtins.frozenset", (RANGE,)),
    "set of a str": ("builtins.set", ("abc",)),
    "set of a dict": ("builtins.set", ({1: 2},)),
    "deque of a range": ("collections.deque", (RANGE,)),
    "deque with a negative maxlen": ("collections.deque", ([], -1)),
    "deque with text for maxlen": ("collections.deque", ([], "2")),
    "list of a range": ("builtins.list", (RANGE,)),
    "tuple of a range": ("builtins.tuple", (RANGE,)),
    "Counter of a range": ("collections.Counter", (RANGE,)),
    "Counter of text": ("collections.Counter", ("aaa",)),
    "OrderedDict of a range": ("collections.OrderedDict", (RANGE,)),
    "array of a range": ("array.array", ("q", RANGE)),
    # Types are values, never callables.
    "int of digits": ("builtins.int", (DIGITS,)),
    "int of text": ("builtins.int", ("1", 36)),
    "float of text": ("builtins.float", ("1",)),
    "str with a codec": ("builtins.str", (b"abc", "rot13")),
    "dict of pairs": ("builtins.dict", ([(1, 2)],)),
    "bool": ("builtins.bool", (1,)),
    "object": ("builtins.object", ()),
    "type of three": ("builtins.type", ("X", (), {})),
    "type of a list": ("builtins.type", ([],)),
    "type of a class": ("builtins.type", (LIST,)),
    "type of nothing": ("builtins.type", ()),
    # Conversions that run for ever, or any codec.
    "Fraction of an exponent": ("fractions.Fraction", ("1e10000",)),
    "Fraction of a decimal": ("fractions.Fraction", (DECIMAL,)),
    "Fraction of many digits": ("fractions.Fraction", (f"{DIGITS}/7",)),
    "Fraction of a float": ("fractions.Fraction", (0.5,)),
    "Fraction over zero": ("fractions.Fraction", (1, 0)),
    "Fraction over zero in text": ("fractions.Fraction", ("1/0",)),
    "Fraction of text": ("fractions.Fraction", ("one",)),
    "Fraction of one list": ("fractions.Fraction", ([1],)),
    "Decimal of an int": ("decimal.Decimal", (10**5000,)),
    "Decimal of text": ("decimal.Decimal", ("one",)),
    "Decimal of a tuple": ("decimal.Decimal", ((0, (1,), 0),)),
    "Decimal with a context": ("decimal.Decimal", ("1", None)),
    "encode to rot13": ("_codecs.encode", ("abc", "rot13")),
    "encode to zlib": ("_codecs.encode", (b"abc", "zlib")),
    "encode to idna": ("_codecs.encode", ("a" * 1000, "idna")),
    "encode without a codec": ("_codecs.encode", ("abc",)),
    "encode with errors": ("_codecs.encode", ("abc", "latin1", "picklist")),
    "encode bytes": ("_codecs.encode", (b"abc", "latin1")),
    "encode what does not fit": ("_codecs.encode", ("\u20ac", "latin1")),
    "complex of text": ("builtins.complex", ("1j",)),
    "range with a zero step": ("builtins.range", (0, 1, 0)),
    "range of floats": ("builtins.range", (0.0, 1.0, 1.0)),
    "slice of a list": ("builtins.slice", ([], 1, 2)),
    "slice of an instance": ("builtins.slice", (BOX, 1, 2)),
    # Packed fields: CPython checks the month alone, and crashes or lies later.
    "date of day zero": ("datetime.date", (b"\x00\x01\x01\x00",)),
    "date of year zero": ("datetime.date", (b"\x00\x00\x01\x01",)),
    "date of month zero": ("datetime.date", (b"\x07\xe8\x00\x01",)),
    "date of month 13": ("datetime.date", (b"\x07\xe8\x0d\x01",)),
    "date of 30 February": ("datetime.date", (b"\x07\xe8\x02\x1e",)),
    "date of 29 February 2023": ("datetime.date", (b"\x07\xe7\x02\x1d",)),
    "date of year 10000": ("datetime.date", (b"\x27\x10\x01\x01",)),
    "date of five bytes": ("datetime.date", (b"\x07\xe8\x01\x01\x01",)),
    "date of ints": ("datetime.date", (2024, 1, 1)),
    "date with a fold": ("datetime.date", (b"\x07\xe8\x81\x01",)),
    "time of hour 24": ("datetime.time", (b"\x18\x00\x00\x00\x00\x00",)),
    "time of hour 255": ("datetime.time", (b"\xff\xff\xff\xff\xff\xff",)),
    "time of minute 60": ("datetime.time", (b"\x00\x3c\x00\x00\x00\x00",)),
    "time of second 60": ("datetime.time", (b"\x00\x00\x3c\x00\x00\x00",)),
    "time of 10**6 microseconds": ("datetime.time", (b"\x00\x00\x00\x0f\x42\x40",)),
    "datetime of hour 255": ("datetime.datetime", (NOON[:4] + b"\xff" + NOON[5:],)),
    "datetime of microseconds": ("datetime.datetime", (NOON[:7] + b"\xff\xff\xff",)),
    "datetime of text": ("datetime.datetime", ("2024-01-01",)),
    "datetime of ints": ("datetime.datetime", (2024, 1, 1)),
    "datetime with text for zone": ("datetime.datetime", (NOON, "UTC")),
    "datetime with an offset for zone": ("datetime.datetime", (NOON, HOUR)),
    "datetime with an instance for zone": ("datetime.datetime", (NOON, BOX)),
    "datetime with a function for zone": ("datetime.datetime", (NOON, LIST)),
    "time with an instance for zone": ("datetime.time", (NOON[4:], BOX)),
    "timedelta beyond its range": ("datetime.timedelta", (10**9, 0, 0)),
    "timedelta of a huge int": ("datetime.timedelta", (2**200, 0, 0)),
    "timedelta of floats": ("datetime.timedelta", (1e308, 0, 0)),
    "timedelta with seven arguments": ("datetime.timedelta", (1, 2, 3, 4, 5, 6, 7)),
    "timezone of a day": ("datetime.timezone", (DAY,)),
    "timezone of an int": ("datetime.timezone", (3600,)),
    "timezone named by an int": ("datetime.timezone", (HOUR, 5)),
    # Callables handed on to be called later.
    "defaultdict of a function": ("collections.defaultdict", (INERT,)),
    "defaultdict of a class": ("collections.defaultdict", (Build(BOX[:3]),)),
    "defaultdict of an encoder": (
        "collections.defaultdict",
        (Build(mention("_codecs", "encode")),),
    ),
    "defaultdict of text": ("collections.defaultdict", ("list",)),
    "defaultdict with items": ("collections.defaultdict", (LIST, {1: 2})),
    # Text that is parsed.
    "address of a negative int": ("ipaddress.IPv4Address", (-1,)),
    "address beyond 32 bits": ("ipaddress.IPv4Address", (2**32,)),
    "address beyond 128 bits": ("ipaddress.IPv6Address", (2**128,)),
    "address of bytes": ("ipaddress.IPv4Address", (b"abcd",)),
    "network of a tuple": ("ipaddress.IPv4Network", (("10.0.0.0", 8),)),
    "network of text": ("ipaddress.IPv4Network", ("ten",)),
    "network of long text": ("ipaddress.IPv6Network", ("f" * 100_000,)),
    "path of bytes": ("pathlib.PurePosixPath", (b"x",)),
    "path of an int": ("pathlib.PurePosixPath", (5,)),
    "path of an instance": ("pathlib.PurePosixPath", (BOX,)),
    "SafeUUID of text": ("uuid.SafeUUID", ("safe",)),
    "SafeUUID of 7": ("uuid.SafeUUID", (7,)),
    # Machine formats.
    "array of no type": ("array.array", ("x", [])),
    "array that does not fit": ("array.array", ("b", [300])),
    "array of text": ("array.array", ("b", "abc")),
    "array over a list": ("array._array_reconstructor", (LIST, "b", 1, b"")),
    "array of format 99": ("array._array_reconstructor", (ARRAY, "b", 99, b"")),
    "array of format -1": ("array._array_reconstructor", (ARRAY, "b", -1, b"")),
    "array of another format": ("array._array_reconstructor", (ARRAY, "b", 14, b"x" * 8)),
    "array of half an item": ("array._array_reconstructor", (ARRAY, "d", 16, b"x" * 7)),
    "array of text bytes": ("array._array_reconstructor", (ARRAY, "b", 1, "x")),
    "unicode beyond Unicode": ("array._array_reconstructor", (ARRAY, "u", 20, b"\xff" * 4)),
    "SimpleNamespace of a dict": ("types.SimpleNamespace", ({"a": 1},)),
    "NotImplemented": ("builtins.NotImplemented", ()),
    "Ellipsis": ("builtins.Ellipsis", ()),
}


@pytest.mark.parametrize(("path", "args"), params(REFUSED))
def test_a_call_beyond_its_contract(path: str, args: tuple[Any, ...], nothing_ran: Any) -> None:
    """The call is refused by REDUCE and by OBJ, at once, and the refusal names the callable."""
    begun = time.perf_counter()
    data = asm(PROTO(4), call(path, *args))
    nothing_ran.refused(data, path.rpartition(".")[2], allow=ALLOW)
    module, _, name = path.rpartition(".")
    program: list[Any] = [b"(", *mention(module, name)]
    for value in args:
        program += value if isinstance(value, Build) else [literal(value)]
    if args:  # OBJ without arguments makes an instance of a class, as NEWOBJ does
        nothing_ran.refused(asm(PROTO(4), *program, b"o"), allow=ALLOW)
    assert time.perf_counter() - begun < 2


NOT_IN_THE_DEFAULTS = """
re._compile functools.partial random.Random io.BytesIO io.StringIO builtins.iter builtins.map
builtins.filter builtins.print builtins.property builtins.enumerate builtins.zip builtins.reversed
collections.namedtuple logging.Logger _codecs.decode codecs.decode codecs.encode operator.add
decimal.Context itertools.count itertools.chain time.struct_time collections.ChainMap
collections.UserDict weakref.WeakValueDictionary threading.Lock enum.Enum types.MappingProxyType
""".split()  # noqa: SIM905


@pytest.mark.parametrize("path", NOT_IN_THE_DEFAULTS)
def test_what_is_not_in_the_defaults(path: str, nothing_ran: Any) -> None:
    """Callables that real pickles contain and that no default grants."""
    nothing_ran.refused(asm(PROTO(4), call(path, "x")), path)


UUID = [*mention("uuid", "UUID"), EMPTY_TUPLE, NEWOBJ]


@pytest.mark.parametrize(
    "state",
    params(
        {
            "text": dict_state("int", literal("x")),
            "negative": dict_state("int", literal(-1)),
            "129 bits": dict_state("int", literal(2**128)),
            "float": dict_state("int", literal(1.0)),
            "bool": dict_state("int", literal(True)),
            "instance": dict_state("int", *BOX),
            "another key": dict_state("hex", literal("0" * 32)),
            "nothing": [EMPTY_DICT],
            "list": [EMPTY_LIST],
            "slots": slot_state("int", literal(1)),
            "one key too many": [*dict_state("int", literal(1)), literal("x"), NONE, SETITEM],
            "is_safe is an instance": [
                *dict_state("int", literal(1)),
                literal("is_safe"),
                *BOX,
                SETITEM,
            ],
        }
    ),
)
def test_the_state_of_a_uuid(state: Any, nothing_ran: Any) -> None:
    """Its state is one int below 2**128; ``UUID.__setstate__`` would take anything."""
    nothing_ran.refused(asm(PROTO(4), *UUID, *state, BUILD), "UUID", allow=ALLOW)


@pytest.mark.parametrize(
    "made",
    params(
        {
            "path": [call("pathlib.PurePosixPath", "a")],
            "date": [call("datetime.date", b"\x07\xe8\x01\x01")],
            "decimal": [call("decimal.Decimal", "1")],
            "fraction": [call("fractions.Fraction", 1, 2)],
            "deque": [call("collections.deque")],
            "set": [literal({1})],
            "list": [literal([1])],
            "range": [call("builtins.range", 0, 1, 1)],
            "uuid built before": [*UUID, *dict_state("int", literal(1)), BUILD],
        }
    ),
)
@pytest.mark.parametrize("state", params({"dict": dict_state, "slots": slot_state}))
@pytest.mark.parametrize("key", ["_str", "_drv", "int", "x"])
def test_no_state_for_native_types(made: Any, state: Any, key: str, nothing_ran: Any) -> None:
    """Native types are whole when they are made; a cached ``_str`` would make a path lie."""
    nothing_ran.refused(asm(PROTO(4), *made, *state(key, literal("x")), BUILD))


@pytest.mark.parametrize("path", ["collections.OrderedDict", "types.SimpleNamespace"])
@pytest.mark.parametrize("key", ["__class__", "__dict__", "__reduce__", 5])
@pytest.mark.parametrize("state", params({"dict": dict_state, "slots": slot_state}))
def test_state_keys_of_native_types(path: str, key: Any, state: Any, nothing_ran: Any) -> None:
    """Those that do take attributes take exact strings, and no dunder names."""
    nothing_ran.refused(asm(PROTO(4), call(path), *state(key, NONE), BUILD))


class TestEnums:
    """A member is looked up among known values; ``_missing_`` is the class's own code."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            *[("Shade", value) for value in (2, "dark", None, [1], 1.5, 10**400)],
            *[("Mask", value) for value in (8, -1, 2**70, "A", 1.0)],
        ],
    )
    def test_unknown_values(self, name: str, value: Any, nothing_ran: Any) -> None:
        data = asm(PROTO(4), call(f"picklist_canary.{name}", value))
        nothing_ran.refused(data, name, allow=[getattr(canary, name)])

    @pytest.mark.parametrize("args", params({"two": [literal((1, 2))], "none": [EMPTY_TUPLE]}))
    def test_other_calls(self, args: Any, nothing_ran: Any) -> None:
        """Two arguments call the functional interface, which makes a new class."""
        data = asm(PROTO(4), *mention("picklist_canary", "Mask"), *args, REDUCE)
        nothing_ran.refused(data, "Mask", allow=[canary.Mask])

    def test_members_are_not_changed(self, nothing_ran: Any) -> None:
        member = [call("picklist_canary.Mask", 1)]
        for state in (dict_state("_value_", literal(2)), slot_state("_value_", literal(2))):
            nothing_ran.refused(asm(PROTO(4), *member, *state, BUILD), "Mask", allow=[canary.Mask])
        assert canary.Mask.A.value == 1

    def test_known_values_load(self) -> None:
        load = picklist.safe_loads
        assert (
            load(asm(call("picklist_canary.Shade", 1)), allow=[canary.Shade]) is canary.Shade.DARK
        )
        both = canary.Mask.A | canary.Mask.B
        assert load(asm(call("picklist_canary.Mask", 3)), allow=[canary.Mask]) is both


class TestPresets:
    """The opt-in presets keep to contracts too."""

    @pytest.mark.parametrize(
        "key", ["../../etc/passwd", "/etc/localtime", "", "a" * 65, "Europe/..", "a\0b", "\u00e9"]
    )
    def test_zone_keys_stay_in_the_database(self, key: str, nothing_ran: Any) -> None:
        """A key is a path below the time zone database (CWE-22)."""
        getter = [
            *mention("builtins", "getattr"),
            *mention("zoneinfo", "ZoneInfo"),
            literal("_unpickle"),
        ]
        data = asm(PROTO(4), *getter, b"\x86", REDUCE, literal(key), literal(1), b"\x86", REDUCE)
        nothing_ran.refused(data, policy=picklist.Policy(base=["std", "zoneinfo"]))

    @pytest.mark.parametrize(
        "key", ["__cause__", "__context__", "__traceback__", "__class__", "__notes__", 1]
    )
    def test_state_of_exceptions(self, key: Any, nothing_ran: Any) -> None:
        """``BaseException.__setstate__`` sets every key as an attribute."""
        made = call("builtins.ValueError", "x")
        data = asm(PROTO(4), made, *dict_state(key, NONE), BUILD)
        nothing_ran.refused(data, policy=picklist.Policy(base=["std", "exceptions"]))

    def test_concrete_paths_take_text_only(self, nothing_ran: Any) -> None:
        data = asm(PROTO(4), call("pathlib.PosixPath", b"x"))
        nothing_ran.refused(data, "PosixPath", policy=picklist.Policy(base=["std", "paths"]))


def test_the_contracts_let_the_real_ones_through() -> None:
    """What the refusals above vary loads in its true form."""
    load = picklist.safe_loads
    assert load(asm(call("datetime.datetime", NOON))) == datetime.datetime(2024, 6, 15, 12)
    assert load(asm(call("datetime.timezone", HOUR, "X"))).tzname(None) == "X"
    assert load(asm(PROTO(4), *mention("builtins", "type"), NONE, b"\x85", REDUCE)) is type(None)
    assert load(asm(call("_codecs.encode", "\xff", "latin1"))) == b"\xff"
    assert load(asm(call("builtins.range", 0, 2**70, 2))) == range(0, 2**70, 2)
    assert load(asm(call("collections.defaultdict", LIST))).default_factory is list
    assert load(asm(PROTO(4), b"(", literal(1), TUPLE)) == (1,)
