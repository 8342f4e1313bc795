"""A program that catches what ``pickle`` raises catches what picklist raises in the same place.

For each malformed stream the ``pickle`` module of this interpreter is asked what it raises; ours
must be caught by the same ``except`` clause, be a ``pickle.UnpicklingError`` besides, and explain
itself.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

import picklist
import picklist_samples as samples
from assembler import BUILD, EMPTY_TUPLE, NEWOBJ, PROTO, asm
from children import run_program
from malformed import BOASTFUL, MALFORMED, TRUNCATED
from payloads import dict_state, literal, mention, params

BROKEN = TRUNCATED | MALFORMED

FACES = params(
    {
        "loads": picklist.loads,
        "safe_loads": picklist.safe_loads,
        "load": lambda data: picklist.load(io.BytesIO(data)),
        "safe_load": lambda data: picklist.safe_load(io.BytesIO(data)),
        "Unpickler": lambda data: picklist.Unpickler(io.BytesIO(data)).load(),
        "Policy.loads": lambda data: picklist.Policy().loads(data),
        "Policy.Unpickler": lambda data: picklist.Policy().Unpickler(io.BytesIO(data)).load(),
    }
)


def raised_by(load: Any, data: Any) -> BaseException:
    """Return what a loader raises."""
    try:
        value = load(data)
    except BaseException as error:
        return error
    raise AssertionError(f"loaded: {value!r}")


@pytest.mark.parametrize("load", FACES)
@pytest.mark.parametrize("data", params(BROKEN))
def test_what_catches_pickles_catches_ours(load: Any, data: bytes) -> None:
    """Every malformed stream, through every face."""
    theirs = raised_by(pickle.loads, data)
    ours = raised_by(load, data)
    assert isinstance(ours, picklist.UnsafePickleError), repr(ours)
    assert isinstance(ours, pickle.UnpicklingError)
    assert isinstance(ours, picklist.PicklistError)
    assert isinstance(ours, type(theirs)), f"pickle raises {type(theirs).__name__}: {theirs}"


@pytest.mark.parametrize("data", params(BROKEN))
def test_malformed_streams_are_explained(data: bytes) -> None:
    """The message has where, and the fields are filled."""
    error = raised_by(picklist.loads, data)
    assert isinstance(error, picklist.UnsafePickleError)
    assert isinstance(error.offset, int)
    assert 0 <= error.offset <= len(data)
    assert error.opcode is None or isinstance(error.opcode, str)
    assert "byte" in str(error)
    assert not str(error).endswith(".")
    assert isinstance(error.kind, str)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.offset) == (type(error), str(error), error.offset)


def explained_by_pickle() -> dict[str, bytes]:
    """Return the streams for which pickle has a sentence that all versions share."""
    said = {name: raised_by(pickle.loads, data) for name, data in BROKEN.items()}
    return {
        name: BROKEN[name]
        for name, error in said.items()
        if isinstance(error, pickle.UnpicklingError)
        and not name.startswith(("PERSID", "BINPERSID", "BINSTRING of a negative"))
    }


@pytest.mark.parametrize("data", params(explained_by_pickle()))
def test_cpythons_sentence_comes_first(data: bytes) -> None:
    """Where pickle explains itself, its sentence is the beginning of ours."""
    theirs = str(raised_by(pickle.loads, data))
    if data == b"\x93.":  # of an empty stack, early patches of 3.11 say that it is not str
        theirs = "unpickling stack underflow"
    assert str(raised_by(picklist.loads, data)).startswith(theirs.rstrip("."))


@pytest.mark.parametrize("data", params(TRUNCATED))
def test_truncation_is_truncation(data: bytes) -> None:
    """A cut stream is malformed, never forbidden, and the same from a file."""
    for load in (picklist.loads, lambda data: picklist.load(io.BytesIO(data))):
        assert isinstance(raised_by(load, data), picklist.MalformedPickleError)


@pytest.mark.parametrize("protocol", range(6))
def test_every_cut_of_a_real_pickle(protocol: int) -> None:
    """A pickle cut anywhere is refused, by the class that pickle raises for the cut."""
    data = pickle.dumps({"a": [1, 2.5, "text", b"bytes", (1, 2)], "b": {3, 4}, "c": None}, protocol)
    for end in range(len(data)):
        theirs = raised_by(pickle.loads, data[:end])
        ours = raised_by(picklist.loads, data[:end])
        assert isinstance(ours, picklist.MalformedPickleError), (end, ours)
        assert isinstance(ours, type(theirs)), (end, theirs, ours)


def test_the_tree_of_classes() -> None:
    """As documented."""
    p = picklist
    assert issubclass(p.PicklistError, pickle.PicklingError)
    assert issubclass(p.UnsafePickleError, (p.PicklistError))
    assert issubclass(p.UnsafePickleError, pickle.UnpicklingError)
    for cls in (
        p.ForbiddenGlobalError,
        p.ForbiddenCallError,
        p.LimitExceededError,
        p.MalformedPickleError,
    ):
        assert issubclass(cls, p.UnsafePickleError)
        assert cls.__module__ == "picklist"
    assert issubclass(p.NotPicklableError, p.PicklistError)
    assert p.UnpicklingError is pickle.UnpicklingError
    assert p.PicklingError is pickle.PicklingError


@pytest.mark.parametrize(
    "error", [ValueError("mine"), KeyError(1), EOFError(), MemoryError(), KeyboardInterrupt()]
)
def test_user_exceptions_pass_through(error: BaseException, monkeypatch: Any) -> None:
    """What an allowed class raises is the same object that comes out, from every hook."""

    def setstate(self: Any, state: Any) -> None:
        raise error

    monkeypatch.setattr(samples.WithSetState, "__setstate__", setstate)
    made = [*mention("picklist_samples", "WithSetState"), EMPTY_TUPLE, NEWOBJ]
    data = asm(PROTO(4), *made, *dict_state("saved", literal((1, 2))), BUILD)
    assert raised_by(lambda data: picklist.loads(data, allow=[samples.WithSetState]), data) is error


def test_exceptions_of_files_and_handlers_pass_through() -> None:
    """So is what a file or ``persistent_load`` raises."""

    class Broken(io.BytesIO):
        def read(self, n: int | None = -1) -> bytes:
            raise OSError("disk")

        def readline(self, n: int | None = -1) -> bytes:
            raise OSError("disk")

        def readinto(self, buffer: Any) -> int:
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        picklist.load(Broken(b"N."))

    def handler(pid: str) -> None:
        raise LookupError(pid)

    with pytest.raises(LookupError, match="abc"):
        picklist.loads(b"Pabc\n.", persistent_load=handler)


@pytest.mark.parametrize("wrong", [None, "N.", 5, [78, 46], object()])
def test_data_that_is_no_buffer(wrong: Any) -> None:
    """Wrong arguments are TypeErrors, as in pickle."""
    with pytest.raises(TypeError):
        picklist.loads(wrong)
    with pytest.raises(TypeError):
        picklist.loads(b"N.", policy=wrong if wrong is not None else "std")


CHILD = """
import resource
import picklist
from malformed import BOASTFUL
limit = 3 << 29
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for name, data in BOASTFUL.items():
    for load in (picklist.loads, lambda data: picklist.load(__import__("io").BytesIO(data))):
        try:
            load(data)
        except picklist.UnsafePickleError:
            pass
        except BaseException as error:
            print(name, repr(error))
# Not getrusage: its peak is the parent's, where that was larger before exec.
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print("peak below 200 MB" if peak < 200_000 else peak)
"""


def test_declared_lengths_and_memo_indexes_allocate_nothing() -> None:
    """In a process with 1.5 GB of address space, announcing gigabytes costs nothing."""
    assert len(BOASTFUL) > 10
    done = run_program(CHILD)
    assert done.stderr == ""
    assert done.stdout == "peak below 200 MB\n"
