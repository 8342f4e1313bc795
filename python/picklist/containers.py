"""Where pickles lie: streams inside files, one reader for each format, each fail-closed.

`streams` yields every stream that may be a pickle, and a `Finding` for whatever cannot be read:
nothing passes in silence. What a file is, its bytes say; its name only adds suspicion. Archives are
read by their directory and by the headers that lie between its entries; checksums and flags are
reported and not obeyed: a reader that ignores them would see the payload.
"""

from __future__ import annotations

import ast
import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import IO, Any

from picklist._decompress import (
    Bounds,
    Part,
    Reading,
    ZipLzmaFile,
    ZlibFile,
    collected,
    first_line,
    open_lz4,
    open_zfile,
    open_zstd,
    whole,
)
from picklist._picklist import _genops
from picklist.errors import LimitExceededError, UnsafePickleError

__all__ = ["Bounds", "Stream", "streams"]

_PICKLE_NAMES = re.compile(
    r"\.(p|pkl|pickle|pck|pcl|joblib|jl|pt|pth|ckpt|sav|model|dill|cpickle)(\.\w+)?$", re.IGNORECASE
)
_LOCAL = struct.Struct("<4s5H3I2H")
_ZLIB = (b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")
# Bytes from which on a look at the beginning of a file comes before all of it is read.
_LARGE = 1 << 20
# Bytes that are searched at a time for what lies between members.
_PIECE = 1 << 20
# Archives that nothing here reads: 7z, RAR, compress, lzip, snappy.
_UNREADABLE = (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x9d", b"LZIP", b"\xff\x06\0\0sNaPpY")
_TORCH_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes that may be a pickle, or several.

    Attributes
    ----------
    member : str
        Where in the file, as in ``"weights.zip!data.pkl"``; "" for the file itself.
    data : bytes
        The stream.
    kind : str
        "pickle", "torch" (it has persistent ids that torch resolves), "torch-legacy" (raw storage
        follows the fifth pickle) or "npy" (the pickle of an object array).
    named : bool
        The name says that it is a pickle: one that is none is a finding then.
    """

    member: str
    data: bytes
    kind: str = "pickle"
    named: bool = False


def streams(file: IO[bytes], source: str, *, bounds: Bounds | None = None) -> Iterator[Any]:
    """Yield every `Stream` of a file, and a `Finding` for what could not be read.

    Parameters
    ----------
    file : binary file
        Open for reading, seekable.
    source : str
        Its name, for findings.
    bounds : Bounds, optional
        What reading may cost.
    """
    reading = Reading(source, bounds or Bounds())
    yield from _streams(file, _Place("", source, 0), reading)
    yield from reading.flush()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the file: member, the name that counts for suspicion, depth, torch's or not."""

    member: str
    name: str
    depth: int
    torch: bool = False

    def inside(self, name: str) -> _Place:
        member = f"{self.member}!{name}" if self.member else name
        return _Place(member, name, self.depth + 1)


def _streams(file: IO[bytes], place: _Place, reading: Reading) -> Iterator[Any]:
    if place.depth > reading.bounds.max_depth:
        reading.note("not-inspected", place.member, "containers are nested too deeply")
        yield from reading.flush()
        return
    head = file.read(512)
    named = bool(_PICKLE_NAMES.search(place.name))
    for matches, reader in _READERS:
        if matches(head):
            yield from reader(file, place, reading)
            yield from reading.flush()
            return
    file.seek(0)
    if _ends_as_zip(file):
        # Self-extracting programs do; a pickle does not.
        lenient, reading.lenient = reading.lenient, head[:1] != b"\x80" and not named
        reading.note("mismatch", place.member, "it ends as a zip archive and does not begin as one")
        yield from _zip(file, place, reading)
        yield from reading.flush()
        reading.lenient = lenient
    yield from reading.flush()
    file.seek(0)
    size = file.seek(0, io.SEEK_END)
    if size > _LARGE and not _may_be_a_pickle(head):
        data = head
    elif size > reading.bounds.max_member:
        reading.note(
            "not-inspected", place.member, f"it is larger than {reading.bounds.max_member} bytes"
        )
        yield from reading.flush()
        return
    else:
        data = whole(file)
    kind = "torch" if place.torch else "pickle"
    if _TORCH_MAGIC in data[:32]:
        kind = "torch-legacy"
    yield Stream(place.member, data, kind, named)


def _may_be_a_pickle(head: bytes) -> bool:
    """Tell from its first bytes whether the rest of a file need be read.

    Whatever reads opcodes ends where one cannot be read. Where BUILD comes before that, raw arrays
    may follow.
    """
    try:
        _genops(head)
    except (EOFError, LimitExceededError):
        return True
    except UnsafePickleError as error:
        return b"b" in head[: error.offset]
    return True


def _ends_as_zip(file: IO[bytes]) -> bool:
    try:
        return zipfile.is_zipfile(file)
    except (OSError, ValueError, struct.error):
        return False


# --- compressed files ----------------------------------------------------------------------------


def _compressed(
    make: Callable[[IO[bytes]], Any], package: str = ""
) -> Callable[[IO[bytes], _Place, Reading], Iterator[Any]]:
    def read(file: IO[bytes], place: _Place, reading: Reading) -> Iterator[Any]:
        compressed = file.seek(0, io.SEEK_END)
        file.seek(0)
        try:
            source = make(file)
        except ImportError:
            message = f"its compression cannot be read: pip install {package}"
            reading.note("not-inspected", place.member, message)
            return
        data = collected(source, place.member, reading, compressed)
        inner = replace(place, depth=place.depth + 1)
        yield from _streams(data, inner, reading)

    return read


# --- archives ------------------------------------------------------------------------------------


def _may_go_on(place: _Place, reading: Reading) -> bool:
    reading.members += 1
    if reading.members == reading.bounds.max_members + 1:
        message = f"more than {reading.bounds.max_members} members; the rest was not looked at"
        reading.note("not-inspected", place.member, message)
    return reading.members <= reading.bounds.max_members


def _zip(file: IO[bytes], place: _Place, reading: Reading) -> Iterator[Any]:
    entries: list[zipfile.ZipInfo] = []
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        reading.note("mismatch", place.member, f"no readable directory: {first_line(error)}")
    torch = any(entry.filename.endswith("/version") for entry in entries)
    covered: list[tuple[int, int]] = []
    for entry in entries:
        if not _may_go_on(place, reading):
            return
        inner = replace(place.inside(entry.filename), torch=torch)
        yield from _zip_entry(file, entry, inner, reading, covered)
        yield from reading.flush()
    yield from _hidden_entries(file, place, reading, covered)


def _zip_entry(
    file: IO[bytes],
    entry: zipfile.ZipInfo,
    place: _Place,
    reading: Reading,
    covered: list[tuple[int, int]],
) -> Iterator[Any]:
    """Read a member by what the directory says, and report where its own header disagrees."""
    at = max(0, entry.header_offset)
    file.seek(at)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        reading.note("not-inspected", place.member, "there is no member where the directory says")
        return
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    name = file.read(name_length)
    start = at + _LOCAL.size + name_length + extra_length
    covered.append((at, start + entry.compress_size))
    if name != _encoded(entry):
        reading.note("mismatch", place.member, "its header and the directory name it differently")
    if method != entry.compress_type:
        reading.note("mismatch", place.member, "its header and the directory disagree on its form")
    streamed = (flags | entry.flag_bits) & 0x08
    declared = (entry.CRC, entry.compress_size, entry.file_size)
    if not streamed and 0xFFFFFFFF not in (packed, size) and (crc, packed, size) != declared:
        reading.note("mismatch", place.member, "its header and the directory disagree on its size")
    if (flags | entry.flag_bits) & 0x41:
        # Some readers ignore the flag; what lies there unencrypted is looked at all the same.
        reading.note("not-inspected", place.member, "it says that it is encrypted")
    if entry.is_dir() and not entry.compress_size:
        return
    for each in sorted({method, entry.compress_type}):
        data = _unpacked(file, start, entry.compress_size, each, place, reading)
        if data is None:
            continue
        if each == entry.compress_type and zlib.crc32(data.getbuffer()) != entry.CRC:
            reading.note("mismatch", place.member, "its checksum is wrong")
        yield from _streams(data, place, reading)


def _encoded(entry: zipfile.ZipInfo) -> bytes:
    try:
        return entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437")
    except UnicodeEncodeError:
        return b""


def _unpacked(
    file: IO[bytes], start: int, packed: int, method: int, place: _Place, reading: Reading
) -> io.BytesIO | None:
    file.seek(start)
    source: Any = Part(file, packed)
    match method:
        case 0:
            pass
        case 8:
            source = ZlibFile(source)
            source.inflate = zlib.decompressobj(-15)
        case 12:
            source = bz2.BZ2File(source)
        case 14:
            try:
                head = source.read(4)
                decoder = zipfile.LZMADecompressor()  # type: ignore[attr-defined]
                source = ZipLzmaFile(decoder, head, source)
            except (ValueError, struct.error) as error:
                reading.note("not-inspected", place.member, first_line(error))
                return None
        case _:
            message = f"its compression method {method} is not known"
            reading.note("not-inspected", place.member, message)
            return None
    return collected(source, place.member, reading, packed)


def _hidden_entries(
    file: IO[bytes], place: _Place, reading: Reading, covered: list[tuple[int, int]]
) -> Iterator[Any]:
    """Look at members that lie between the entries of the directory."""
    end = file.seek(0, io.SEEK_END)
    at = 0
    for start, stop in [*sorted(covered), (end, end)]:
        for found in _local_headers(file, at, start):
            file.seek(found)
            header = file.read(_LOCAL.size)
            if len(header) < _LOCAL.size or not _may_go_on(place, reading):
                continue
            _, _, _, method, _, _, _, packed, _, name_length, extra_length = _LOCAL.unpack(header)
            name = file.read(name_length).decode("utf-8", "replace")
            inner = place.inside(name or "?")
            reading.note("mismatch", inner.member, "the archive's directory does not list it")
            offset = found + _LOCAL.size + name_length + extra_length
            size = packed or max(0, end - offset)
            data = _unpacked(file, offset, size, method, inner, reading)
            if data is not None:
                yield from _streams(data, inner, reading)
            del data  # not while the next one is read
            yield from reading.flush()
        at = max(at, stop)


def _local_headers(file: IO[bytes], start: int, end: int) -> Iterator[int]:
    """Yield where the signature of a member stands between two offsets."""
    signature = b"PK\x03\x04"
    for at in range(start, end, _PIECE):
        file.seek(at)
        piece = file.read(min(_PIECE + len(signature) - 1, end - at))
        for match in re.finditer(signature, piece):
            yield at + match.start()


def _is_tar(head: bytes) -> bool:
    if len(head) < 512:
        return False
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _tar(file: IO[bytes], place: _Place, reading: Reading) -> Iterator[Any]:
    file.seek(0)
    end = 0
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for entry in archive:
                if not _may_go_on(place, reading):
                    return
                inner = place.inside(entry.name)
                end = archive.offset
                if not entry.isfile():
                    continue
                part: Any = archive.extractfile(entry)
                data = collected(part, inner.member, reading, entry.size)
                if data.getbuffer().nbytes < entry.size and not reading.findings:
                    reading.note("mismatch", inner.member, "it is cut short")
                yield from _streams(data, inner, reading)
                del data  # not while the next one is read
                yield from reading.flush()
    except (tarfile.TarError, OSError, ValueError) as error:
        reading.note("mismatch", place.member, f"the archive is damaged: {first_line(error)}")
    after = file.seek(0, io.SEEK_END)
    end = _next_not_zero(file, end) if end else end
    if end < after:
        reading.note("mismatch", place.member, "bytes follow the end of the archive")
        inner = place.inside("(after the end)")
        file.seek(end)
        rest = collected(Part(file, after - end), inner.member, reading, after - end)
        if end:
            yield from _streams(rest, inner, reading)
        else:  # nothing of it could be read as an archive
            yield Stream(inner.member, rest.getvalue())


def _next_not_zero(file: IO[bytes], at: int) -> int:
    """Return the offset of the next byte that is not 0, or the end of the file."""
    file.seek(at)
    while piece := file.read(_PIECE):
        if rest := piece.lstrip(b"\0"):
            return at + len(piece) - len(rest)
        at += len(piece)
    return at


# --- numpy ---------------------------------------------------------------------------------------


def _npy(file: IO[bytes], place: _Place, reading: Reading) -> Iterator[Any]:
    """Read the pickle behind the header of an object array; other arrays hold none."""
    file.seek(0)
    head = file.read(12)
    size, at = (2, 10) if head[6:7] == b"\x01" else (4, 12)
    length = int.from_bytes(head[8 : 8 + size], "little")
    file.seek(at)
    try:
        # numpy's own limit: literal_eval is not made for more.
        header = file.read(length) if length <= 10_000 else b""
        text = header.decode("utf-8" if head[6:7] > b"\x02" else "latin1")
        descr = repr(ast.literal_eval(text.strip())["descr"])
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError) as error:
        reading.note("not-inspected", place.member, f"its header is broken: {first_line(error)}")
        descr = "O"
    if re.search(r"O|object", descr):
        # The length may lie, and then there is nothing behind it.
        yield Stream(place.member, whole(file)[at + length :], "npy", named=True)


def _unreadable(_file: IO[bytes], place: _Place, reading: Reading) -> Iterator[Any]:
    reading.note("not-inspected", place.member, "it is an archive of a kind that is not read")
    yield from ()


_READERS: tuple[tuple[Callable[[bytes], bool], Callable[..., Iterator[Any]]], ...] = (
    (lambda head: head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"), _zip),
    (lambda head: head[:6] == b"\x93NUMPY", _npy),
    (lambda head: head[:2] == b"\x1f\x8b", _compressed(lambda file: gzip.GzipFile(fileobj=file))),
    (lambda head: head[:3] == b"BZh", _compressed(bz2.BZ2File)),
    (lambda head: head[:6] == b"\xfd7zXZ\0" or head[:3] == b"\x5d\0\0", _compressed(lzma.LZMAFile)),
    (lambda head: head[:4] == b"\x28\xb5\x2f\xfd", _compressed(open_zstd, "zstandard")),
    (lambda head: head[:4] == b"\x04\x22\x4d\x18", _compressed(open_lz4, "lz4")),
    (lambda head: head[:2] in _ZLIB, _compressed(ZlibFile)),
    (lambda head: head[:4] == b"ZF0x", _compressed(open_zfile)),
    (_is_tar, _tar),
    (lambda head: head.startswith(_UNREADABLE), _unreadable),
)
