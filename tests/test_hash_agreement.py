"""The inspector sees a flood of equal hashes where the loader does, without an interpreter to ask.

Its model of Python's hashes is held against the real ones: values of one real hash must be a flood
to both, values of different hashes to neither.  The limit is set low, so that every key counts.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import ipaddress
import json
import math
import pathlib
import pickle
import pickletools
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import picklist
from picklist import _picklist

MODULUS = 2**61 - 1
LIMITS = picklist.Limits(max_key_collisions=4)
UTC = datetime.UTC


def verdicts(data: bytes, limits: picklist.Limits = LIMITS) -> tuple[str | None, str | None]:
    """Return what stops the loader and what stops the inspector, None for nothing."""
    try:
        picklist.safe_loads(data, limits=limits)
        loader = None
    except picklist.LimitExceededError as error:
        loader = error.limit
    except picklist.UnsafePickleError as error:
        loader = error.kind
    report = json.loads(_picklist._inspect(data, None, limits=limits))
    assert not report["refusals"]
    fault = report["fault"]
    inspector = None
    if fault:
        inspector = fault["message"].split()[0] if fault["class"] == "limit" else fault["class"]
    assert report["allowed"] == (fault is None)
    return loader, inspector


def keys(values: list[Any]) -> Iterator[bytes]:
    """Yield pickles that have the values as keys: alone, in tuples, in frozensets."""
    made = [pickletools.optimize(pickle.dumps(value, 3))[2:-1] for value in values]
    for shape in (b"%bN", b"%bK\x01\x86N", b"K\x00%b\x85\x86N", b"(%b\x91N"):
        yield b"\x80\x04}(" + b"".join(shape % value for value in made) + b"u."
    yield b"\x80\x04cbuiltins\nset\n](" + b"".join(made) + b"e\x85R."


def multiples(make: Callable[[int], Any]) -> list[Any]:
    """Return a dozen values whose numbers are equal under the modulus of Python's hash."""
    return [make(MODULUS * (at + 1)) for at in range(12)]


FLOODS: dict[str, list[Any]] = {
    "int": multiples(lambda n: n + 5),
    "negative int": multiples(lambda n: -n - 5),
    "complex": [complex(float(at * 1_000_003), -float(at)) for at in range(2, 14)],
    "Decimal": multiples(decimal.Decimal),
    "Decimal, negative": multiples(lambda n: -decimal.Decimal(n + 7)),
    "Decimal, tenths": [decimal.Decimal(f"{pow(10, at, MODULUS)}e-{at}") for at in range(20, 32)],
    "Decimal, tens": [decimal.Decimal(f"{pow(10, -at, MODULUS)}e{at}") for at in range(20, 32)],
    "Fraction": multiples(lambda n: fractions.Fraction(n + 1, 2)),
    "Fraction, no inverse": multiples(lambda n: fractions.Fraction(7, n)),
    "Fraction, negative, no inverse": multiples(lambda n: fractions.Fraction(-7, n)),
    "UUID": multiples(lambda n: uuid.UUID(int=n)),
    "range of one": multiples(lambda n: range(n, n + 1)),
    "range of three": multiples(lambda n: range(n, n + 3 * (MODULUS + 1), MODULUS + 1)),
    "empty range": [range(at, 0, 1) for at in range(12)],
    "range down": multiples(lambda n: range(n, n - 2, -1)),
    "IPv6Address": multiples(ipaddress.IPv6Address),
    "IPv6Address with a scope": multiples(
        lambda n: ipaddress.IPv6Address(f"{ipaddress.IPv6Address(n)}%eth0")
    ),
    "IPv6Network": multiples(lambda n: ipaddress.IPv6Network((n, 128))),
    "IPv6Interface": multiples(lambda n: ipaddress.IPv6Interface((n, 128))),
    "one date, often": [datetime.date(2020, 1, 2)] * 12,
    "one datetime, often": [datetime.datetime(2020, 1, 2, 3)] * 12,
    "one time, often": [datetime.time(3, 4)] * 12,
    "one timedelta, often": [datetime.timedelta(3, 4)] * 12,
    "one moment in a dozen zones": [
        datetime.datetime(2020, 3, 1, 12, tzinfo=UTC).astimezone(
            datetime.timezone(datetime.timedelta(hours=at - 6))
        )
        for at in range(12)
    ],
    "one time in a dozen zones": [
        datetime.time(12 + at, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=at)))
        for at in range(12)
    ],
    "one path, often": [pathlib.PurePosixPath("a", "b")] * 12,
    "one address, often": [ipaddress.IPv4Address(7)] * 12,
    "one network, often": [ipaddress.IPv4Network("10.0.0.0/8")] * 12,
    "one interface, often": [ipaddress.IPv4Interface("10.0.0.7/8")] * 12,
}
if sys.version_info >= (3, 12):
    FLOODS["slice"] = multiples(lambda n: slice(n, None, 1))


