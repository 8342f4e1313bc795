"""Denial of service with plain types alone: every payload ends in a value or in a limit's name.

Each runs in a child with bounds on memory and CPU time: linear cost is what is promised, and a
crash, a MemoryError or a RecursionError is a failure.  The payloads are those of SECURITY.md's
table.
"""

from __future__ import annotations

import io
import pickle
import struct
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import picklist
from bounded import MANY, outcome

MODULUS = 2**61 - 1


def long1(value: int) -> bytes:
    """Return LONG1 of a value."""
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def long4(value: int) -> bytes:
    """Return LONG4 of a value."""
    data = pickle.encode_long(value)
    return b"\x8b" + struct.pack("<i", len(data)) + data


def global_(module: str, name: str) -> bytes:
    """Return GLOBAL."""
    return f"c{module}\n{name}\n".encode()


def keys_of_one_hash(count: int) -> list[bytes]:
    """Return ints that all hash to 0."""
    return [long1(MODULUS * (at + 1)) for at in range(count)]


def tuples_of_one_hash(count: int) -> list[bytes]:
    """Return (int,) tuples that all hash alike, because the ints do."""
    return [key + b"\x85" for key in keys_of_one_hash(count)]


def floats_of_one_hash(count: int) -> list[bytes]:
    """Return pairs of floats and ints whose hash is 0 throughout."""
    return [b"G" + struct.pack(">d", 0.0) + key + b"\x86" for key in keys_of_one_hash(count)]


FLOOD = keys_of_one_hash(20_000)
BIG_INT = long4((1 << 8_000_000) - 1)

