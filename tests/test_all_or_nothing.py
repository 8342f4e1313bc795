"""A refused stream has had no side effects, and the refusal tells the whole story.

Before the first Python code of an allowed user class could run, the whole stream is checked.  What
makes this matter is "payload first, then garbage": a loader that works as it reads has run
everything that stands before the opcode at which it finds out.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import Any

import pytest

import picklist
import picklist_canary as canary
from assembler import (
    APPEND,
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    GLOBAL,
    INST,
    MARK,
    NEWOBJ,
    NONE,
    POP,
    PROTO,
    REDUCE,
    SETITEM,
    STOP,
    TUPLE,
    TUPLE1,
    asm,
    offsets,
)
from payloads import call, dict_state, literal, mention, params

# A user class that is allowed, and whose hooks record that they ran.
LOUD = [*mention("picklist_canary", "Loud"), EMPTY_TUPLE, NEWOBJ, *dict_state("x", NONE), BUILD]
ALLOW = [canary.Loud, canary.Box]

ENDINGS = {
    "a forbidden global": [*mention("picklist_canary", "fire")],
    "a forbidden call": [call("picklist_canary.fire", "id")],
    "a contract broken": [call("builtins.bytearray", 5)],
    "a dunder key": [
        *mention("picklist_canary", "Box"),
        *(EMPTY_TUPLE, NEWOBJ, *dict_state("__class__", NONE), BUILD),
    ],
    "a class built": [*mention("picklist_canary", "Loud"), *dict_state("x", NONE), BUILD],
    "an unknown opcode": [b"\xff"],
    "a truncated string": [b"X\xff\x00\x00\x00ab"],
    "no STOP": [NONE, b""],
    "a missing memo slot": [b"h\x63"],
    "an empty stack": [POP, POP, POP, POP],
    "a missing mark": [TUPLE],
    "a bad int": [b"Ixyz\n"],
    "bad UTF-8": [b"X\x01\x00\x00\x00\xff"],
    "a persistent id": [literal("pid"), b"Q"],
    "a missing buffer": [b"\x97"],
    "an extension code": [b"\x82\x01"],
    "a late PROTO": [PROTO(2)],
    "a truncated frame": [b"\x95\xff\x00\x00\x00\x00\x00\x00\x00"],
}


def stream(ending: list[Any]) -> bytes:
    """Return a stream that builds the allowed instance first and goes wrong later."""
    last = b"" if ending[-1] == b"" else STOP
    return asm(PROTO(4), *LOUD, POP, EMPTY_LIST, *LOUD, APPEND, *ending, last, stop=False)


@pytest.mark.parametrize("ending", params(ENDINGS))
def test_payload_first_then_garbage(ending: list[Any], nothing_ran: Any) -> None:
    """Nothing before the fault has run: no ``__new__``, no ``__setstate__``, no import."""
    nothing_ran.refused(stream(ending), allow=ALLOW, remedy=False)


@pytest.mark.parametrize("ending", params(ENDINGS))
def test_the_same_from_a_file(ending: list[Any], nothing_ran: Any) -> None:
    """A file is no different: the pickle is read and checked before it is run."""
    data = stream(ending)
    picklist.safe_load(io.BytesIO(b"N."), allow=ALLOW)
    with nothing_ran.guard():
        caught = None
        try:
            picklist.safe_load(io.BytesIO(data), allow=ALLOW)
        except pickle.UnpicklingError as error:
            caught = error
    assert caught is not None


def test_the_hooks_run_where_nothing_is_wrong() -> None:
    """The recorder records: the tests above would see it."""
    canary.reset()
    picklist.safe_loads(asm(PROTO(4), *LOUD), allow=ALLOW)
    assert [call[0] for call in canary.CALLS] == ["Loud.__new__", "Loud.__setstate__"]
    canary.reset()


def test_plain_pickle_runs_the_payload_first(naive: Any) -> None:
    """An allowlisting Unpickler has called the hooks by the time it refuses."""
    with pytest.raises(pickle.UnpicklingError):
        naive(stream(ENDINGS["a forbidden global"]), "picklist_canary.Loud")
    assert ("Loud.__new__", (), {}) in canary.CALLS


def test_modules_of_the_policy_are_not_imported_for_a_refused_stream(nothing_ran: Any) -> None:
    """The policy's own modules are imported for a stream that is accepted, not before."""
    sys.modules.pop("picklist_trap", None)
    policy = picklist.Policy(["picklist_trap.Thing"])
    good = asm(PROTO(4), *mention("picklist_trap", "Thing"), EMPTY_TUPLE, NEWOBJ)
    bad = asm(PROTO(4), *mention("picklist_trap", "Thing"), EMPTY_TUPLE, NEWOBJ, b"\xff")
    nothing_ran.refused(bad, policy=policy, remedy=False)
    assert "picklist_trap" not in sys.modules
    assert type(picklist.safe_loads(good, policy=policy)).__name__ == "Thing"
    assert "picklist_trap" in sys.modules
    canary.reset()
    sys.modules.pop("picklist_trap", None)


