"""The faces of the loader: functions, files, Unpickler and its hooks, the module itself."""

from __future__ import annotations

import array
import gc
import io
import os
import pickle
import subprocess
import sys
import textwrap
import weakref
from typing import Any

import pytest

import picklist
import picklist_samples as samples
from payloads import params

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
VALUE: Any = {"a": [1, 2.5, "text" * 300, b"x" * 70_000], "b": ({1, 2}, None, True)}


class Minimal:
    """A file with ``read`` and ``readline`` only; counts the bytes handed out."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def read(self, n: int) -> bytes:
        return self.inner.read(n)

    def readline(self) -> bytes:
        return self.inner.readline()

    def tell(self) -> int:
        return self.inner.tell()


class WithReadinto(Minimal):
    """A file with ``readinto`` as well."""

    def readinto(self, buffer: Any) -> int:
        return self.inner.readinto(buffer)


class WithPeek(Minimal):
    """A file with ``peek`` as well, which shows less than there is."""

    def peek(self, n: int) -> bytes:
        at = self.inner.tell()
        found = self.inner.read(min(n, 7))
        self.inner.seek(at)
        return found


def pipe(data: bytes) -> Any:
    """Return a file over a pipe, which cannot be sought."""
    reading, writing = os.pipe()
    os.write(writing, data[:60_000])
    os.close(writing)
    return os.fdopen(reading, "rb")


FILES: dict[str, Any] = {
    "BytesIO": io.BytesIO,
    "BufferedReader": lambda data: io.BufferedReader(io.BytesIO(data)),
    "BufferedReader-small": lambda data: io.BufferedReader(io.BytesIO(data), buffer_size=3),
    "read-readline": Minimal,
    "readinto": WithReadinto,
    "peek": WithPeek,
}
KINDS = params(FILES)


class TestFiles:
    """A file is read up to STOP and not a byte further."""

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_pickles_in_a_row(self, kind: Any, protocol: int) -> None:
        one = pickle.dumps(VALUE, protocol)
        file = kind(one * 3 + b"rest\nof it")
        for n in range(1, 4):
            assert picklist.safe_load(file) == VALUE
            assert file.tell() == n * len(one)
        assert file.readline() == b"rest\n"
        assert file.read(100) == b"of it"

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_one_unpickler_reads_them_all(self, kind: Any, protocol: int) -> None:
        file = kind(b"".join(pickle.dumps(n, protocol) for n in range(5)))
        unpickler = picklist.Unpickler(file)
        assert [unpickler.load() for _ in range(5)] == list(range(5))
        with pytest.raises(EOFError):
            unpickler.load()

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_a_real_file(self, protocol: int, tmp_path: Any) -> None:
        path = tmp_path / "value.pkl"
        with path.open("wb") as file:
            picklist.dump(VALUE, file, protocol)
            picklist.dump([1], file, protocol)
            file.write(b"rest")
        for buffering in (-1, 0, 16):
            with path.open("rb", buffering=buffering) as file:
                assert picklist.load(file) == VALUE
                assert picklist.load(file) == [1]
                assert file.read() == b"rest"

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_a_pipe(self, protocol: int) -> None:
        """What cannot be sought and has more behind it."""
        with pipe(pickle.dumps([1, "two"], protocol) + b"rest") as file:
            assert picklist.load(file) == [1, "two"]
            assert file.read() == b"rest"

    def test_text_files_are_refused(self, tmp_path: Any) -> None:
        with pytest.raises((TypeError, pickle.UnpicklingError)):
            picklist.load(io.StringIO("N."))

    def test_files_without_read(self) -> None:
        for wrong in (object(), 5, None, b"N."):
            with pytest.raises((TypeError, AttributeError)):
                picklist.load(wrong)

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_refused_pickle_leaves_the_file_before_the_next(self, kind: Any) -> None:
        """All of a refused pickle is read, so that the next one can be."""
        bad = b"cos\nsystem\n(S'echo hello'\ntR."
        file = kind(bad + pickle.dumps("next"))
        unpickler = picklist.Unpickler(file)
        with pytest.raises(picklist.ForbiddenGlobalError):
            unpickler.load()
        assert file.tell() <= len(bad)


class TestBytes:
    """Anything with a buffer is data."""

    @pytest.mark.parametrize(
        "make",
        params(
            {
                "bytes": bytes,
                "bytearray": bytearray,
                "memoryview": memoryview,
                "array": lambda data: array.array("B", data),
                "PickleBuffer": pickle.PickleBuffer,
                "slice": lambda data: memoryview(b"xx" + data + b"yy")[2:-2],
            }
        ),
    )
    def test_buffers(self, make: Any) -> None:
        assert picklist.loads(make(pickle.dumps(VALUE))) == VALUE

    def test_a_bytearray_can_be_changed_afterwards(self) -> None:
        data = bytearray(pickle.dumps([b"abc", bytearray(b"abc")]))
        value = picklist.loads(data)
        data[:] = bytes(len(data))
        assert value == [b"abc", bytearray(b"abc")]

    def test_strided_buffers(self) -> None:
        doubled = bytes(byte for byte in pickle.dumps([1, 2]) for _ in range(2))
        view = memoryview(doubled)[::2]
        try:
            theirs: Any = pickle.loads(view)
        except BufferError:
            theirs = BufferError
        if theirs is BufferError:
            with pytest.raises(BufferError):
                picklist.loads(view)
        else:
            assert picklist.loads(view) == theirs

    def test_bytes_behind_stop_are_ignored(self) -> None:
        assert picklist.loads(pickle.dumps(1) + b"garbage") == 1


class TestUnpickler:
    """A class to subclass, with pickle's hooks."""

    def test_the_memo_is_kept_between_loads(self) -> None:
        file = io.BytesIO()
        pickler = pickle.Pickler(file, 2)
        shared = ["shared"]
        pickler.dump(shared)
        pickler.dump([shared])
        file.seek(0)
        unpickler = picklist.Unpickler(file)
        first = unpickler.load()
        assert unpickler.load()[0] is first

    def test_the_memo_can_be_read_and_set(self) -> None:
        unpickler = picklist.Unpickler(io.BytesIO(pickle.dumps(["abc"], 2)))
        value = unpickler.load()
        assert unpickler.memo.copy() == {0: value, 1: "abc"}
        other = picklist.Unpickler(io.BytesIO(b"h\x00."))
        other.memo = unpickler.memo
        assert other.load() is value
        other = picklist.Unpickler(io.BytesIO(b"h\x00."))
        other.memo = {0: "from a dict"}
        assert other.load() == "from a dict"
        other.memo.clear()
        assert other.memo.copy() == {}
        with pytest.raises(TypeError):
            other.memo = 5  # type: ignore[assignment]
        with pytest.raises((TypeError, ValueError)):
            other.memo = {-1: None}

    def test_find_class_decides(self) -> None:
        asked = []

        class Mine(picklist.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                asked.append((module, name))
                return super().find_class(module, name)

        data = pickle.dumps([samples.Plain(), {"x": set()}], 4)
        assert Mine(io.BytesIO(data), allow=[samples.Plain]).load() == [
            samples.Plain(),
            {"x": set()},
        ]
        assert ("picklist_samples", "Plain") in asked
        with pytest.raises(picklist.ForbiddenGlobalError, match=r"picklist_samples\.Plain"):
            Mine(io.BytesIO(data)).load()

    def test_find_class_may_answer_itself(self) -> None:
        class Mine(picklist.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                return {"Old": samples.Plain}.get(name) or super().find_class(module, name)

        data = pickle.dumps(samples.Plain(7), 2).replace(b"Plain", b"Old")
        assert Mine(io.BytesIO(data)).load() == samples.Plain(7)

    def test_find_class_asks_the_policy(self) -> None:
        unpickler = picklist.Unpickler(io.BytesIO(b"N."))
        assert unpickler.find_class("builtins", "list") is list
        with pytest.raises(picklist.ForbiddenGlobalError):
            unpickler.find_class("os", "system")

    def test_persistent_load_by_override(self) -> None:
        class Mine(picklist.Unpickler):
            def persistent_load(self, pid: Any) -> Any:
                return ("loaded", pid)

        assert Mine(io.BytesIO(b"Pabc\n.")).load() == ("loaded", "abc")
        assert Mine(io.BytesIO(b"(K\x01K\x02tQ.")).load() == ("loaded", (1, 2))

    def test_persistent_load_by_attribute(self) -> None:
        unpickler = picklist.Unpickler(io.BytesIO(b"Pabc\n.Pdef\n."))
        unpickler.persistent_load = lambda pid: pid.upper()  # type: ignore[method-assign]
        assert [unpickler.load(), unpickler.load()] == ["ABC", "DEF"]

    def test_persistent_load_by_argument(self) -> None:
        assert picklist.loads(b"Pabc\n.", persistent_load=str.upper) == "ABC"
        assert picklist.load(io.BytesIO(b"Pabc\n."), persistent_load=str.upper) == "ABC"

    def test_super_of_persistent_load_refuses(self) -> None:
        class Mine(picklist.Unpickler):
            def persistent_load(self, pid: Any) -> Any:
                return super().persistent_load(pid)

        with pytest.raises(pickle.UnpicklingError):
            Mine(io.BytesIO(b"Pabc\n.")).load()

    def test_instances_have_attributes(self) -> None:
        unpickler = picklist.Unpickler(io.BytesIO(b"N."))
        unpickler.mine = 5  # type: ignore[attr-defined]
        assert vars(unpickler)["mine"] == 5

    def test_cycles_through_an_unpickler_are_collected(self) -> None:
        class Mine(picklist.Unpickler):
            pass

        unpickler = Mine(io.BytesIO(pickle.dumps([1])))
        unpickler.me = unpickler
        unpickler.persistent_load = unpickler.load
        unpickler.load()
        gone = weakref.ref(unpickler)
        del unpickler
        gc.collect()
        assert gone() is None

    def test_init_is_needed(self) -> None:
        class Mine(picklist.Unpickler):
            def __init__(self) -> None:
                pass

        with pytest.raises(pickle.UnpicklingError):
            Mine().load()

    def test_init_again_starts_again(self) -> None:
        unpickler = picklist.Unpickler(io.BytesIO(b"Np0\n."))
        unpickler.load()
        unpickler.__init__(io.BytesIO(b"g0\n."))  # type: ignore[misc]
        with pytest.raises(pickle.UnpicklingError):
            unpickler.load()


class TestOptions:
    """``encoding``, ``errors``, ``fix_imports``, ``buffers``: as in pickle."""

    NATIVE = b"U\x03a\xe9b."  # what Python 2.7 writes for 'a\xe9b'

    @pytest.mark.parametrize(
        ("encoding", "errors"),
        [("latin1", "strict"), ("bytes", "strict"), ("ASCII", "replace"), ("ASCII", "ignore"),
         ("cp1252", "strict"), ("ascii", "surrogateescape"), ("utf-8", "backslashreplace")],
    )  # fmt: skip
    def test_8_bit_strings(self, encoding: str, errors: str) -> None:
        for data in (self.NATIVE, b"S'a\\xe9b'\n.", b"T\x03\x00\x00\x00a\xe9b."):
            options = {"encoding": encoding, "errors": errors}
            assert picklist.loads(data, **options) == pickle.loads(data, **options)
            assert picklist.load(io.BytesIO(data), **options) == pickle.loads(data, **options)
            assert picklist.Unpickler(io.BytesIO(data), **options).load() == pickle.loads(
                data, **options
            )

    def test_unknown_codecs(self) -> None:
        with pytest.raises(LookupError):
            picklist.loads(self.NATIVE, encoding="no such codec")
        with pytest.raises((LookupError, UnicodeDecodeError)):
            picklist.loads(self.NATIVE, errors="no such handler")

    def test_fix_imports(self) -> None:
        data = b"c__builtin__\nset\n(]tR."
        assert picklist.loads(data) == set()
        with pytest.raises(picklist.ForbiddenGlobalError, match="__builtin__"):
            picklist.loads(data, fix_imports=False)

    def test_buffers(self) -> None:
        mine = bytearray(b"abc")
        outside: list[Any] = []
        data = picklist.dumps(pickle.PickleBuffer(mine), 5, buffer_callback=outside.append)
        assert bytes(picklist.loads(data, buffers=outside)) == b"abc"
        assert bytes(picklist.load(io.BytesIO(data), buffers=outside)) == b"abc"
        assert picklist.loads(data, buffers=iter([mine])) is mine
        with pytest.raises(pickle.UnpicklingError):
            picklist.loads(data)
        with pytest.raises(pickle.UnpicklingError):
            picklist.loads(data, buffers=[])
        with pytest.raises(TypeError):
            picklist.loads(data, buffers=5)

    def test_read_only_buffers(self) -> None:
        """READONLY_BUFFER gives a view that cannot be written to."""
        value = picklist.loads(b"\x80\x05\x97\x98.", buffers=[bytearray(b"abc")])
        assert memoryview(value).readonly
        assert bytes(value) == b"abc"


PROGRAM = """
import io
import {module} as pickle


class Mine(pickle.Unpickler):
    def find_class(self, module, name):
        print("find_class", module, name)
        return super().find_class(module, name)

    def persistent_load(self, pid):
        return ("persistent", pid)


class Writes(pickle.Pickler):
    def persistent_id(self, obj):
        return "an id" if obj is Mine else None


import collections, datetime
value = [collections.OrderedDict(a=1), datetime.date(2024, 2, 29), {{1, 2}}]
value += [bytearray(b"x"), range(3)]
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    data = pickle.dumps(value, protocol)
    assert pickle.loads(data) == value == pickle.load(io.BytesIO(data))
    file = io.BytesIO()
    pickle.dump(value, file, protocol=protocol)
    pickle.dump(value, file, protocol=protocol)
    file.seek(0)
    unpickler = Mine(file)
    assert unpickler.load() == value == unpickler.load()
    file = io.BytesIO()
    Writes(file, protocol).dump([Mine])
    print(Mine(io.BytesIO(file.getvalue())).load())
for broken in (b"", b"N", b"garbage", b"I0", b"\\x80\\xff."):
    try:
        pickle.loads(broken)
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        print(isinstance(error, pickle.PickleError) or type(error).__name__)
try:
    pickle.dumps(lambda: None)
except (pickle.PicklingError, AttributeError, TypeError):
    print("not picklable")
print(pickle.DEFAULT_PROTOCOL)
print(pickle.loads(pickle.dumps(pickle.PickleBuffer(b"abc"), 5)))
"""


def run(module: str, tmp_path: Any) -> list[str]:
    """Run the program with one of the two modules; returns what it prints."""
    path = tmp_path / f"with_{module}.py"
    path.write_text(textwrap.dedent(PROGRAM.format(module=module)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_import_picklist_as_pickle(tmp_path: Any) -> None:
    """A program that loads allowed data runs unchanged with one import changed."""
    theirs, ours = run("pickle", tmp_path), run("picklist", tmp_path)
    replaced = {"EOFError", "ValueError"}  # ours are UnpicklingErrors besides
    assert [line if line not in replaced else "True" for line in theirs] == ours


def test_the_module_has_every_name_of_pickle() -> None:
    """``from pickle import X`` works with picklist for every documented X."""
    missing = [name for name in pickle.__all__ if not hasattr(picklist, name)]
    assert missing == []
    for name in pickle.__all__:
        if name not in ("load", "loads", "Unpickler", "dump", "dumps", "Pickler"):
            assert getattr(picklist, name) is getattr(pickle, name)
