"""What the limits keep from happening: without them the interpreter dies, with them it does not.

Each payload is loaded in a thread with a stack of a known size, once with its limit and once
without.
"""

from __future__ import annotations

import json
import signal
import struct
import sys
from pathlib import Path

import pytest

import picklist
from children import run_program

CHILD = """
import json, sys, threading
import collections
import picklist
data = open(sys.argv[1], "rb").read()
limits = picklist.Limits(**json.loads(sys.argv[2]))
said = []
def load():
    try:
        picklist.safe_loads(data, limits=limits)
        said.append("loaded")
    except picklist.LimitExceededError as error:
        said.append(error.limit)
threading.stack_size(int(sys.argv[3]))
thread = threading.Thread(target=load)
thread.start()
thread.join()
print(said[0])
"""
DEQUE = b"ccollections\ndeque\n\x940"
LEVELS = 100_000


def get(at: int) -> bytes:
    """Return BINGET or LONG_BINGET."""
    return b"h" + bytes([at]) if at < 256 else b"j" + struct.pack("<I", at)


def deques_from_the_memo(levels: int) -> bytes:
    """Each new one takes the last one, which a copy in the memo calls shallow."""
    body = b"".join(b"h\x00)R\x94" + get(at) + b"a0" for at in range(1, levels))
    return DEQUE + b"h\x00)R\x940" + body + get(levels) + b"."


def deques_on_the_stack(levels: int) -> bytes:
    """All stand on the stack, empty, and go into one another from the top."""
    return DEQUE + b"h\x00)R" * levels + b"a" * (levels - 1) + b"."


NESTED = b"\x85" * 150_000

# name -> payload, the limit that answers it, bytes of stack, limits that must be off for that.
# From 3.13 on nested tuples are freed level by level, up to 10,000; they are hashed at any depth.
PAYLOADS: dict[str, tuple[bytes, str, int, dict[str, None]]] = {
    "tuples as key": (b"})" + NESTED + b"Ns.", "max_hash_depth", 8 << 20, {"max_depth": None}),
    "tuples in a set": (
        b"\x8f()" + NESTED + b"\x90.", "max_hash_depth", 8 << 20, {"max_depth": None},
    ),
    "tuples in a frozenset": (
        b"()" + NESTED + b"\x91.", "max_hash_depth", 8 << 20, {"max_depth": None},
    ),
    "tuples in set(list)": (
        b"cbuiltins\nset\n])" + NESTED + b"a\x85R.",
        "max_hash_depth", 8 << 20, {"max_depth": None},
    ),
    "deques from the memo": (deques_from_the_memo(LEVELS), "max_depth", 4 << 20, {}),
    "deques on the stack": (deques_on_the_stack(LEVELS * 9 // 10), "max_depth", 4 << 20, {}),
}  # fmt: skip


def end_of(data: bytes, folder: Path, stack: int, **limits: int | None) -> str | int:
    """Return what the child says, or the signal that ends it."""
    path = folder / "input.pkl"
    path.write_bytes(data)
    child = run_program(CHILD, path, json.dumps(limits), stack)
    return child.stdout.strip() if child.returncode == 0 else -child.returncode


@pytest.mark.skipif(sys.platform != "linux", reason="signals and stacks are Linux's")
@pytest.mark.parametrize("name", PAYLOADS)
def test_without_its_limit_the_interpreter_dies(name: str, tmp_path: Path) -> None:
    """So the limit is necessary, and its default is low enough."""
    data, limit, stack, off = PAYLOADS[name]
    assert end_of(data, tmp_path, stack, **off) == limit
    assert end_of(data, tmp_path, stack, **{limit: None}, **off) == signal.SIGSEGV


def test_what_the_defaults_allow_fits_a_small_stack(tmp_path: Path) -> None:
    """The deepest key that is allowed, and as many deques, in 256 KiB and 2 MiB."""
    key = b"})" + b"\x85" * 499 + b"Ns."
    assert end_of(key, tmp_path, 256 << 10) == "loaded"
    assert end_of(deques_from_the_memo(9_900), tmp_path, 2 << 20) == "loaded"
    assert end_of(deques_on_the_stack(9_900), tmp_path, 2 << 20) == "loaded"


def test_the_limits_are_the_documented_ones() -> None:
    """The numbers above are the defaults."""
    limits = picklist.Limits()
    assert (limits.max_hash_depth, limits.max_depth) == (500, 10_000)