# name -> payload, the limit that must be named (None: it loads)
PAYLOADS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    # the memo, and lengths that lie
    "sparse memo": (lambda: b"Nr\xff\xff\xff\x0f.", None),
    "sparse memo, text": (lambda: b"Np2147483646\n.", None),
    "sparse memo, many": (
        lambda: b"N" + b"".join(b"r" + struct.pack("<I", at * 977) for at in range(200_000)) + b".",
        None,
    ),
    # nesting
    "tuples": (lambda: b")" + b"\x85" * 1_000_000 + b".", "max_depth"),
    "lists": (lambda: b"]" * 1_000_000 + b"a" * 999_999 + b".", "max_depth"),
    "dicts": (lambda: b"}" + b"N}" * 500_000 + b"s" * 500_000 + b".", "max_depth"),
    "lists, from the memo": (
        lambda: b"]\x94" + b"".join(b"]\x94" + get(at) + b"a" for at in range(100_000)) + b".",
        None,
    ),
    "a tuple as key": (lambda: b"})" + b"\x85" * 9_000 + b"Ns.", "max_hash_depth"),
    "a tuple as key, beyond any depth": (lambda: b"})" + b"\x85" * 150_000 + b"Ns.", "max_depth"),
    "open marks": (lambda: b"(" * 1_000_000 + b"N.", None),
    # hashing
    "shared tuples as key": (lambda: b"}K\x01K\x01\x86" + b"2\x86" * 60 + b"Ns.", "max_hash_work"),
    "shared tuples in a set": (
        lambda: b"\x8f(K\x01K\x01\x86" + b"2\x86" * 60 + b"\x90.",
        "max_hash_work",
    ),
    "shared tuples in a frozenset": (
        lambda: b"(K\x01K\x01\x86" + b"2\x86" * 60 + b"\x91.",
        "max_hash_work",
    ),
    "shared tuples in set(list)": (
        lambda: global_("builtins", "set") + b"(](K\x01K\x01\x86" + b"2\x86" * 60 + b"etR.",
        "max_hash_work",
    ),
    "shared tuples in OrderedDict": (
        lambda: (
            global_("collections", "OrderedDict")
            + b")RK\x01K\x01\x86" + b"2\x86" * 60 + b"Ns."
        ),
        "max_hash_work",
    ),
    "shared tuples in defaultdict": (
        lambda: (
            global_("collections", "defaultdict")
            + b")RK\x01K\x01\x86" + b"2\x86" * 60 + b"Ns."
        ),
        "max_hash_work",
    ),
    "shared tuples in OrderedDict(pairs)": (
        lambda: (
            global_("collections", "OrderedDict")
            + b"(](](K\x01K\x01\x86" + b"2\x86" * 60 + b"NeetR."
        ),
        "max_hash_work",
    ),
    "one long tuple as key, often": (
        lambda: b"(" + b"N" * 1_000_000 + b"t\x940}" + b"h\x00Ns" * 2_000 + b".",
        "max_hash_work",
    ),
    "one big int as key, often": (
        lambda: BIG_INT + b"\x940" + b"}h\x00Ns0" * 100_000 + b"N.",
        "max_hash_work",
    ),
    # keys of one hash
    "ints of one hash in a dict": (
        lambda: b"}(" + b"".join(key + b"N" for key in FLOOD) + b"u.",
        "max_key_collisions",
    ),
    "ints of one hash, one by one": (
        lambda: b"}" + b"".join(key + b"Ns" for key in FLOOD) + b".",
        "max_key_collisions",
    ),
    "ints of one hash in a set": (
        lambda: b"\x8f(" + b"".join(FLOOD) + b"\x90.",
        "max_key_collisions",
    ),
    "ints of one hash in a frozenset": (
        lambda: b"(" + b"".join(FLOOD) + b"\x91.",
        "max_key_collisions",
    ),
    "ints of one hash in set(list)": (
        lambda: global_("builtins", "set") + b"](" + b"".join(FLOOD) + b"e\x85R.",
        "max_key_collisions",
    ),
    "ints of one hash in OrderedDict": (
        lambda: (
            global_("collections", "OrderedDict") + b")R("
            + b"".join(key + b"N" for key in FLOOD) + b"u."
        ),
        "max_key_collisions",
    ),
    "ints of one hash in OrderedDict(pairs)": (
        lambda: (
            global_("collections", "OrderedDict") + b"]("
            + b"".join(b"](" + key + b"Ne" for key in FLOOD) + b"e\x85R."
        ),
        "max_key_collisions",
    ),
    "ints of one hash in Counter": (
        lambda: (
            global_("collections", "Counter") + b"}("
            + b"".join(key + b"K\x01" for key in FLOOD) + b"u\x85R."
        ),
        "max_key_collisions",
    ),
    "tuples of one hash": (
        lambda: b"}(" + b"".join(key + b"N" for key in tuples_of_one_hash(20_000)) + b"u.",
        "max_key_collisions",
    ),
    "pairs of one hash": (
        lambda: b"}(" + b"".join(key + b"N" for key in floats_of_one_hash(20_000)) + b"u.",
        "max_key_collisions",
    ),
    "UUIDs of one hash": (
        lambda: pickle.dumps(
            dict.fromkeys([uuid.UUID(int=MODULUS * (at + 1)) for at in range(3_000)]), 4
        ),
        "max_key_collisions",
    ),
    # numbers
    "LONG of 10^5 digits": (lambda: b"L" + b"9" * 100_000 + b"L\n.", "max_int_digits"),
    "INT of 10^5 digits": (lambda: b"I" + b"9" * 100_000 + b"\n.", "max_int_digits"),
    "LONG4 of 17 MB": (lambda: long4(1 << (17 << 23)) + b".", "max_int_bytes"),
    # memory
    "empty sets": (lambda: b"(" + b"\x8f" * MANY + b"l.", "max_memory"),
    "empty dicts": (lambda: b"(" + b"}" * 3_000_000 + b"l.", None),
    "empty lists": (lambda: b"(" + b"]" * 3_000_000 + b"l.", None),
    "empty deques": (
        lambda: global_("collections", "deque") + b"\x940(" + b"h\x00)R" * 2_000_000 + b"l.",
        "max_memory",
    ),
    "empty OrderedDicts": (
        lambda: global_("collections", "OrderedDict") + b"\x940(" + b"h\x00)R" * 1_000_000 + b"l.",
        None,
    ),
    "copies of a list": (
        lambda: (
            b"](" + b"N" * 1_000_000 + b"e\x940" + global_("collections", "deque") + b"\x940("
            + b"h\x01h\x00\x85R" * 100 + b"l."
        ),
        "max_memory",
    ),
    "copies into sets": (
        lambda: (
            b"](" + b"".join(b"J" + struct.pack("<i", at) for at in range(100_000)) + b"e\x940"
            + global_("builtins", "frozenset") + b"\x940(" + b"h\x01h\x00\x85R" * 1_000 + b"l."
        ),
        "max_memory",
    ),
    "copies of text into bytes": (
        lambda: (
            b"X" + struct.pack("<I", 1_000_000) + b"a" * 1_000_000 + b"\x94X\x06\0\0\0latin1\x94"
            + global_("_codecs", "encode") + b"\x94(" + b"h\x02h\x00h\x01\x86R" * 1_000 + b"l."
        ),
        "max_memory",
    ),
    "a contract over one long list, often": (
        lambda: (
            b"](" + b"N" * 1_000_000 + b"e\x940" + global_("array", "array") + b"\x94("
            + b"h\x01X\x01\0\0\0bh\x00\x86R" + b"l."
        ),
        "forbidden",
    ),
    # what goes nowhere
    "POP, DUP": (lambda: b"N" + b"20" * 1_000_000 + b".", None),
    "marks and pops": (lambda: b"(1" * 1_000_000 + b"N.", None),
    "empty frames": (lambda: b"\x80\x04" + (b"\x95" + bytes(8)) * 500_000 + b"N.", None),
}  # fmt: skip