class TestReport:
    """One refusal lists everything that is wrong with the names of a stream."""

    DATA = asm(
        *(PROTO(4), EMPTY_DICT),
        *(literal("clf"), *mention("sklearn.linear_model._logistic", "LogisticRegression")),
        *(EMPTY_TUPLE, NEWOBJ, EMPTY_DICT, literal("coef_")),
        *(call("numpy._core.multiarray._reconstruct", 1, 2), SETITEM, BUILD, SETITEM),
        *(literal("when"), call("datetime.date", b"\x07\xe8\x01\x01"), SETITEM),
        *(literal("hook"), *mention("posix", "system"), literal("id"), TUPLE1, REDUCE, SETITEM),
        *(literal("old"), MARK, INST("picklist_canary", "Box"), SETITEM),
    )
    NAMES = (
        ("sklearn.linear_model._logistic", "LogisticRegression"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("posix", "system"),
        ("picklist_canary", "Box"),
    )

    @pytest.fixture
    def error(self, nothing_ran: Any) -> Any:
        """Return the refusal."""
        return nothing_ran.refused(self.DATA)

    def test_all_names_are_listed_in_stream_order(self, error: Any) -> None:
        assert isinstance(error, picklist.ForbiddenGlobalError)
        assert error.blocked == self.NAMES
        assert (error.module, error.name) == self.NAMES[0]
        message = str(error)
        for module, name in self.NAMES:
            assert f"{module}.{name}" in message
        places = [message.index(f"{module}.{name}") for module, name in self.NAMES]
        assert places == sorted(places)
        assert "datetime" not in message
        assert "4 names are not allowed" in message.partition("\n")[0]

    def test_each_has_its_offset_and_opcode(self, error: Any) -> None:
        stack_globals = offsets(self.DATA, "STACK_GLOBAL")
        globals_ = offsets(self.DATA, "GLOBAL")
        (inst,) = offsets(self.DATA, "INST")
        expected = [
            (stack_globals[0], "STACK_GLOBAL"),
            (globals_[0], "GLOBAL"),
            (stack_globals[1], "STACK_GLOBAL"),
            (inst, "INST"),
        ]
        lines = [line for line in str(error).splitlines() if line.strip().startswith("byte ")]
        found = [(int(line.split()[1].replace(",", "")), line.split()[2]) for line in lines]
        assert found == expected
        assert (error.offset, error.opcode) == expected[0]

    def test_each_has_its_path_and_attempt(self, error: Any) -> None:
        message = str(error)
        for text in ("$['clf']", ".coef_", "$['hook']", "$['old']", "called with ('id',)"):
            assert text in message
        assert error.path.startswith("$")

    def test_it_says_what_would_allow_it(self, error: Any) -> None:
        message = str(error)
        assert '"sklearn.linear_model._logistic.LogisticRegression"' in message
        assert "never needed to store data" in message
        assert "Policy(" in message
        assert "nothing was imported, called or built" in message

    def test_it_names_the_preset_that_would(self, nothing_ran: Any) -> None:
        error = nothing_ran.refused(pickle.dumps([ValueError("x")]))
        assert 'in preset "exceptions"' in str(error)
        assert 'Policy(base=["std", "exceptions"])' in str(error)

    def test_the_report_is_there_as_data(self, error: Any) -> None:
        assert error.report is not None
        assert isinstance(error, pickle.UnpicklingError)
        assert isinstance(error, pickle.PicklingError)

    def test_a_single_name_reads_as_one(self, nothing_ran: Any) -> None:
        error = nothing_ran.refused(b"cos\nsystem\n(S'echo hello'\ntR.", "os.system", at=0)
        assert "1 name" in str(error).partition("\n")[0]
        assert error.blocked == (("os", "system"),)

    def test_a_name_mentioned_often_is_listed_briefly(self, nothing_ran: Any) -> None:
        """Ten thousand mentions of one name make a message that a person can read."""
        program = [item for _ in range(10_000) for item in (GLOBAL("os", "system"), POP)]
        error = nothing_ran.refused(asm(*program, NONE))
        assert len(str(error)) < 5000
        assert set(error.blocked) == {("os", "system")}

    def test_many_names_are_cut(self, nothing_ran: Any) -> None:
        """Ten thousand names make a message that is still short; ``blocked`` has them all."""
        program = [item for n in range(10_000) for item in (GLOBAL("evil", f"name{n}"), POP)]
        error = nothing_ran.refused(asm(*program, NONE))
        assert len(str(error)) < 20_000
        assert "10,000 names" in str(error) or "10000 names" in str(error)
        assert len(error.blocked) == 10_000

    def test_a_file_is_named(self, tmp_path: Any, nothing_ran: Any) -> None:
        path = tmp_path / "model.pkl"
        path.write_bytes(self.DATA)
        with (
            path.open("rb") as file,
            pytest.raises(picklist.ForbiddenGlobalError, match=r"model\.pkl"),
        ):
            picklist.safe_load(file)


@pytest.mark.parametrize("names", [1, 2, 7])
def test_refusals_survive_pickling(names: int, nothing_ran: Any) -> None:
    """A refusal in a worker process reaches the parent with its fields."""
    program = [item for n in range(names) for item in (GLOBAL("evil", f"name{n}"), POP)]
    error = nothing_ran.refused(asm(*program, NONE))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert (again.blocked, again.offset, again.opcode) == (
        error.blocked,
        error.offset,
        error.opcode,
    )


def test_what_user_code_raises_passes_through() -> None:
    """An exception of an allowed class is the program's own, and comes out as it is."""
    class_ = "Refusing"
    data = asm(
        PROTO(4), *mention(__name__, class_), EMPTY_TUPLE, NEWOBJ, *dict_state("x", NONE), BUILD
    )
    with pytest.raises(ZeroDivisionError, match="my own"):
        picklist.safe_loads(data, allow=[Refusing])


class Refusing:
    """Raises from its own hook."""

    def __setstate__(self, state: Any) -> None:
        raise ZeroDivisionError("my own")
