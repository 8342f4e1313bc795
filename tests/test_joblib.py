"""joblib's files: arrays lie raw between the opcodes, and what follows them is looked at.

What `joblib.load` does with the same bytes is the truth here; the format is that of joblib 0.10 and
later (`joblib/numpy_pickle.py`, ``NumpyArrayWrapper.read_array``).
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler import (
    BUILD,
    EMPTY_DICT,
    EMPTY_TUPLE,
    FRAME,
    GLOBAL,
    MARK,
    NEWFALSE,
    NEWOBJ,
    NEWTRUE,
    PROTO,
    REDUCE,
    SETITEMS,
    TUPLE,
    asm,
)
from payloads import call, literal
from picklist import Allow, Policy
from picklist._inspection import inspect, inspect_stream
from picklist._judging import readings
from picklist._scanning import FileReport, scan_file, scan_stream
from picklist.containers import Stream
from preflight_kinds.table import needs

PAYLOAD = b"cos\nsystem\n(S'echo hello'\ntR"
WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")


def scan(data: bytes, policy: Policy | None = None) -> FileReport:
    """Scan bytes as a file."""
    report = FileReport("a.joblib")
    scan_stream(io.BytesIO(data), report, policy)
    return report


def names(report: FileReport) -> set[tuple[str, str]]:
    """Return the rules and names of the findings, without the names that every array needs."""
    return {
        (finding.rule, finding.name)
        for finding in report.findings
        if finding.name not in ("joblib.numpy_pickle.NumpyArrayWrapper", "numpy.dtype")
    }


SYSTEM = ("dangerous-global", "os.system")
UNREAD = ("not-inspected", "")


# --- what joblib writes --------------------------------------------------------------------------


def dtype_of(numpy: Any, name: str) -> Any:
    """Return an array of every kind that numpy has."""
    made = {
        "float64": lambda: numpy.arange(6.0).reshape(2, 3),
        "fortran order": lambda: numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)),
        "big-endian": lambda: numpy.arange(3, dtype=">i4"),
        "bool": lambda: numpy.array([True, False]),
        "complex": lambda: numpy.array([1 + 2j], dtype="c8"),
        "half": lambda: numpy.ones(3, dtype="f2"),
        "long double": lambda: numpy.ones(3, dtype=numpy.longdouble),
        "bytes": lambda: numpy.array([b"abc", b"d"]),
        "str": lambda: numpy.array(["abc", "\N{SNOWMAN}"]),
        "void": lambda: numpy.zeros(2, dtype="V7"),
        "datetime": lambda: numpy.array(["2020-01-01"], dtype="M8[ns]"),
        "timedelta": lambda: numpy.array([5], dtype="m8[D]"),
        "metadata": lambda: numpy.ones(2, dtype=numpy.dtype("i4", metadata={"unit": "m"})),
        "a scalar array": lambda: numpy.array(1.5),
        "empty": lambda: numpy.empty((0, 5)),
        "empty with long sides": lambda: numpy.empty((1 << 30, 0, 1 << 30), dtype="i1"),
        "fields": lambda: numpy.zeros(2, dtype=[("x", "i4"), ("y", "f8", (2, 2))]),
        "aligned fields": lambda: numpy.zeros(2, numpy.dtype([("x", "i1"), ("y", "f8")], True)),
        "titles": lambda: numpy.zeros(2, dtype=[(("title", "x"), "i4")]),
        "fields in fields": lambda: numpy.zeros(2, dtype=[("x", [("y", "i2"), ("z", "S3")])]),
        "records": lambda: numpy.rec.array([(1, 2.0)], dtype="i4,f8").view(numpy.ndarray),
        "objects": lambda: numpy.array([1, "x", None, {"k": (1, 2)}], dtype=object),
        "a field of objects": lambda: numpy.array([(1, "x")], dtype=[("i", "i4"), ("o", "O")]),
        "no objects": lambda: numpy.empty((0,), dtype=object),
        "an array in an array": lambda: numpy.array([numpy.arange(2), 1], dtype=object),
        "a matrix": lambda: numpy.asmatrix([1, 2]),
        "large": lambda: numpy.zeros(300_000),
    }
    return made if not name else made[name]()


KINDS = list(dtype_of(None, ""))


class Payload:
    """Pickles as a call that no data needs; nothing here ever loads it."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return __import__("os").system, ("echo hello",)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
