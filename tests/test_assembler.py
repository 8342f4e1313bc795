"""The assembler writes what pickle writes, and takes everything apart that pickle wrote."""

from __future__ import annotations

import pickle
import pickletools
import struct
from typing import Any

import pytest

import assembler
from assembler import (
    BINUNICODE,
    BY_NAME,
    EMPTY_TUPLE,
    GLOBAL,
    INST,
    INT,
    LONG,
    MARK,
    PROTO,
    REDUCE,
    STOP,
    STRING,
    UNICODE,
    Instruction,
    Opcode,
    Raw,
    asm,
    assemble,
    disassemble,
    offsets,
)
from corpus import SAMPLES, Sample

EXAMPLES: dict[str, Any] = {
    "uint1": 200,
    "uint2": 60000,
    "int4": -5,
    "uint4": 2**32 - 1,
    "uint8": 2**63,
    "float8": -1.5,
    "floatnl": 1.25,
    "decimalnl_short": 77,
    "decimalnl_long": 2**70,
    "long1": -(2**100),
    "long4": 2**100,
    "stringnl": "it's",
    "stringnl_noescape": "pid",
    "stringnl_noescape_pair": ("pkg.mod", "Outer.Inner"),
    "string1": "ab",
    "string4": "ab",
    "bytes1": b"\x00\xff",
    "bytes4": b"\x00\xff",
    "bytes8": b"\x00\xff",
    "bytearray8": bytearray(b"\x00\xff"),
    "unicodestringnl": "back\\slash\n€",
    "unicodestring1": "€\ud800",
    "unicodestring4": "€",
    "unicodestring8": "€",
}


@pytest.mark.parametrize("opcode", BY_NAME.values(), ids=str)
def test_every_opcode_is_written_and_read_back(opcode: Opcode) -> None:
    """Each of the 68 opcodes survives the round trip with an operand of its type."""
    item = opcode if opcode.operand is None else opcode(EXAMPLES[opcode.operand])
    data = asm(item)
    first = disassemble(data)[0]
    assert first.name == opcode.name
    assert first.arg == (None if opcode.operand is None else EXAMPLES[opcode.operand])
    assert assemble(disassemble(data)) == data


def test_the_table_is_whole() -> None:
    """Every argument type that pickletools knows has its encoder."""
    assert len(BY_NAME) == len(pickletools.opcodes) == 68
    assert {opcode.operand for opcode in BY_NAME.values()} - {None} == set(assembler.ENCODERS)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_real_pickles_come_back_byte_for_byte(sample: Sample) -> None:
    """Taken apart and put together again, a real pickle has the same bytes."""
    assert assemble(disassemble(sample.data)) == sample.data


def test_frames_are_made_anew() -> None:
    """With ``frame=True`` the old frames go and one right frame comes."""
    data = pickle.dumps(["x" * 100, list(range(50))], 5)
    again = asm(*disassemble(data), frame=True)
    assert again == data
    (length,) = struct.unpack_from("<Q", again, 3)
    assert length == len(again) - 11


def test_programs_read_as_written() -> None:
    """An attack is a line of opcodes; STOP is added, bytes and Raw stand as they are."""
    data = asm(PROTO(2), GLOBAL("posix", "system"), MARK, EMPTY_TUPLE, REDUCE)
    assert data == b"\x80\x02cposix\nsystem\n()R."
    assert asm(GLOBAL("posix system"), STOP) == b"cposix\nsystem\n."
    assert asm(INST("a", "b"), b"junk", stop=False) == b"ia\nb\njunk"
    assert asm(BINUNICODE(Raw(b"\xff\xff\xff\x7f"))) == b"X\xff\xff\xff\x7f."
    assert offsets(data, "REDUCE") == [len(data) - 2]


@pytest.mark.parametrize(
    "spelling", [b"I0x1f\n.", b"I 7\n.", b'S"two"\n.', b"F1\n.", b"L5\n.", b"S'\xff'\n."]
)
def test_odd_spellings_are_kept(spelling: bytes) -> None:
    """What the canonical spelling would change is kept raw."""
    (first, _) = disassemble(spelling)
    assert isinstance(first.arg, Raw)
    assert assemble(disassemble(spelling)) == spelling


def test_text_opcodes_load() -> None:
    """What the encoders write is what pickle reads."""
    for item, value in [
        (INT(True), True),
        (INT(-5), -5),
        (LONG(2**80), 2**80),
        (STRING("a'b\n"), "a'b\n"),
        (UNICODE("a\\u0041\n\x1a€😀"), "a\\u0041\n\x1a€😀"),
    ]:
        assert pickle.loads(asm(item)) == value


@pytest.mark.parametrize("data", [b"", b"N", b"X\x05\x00\x00\x00ab", b"cos\n", b"\xff.", b"U"])
def test_cut_streams_are_refused(data: bytes) -> None:
    """A stream without STOP, or with an unknown opcode, is a ValueError."""
    with pytest.raises(ValueError, match="at byte"):
        disassemble(data)


def test_operands_are_asked_for() -> None:
    """An opcode with operand cannot be written bare, nor one without be called."""
    with pytest.raises(TypeError, match="needs its operand"):
        asm(PROTO)
    with pytest.raises(TypeError, match="has no operand"):
        MARK(1)
    assert Instruction("NONE").encode() == b"N"
