"""Decompression in bounded steps: what reading a container may cost, and what it has cost.

Every decompressor is a file with `read1`; what goes wrong in one is a finding, and what it gave
before that is kept, because a loader that reads as it goes has seen it too.
"""

from __future__ import annotations

import importlib
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from picklist._findings import Finding

_CHUNK = 1 << 20
# Ratios are looked at beyond this: a small bomb is none.
_SMALL = 64 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading may cost.

    Attributes
    ----------
    max_members : int
        Members of all archives of one file.
    max_member : int
        Bytes of one member, decompressed; it is what a scan holds in memory.
    max_total : int
        Bytes of all members of one file, decompressed.
    max_ratio : int
        How much larger than its compressed form a member above 64 MB may be.
    max_depth : int
        Containers inside containers.
    """

    max_members: int = 100_000
    max_member: int = 4 << 30
    max_total: int = 64 << 30
    max_ratio: int = 1_100
    max_depth: int = 5


class Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


@dataclass
class Reading:
    """One file while it is read: its name, its bounds, what was spent of them."""

    source: str
    bounds: Bounds
    members: int = 0
    total: int = 0
    findings: list[Finding] = field(default_factory=list)
    # Inside a program that ends as an archive, oddities of the archive are no news.
    lenient: bool = False

    def note(self, rule: str, member: str, message: str) -> None:
        if self.lenient and rule == "mismatch":
            return
        self.findings.append(Finding(rule, message, self.source, member))

    def flush(self) -> Iterator[Finding]:
        found, self.findings = self.findings, []
        yield from found


def decompressed(file: Readable, member: str, reading: Reading, compressed: int) -> Iterator[bytes]:
    """Yield what a decompressor gives, up to the bounds; what goes wrong is a finding."""
    bounds = reading.bounds
    size = 0
    try:
        while chunk := file.read1(_CHUNK):
            size += len(chunk)
            reading.total += len(chunk)
            if size > bounds.max_member or reading.total > bounds.max_total:
                reading.note("not-inspected", member, f"it is larger than {size - 1} bytes")
                return
            if size > _SMALL and size > bounds.max_ratio * max(1, compressed):
                message = f"it grows to over {bounds.max_ratio} times its size"
                reading.note("not-inspected", member, message)
                return
            yield chunk
    except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        reading.note("mismatch", member, f"decompression failed: {first_line(error)}")
    except Exception as error:  # noqa: BLE001 - the other decompressors have classes of their own
        reading.note("not-inspected", member, f"decompression failed: {first_line(error)}")


def collected(file: Readable, member: str, reading: Reading, compressed: int) -> io.BytesIO:
    """Return what `decompressed` yields as a file; it is in memory once, and not in pieces too."""
    data = io.BytesIO()
    for chunk in decompressed(file, member, reading, compressed):
        data.write(chunk)
    data.seek(0)
    return data


def whole(file: IO[bytes]) -> bytes:
    """Return all bytes of a file; of one in memory they are not copied."""
    if isinstance(file, io.BytesIO):
        return file.getvalue()
    file.seek(0)
    return file.read()


def first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0][:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class ZlibFile:
    """A zlib stream as a file: joblib writes them without any other header."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.inflate = zlib.decompressobj()

    def read1(self, size: int, /) -> bytes:
        """Return some bytes; none at the end of the stream."""
        while not self.inflate.eof:
            pending = self.inflate.unconsumed_tail or self.file.read(_CHUNK)
            if not pending:
                raise EOFError("the stream ended before its end marker")
            if found := self.inflate.decompress(pending, size):
                return found
        return b""


def open_zfile(file: IO[bytes]) -> ZlibFile:
    """Return what joblib wrote up to 0.9 as a file of what it holds: zlib's stream and its length.

    The length comes first, as text of 19 characters, or of 20 by Python 2. joblib compares it when
    all has been read; here it is not obeyed, as checksums are not.
    """
    file.seek(len(b"ZF") + 19)
    if file.read(1) != b" ":
        file.seek(len(b"ZF") + 19)
    return ZlibFile(file)


def open_zstd(file: IO[bytes]) -> Any:
    """Return a zstandard file as a file of what it holds.

    Raises
    ------
    ImportError
        Neither Python 3.14 nor the package is there.
    """
    try:
        return importlib.import_module("compression.zstd").ZstdFile(file)
    except ImportError:
        zstandard = importlib.import_module("zstandard")
        decompressor = zstandard.ZstdDecompressor()
        return decompressor.stream_reader(file, read_across_frames=True)


def open_lz4(file: IO[bytes]) -> Any:
    """Return an lz4 file as a file of what it holds.

    Raises
    ------
    ImportError
        The package is not there.
    """
    return importlib.import_module("lz4.frame").LZ4FrameFile(file)


class Part(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        super().__init__()
        self.file = file
        self.left = size

    def readable(self) -> bool:
        """Say yes."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes of the part."""
        wanted = self.left if size is None or size < 0 else min(size, self.left)
        found = self.file.read(wanted)
        if len(found) < wanted:
            self.left = 0
        self.left -= min(len(found), self.left)
        return found

    read1 = read

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


class ZipLzmaFile:
    """zip's form of LZMA, as a file."""

    def __init__(self, decoder: Any, head: bytes, file: Part) -> None:
        self.decoder = decoder
        self.pending = head
        self.file = file

    def read1(self, _size: int, /) -> bytes:
        """Return some bytes; none at the end of the stream."""
        while not self.decoder.eof:
            given = self.pending or self.file.read(1 << 14)
            self.pending = b""
            if not given:
                return b""
            if found := self.decoder.decompress(given):
                return bytes(found)
        return b""