class TestWrittenByJoblib:
    """Files that `joblib.dump` writes here."""

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("kind", KINDS)
    def test_names_are_what_joblib_looks_up(self, kind: str, protocol: int) -> None:
        joblib, numpy = needs("joblib"), needs("numpy")
        array = dtype_of(numpy, kind)
        file = io.BytesIO()
        joblib.dump({"a": array, "b": [array, 1], "c": numpy.float32(3)}, file, protocol=protocol)
        found = looked_up(joblib, file.getvalue())
        report, _ = readings(Stream("", file.getvalue()), "a.joblib")
        assert report.fault is None
        assert report.arrays == 2
        assert report.trailing == 0
        mine = {
            used.spelled or (used.module, used.name)
            for one in (report, *report.pickles)
            for used in one.globals
        }
        assert mine == found

    @pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), "bz2", "lzma", "xz", "lz4"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_follows_is_looked_at(self, kind: str, compress: Any) -> None:
        joblib, numpy, _ = needs("joblib"), needs("numpy"), needs("lz4")
        file = io.BytesIO()
        array = dtype_of(numpy, kind)
        joblib.dump([array, "between", array, Payload()], file, compress=compress)
        report = scan(file.getvalue())
        found = names(report)
        assert {(rule, name) for rule, name in found if "system" in name} == {
            ("dangerous-global", f"{__import__('os').system.__module__}.system")
        }
        assert not {rule for rule, _ in found} & {"not-inspected", "malformed", "trailing-data"}

    def test_objects_are_looked_at(self) -> None:
        joblib, numpy = needs("joblib"), needs("numpy")
        file = io.BytesIO()
        joblib.dump({"a": numpy.array([Payload(), 1], dtype=object)}, file)
        report = scan(file.getvalue())
        assert "dangerous-global" in {rule for rule, name in names(report) if "system" in name}
        assert report.pickles == 2

    def test_a_policy_may_allow_it(self) -> None:
        joblib, numpy = needs("joblib"), needs("numpy")
        file = io.BytesIO()
        joblib.dump({"a": numpy.arange(3.0)}, file)
        policy = Policy([Allow(".".join(WRAPPER), new=True, state=True), "numpy.ndarray"])
        assert {name for _, name in names(scan(file.getvalue(), policy))} == set()

    def test_every_cut_is_a_finding(self) -> None:
        joblib, numpy = needs("joblib"), needs("numpy")
        file = io.BytesIO()
        joblib.dump([numpy.arange(20.0), numpy.array(["x", None], dtype=object), "z"], file)
        data = file.getvalue()
        for end in range(2, len(data)):
            rules = {finding.rule for finding in scan(data[:end]).findings}
            assert rules & {"malformed", "not-inspected"}, end

    def test_learning_goes_on_behind_arrays(self, tmp_path: Path) -> None:
        from collections import OrderedDict

        from picklist._learning import learn_report

        joblib, numpy = needs("joblib"), needs("numpy")
        path = tmp_path / "a.joblib"
        joblib.dump([numpy.arange(3.0), OrderedDict(a=1), Path("x")], path)
        learned = learn_report(path)
        assert learned.unlearned == []
        assert ("joblib.numpy_pickle", "NumpyArrayWrapper") in learned.names


def looked_up(joblib: Any, data: bytes) -> set[tuple[str, str]]:
    """Return the names that joblib's own reader asks for, as the stream spells them."""
    from joblib import numpy_pickle

    found = set()

    class Recording(numpy_pickle.NumpyUnpickler):  # type: ignore[misc, name-defined]
        def find_class(self, module: str, name: str) -> Any:
            found.add((module, name))
            return super().find_class(module, name)

    with io.BytesIO(data) as file:
        Recording("", file, ensure_native_byte_order=False).load()
    return found