def get(at: int) -> bytes:
    """Return BINGET or LONG_BINGET."""
    return b"h" + bytes([at]) if at < 256 else b"j" + struct.pack("<I", at)


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_ends_within_its_bounds(name: str, tmp_path: Path) -> None:
    """A value, or the limit that answers this payload, with everything that a limit must say."""
    make, limit = PAYLOADS[name]
    data = make()
    if limit == "forbidden":
        with pytest.raises(picklist.ForbiddenCallError):
            picklist.safe_loads(data)
        return
    said = outcome(data, tmp_path)
    assert said.get("limit") == limit
    if limit is None:
        return
    assert said["value"] > said["maximum"]
    assert 0 <= said["offset"] <= len(data)
    assert limit in said["message"]
    assert str(said["maximum"]) in said["message"].replace(",", "")


@pytest.mark.parametrize("name", ["tuples", "empty sets", "shared tuples as key", "lists"])
def test_a_file_is_no_way_around_a_limit(name: str, tmp_path: Path) -> None:
    """The same payloads, read from a file."""
    make, limit = PAYLOADS[name]
    assert outcome(make(), tmp_path, how="load").get("limit") == limit


LENGTHS = {
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 1 << 62),
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 1 << 62),
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 3_000_000_000),
    "BINUNICODE": b"X" + struct.pack("<I", 3_000_000_000),
    "BINBYTES": b"B" + struct.pack("<I", 3_000_000_000),
    "LONG4": b"\x8b" + struct.pack("<i", 2_000_000_000),
    "FRAME": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62),
}


@pytest.mark.parametrize("opcode", LENGTHS)
@pytest.mark.parametrize("how", ["loads", "load"])
def test_a_declared_length_allocates_nothing(opcode: str, how: str, tmp_path: Path) -> None:
    """Twelve bytes that announce gigabytes are a truncated pickle, in no time and no memory."""
    with pytest.raises(AssertionError, match=r"truncated|exhausted"):
        outcome(LENGTHS[opcode] + b"abc", tmp_path, how=how)


# --- chains that the interpreter frees recursively ------------------------------------------------

DEFAULTDICT = global_("collections", "defaultdict") + b"\x940"
DEQUE = global_("collections", "deque") + b"\x940"
KINDS = {"defaultdict": (DEFAULTDICT, b"K\x01%bs"), "deque": (DEQUE, b"%ba")}
LEVELS = 200_000


def chain_up(kind: str) -> bytes:
    """Each new one takes the last one, fetched from the memo."""
    make, put = KINDS[kind]
    body = b"".join(b"h\x00)R\x94" + put % get(at) + b"0" for at in range(1, LEVELS))
    return make + b"h\x00)R\x940" + body + get(LEVELS) + b"."


def chain_down(kind: str) -> bytes:
    """Each one is filled after it went into the one above."""
    make, put = KINDS[kind]
    body = b"".join(get(at) + put % (b"h\x00)R\x94") + b"0" for at in range(1, LEVELS))
    return make + b"h\x00)R\x940" + body + b"h\x01."


def chain_stack(kind: str) -> bytes:
    """All stand on the stack, empty, and go into one another from the top."""
    make, _ = KINDS[kind]
    levels = LEVELS // 2  # twice as many empty deques are too much memory first
    if kind == "deque":
        return make + b"h\x00)R" * levels + b"a" * (levels - 1) + b"."
    return make + b"h\x00)R" + b"K\x01h\x00)R" * levels + b"s" * levels + b"."


def chain_pieces(kind: str) -> bytes:
    """Short chains, joined by their ends in the memo."""
    make, put = KINDS[kind]
    made = b"".join(b"h\x00)R\x940" for _ in range(LEVELS))
    inner = b"".join(get(at) + put % get(at + 1) + b"0" for at in range(1, LEVELS) if at % 7)
    joints = b"".join(get(at) + put % get(at + 1) + b"0" for at in range(7, LEVELS, 7))
    return make + made + inner + joints + b"h\x01."


@pytest.mark.parametrize("build", [chain_up, chain_down, chain_stack, chain_pieces])
@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_that_is_freed_recursively_is_bounded(
    kind: str, build: Callable[[str], bytes], tmp_path: Path
) -> None:
    """200,000 levels overflow the C stack when they are freed, however they were built."""
    assert outcome(build(kind), tmp_path).get("limit") == "max_depth"


