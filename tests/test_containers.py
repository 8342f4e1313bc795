"""Pickles inside files: every stream is found, and what cannot be read is a finding."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assembler import BINPERSID, GLOBAL, POP, PROTO, SHORT_BINSTRING, STACK_GLOBAL, asm
from payloads import call, literal
from picklist._scanning import FileReport, scan_file, scan_stream
from picklist.containers import Bounds
from preflight_kinds.table import needs

PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR."
GOOD = pickle.dumps({"a": [1, 2.5, "x"]})


def scan(data: bytes, name: str = "file.bin", **bounds: int) -> FileReport:
    """Scan bytes as a file of some name."""
    report = FileReport(name)
    scan_stream(io.BytesIO(data), report, bounds=Bounds(**bounds) if bounds else None)
    return report


def rules(report: FileReport) -> list[str]:
    """Return the rules of the findings."""
    return [finding.rule for finding in report.findings]


def dangerous(report: FileReport) -> bool:
    """Tell whether the payload was found."""
    return ("dangerous-global", "os.system") in [(f.rule, f.name) for f in report.findings]


def zipped(**members: bytes) -> bytes:
    """Return a stored zip archive; double underscores are dots, `__` alone cannot occur."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return file.getvalue()


def tarred(**members: bytes) -> bytes:
    """Return a tar archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name.replace("__", "."))
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def npy(payload: bytes, descr: str = "|O", version: int = 1) -> bytes:
    """Return a .npy file."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + payload


WRAPPERS: dict[str, Callable[[bytes], bytes]] = {
    "raw": bytes,
    "gzip": gzip.compress,
    "gzip in two members": lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib, as joblib writes it": lambda data: zlib.compress(data, 3),
    "zip": lambda data: zipped(data__pkl=data),
    "tar": lambda data: tarred(data__pkl=data),
    "tar.gz": lambda data: gzip.compress(tarred(data__pkl=data)),
    "npy": npy,
    "npy 2.0": lambda data: npy(data, version=2),
    "npz": lambda data: zipped(a__npy=npy(b"\0" * 8, "<f8"), b__npy=npy(data)),
    "zip in a zip": lambda data: zipped(inner__zip=zipped(data__pkl=data)),
    "zip in a tar.xz": lambda data: lzma.compress(tarred(x=zipped(data=data))),
}


@pytest.mark.parametrize("name", ["file", "file.pkl", "file.bin", "file.txt", "file.npy"])
@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_payloads_are_found(wrapper: Callable[[bytes], bytes], name: str) -> None:
    """Whatever the file is called: CVE-2025-1889 and CVE-2025-10155 went by the extension."""
    report = scan(wrapper(PAYLOAD), name)
    assert dangerous(report)
    assert rules(report) == ["dangerous-global"]


@pytest.mark.parametrize("wrapper", WRAPPERS.values(), ids=WRAPPERS)
def test_clean_files_are_clean(wrapper: Callable[[bytes], bytes]) -> None:
    report = scan(wrapper(GOOD))
    assert report.findings == []
    assert report.pickles == 1


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a.pkl", PAYLOAD * 100)
        archive.writestr("b.pkl", GOOD)
    report = scan(file.getvalue())
    assert set(rules(report)) == {"dangerous-global"}
    assert {finding.member for finding in report.findings} == {"a.pkl"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"hello world, this is text\n",
        b"column,other\n1,2\n3,4\n",
        b"configure\nmake\n",
        bytes(range(256)),
        b"\x7fELF" + bytes(60),
        b"x",
        b"{}",
        b'{"a": 1}',
        b"<html>",
    ],
)
def test_other_files_are_left_alone(data: bytes) -> None:
    assert rules(scan(data, "notes.txt")) == []


