"""The opcode table and the decoder agree with pickletools, opcode by opcode and byte by byte.

``picklist._picklist`` has two private doors for this: ``_opcodes()`` gives the table as (name,
code, protocol, argument), ``_genops(data)`` decodes one pickle as (name, argument, position).
"""

from __future__ import annotations

import math
import pickle
import pickletools
from typing import Any

import pytest

import picklist
from assembler import BY_NAME, Opcode, asm
from corpus import SAMPLES, Sample
from picklist import _picklist
from test_assembler import EXAMPLES

# What pickletools reads and what the loader's decoder reads differ by design in these alone:
# Python 2's 8-bit strings stay bytes until the encoding is known.
EIGHT_BIT = {"STRING", "BINSTRING", "SHORT_BINSTRING"}
COMPARED = (bool, int, float, str, bytes, bytearray, type(None))


def test_the_table_is_pickletools() -> None:
    """The 68 opcodes have the names, codes, protocols and arguments that pickletools gives them."""
    ours = sorted(_picklist._opcodes())
    assert ours == sorted(
        (info.name, ord(info.code), info.proto, info.arg.name if info.arg else "")
        for info in pickletools.opcodes
    )
    assert len(ours) == 68


def text_of(value: Any) -> str:
    """Return an 8-bit string as pickletools shows it."""
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value


def compare(data: bytes) -> int:
    """Compare both decodings of one pickle; returns how many opcodes were compared."""
    theirs = [(info.name, arg, pos) for info, arg, pos in pickletools.genops(data)]
    ours = _picklist._genops(data)
    assert [(name, pos) for name, _, pos in ours] == [(name, pos) for name, _, pos in theirs]
    for (name, arg, pos), (_, expected, _) in zip(ours, theirs, strict=True):
        if not isinstance(expected, COMPARED):
            continue
        if name in EIGHT_BIT:
            arg = text_of(arg)
        elif isinstance(expected, float) and math.isnan(expected):
            assert math.isnan(arg), f"{name} at {pos}"
            continue
        assert arg == expected, f"{name} at {pos}"
        if name not in EIGHT_BIT:
            assert type(arg) is type(expected), f"{name} at {pos}"
    return len(ours)


def readable(sample: Sample) -> bool:
    """Tell whether pickletools can read it: it takes STRING to be ASCII, which 2.7 does not."""
    try:
        list(pickletools.genops(sample.data))
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("sample", [s for s in SAMPLES if readable(s)], ids=str)
def test_real_pickles_decode_as_pickletools_does(sample: Sample) -> None:
    """Names, arguments and positions are the same over the whole corpus."""
    assert compare(sample.data) > 0


def test_the_corpus_is_nearly_all_readable() -> None:
    """Only protocol 0 of Python 2.7 with bytes beyond ASCII is left out above."""
    odd = [sample for sample in SAMPLES if not readable(sample)]
    assert len(odd) < 12
    assert {sample.pythons for sample in odd} <= {("2.7",)}  # 3.14's pickletools reads them all
    assert {sample.protocol for sample in odd} <= {0}


@pytest.mark.parametrize("opcode", BY_NAME.values(), ids=str)
def test_every_opcode_decodes_as_pickletools_does(opcode: Opcode) -> None:
    """Each opcode with an operand of its type; the stack is not looked at here."""
    item = opcode if opcode.operand is None else opcode(EXAMPLES[opcode.operand])
    if opcode.name in ("FRAME", "EXT4"):  # the body that a frame announces; a code is above 0
        item = opcode(1)
    assert compare(asm(item)) in (1, 2)


@pytest.mark.parametrize("value", [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**2039])
@pytest.mark.parametrize("protocol", range(6))
def test_ints_of_every_width(value: int, protocol: int) -> None:
    """Ints choose among seven opcodes; each is read as pickletools reads it."""
    compare(pickle.dumps([value, -value], protocol))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65536])
@pytest.mark.parametrize("protocol", range(6))
def test_text_and_bytes_of_every_width(size: int, protocol: int) -> None:
    """Text and bytes choose their length prefix; each is read as pickletools reads it."""
    compare(pickle.dumps(["é" * size, "a" * size, b"\xff" * size, bytearray(size)], protocol))


FRAMED = pickle.dumps(["x" * 300, b"y" * 70000, list(range(300))], 4)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x80\x04\x95\x01\x00\x00\x00\x00\x00\x00\x00K\x01.", "operand straddles the frame"),
        (b"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00]K\x01", "no STOP behind the frame"),
        (b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00N.", "frame longer than the data"),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "frame of 2^64 - 1"),
        (
            b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00N0\x95\x03\x00\x00\x00\x00\x00\x00\x00N.",
            "frame in a frame",
        ),
        (b"\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00X\x05\x00\x00\x00ahell.", "text straddles"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_frames_are_strict(data: bytes, why: str) -> None:
    """A frame holds whole opcodes, ends inside the data, and holds no other frame (PEP 3154)."""
    with pytest.raises(pickle.UnpicklingError):
        picklist.safe_loads(data)


def test_large_frames_load() -> None:
    """What the pickler itself frames loads: several frames, and a large object outside of any."""
    assert picklist.safe_loads(FRAMED) == pickle.loads(FRAMED)
    compare(FRAMED)