# --- what nobody's pickler writes ----------------------------------------------------------------

SIMPLE = (3, "<", None, None, None, -1, -1, 0)


def dtype(code: str = "i1", *states: Any, program: bytes = b"") -> bytes:
    """Return the opcodes of a dtype."""
    head = asm(
        *(GLOBAL("numpy", "dtype"), MARK, literal(code), NEWFALSE, NEWTRUE, TUPLE, REDUCE),
        stop=False,
    )
    states = states or (() if program else (SIMPLE,))
    return head + program + b"".join(literal(state) + b"b" for state in states)


def wrapper(**attributes: Any) -> bytes:
    """Return the opcodes up to the BUILD of a wrapper; bytes are opcodes, None leaves one out."""
    values: dict[str, Any] = {
        "subclass": literal(None),
        "shape": (4,),
        "order": "C",
        "dtype": dtype(),
        "allow_mmap": True,
        "numpy_array_alignment_bytes": 16,
    }
    values |= attributes
    state: list[Any] = []
    for name, value in values.items():
        if value is not None:
            state += [literal(name), value if isinstance(value, bytes) else literal(value)]
    return asm(
        *(GLOBAL(*WRAPPER), EMPTY_TUPLE, NEWOBJ, EMPTY_DICT, MARK, *state, SETITEMS, BUILD),
        stop=False,
    )


def padded(data: bytes, length: int = 3) -> bytes:
    """Return raw bytes behind padding."""
    return bytes([length]) + b"\xff" * length + data


def stream(*parts: bytes, protocol: int = 3) -> bytes:
    """Return a whole pickle of the parts; the last one's value is its result."""
    return asm(PROTO(protocol), stop=False) + (b"0").join(parts) + b"."