class TestLargeFiles:
    """Of a large file that is no pickle only the beginning is read."""

    JUNK = bytes(range(256)) * 8192

    @pytest.mark.parametrize(
        "head", [b"", b"MZ\x90\0", b"\x7fELF", b"import os\nimport re\n", b"PK", b"(dp0\n\xff"]
    )
    def test_other_files(self, head: bytes) -> None:
        assert rules(scan(head + self.JUNK)) == []
        assert "malformed" in rules(scan(head + self.JUNK, "model.pkl"))

    @pytest.mark.parametrize("before", [0, 1, 300, 511, 512, 513, 5000])
    @pytest.mark.parametrize("name", ["notes", "model.pkl"])
    def test_a_payload_before_junk(self, before: int, name: str) -> None:
        for filler in (b"N" * before, b"V" + b"b" * before + b"\n"):
            assert dangerous(scan(filler + PAYLOAD[:-1] + self.JUNK, name))

    def test_a_large_pickle(self) -> None:
        data = pickle.dumps([self.JUNK, "x"])
        assert scan(data).pickles == 1
        assert dangerous(scan(data + PAYLOAD))
        assert dangerous(scan(data[:-1] + b"0" + PAYLOAD))


def test_what_calls_itself_a_pickle_must_be_one() -> None:
    assert rules(scan(b"hello world", "model.pkl")) == ["malformed"]
    assert rules(scan(b"", "model.joblib")) == ["malformed"]


class TestZip:
    """Archives that two readers read differently."""

    @staticmethod
    def offset(data: bytes, signature: bytes) -> int:
        return data.index(signature)

    def test_a_wrong_checksum(self) -> None:
        """CVE-2025-10156: the reader gave up on a wrong checksum, torch.load does not."""
        data = bytearray(zipped(data__pkl=PAYLOAD))
        for signature, at in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
            data[self.offset(data, signature) + at] ^= 0xFF
        report = scan(bytes(data))
        assert dangerous(report)
        assert "mismatch" in rules(report)

    @pytest.mark.parametrize("bit", [0x01, 0x20, 0x40, 0x2000])
    def test_flag_bits(self, bit: int) -> None:
        """CVE-2025-1945: flag bits made the reader fail, and the loader ignored them."""
        data = bytearray(zipped(data__pkl=PAYLOAD))
        for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            start = self.offset(data, signature) + at
            data[start : start + 2] = struct.pack("<H", bit)
        report = scan(bytes(data))
        assert report.findings
        if bit in (0x01, 0x40):
            assert dangerous(report)
            assert "not-inspected" in rules(report)

    def test_another_name_in_the_header(self) -> None:
        """CVE-2025-1944: the header and the directory name the member differently."""
        data = zipped(data__pkl=PAYLOAD).replace(b"data.pkl", b"nope.txt", 1)
        report = scan(data)
        assert dangerous(report)
        assert "mismatch" in rules(report)

    def test_a_member_that_the_directory_hides(self) -> None:
        hidden = zipped(evil__pkl=PAYLOAD)
        hidden = hidden[: hidden.index(b"PK\x01\x02")]
        report = scan(hidden + zipped(data__pkl=GOOD))
        assert dangerous(report)
        assert "mismatch" in rules(report)

    def test_no_directory_at_all(self) -> None:
        data = zipped(data__pkl=PAYLOAD)
        report = scan(data[: data.index(b"PK\x01\x02")])
        assert dangerous(report)
        assert rules(report)[0] == "mismatch"

    def test_an_unknown_method(self) -> None:
        data = bytearray(zipped(data__pkl=PAYLOAD))
        for signature, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
            data[self.offset(data, signature) + at] = 97
        assert rules(scan(bytes(data))) == ["not-inspected"]

    def test_two_methods_are_both_tried(self) -> None:
        data = bytearray(zipped(data__pkl=PAYLOAD))
        data[self.offset(data, b"PK\x03\x04") + 8] = 8
        report = scan(bytes(data))
        assert dangerous(report)
        assert "mismatch" in rules(report)

    def test_a_pickle_with_an_archive_behind_it(self) -> None:
        """One reader sees the pickle, another the archive."""
        report = scan(GOOD + zipped(data__pkl=PAYLOAD))
        assert dangerous(report)
        assert "mismatch" in rules(report)
        report = scan(PAYLOAD + zipped(data__pkl=GOOD))
        assert dangerous(report)

    def test_a_program_with_an_archive_behind_it(self) -> None:
        """Self-extracting programs are common; what their archive holds is looked at."""
        assert rules(scan(b"MZ" + bytes(500) + zipped(a=b"hello"), "setup.exe")) == []
        assert dangerous(scan(b"MZ" + bytes(500) + zipped(a=PAYLOAD), "setup.exe"))
        assert "mismatch" in rules(scan(b"MZ" + bytes(500) + zipped(a=b"hello"), "model.pkl"))

    def test_the_same_name_twice(self) -> None:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data.pkl", PAYLOAD)
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("data.pkl", GOOD)
        assert dangerous(scan(file.getvalue()))


