"""Assemble pickles from named opcodes, and take them apart again.

The names are CPython's, from ``pickletools.opcodes``, and so is every argument type; there is no
second opcode table here.  An opcode without argument is written bare, one with an argument is
called::

    asm(PROTO(4), GLOBAL("posix", "system"), MARK, BINUNICODE("id"), TUPLE, REDUCE)

``STOP`` is added where the last instruction is not one.  An argument given as :class:`Raw` is
written as it stands, which is how lying lengths and odd spellings are made.  ``disassemble`` is the
inverse: it answers with :class:`Raw` exactly where the canonical spelling would differ from the
bytes, so that ``asm(*disassemble(data)) == data`` for every stream that ends in ``STOP``.
"""

from __future__ import annotations

import codecs
import io
import pickle
import pickletools
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

__all__ = [
    "BY_CODE",
    "BY_NAME",
    "Instruction",
    "Opcode",
    "Raw",
    "asm",
    "assemble",
    "disassemble",
    "offsets",
]


class Raw(bytes):
    """An operand to be written as it stands, length prefix and terminator included."""

    __slots__ = ()


class Instruction(NamedTuple):
    """One opcode with its operand: ``None`` for none, a pair of strings for GLOBAL and INST."""

    name: str
    arg: Any = None

    def encode(self) -> bytes:
        """Return the bytes of the instruction."""
        return BY_NAME[self.name].encode(self.arg)


class Opcode:
    """One row of ``pickletools.opcodes``; called with its operand, an :class:`Instruction`."""

    def __init__(self, info: pickletools.OpcodeInfo) -> None:
        self.name: str = info.name
        self.code: bytes = info.code.encode("latin-1")
        self.proto: int = info.proto
        self.operand: str | None = info.arg.name if info.arg is not None else None
        self.width: int = info.arg.n if info.arg is not None else 0
        self.reader: Callable[[Any], Any] | None = info.arg.reader if info.arg is not None else None

    def __call__(self, *args: Any) -> Instruction:
        if self.operand is None:
            raise TypeError(f"{self.name} has no operand")
        return Instruction(self.name, args[0] if len(args) == 1 else args)

    def __repr__(self) -> str:
        return self.name

    def encode(self, arg: Any) -> bytes:
        """Return opcode and operand as bytes."""
        if isinstance(arg, Raw):
            return self.code + arg
        if self.operand is None:
            return self.code
        return self.code + ENCODERS[self.operand](arg)


def counted(layout: str) -> Callable[[bytes], bytes]:
    """Return an encoder for bytes behind a length of the given struct layout."""
    return lambda data: struct.pack(layout, len(data)) + bytes(data)


def text(layout: str) -> Callable[[str], bytes]:
    """Return an encoder for UTF-8 text behind a length of the given struct layout."""
    return lambda value: counted(layout)(value.encode("utf-8", "surrogatepass"))


def latin(layout: str) -> Callable[[str | bytes], bytes]:
    """Return an encoder for the 8-bit strings of Python 2 behind a length."""
    return lambda value: counted(layout)(
        value if isinstance(value, bytes) else value.encode("latin-1")
    )


def packed(layout: str) -> Callable[[Any], bytes]:
    """Return an encoder for one number of the given struct layout."""
    return lambda value: struct.pack(layout, value)


def line(value: str | bytes) -> bytes:
    """Encode a line of text without quotes or escapes."""
    return (value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")) + b"\n"


def quoted_line(value: str | bytes) -> bytes:
    """Encode STRING's operand: single quotes and Python 2's escapes."""
    data = value if isinstance(value, bytes) else value.encode("latin-1")
    return b"'" + codecs.escape_encode(data)[0] + b"'\n"


def unicode_line(value: str) -> bytes:
    """Encode UNICODE's operand: raw-unicode-escape, with the escapes that pickle adds."""
    for plain, escaped in (
        ("\\", "\\u005c"),
        ("\0", "\\u0000"),
        ("\n", "\\u000a"),
        ("\r", "\\u000d"),
        ("\x1a", "\\u001a"),
    ):
        value = value.replace(plain, escaped)
    return value.encode("raw-unicode-escape") + b"\n"


def decimal_short(value: int) -> bytes:
    """Encode INT's, GET's and PUT's operand; booleans are 00 and 01."""
    return (b"01\n" if value else b"00\n") if isinstance(value, bool) else b"%d\n" % value


def pair(value: tuple[str, str] | str) -> bytes:
    """Encode the two lines of GLOBAL and INST; pickletools' "module name" is taken too."""
    module, name = value.split(" ", 1) if isinstance(value, str) else value
    return line(module) + line(name)


def long_of(layout: str) -> Callable[[int], bytes]:
    """Return an encoder for two's complement behind a length."""
    return lambda value: counted(layout)(pickle.encode_long(value))


# One encoder for each argument type of pickletools, by the descriptor's name.
ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "uint1": packed("<B"),
    "uint2": packed("<H"),
    "int4": packed("<i"),
    "uint4": packed("<I"),
    "uint8": packed("<Q"),
    "float8": packed(">d"),
    "floatnl": lambda value: line(repr(float(value))),
    "decimalnl_short": decimal_short,
    "decimalnl_long": lambda value: b"%dL\n" % value,
    "long1": long_of("<B"),
    "long4": long_of("<i"),
    "stringnl": quoted_line,
    "stringnl_noescape": line,
    "stringnl_noescape_pair": pair,
    "string1": latin("<B"),
    "string4": latin("<i"),
    "bytes1": counted("<B"),
    "bytes4": counted("<I"),
    "bytes8": counted("<Q"),
    "bytearray8": counted("<Q"),
    "unicodestringnl": unicode_line,
    "unicodestring1": text("<B"),
    "unicodestring4": text("<I"),
    "unicodestring8": text("<Q"),
}

