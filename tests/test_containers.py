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


def test_what_calls_itself_a_pickle_must_be_one() -> None:
    assert rules(scan(b"hello world", "model.pkl")) == ["malformed"]
    assert rules(scan(b"", "model.joblib")) == ["malformed"]


class TestZip:
    """Archives that two readers read differently."""

    @staticmethod
    def offset(data: bytes, signature: bytes) -> int:
        return data.index(signature)

    def test_a_wrong_checksum(self) -> None:
        """CVE-2025-10156: the reader gave up on the checksum, torch did not."""
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


def test_joblib_arrays_are_said_to_be_uninspected() -> None:
    """Raw bytes lie between the opcodes; a finding, and no silent pass."""
    data = asm(PROTO(3), GLOBAL("joblib.numpy_pickle", "NumpyArrayWrapper"), b"\xff", stop=False)
    assert "not-inspected" in rules(scan(data, "a.joblib"))


class TestStreams:
    """THREATS that live in the stream itself."""

    def test_payload_then_garbage(self) -> None:
        """CVE-2025-10157 and its kin: the reader raised at the end, the payload had run."""
        report = scan(PAYLOAD[:-1] + b"\xff\xff", "x.bin")
        assert dangerous(report)

    def test_dotted_names(self) -> None:
        data = asm(PROTO(4), GLOBAL("logging", "os.system"))
        assert rules(scan(data)) == ["dangerous-global"]

    @pytest.mark.parametrize(
        "data", [b"(ios\nsystem\n.", b"(cos\nsystem\nS'id'\no.", b"(S'id'\nios\nsystem\n."]
    )
    def test_inst_and_obj(self, data: bytes) -> None:
        assert dangerous(scan(data))

    def test_names_through_the_memo(self) -> None:
        data = b"\x80\x04\x8c\x06systemq\x000\x8c\x02osh\x00\x93\x8c\x02id\x85R."
        assert dangerous(scan(data))

    def test_operands_that_are_no_str(self) -> None:
        data = asm(PROTO(4), SHORT_BINSTRING(b"os"), literal(1), STACK_GLOBAL)
        assert rules(scan(data)) == ["malformed"]

    def test_a_second_pickle(self) -> None:
        report = scan(GOOD + PAYLOAD)
        assert dangerous(report)
        assert report.pickles == 2

    def test_a_pickle_in_a_pickle(self) -> None:
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
    report = scan(b"\x28\xb5\x2f\xfd" + bytes(20), "a.pkl.zst")
    assert rules(report) == ["not-inspected"]
    assert "pip install zstandard" in report.findings[0].message


def test_lz4_and_zstandard_if_there() -> None:
    lz4 = pytest.importorskip("lz4.frame")
    assert dangerous(scan(lz4.compress(PAYLOAD)))
    zstandard = pytest.importorskip("zstandard")
    assert dangerous(scan(zstandard.compress(PAYLOAD)))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    report = scan_file(str(tmp_path / "nowhere"))
    assert "FileNotFoundError" in report.failed
    path = tmp_path / "a.pkl"
    path.write_bytes(PAYLOAD)
    assert dangerous(scan_file(str(path)))
    assert scan_file(str(path)).to_dict()["findings"][0]["level"] == "error"