def test_bytes_after_a_tar() -> None:
    report = scan(tarred(a__pkl=GOOD) + PAYLOAD)
    assert dangerous(report)
    assert "mismatch" in rules(report)
    damaged = bytearray(tarred(a__pkl=PAYLOAD))
    damaged[512 + 1024 :] = b""
    assert dangerous(scan(bytes(damaged)))


class TestTorch:
    """What torch.save writes, without torch."""

    def pickled(self, *more: Any) -> bytes:
        return asm(PROTO(2), *more, literal(("storage", "0")), BINPERSID)

    def test_the_zip_form(self) -> None:
        data = zipped(**{"m/data__pkl": self.pickled(), "m/version": b"3\n", "m/data/0": bytes(16)})
        assert rules(scan(data, "model.pt")) == []
        bad = self.pickled(call("os.system", "id"), POP)
        data = zipped(**{"m/data__pkl": bad, "m/version": b"3\n", "m/data/0": bytes(16)})
        report = scan(data, "model.pt")
        assert rules(report) == ["dangerous-global"]
        assert report.findings[0].member == "m/data.pkl"

    @pytest.mark.parametrize("bad", [False, True])
    def test_the_legacy_form(self, bad: bool) -> None:
        magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
        model = self.pickled(*((call("os.system", "id"), POP) if bad else ()))
        parts = [magic, pickle.dumps(1001, 2), pickle.dumps({"little_endian": True}, 2), model]
        data = b"".join(parts) + pickle.dumps(["0"], 2) + b"\xff" * 64
        assert rules(scan(data, "model.pt")) == (["dangerous-global"] if bad else [])


class TestNumpy:
    """Object arrays hold a pickle, other arrays do not."""

    def test_numbers_are_no_pickle(self) -> None:
        assert rules(scan(npy(PAYLOAD, "<f8"), "a.npy")) == []

    @pytest.mark.parametrize("header", [b"{", b"[1]", b"{'descr': x}", b"{" * 9000])
    def test_a_broken_header_hides_nothing(self, header: bytes) -> None:
        data = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + PAYLOAD
        report = scan(data)
        assert dangerous(report)
        assert "not-inspected" in rules(report)

    def test_a_field_of_objects(self) -> None:
        data = npy(PAYLOAD).replace(b"'|O'", b"[('a', '|O')]")
        header = data.index(b"\n") + 1 - 10
        data = data[:8] + struct.pack("<H", header) + data[10:]
        assert dangerous(scan(data))


class TestZFiles:
    """joblib's compressed form up to 0.9: "ZF", a length in hexadecimal, a zlib stream."""

    @pytest.mark.parametrize("width", [19, 20])
    def test_they_are_looked_into(self, width: int) -> None:
        def zfile(data: bytes) -> bytes:
            return b"ZF" + hex(len(data)).encode().ljust(width) + zlib.compress(data)

        assert rules(scan(zfile(PAYLOAD), "model.gz")) == ["dangerous-global"]
        assert scan(zfile(GOOD)).pickles == 1
        assert rules(scan(zfile(PAYLOAD)[:-2], "model.gz")) == ["mismatch", "dangerous-global"]