BY_NAME: dict[str, Opcode] = {info.name: Opcode(info) for info in pickletools.opcodes}
BY_CODE: dict[int, Opcode] = {opcode.code[0]: opcode for opcode in BY_NAME.values()}


def __getattr__(name: str) -> Opcode:
    """Return the opcode of that name: ``from assembler import PROTO, STOP``."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise AttributeError(f"pickletools knows no opcode {name!r}") from None


def asm(*program: Instruction | Opcode | bytes, frame: bool = False, stop: bool = True) -> bytes:
    """Return the pickle of a program.

    Parameters
    ----------
    program : Instruction, Opcode or bytes
        Opcodes without operand bare, others called; bytes are inserted as they stand.
    frame : bool
        Put everything after PROTO into one FRAME; frames in the program are dropped first.
    stop : bool
        End with STOP where the program does not.
    """
    items = list(program)
    if stop and (not items or getattr(items[-1], "name", None) != "STOP"):
        items.append(BY_NAME["STOP"])
    if frame:
        items = [item for item in items if getattr(item, "name", None) != "FRAME"]
    head = b""
    if frame and items and getattr(items[0], "name", None) == "PROTO":
        head = encode(items.pop(0))
    body = b"".join(map(encode, items))
    return head + (BY_NAME["FRAME"].encode(len(body)) if frame else b"") + body


def assemble(program: list[Instruction]) -> bytes:
    """Return the bytes of exactly these instructions: no STOP is added, no frame is touched."""
    return b"".join(instruction.encode() for instruction in program)


def encode(item: Instruction | Opcode | bytes) -> bytes:
    """Return the bytes of one item of a program."""
    if isinstance(item, Opcode):
        if item.operand is not None:
            raise TypeError(f"{item.name} needs its operand")
        return item.code
    return item.encode() if isinstance(item, Instruction) else item


def operand_size(opcode: Opcode, data: bytes, at: int) -> int:
    """Return how many bytes the operand that begins at ``at`` takes."""
    if opcode.operand is None:
        return 0
    if opcode.width >= 0:
        return opcode.width
    if opcode.width == pickletools.UP_TO_NEWLINE:
        end = at
        for _ in range(2 if opcode.operand == "stringnl_noescape_pair" else 1):
            end = data.index(b"\n", end) + 1
        return end - at
    layout = {"1": "<B", "4": "<I", "8": "<Q"}[opcode.operand[-1]]
    return struct.calcsize(layout) + int(struct.unpack_from(layout, data, at)[0])


def walk(data: bytes) -> Iterator[tuple[int, Opcode, bytes]]:
    """Yield offset, opcode and raw operand up to STOP; ValueError where the stream is cut."""
    at = 0
    while True:
        try:
            opcode = BY_CODE[data[at]]
            size = operand_size(opcode, data, at + 1)
        except (IndexError, KeyError, ValueError, struct.error):
            raise ValueError(f"no opcode at byte {at}") from None
        raw = data[at + 1 : at + 1 + size]
        if len(raw) != size:
            raise ValueError(f"operand at byte {at} is cut")
        yield at, opcode, raw
        if opcode.name == "STOP":
            return
        at += 1 + size


def value_of(opcode: Opcode, raw: bytes) -> Any:
    """Return the operand as pickletools reads it, or Raw where it would be written differently."""
    if opcode.reader is None:
        return None
    try:
        value = opcode.reader(io.BytesIO(raw))
        if opcode.operand == "stringnl_noescape_pair":
            value = tuple(raw[:-1].decode("utf-8").split("\n", 1))
        same = opcode.encode(value) == opcode.code + raw
    except (ValueError, OverflowError, struct.error):
        return Raw(raw)
    return value if same else Raw(raw)


def disassemble(data: bytes) -> list[Instruction]:
    """Return the instructions of a stream up to and including STOP."""
    return [Instruction(opcode.name, value_of(opcode, raw)) for _, opcode, raw in walk(data)]


def offsets(data: bytes, name: str) -> list[int]:
    """Return the byte offsets at which the named opcode stands."""
    return [at for at, opcode, _ in walk(data) if opcode.name == name]
