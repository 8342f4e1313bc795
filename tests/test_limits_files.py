"""What is asked of a file follows what came from it, never what the stream declares."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
from pathlib import Path

import pytest

import picklist
from children import printed

FIRST = 1 << 16
DECLARED = 3_000_000_000
BODY = 5_000_000
LENGTHS: dict[str, bytes] = {
    "BINUNICODE": b"X" + struct.pack("<I", DECLARED),
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 1 << 61),
    "BINBYTES": b"B" + struct.pack("<I", DECLARED),
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 1 << 61),
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", 1 << 61),
    "BINSTRING": b"T" + struct.pack("<i", 2_000_000_000),
    "LONG4": b"\x8b" + struct.pack("<i", 2_000_000_000),
    "FRAME": b"\x80\x04\x95" + struct.pack("<Q", 1 << 61),
}


class Asked(io.BytesIO):
    """A file that remembers what was asked of it, and how much it had given by then."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.asked: list[tuple[int, int]] = []

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "the rest of the file is never asked for"
        self.asked.append((size, self.tell()))
        return super().read(size)


class Peeking(Asked):
    """And that can be looked into."""

    def peek(self, size: int = 0, /) -> bytes:
        assert size <= 2 * FIRST
        return self.getbuffer()[self.tell() : self.tell() + 4096].tobytes()


LIMITS = picklist.Limits(max_int_bytes=None)


@pytest.mark.parametrize("kind", [Asked, Peeking])
@pytest.mark.parametrize("opcode", LENGTHS)
def test_a_read_is_at_most_twice_what_came(opcode: str, kind: type[Asked]) -> None:
    """The first piece of a declared length is 64 KiB, each further one at most doubles."""
    file = kind(LENGTHS[opcode] + bytes(BODY))
    with pytest.raises(picklist.MalformedPickleError):
        picklist.safe_load(file, limits=LIMITS)
    assert file.asked
    for size, given in file.asked:
        assert size <= max(FIRST, 2 * given), f"{size} asked for after {given}"
    assert file.tell() == len(LENGTHS[opcode]) + BODY
    # Few, all the same: a read for each piece would be slow.
    assert sum(size > 100 for size, _ in file.asked) < 12


@pytest.mark.parametrize("opcode", LENGTHS)
def test_the_inspector_reads_as_carefully(opcode: str) -> None:
    """A policy with a class has the whole stream looked through first."""
    from picklist_samples import Plain

    head = pickle.dumps(Plain(), 2)[:-1] + b"0"
    body = LENGTHS[opcode].removeprefix(b"\x80\x04")
    file = Asked(head + body + bytes(BODY))
    with pytest.raises(picklist.MalformedPickleError):
        picklist.safe_load(file, allow=[Plain], limits=LIMITS)
    for size, given in file.asked:
        assert size <= max(FIRST, 2 * given), f"{size} asked for after {given}"


def test_a_whole_value_comes_through() -> None:
    """Pieces that double add up to what was declared, and nothing behind it is touched."""
    for value in (b"x" * BODY, "y" * BODY, bytearray(BODY), 1 << 8 * BODY):
        for protocol in (2, 3, 4, 5):
            if protocol < 3 and not isinstance(value, (str, int)):
                continue
            data = pickle.dumps(value, protocol)
            file = Asked(data + b"behind")
            assert picklist.safe_load(file) == value
            assert file.tell() == len(data)


CHILD = """
import json, resource, sys
import picklist
class Greedy:
    # As a file that makes room for all that is asked of it, before it looks what it has.
    def __init__(self, data):
        self.data = data
    def read(self, size):
        room = bytearray(size)
        piece, self.data = self.data[:size], self.data[size:]
        room[:len(piece)] = piece
        return bytes(memoryview(room)[:len(piece)])
    def readline(self):
        raise AssertionError
data = open(sys.argv[1], "rb").read()
try:
    picklist.safe_loads(b"N")
except picklist.UnsafePickleError:
    pass
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
space = pages + (100 << 20)
resource.setrlimit(resource.RLIMIT_AS, (space, space))
try:
    picklist.safe_load(Greedy(data), limits=picklist.Limits(max_int_bytes=None))
except BaseException as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("opcode", LENGTHS)
def test_a_file_that_makes_room_first_is_safe(opcode: str, tmp_path: Path) -> None:
    """A dozen bytes that declare gigabytes are a truncated pickle in 100 MiB, no MemoryError."""
    path = tmp_path / "input.pkl"
    path.write_bytes(LENGTHS[opcode] + bytes(BODY))
    name, message = json.loads(printed(CHILD, path))
    assert name in ("TruncatedPickleError", "MalformedPickleError"), message