@pytest.mark.parametrize(
    "head",
    [
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07\x01\x00",
        b"\x1f\x9d\x90",
        b"LZIP\x01",
        b"\xff\x06\0\0sNaPpY",
    ],
)
def test_archives_that_cannot_be_read(head: bytes) -> None:
    """nullifAI (ReversingLabs, February 2025): 7z archives of models, passed over in silence."""
    assert rules(scan(head + bytes(100), "model")) == ["not-inspected"]


class TestStreams:
    """THREATS that live in the stream itself."""

    def test_payload_then_garbage(self) -> None:
        """nullifAI (ReversingLabs, February 2025): pickles that break after the payload has run.

        "Exception-oriented programming" in Liu et al., The Art of Hide and Seek, arXiv:2508.19774.
        """
        for broken in (
            b"\xff\xff",
            b"h\x63.",
            b"j\0\0\1\0.",
            b"0000.",
            b"a.",
            b"\x95",
            b"X\1",
            b"",
        ):
            report = scan(PAYLOAD[:-1] + broken, "x.bin")
            assert dangerous(report)
            assert "malformed" in rules(report)

    @pytest.mark.parametrize("module", ["pathlib", "logging"])
    def test_dotted_names(self, module: str) -> None:
        """GHSA-5j3x-jp52-966f: a module that imports os leads to os.system."""
        by_stack = asm(PROTO(4), literal(module), literal("os.system"), STACK_GLOBAL)
        for data in (by_stack, asm(PROTO(4), GLOBAL(module, "os.system"))):
            assert rules(scan(data)) == ["dangerous-global"]

    def test_names_below_a_listed_module(self) -> None:
        """CVE-2025-10157: the list had asyncio, the pickle named a class in a module below it."""
        name = ("asyncio.unix_events", "_UnixSubprocessTransport._start")
        assert rules(scan(asm(PROTO(4), GLOBAL(*name)))) == ["dangerous-global"]

    @pytest.mark.parametrize(
        "data", [b"(ios\nsystem\n.", b"(cos\nsystem\nS'id'\no.", b"(S'id'\nios\nsystem\n."]
    )
    def test_inst_and_obj(self, data: bytes) -> None:
        """github.com/protectai/modelscan issue 51: INST was not looked at."""
        assert dangerous(scan(data))

    @pytest.mark.parametrize(
        "names",
        [
            # through one slot; through slots that PUT and MEMOIZE number differently; through a
            # slot that is written twice; beside a harmless string
            b"\x8c\x06systemq\x000\x8c\x02osh\x00",
            b"\x8c\x02osq\x00\x8c\x06systemq\x01\x8c\x05torch\x94\x8c\x04load\x940000h\x00h\x01",
            b"\x8c\x04mathq\x000\x8c\x02osq\x000\x8c\x06systemq\x010h\x00h\x01",
            b"\x8c\x02os\x94\x8c\x06system\x8c\x03cosq\x070",
        ],
    )
    def test_names_through_the_memo(self, names: bytes) -> None:
        """github.com/mmaitre314/picklescan issues 14 and 22: a reader that guesses at the memo."""
        assert dangerous(scan(b"\x80\x04" + names + b"\x93\x8c\x02id\x85R."))

    @pytest.mark.parametrize("head", [b"", b"\x80\x04"])
    def test_operands_of_python_2(self, head: bytes) -> None:
        """GHSA-9gvj-pp9x-gcfr: STACK_GLOBAL on the strings of STRING, at the very start."""
        assert dangerous(scan(head + b"S'os'\nS'system'\n\x93S'id'\n\x85R."))
        assert dangerous(scan(head + b"U\x02osT\x06\0\0\0system\x93S'id'\n\x85R."))

    def test_operands_that_are_no_str(self) -> None:
        """GHSA-9gvj-pp9x-gcfr, the other half: the reader took any opcode's argument for a name."""
        data = asm(PROTO(4), SHORT_BINSTRING(b"os"), literal(1), STACK_GLOBAL)
        assert rules(scan(data)) == ["malformed"]
        assert dangerous(scan(PAYLOAD[:-1] + b"N\x8c\x01x\x93."))

    def test_a_second_pickle(self) -> None:
        report = scan(GOOD + PAYLOAD)
        assert dangerous(report)
        assert report.pickles == 2

    def test_a_pickle_in_a_pickle(self) -> None:
        """github.com/mmaitre314/picklescan pull request 25: pickle.loads was not on the list."""
        data = pickle.dumps(PAYLOAD)[:-1]
        report = scan(data + b"0cpickle\nloads\n.", "x.pkl")
        assert rules(report) == ["dangerous-global"]


