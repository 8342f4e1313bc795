"""Real pickles, written by Python 2.7 and 3.6 to 3.13, load to what they were made from.

The corpus is ``tests/data/corpus.jsonl``; each row says which presets and names it needs beyond the
default policy.  What 3.14 and 3.15 spell differently is assembled here by hand.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import ipaddress
import pathlib
import pickle
from typing import Any

import pytest

import picklist
import picklist_samples
from assembler import (
    BININT1,
    BINUNICODE,
    EMPTY_DICT,
    GLOBAL,
    MARK,
    NEWOBJ,
    PROTO,
    REDUCE,
    SETITEM,
    SHORT_BINUNICODE,
    STACK_GLOBAL,
    TUPLE,
    TUPLE1,
    TUPLE2,
    Instruction,
    asm,
    disassemble,
)
from corpus import SAMPLES, Sample
from structure import same_structure

pytestmark = pytest.mark.filterwarnings("ignore:The 'u' type code is deprecated")


def policy_for(sample: Sample) -> Any:
    """Return the policy that a row says it needs."""
    return picklist.Policy(base=list(sample.base), allow=sample.allow)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_real_pickles_load(sample: Sample) -> None:
    """The value equals what the pickle was made from, and what pickle makes of it."""
    value = picklist.safe_loads(sample.data, policy=policy_for(sample), encoding=sample.encoding)
    if sample.by_structure:
        assert type(value) is type(sample.expected())
    else:
        assert value == sample.expected()
    try:
        theirs = pickle.loads(sample.data, encoding=sample.encoding)
    except ImportError:  # a module of a newer Python: we know where it has moved
        theirs = sample.expected()
    assert same_structure(value, theirs) == ""


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.allow or len(s.base) > 1], ids=str)
def test_what_is_opt_in_is_refused_by_default(sample: Sample, nothing_ran: Any) -> None:
    """Without its preset or its allowance the same pickle is refused and explained."""
    error = nothing_ran.refused(sample.data, encoding=sample.encoding)
    # object() is a name that stands, and may not be called.
    assert isinstance(error, (picklist.ForbiddenGlobalError, picklist.ForbiddenCallError))


def mentions_names(sample: Sample) -> bool:
    """Tell whether a stream mentions a global."""
    return bool(
        {item.name for item in disassemble(sample.data)} & {"GLOBAL", "STACK_GLOBAL", "INST"}
    )


@pytest.mark.parametrize("sample", [s for s in SAMPLES if not mentions_names(s)], ids=str)
def test_plain_values_need_no_import(sample: Sample) -> None:
    """A stream that mentions no global loads under the preset "plain"."""
    plain = picklist.Policy(base="plain")
    value = picklist.safe_loads(sample.data, policy=plain, encoding=sample.encoding)
    assert same_structure(value, pickle.loads(sample.data, encoding=sample.encoding)) == ""


@pytest.mark.parametrize("sample", [s for s in SAMPLES if mentions_names(s)], ids=str)
def test_plain_allows_no_name(sample: Sample, nothing_ran: Any) -> None:
    """A stream that mentions any global, the std types among them, is refused under "plain"."""
    plain = picklist.Policy(base="plain")
    nothing_ran.refused(sample.data, policy=plain, encoding=sample.encoding)


def test_the_corpus_is_whole() -> None:
    """Every interpreter has written every protocol it has."""
    written = {(python, sample.protocol) for sample in SAMPLES for python in sample.pythons}
    expected = {("2.7", protocol) for protocol in range(3)}
    expected |= {(f"3.{minor}", protocol) for minor in (6, 7) for protocol in range(5)}
    expected |= {(f"3.{minor}", protocol) for minor in range(8, 14) for protocol in range(6)}
    assert written == expected


def named(module: str, name: str) -> tuple[Any, ...]:
    """Return STACK_GLOBAL with its two strings."""
    return (SHORT_BINUNICODE(module), SHORT_BINUNICODE(name), STACK_GLOBAL)


def text(value: str) -> Instruction:
    """Return a string."""
    return SHORT_BINUNICODE(value)


@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
@pytest.mark.parametrize("parts", [("/", "a", "b"), ("/a/b",)])
def test_paths_of_every_version(module: str, parts: tuple[str, ...]) -> None:
    """3.12 and older write the parts, 3.13 one text in pathlib._local, 3.14 one text in pathlib."""
    program = [PROTO(4), *named(module, "PurePosixPath"), MARK, *map(text, parts), TUPLE, REDUCE]
    assert picklist.safe_loads(asm(*program, frame=True)) == pathlib.PurePosixPath("/a/b")


def test_frozendict_of_3_15() -> None:
    """``builtins.frozendict`` (3.15) is NEWOBJ with one dict; older Pythons refuse it as such."""
    program = [PROTO(4), *named("builtins", "frozendict"), EMPTY_DICT, text("a"), BININT1(1)]
    data = asm(*program, SETITEM, TUPLE1, NEWOBJ, frame=True)
    if hasattr(builtins, "frozendict"):
        policy = picklist.Policy(base=["std", "std-extra"])
        assert picklist.safe_loads(data, policy=policy) == builtins.frozendict({"a": 1})
    else:
        with pytest.raises(picklist.UnsafePickleError, match="frozendict"):
            picklist.safe_loads(data)


@pytest.mark.parametrize(("module", "name"), [("_operator", "or_"), ("_operator", "getitem")])
def test_unions_are_opt_in(module: str, name: str, nothing_ran: Any) -> None:
    """``int | str`` needs a general callable up to 3.13, and ``typing.Union[...]`` from 3.14 on."""
    left = named("typing", "Union") if name == "getitem" else named("builtins", "int")
    program = [PROTO(4), *named(module, name), *left, *named("builtins", "str"), TUPLE2, REDUCE]
    nothing_ran.refused(asm(*program, frame=True), f"{module}.{name}")


def test_scoped_addresses() -> None:
    """An IPv6 address with a scope is written as text."""
    program = [PROTO(4), *named("ipaddress", "IPv6Address"), text("fe80::1%eth0"), TUPLE1, REDUCE]
    assert picklist.safe_loads(asm(*program)) == ipaddress.ip_address("fe80::1%eth0")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_enum_members_of_3_11_0(protocol: int) -> None:
    """Python 3.11.0 to 3.11.3 write an enum member as ``getattr(Color, 'RED')``."""
    getter = "__builtin__" if protocol < 3 else "builtins"
    program = [PROTO(protocol)] if protocol >= 2 else []
    program += [GLOBAL(getter, "getattr"), GLOBAL("picklist_samples", "Color"), BINUNICODE("RED")]
    value = picklist.safe_loads(asm(*program, TUPLE2, REDUCE), allow=[picklist_samples.Color])
    assert value is picklist_samples.Color.RED


def test_flags_of_3_11_0() -> None:
    """Python 3.11.0 to 3.11.3 write a combined flag as ``_operator.or_`` of members."""
    member = [GLOBAL("builtins", "getattr"), GLOBAL("picklist_samples", "Perm")]
    left = [*member, BINUNICODE("R"), TUPLE2, REDUCE]
    right = [*member, BINUNICODE("X"), TUPLE2, REDUCE]
    data = asm(PROTO(4), GLOBAL("_operator", "or_"), *left, *right, TUPLE2, REDUCE)
    expected = picklist_samples.Perm.R | picklist_samples.Perm.X
    try:  # a general callable may well be refused; what must not be is another value
        value = picklist.safe_loads(data, allow=[picklist_samples.Perm])
    except picklist.UnsafePickleError:
        value = expected
    assert value is expected


@pytest.mark.parametrize("maxlen", [None, 2])
def test_deque_of_2_7(maxlen: int | None) -> None:
    """Python 2.7 hands the items of a deque to its constructor."""
    items = b"(I1\nI2\nl" + (b"" if maxlen is None else b"I2\n")
    data = b"ccollections\ndeque\n(" + items + b"tR."
    assert picklist.safe_loads(data) == collections.deque([1, 2], maxlen)


@pytest.mark.parametrize(
    "zone", [datetime.UTC, datetime.timezone(datetime.timedelta(hours=2), "X")]
)
@pytest.mark.parametrize("protocol", range(6))
def test_aware_datetimes(zone: datetime.timezone, protocol: int) -> None:
    """A datetime keeps its exact timezone object in every protocol."""
    value = datetime.datetime(2024, 6, 1, 12, tzinfo=zone)
    again = picklist.safe_loads(pickle.dumps([value, value, zone], protocol))
    assert again == [value, value, zone]
    assert again[0].tzinfo.tzname(None) == zone.tzname(None)
    assert again[0].tzinfo is again[2]
