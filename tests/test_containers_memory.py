"""What reading a container holds in memory: its largest member, and never the whole of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from children import printed

MEMBER = 24 << 20
MEMBERS = 24

# Members differ from each other, and deflate does not shrink them to nothing: what is measured
# is the reader. A peak is the high-water mark of the child itself.
CHILD = """
import io, json, pickle, random, resource, sys, tarfile, zipfile
from picklist._scanning import scan_file

def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10

path, size, members = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
warm = scan_file(sys.argv[4])
before = peak()
if len(sys.argv) > 5:
    pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    space = pages + int(sys.argv[5])
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
report = scan_file(path)
print(json.dumps({
    "grown": peak() - before,
    "pickles": report.pickles,
    "failed": report.failed,
    "findings": [finding.rule for finding in report.findings],
}))
"""

WRITER = """
import io, pickle, random, sys, tarfile, zipfile

kind, path, size, members = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
block = random.Random(1).randbytes(size // 1024)

def member(number):
    return pickle.dumps([number, block * 1024])

def write(path, data):
    with open(path, "wb") as file:
        file.write(data)

if kind == "zip":
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(members):
            archive.writestr(f"{number}.pkl", member(number))
elif kind == "deflated":
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(members):
            archive.writestr(f"{number}.pkl", member(number))
elif kind == "hidden":
    with open(path, "wb") as file:
        for number in range(members):
            data = io.BytesIO()
            with zipfile.ZipFile(data, "w") as archive:
                archive.writestr(f"{number}.pkl", member(number))
            found = data.getvalue()
            file.write(found[: found.index(b"PK\\x01\\x02", len(found) - 200)])
        file.write(found)
else:
    with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w", **(
        {"compresslevel": 1} if kind == "tar.gz" else {}
    )) as archive:
        for number in range(members):
            data = member(number)
            entry = tarfile.TarInfo(f"{number}.pkl")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
"""


def child(*arguments: Any) -> dict[str, Any]:
    """Scan in a child and return what it says."""
    answer: dict[str, Any] = json.loads(printed(CHILD, *arguments))
    assert answer["failed"] == ""
    return answer


def written(kind: str, path: Path, members: int) -> Path:
    """Write an archive, in a process of its own: this one's memory stays what it is."""
    printed(WRITER, kind, path, MEMBER, members)
    return path


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
@pytest.mark.parametrize("kind", ["zip", "deflated", "hidden", "tar"])
def test_the_largest_member_is_the_bound(kind: str, tmp_path: Path) -> None:
    """Twenty-four members of 24 MB cost what one of them costs, and that is little more."""
    small = tmp_path / "small.pkl"
    small.write_bytes(b"N.")
    one = child(written(kind, tmp_path / "one", 1), MEMBER, 1, small)
    path = written(kind, tmp_path / "many", MEMBERS)
    many = child(path, MEMBER, MEMBERS, small)
    assert path.stat().st_size > (1 << 20)
    assert many["pickles"] >= MEMBERS
    assert one["grown"] < 3 * MEMBER, f"{one['grown'] >> 20} MB"
    assert many["grown"] < one["grown"] + 1.5 * MEMBER, f"{many['grown'] >> 20} MB"
    # The kernel agrees: with room for five members, and not for six, twenty-four are read.
    child(path, MEMBER, MEMBERS, small, 5 * MEMBER)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_a_program_with_an_archive_behind_it(tmp_path: Path) -> None:
    """What lies before the first member is searched in pieces."""
    small = tmp_path / "small.pkl"
    small.write_bytes(b"N.")
    inner = written("zip", tmp_path / "inner", 1).read_bytes()
    path = tmp_path / "setup.exe"
    with path.open("wb") as file:
        file.write(b"MZ")
        file.truncate(MEMBERS * MEMBER)
        file.seek(MEMBERS * MEMBER)
        file.write(inner)
    assert child(path, MEMBER, 1, small)["grown"] < 3 * MEMBER


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_numbers_are_not_read(tmp_path: Path) -> None:
    """An array that holds no pickle costs its header; so does what can be no pickle."""
    small = tmp_path / "small.pkl"
    small.write_bytes(b"N.")
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9,), }\n"
    for head in (b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header, b"\x7fELF"):
        path = tmp_path / "file"
        with path.open("wb") as file:
            file.write(head)
            file.truncate(MEMBERS * MEMBER)
        assert child(path, MEMBER, 1, small)["grown"] < MEMBER