class TestBounds:
    """What reading may cost."""

    def test_a_bomb(self, monkeypatch: Any) -> None:
        monkeypatch.setattr("picklist._decompress._SMALL", 1 << 20)
        data = bz2.compress(bytes(3 << 20))
        report = scan(data, "bomb.pkl")
        assert "not-inspected" in rules(report)

    def test_a_large_member(self) -> None:
        assert rules(scan(gzip.compress(bytes(5000)), max_member=4000)) == ["not-inspected"]

    def test_a_large_total(self) -> None:
        data = zipped(a=bytes(3000), b=bytes(3000))
        assert "not-inspected" in rules(scan(data, max_total=5000))

    def test_many_members(self) -> None:
        data = zipped(**{f"a{number}": b"x" for number in range(10)})
        report = scan(data, max_members=5)
        assert rules(report) == ["not-inspected"]

    def test_nesting(self) -> None:
        data = PAYLOAD
        for _ in range(8):
            data = gzip.compress(data)
        assert rules(scan(data)) == ["not-inspected"]

    @pytest.mark.parametrize("wrapper", list(WRAPPERS.values())[1:], ids=list(WRAPPERS)[1:])
    def test_every_cut_is_a_finding_or_no_pickle(self, wrapper: Callable[[bytes], bytes]) -> None:
        """A truncated container raises nothing, and never passes for clean."""
        data = wrapper(PAYLOAD + bytes(200))
        for end in range(len(data) // 2, len(data), 7):
            assert scan(data[:end], "file.pkl").findings


@pytest.mark.parametrize("wrapper", list(WRAPPERS.values())[1:], ids=list(WRAPPERS)[1:])
def test_damage_raises_nothing(wrapper: Callable[[bytes], bytes]) -> None:
    rng = random.Random(3)
    data = wrapper(PAYLOAD)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 3))):
            damaged[rng.randrange(len(data))] = rng.randrange(256)
        scan(bytes(damaged), "file.pkl", max_member=1 << 20, max_total=1 << 22)


def test_missing_decompressors_are_named(monkeypatch: Any) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    monkeypatch.setitem(__import__("sys").modules, "compression", None)
    monkeypatch.setitem(__import__("sys").modules, "compression.zstd", None)
    report = scan(b"\x28\xb5\x2f\xfd" + bytes(20), "a.pkl.zst")
    assert rules(report) == ["not-inspected"]
    assert "pip install zstandard" in report.findings[0].message


@pytest.mark.parametrize("package", ["lz4.frame", "zstandard"])
def test_lz4_and_zstandard(package: str) -> None:
    assert dangerous(scan(needs(package).compress(PAYLOAD)))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    report = scan_file(str(tmp_path / "nowhere"))
    assert "FileNotFoundError" in report.failed
    path = tmp_path / "a.pkl"
    path.write_bytes(PAYLOAD)
    assert dangerous(scan_file(str(path)))
    assert scan_file(str(path)).to_dict()["findings"][0]["level"] == "error"