@pytest.mark.parametrize("name", FLOODS)
def test_both_see_a_flood(name: str) -> None:
    """A dozen values of one real hash, where four are allowed."""
    values = FLOODS[name]
    assert len({hash(value) for value in values}) == 1, "the test's own values must collide"
    for data in keys(values):
        assert verdicts(data) == ("max_key_collisions", "max_key_collisions")


HONEST: dict[str, list[Any]] = {
    "complex": [complex(at, 1) for at in range(40)],
    "NaN": [float("nan") for _ in range(40)],
    "complex NaN": [complex(math.nan, at) for at in range(40)],
    "Decimal": [decimal.Decimal(at) / 7 for at in range(1, 40)],
    "Decimal NaN": [decimal.Decimal("NaN") for _ in range(40)],
    "Decimal infinities": [decimal.Decimal("inf"), decimal.Decimal("-inf")],
    "Fraction": [fractions.Fraction(at, 7) for at in range(40)],
    "UUID": [uuid.UUID(int=at << 64) for at in range(40)],
    "range": [range(at) for at in range(40)],
    "date": [datetime.date(2020, 1, 1) + datetime.timedelta(at) for at in range(40)],
    "datetime": [datetime.datetime(2020, 1, 1) + datetime.timedelta(at) for at in range(40)],
    "moments": [datetime.datetime(2020, 1, 1, at % 24, tzinfo=UTC) for at in range(24)],
    "time": [datetime.time(at % 24, at) for at in range(40)],
    "timedelta": [datetime.timedelta(at) for at in range(40)],
    "timezone": [datetime.timezone(datetime.timedelta(minutes=at)) for at in range(40)],
    "path": [pathlib.PurePosixPath(str(at)) for at in range(40)],
    "IPv4Address": [ipaddress.IPv4Address(at) for at in range(40)],
    "IPv6Address": [ipaddress.IPv6Address(at) for at in range(40)],
    "IPv4Network": [ipaddress.IPv4Network((at << 8, 24)) for at in range(40)],
    "IPv6Interface": [ipaddress.IPv6Interface((at, 64)) for at in range(40)],
}


@pytest.mark.parametrize("name", HONEST)
def test_neither_sees_a_flood_in_honest_keys(name: str) -> None:
    """Values of different hashes, though there are many."""
    for data in keys(HONEST[name]):
        assert verdicts(data) == (None, None)


def test_one_nan_often_is_one_key() -> None:
    """From the memo it is the same object each time, to both; twice made it is two."""
    nan = b"G" + b"\x7f\xf8" + bytes(6)
    again = b"\x80\x04" + nan + b"\x940}(" + b"h\x00N" * 20 + b"u."
    assert verdicts(again) == ("max_key_collisions", "max_key_collisions")
    assert verdicts(b"\x80\x04}(" + (nan + b"N") * 20 + b"u.") == (None, None)


@pytest.mark.parametrize("text", ["sNaN", "-sNaN123", "SNAN"])
def test_a_signaling_nan_has_no_hash(text: str) -> None:
    """Both say so, in the interpreter's words."""
    body = b"cdecimal\nDecimal\n\x8c" + bytes([len(text)]) + text.encode() + b"\x85R"
    for data in (b"\x80\x04}" + body + b"Ns.", b"\x80\x04}" + body + b"\x85Ns."):
        with pytest.raises(picklist.MalformedPickleError, match="Cannot hash a signaling NaN"):
            picklist.safe_loads(data)
        assert verdicts(data) == ("type", "type")


def test_a_slice_has_a_hash_from_3_12_on() -> None:
    """Both know which interpreter this is."""
    data = b"\x80\x04}cbuiltins\nslice\nK\x01K\x02N\x87RNs."
    expected = None if sys.version_info >= (3, 12) else "type"
    assert verdicts(data) == (expected, expected)


def test_the_default_limit_agrees_too() -> None:
    """At 256, where one key in eight is counted."""
    for make in (decimal.Decimal, lambda n: fractions.Fraction(n, 1), lambda n: uuid.UUID(int=n)):
        data = pickle.dumps(dict.fromkeys(make(MODULUS * at) for at in range(1, 1_000)), 4)
        assert verdicts(data, picklist.Limits()) == ("max_key_collisions", "max_key_collisions")