class TestForged:
    """Wrappers that lie; every one is a finding, and none hides what follows."""

    def test_a_payload_behind_an_array(self) -> None:
        data = stream(wrapper() + padded(b"abcd"), PAYLOAD)
        assert names(scan(data)) == {SYSTEM}
        unpadded = wrapper(numpy_array_alignment_bytes=None)
        assert names(scan(stream(unpadded + b"\xffbcd", PAYLOAD))) == {SYSTEM}

    def test_the_class_as_scikit_learn_shipped_it(self) -> None:
        """scikit-learn up to 0.22 had joblib 0.11 in sklearn.externals."""
        data = stream(wrapper(numpy_array_alignment_bytes=None) + b"\xff" * 4, PAYLOAD)
        data = data.replace(b"cjoblib.", b"csklearn.externals.joblib.")
        report = scan(data)
        assert SYSTEM in names(report)
        assert UNREAD not in names(report)

    def test_the_class_by_another_name(self) -> None:
        """A policy may rename it; joblib's reader goes by what the file says."""
        data = stream(wrapper() + padded(b"abcd"), PAYLOAD)
        policy = Policy(
            [Allow("my.Wrapper", new=True, state=True)], rename={WRAPPER: ("my", "Wrapper")}
        )
        assert SYSTEM in names(scan(data, policy))

    def test_objects_are_a_pickle_of_their_own(self) -> None:
        """It has its own memo and stack, and pickle's own rules: no raw arrays in it."""
        objects = dtype("O8", (3, "|", None, None, None, -1, -1, 63))
        data = stream(wrapper(dtype=objects) + PAYLOAD + b".", literal(1))
        report = scan(data)
        assert names(report) == {SYSTEM}
        assert report.pickles == 2
        inner = stream(wrapper() + padded(b"abcd"))
        data = stream(wrapper(dtype=objects) + inner, literal(1))
        assert ("malformed", "") in names(scan(data))

    def test_a_broken_pickle_of_objects(self) -> None:
        """The payload has run by then."""
        objects = dtype("O8", (3, "|", None, None, None, -1, -1, 63))
        for broken in (PAYLOAD, PAYLOAD + b"\xff.", PAYLOAD + b"X\xff\xff\xff\x7f"):
            data = asm(PROTO(3), stop=False) + wrapper(dtype=objects) + broken
            assert {SYSTEM, UNREAD} <= names(scan(data))

    def test_a_pickle_of_objects_whose_frame_goes_on(self) -> None:
        """pickle.py has read the frame by then, _pickle.c leaves the file behind STOP."""
        objects = dtype("O8", (3, "|", None, None, None, -1, -1, 63))
        for more, rule in ((b"", None), (b"N" * 5, "not-inspected")):
            framed = b"N." + more
            frame = b"\x80\x04" + asm(FRAME(len(framed)), stop=False) + framed
            rules = {rule for rule, _ in names(scan(stream(wrapper(dtype=objects) + frame)))}
            assert rules == {rule} - {None}

    def test_an_array_that_is_opcodes_to_pickle(self) -> None:
        """`joblib.load` steps over it, `pickle.load` runs it."""
        attack = b"0" + PAYLOAD + b"."
        data = stream(wrapper(shape=(len(attack),), numpy_array_alignment_bytes=None) + attack)
        assert names(scan(data)) == {SYSTEM}

    def test_an_array_that_is_opcodes_to_an_older_joblib(self) -> None:
        """Before 1.2 joblib took the padding for items, and the last items for opcodes."""
        attack = b"0" + PAYLOAD + b"."
        raw = padded(b"\xff" * 10 + attack, len(attack) - 1)
        shape = (len(raw) - len(attack),)
        data = stream(wrapper(shape=shape, numpy_array_alignment_bytes=255) + raw)
        assert SYSTEM in names(scan(data))

    @pytest.mark.parametrize("name", ["shape", "dtype", "numpy_array_alignment_bytes"])
    @pytest.mark.parametrize(
        "value", [True, "4", 2.5, (True,), (1.0,), [4], (-4,), (-2, -2), (4, "x"), (1 << 70,)]
    )
    def test_values_of_no_use(self, name: str, value: Any) -> None:
        data = stream(wrapper(**{name: value}) + padded(b"abcd"), PAYLOAD)
        assert UNREAD in names(scan(data))

    @pytest.mark.parametrize(
        "shape",
        [
            (1 << 62, 1 << 62),
            (1 << 32, 1 << 32),
            (1 << 32, 1 << 31),
            ((1 << 63) - 1, 2),
            (1 << 40, 1 << 40, 0),
            (5,),
            (1 << 40,),
        ],
    )
    def test_sizes_are_not_believed(self, shape: tuple[int, ...]) -> None:
        """No product wraps around, and nothing is allocated for one."""
        started = time.perf_counter()
        data = stream(wrapper(shape=shape) + padded(b"abc"))
        assert names(scan(data)) == {UNREAD}
        assert time.perf_counter() - started < 1

    @pytest.mark.parametrize(
        ("code", "states"),
        [
            ("i3", [SIMPLE]),
            ("i", [SIMPLE]),
            ("x8", [SIMPLE]),
            ("", [SIMPLE]),
            ("i1\0", [SIMPLE]),
            ("S99999999999", [(3, "|", None, None, None, 4, 1, 0)]),
            ("S0", [(3, "|", None, None, None, 0, 1, 0)]),
            ("S4", [(3, "|", None, None, None, 7, 1, 0)]),
            ("S4", [(3, "|", None, None, None, -1, 1, 0)]),
            ("U1", [(3, "|", None, None, None, 1, 1, 0)]),
            ("i4", [(3, "<", None, None, None, 1, 1, 0)]),
            ("V4", []),
            ("i1", [SIMPLE, SIMPLE]),
            ("i1", [(2, *SIMPLE[1:])]),
            ("i1", [SIMPLE[:-1]]),
            ("i1", [(*SIMPLE, {})]),
            ("i1", [(*SIMPLE[:-1], 1)]),
            ("O8", [SIMPLE]),
            ("i1", [{"a": 1}]),
            ("i1", [(3, "<", None, ("x",), {"x": ("no dtype", 0)}, -1, -1, 0)]),
            ("V4", [(3, "|", None, ("x",), {"x": ("no dtype", 0)}, 4, 1, 0)]),
            ("V4", [(3, "|", None, ("x",), {"x": "no tuple"}, 4, 1, 0)]),
            ("V4", [(3, "|", None, ("x",), [1], 4, 1, 0)]),
            ("V4", [(3, "|", "x", None, None, 4, 1, 0)]),
        ],
    )
    def test_dtypes_that_numpy_does_not_write(self, code: str, states: list[Any]) -> None:
        program = b"" if states else b"N0"
        data = stream(wrapper(dtype=dtype(code, *states, program=program)) + padded(b"abcd"))
        assert UNREAD in names(scan(data))

    def test_objects_hidden_in_a_field(self) -> None:
        """The flags deny what a field holds: numpy goes by the flags."""
        inner = dtype("O8", (3, "|", None, None, None, -1, -1, 63))
        fields = b"}" + literal("x") + b"(" + inner + literal(0) + b"ts"
        state = b"(" + b"".join(map(literal, (3, "|", None, ("x",)))) + fields
        for flags in (0, 1):
            outer = state + b"".join(map(literal, (8, 1, flags))) + b"tb"
            data = stream(wrapper(dtype=dtype("V8", program=outer)) + PAYLOAD + b".")
            report = scan(data)
            assert (UNREAD in names(report)) == (flags == 0)
            assert SYSTEM in names(report)

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\x03",
            b"\x03\xff\xff",
            b"\x00abcd",
            b"\x11" + b"\xff" * 17 + b"abcd",
            b"\x02\xffxabcd",
        ],
    )
    def test_padding_that_joblib_does_not_write(self, raw: bytes) -> None:
        assert UNREAD in names(scan(asm(PROTO(3), stop=False) + wrapper() + raw))

    def test_the_rest_of_a_frame(self) -> None:
        """joblib reads the file behind the frame, and then goes on inside the frame."""
        inside = wrapper()[:-1] + b"b0" + PAYLOAD
        data = asm(PROTO(4), stop=False) + asm(FRAME(len(inside)), stop=False) + inside
        report = scan(data + padded(b"abcd") + b".")
        assert {SYSTEM, UNREAD} <= names(report)

    @pytest.mark.parametrize(
        "program",
        [
            wrapper(surprise=1) + padded(b"abcd"),
            wrapper()[:-1] + b"0Nb" + padded(b"abcd"),
            wrapper()[:-1] + b"N\x86b" + padded(b"abcd"),
            wrapper()[:-1].replace(b")\x81", b"(N(K\x04ttR") + b"b" + padded(b"abcd"),
            wrapper()[:-1].replace(b")\x81", b")\x81q\x07") + b"b" + padded(b"abcd") + b"0h\x07}b",
        ],
        ids=["attribute", "no state", "slot state", "called", "built twice"],
    )
    def test_wrappers_that_joblib_does_not_write(self, program: bytes) -> None:
        report = scan(stream(program, PAYLOAD))
        assert UNREAD in names(report)

    def test_dtypes_that_share_dtypes_cost_little(self) -> None:
        """A dtype with itself twice inside, sixty deep, has 2**60 leaves."""
        inner = dtype() + b"r" + struct.pack("<I", 1000)
        for depth in range(60):
            fields = b"}"
            for name in "xy":
                get = b"j" + struct.pack("<I", 1000 + depth)
                fields += literal(name) + b"(" + get + literal(0) + b"ts"
            state = b"(" + b"".join(map(literal, (3, "|", None, ("x", "y")))) + fields
            state += b"".join(map(literal, (4, 1, 0))) + b"tb"
            inner += b"0" + dtype("V4", program=state) + b"r" + struct.pack("<I", 1001 + depth)
        shared = wrapper(dtype=b"j" + struct.pack("<I", 1060)) + padded(b"abcd" * 4)
        started = time.perf_counter()
        assert names(scan(stream(inner, shared, PAYLOAD))) == {SYSTEM}
        assert time.perf_counter() - started < 1

    def test_inspect_reads_a_file_as_joblib_does(self, tmp_path: Path) -> None:
        path = tmp_path / "a.joblib"
        first = wrapper() + padded(b"abcd")
        path.write_bytes(stream(first, call("os.system", "id"), first))
        found = inspect(path)
        assert (found.fault, found.arrays, found.trailing) == (None, 2, 0)
        assert SYSTEM in {(finding.rule, finding.name) for finding in found.findings}
        assert found.findings == scan_file(str(path)).findings
        # As many bytes of padding as it says, and the byte that says it.
        assert [length for _, length in found.to_dict()["raw"]] == [len(padded(b"abcd"))] * 2
        assert inspect(path.read_bytes()).fault is not None
        assert inspect(path.read_bytes()).readings == []

    def test_inspect_tells_what_other_readers_would_run(self, tmp_path: Path) -> None:
        path = tmp_path / "a.joblib"
        attack = b"0" + PAYLOAD + b"."
        data = stream(wrapper(shape=(len(attack),), numpy_array_alignment_bytes=None) + attack)
        path.write_bytes(data)
        policy = Policy([Allow(".".join(WRAPPER), new=True, state=True), "numpy.ndarray"])
        found = inspect(path, policy=policy)
        assert [finding.name for finding in found.findings] == ["numpy.dtype", "os.system"]
        assert found.findings == scan_file(str(path), policy).findings
        assert "os.system" not in {str(used) for used in found.globals}
        assert found.to_dict()["allowed"] is False
        assert len(found.to_dict()["readings"]) == len(found.readings) == 2
        line = f"to other readers of the file, byte {data.index(b'cos')}: os.system"
        assert line in str(found)

    def test_what_one_reader_would_run_is_not_allowed(self) -> None:
        clean = inspect(asm(literal(1)))
        assert clean.allowed
        found = replace(clean, readings=[inspect(PAYLOAD + b".")])
        assert not found.allowed
        assert [finding.name for finding in found.findings] == ["os.system"]

    def test_loading_knows_no_raw_arrays(self) -> None:
        """`inspect` stands for `safe_loads`, which reads opcodes only."""
        data = stream(wrapper() + padded(b"abcd"), literal(1))
        assert inspect_stream(data, source="").fault is not None
        assert inspect_stream(data, source="", arrays="padded").fault is None
        with pytest.raises(ValueError, match="unknown kind of arrays"):
            inspect_stream(data, source="", arrays="none")  # type: ignore[arg-type]


def test_mutants_that_joblib_reads() -> None:
    """Whatever `joblib.load` would import of a damaged file is named, or the file is in doubt."""
    needs("joblib")
    answers = []
    for seed in range(6):
        program = [sys.executable, str(Path(__file__).with_name("joblib_mutants.py"))]
        child = subprocess.run(
            [*program, str(seed), "150"],
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        )
        if child.returncode >= 0:  # a signal is numpy's, at a forged dtype
            assert child.returncode == 0, child.stderr[-600:]
            answers.append(json.loads(child.stdout))
    assert len(answers) >= 2
    assert [one for answer in answers for one in answer["missed"]] == []
    assert sum(answer["reached"] for answer in answers) >= 10


def test_calls_between_arrays() -> None:
    """Offsets count from the start of the file, raw bytes included."""
    first = wrapper() + padded(b"abcd")
    data = stream(first, call("os.system", "id"), literal(1))
    place = [f.offset for f in scan(data).findings if f.name == "os.system"]
    assert place == [data.index(b"cos\nsystem")]