def test_exceptions_in_one_another_are_bounded(tmp_path: Path) -> None:
    """OSError.filename holds an exception, and is freed on the C stack too."""
    make = global_("builtins", "OSError") + b"\x940X\x08\0\0\0filename\x940"
    up = b"".join(b"h\x00)R\x94}h\x01" + get(at) + b"sb0" for at in range(2, LEVELS))
    data = make + b"h\x00)R\x940" + up + get(LEVELS) + b"."
    assert outcome(data, tmp_path, base=["std", "exceptions"]).get("limit") == "max_depth"


# --- each limit by its own number -----------------------------------------------------------------

NUMBERS: dict[str, tuple[bytes, int]] = {
    "max_depth": (b"]]]aa.", 3),
    "max_hash_depth": (b"}K\x01\x85\x85\x85Ns.", 3),
    "max_hash_work": (b"}K\x01K\x01\x86Ns.", 3),
    "max_memory": (b"]].", 160),
    "max_int_digits": (b"L" + b"7" * 25 + b"L\n.", 25),
    "max_int_bytes": (b"\x8a\x03abc.", 3),
    "max_bytes": (b"NNN.", 4),
    "max_expanded": (b"](NNe.", 3),
    "max_key_collisions": (
        b"}(" + b"".join(key + b"N" for key in keys_of_one_hash(9)) + b"u.",
        5,
    ),
}


@pytest.mark.parametrize("limit", NUMBERS)
def test_a_limit_is_exact(limit: str) -> None:
    """What is allowed is allowed; one less is refused, and the refusal says it all."""
    data, needed = NUMBERS[limit]
    if limit == "max_memory":
        needed = next(bound for bound in range(1000) if loads(data, **{limit: bound}))
    assert loads(data, **{limit: needed})
    with pytest.raises(picklist.LimitExceededError) as caught:
        picklist.safe_loads(data, limits=picklist.Limits(**{limit: needed - 1}))
    assert caught.value.limit == limit
    assert caught.value.maximum == needed - 1
    assert caught.value.value == needed


def loads(data: bytes, **limits: int) -> bool:
    """Tell whether the data loads under the limits."""
    try:
        picklist.safe_loads(data, limits=picklist.Limits(**limits))
    except picklist.LimitExceededError:
        return False
    return True


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"(" + b"N" * 5_000_000 + b"1N.", id="values"),
        pytest.param(b"(" * 5_000_000 + b"N.", id="marks"),
        pytest.param(b"N\x94" + b"h\x00" * 5_000_000 + b".", id="one value, from the memo"),
    ],
)
def test_the_stack_is_memory_too(data: bytes) -> None:
    """What makes no object still takes room: 16 bytes a value, 8 a mark."""
    limits = picklist.Limits(max_memory=32 << 20)
    for load in (
        picklist.safe_loads,
        lambda data, limits: picklist.safe_load(io.BytesIO(data), limits=limits),
    ):
        with pytest.raises(picklist.LimitExceededError, match="max_memory"):
            load(data, limits=limits)
    fault = picklist.inspect(data, policy=picklist.Policy(limits=limits)).fault
    assert fault is not None
    assert "max_memory" in fault.message
    assert picklist.safe_loads(data) is None
    assert (
        picklist.safe_loads(pickle.dumps([None] * 1_000_000), limits=limits) == [None] * 1_000_000
    )


def test_max_expanded_counts_what_is_reached_more_than_once() -> None:
    """A result that would take 2^60 steps to print is refused; without the limit it loads."""
    bomb = b"N" + b"2\x86" * 60 + b"."
    assert isinstance(picklist.safe_loads(bomb), tuple)
    limits = picklist.Limits(max_expanded=10**6)
    with pytest.raises(picklist.LimitExceededError, match="max_expanded"):
        picklist.safe_loads(bomb, limits=limits)
    cycle = b"]\x94h\x00a."
    with pytest.raises(picklist.LimitExceededError, match="max_expanded"):
        picklist.safe_loads(cycle, limits=limits)
    free = picklist.Policy.unrestricted()
    with pytest.raises(picklist.LimitExceededError, match="max_expanded"):
        picklist.safe_loads(bomb, policy=free, limits=limits)
    assert picklist.safe_loads(pickle.dumps({"a": [1, 2]}), limits=limits) == {"a": [1, 2]}


@pytest.mark.parametrize("how", ["loads", "load"])
def test_signals_are_seen_in_a_long_load(how: str) -> None:
    """Ctrl-C and timeouts work: signals are checked every 64k opcodes, from a file as well."""
    import signal
    import time

    class Rang(Exception):
        pass

    def ring(signum: int, frame: Any) -> None:
        raise Rang

    before = signal.signal(signal.SIGALRM, ring)
    data = b"N" + b"20" * 40_000_000 + b"."
    file = io.BytesIO(data)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        started = time.monotonic()
        with pytest.raises(Rang):
            picklist.safe_loads(data) if how == "loads" else picklist.safe_load(file)
        assert time.monotonic() - started < 2
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
