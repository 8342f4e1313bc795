"""Objects that no one should have: half-built, or rebuilt over a base (THREATS B6 to B9).

NEWOBJ, OBJ and INST skip ``__init__``, ``copyreg``'s functions make any class over any base, and
``getattr`` turns an allowed class into whatever hangs from it (CWE-502).
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest

import picklist
import picklist_canary as canary
import picklist_samples as samples
from assembler import (
    APPEND,
    BINGET,
    BINPUT,
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    GLOBAL,
    INST,
    MARK,
    NEWOBJ,
    NEWOBJ_EX,
    NONE,
    OBJ,
    POP,
    PROTO,
    REDUCE,
    SETITEM,
    SETITEMS,
    STOP,
    TUPLE2,
    asm,
)
from payloads import dict_state, literal, mention, params

BOX = mention("picklist_canary", "Box")
INERT = mention("picklist_canary", "inert")
NEW_BOX = [*BOX, EMPTY_TUPLE, NEWOBJ]
ALLOW = ["picklist_canary.Box", "picklist_canary.inert"]


class TestB6New:
    """NEWOBJ, NEWOBJ_EX, OBJ and INST make objects that ``__init__`` has never seen."""

    @pytest.mark.parametrize(
        "path",
        [
            "datetime.date",
            "datetime.timezone",
            "decimal.Decimal",
            "fractions.Fraction",
            "collections.deque",
            "array.array",
            "ipaddress.IPv4Address",
            "pathlib.PurePosixPath",
            "builtins.type",
            "builtins.range",
            "builtins.slice",
            "builtins.bytearray",
            "builtins.list",
            "builtins.int",
            "collections.Counter",
        ],
    )
    @pytest.mark.parametrize(
        "new", params({"NEWOBJ": [EMPTY_TUPLE, NEWOBJ], "EX": [EMPTY_TUPLE, EMPTY_DICT, NEWOBJ_EX]})
    )
    def test_native_types_are_not_instantiated(self, path: str, new: Any, nothing_ran: Any) -> None:
        module, _, name = path.rpartition(".")
        nothing_ran.refused(asm(PROTO(4), *mention(module, name), *new), path)

    @pytest.mark.parametrize(
        "target",
        params(
            {
                "function": INERT,
                "instance": NEW_BOX,
                "str": [literal("x")],
                "None": [NONE],
                "list": [EMPTY_LIST],
            }
        ),
    )
    def test_only_classes_are_instantiated(self, target: Any, nothing_ran: Any) -> None:
        nothing_ran.refused(asm(PROTO(4), *target, EMPTY_TUPLE, NEWOBJ), allow=ALLOW, remedy=False)
        nothing_ran.refused(
            asm(PROTO(4), *target, EMPTY_TUPLE, EMPTY_DICT, NEWOBJ_EX), allow=ALLOW, remedy=False
        )

    @pytest.mark.parametrize(
        "data",
        params(
            {
                "REDUCE": asm(PROTO(4), *BOX, EMPTY_TUPLE, REDUCE),
                "REDUCE-args": asm(PROTO(4), *BOX, literal((1,)), REDUCE),
                "OBJ-args": asm(MARK, *BOX, literal(1), OBJ),
                "INST-args": asm(MARK, literal(1), INST("picklist_canary", "Box")),
                "NEWOBJ-args": asm(PROTO(4), *BOX, literal((1,)), NEWOBJ),
                "NEWOBJ_EX-kwargs": asm(
                    PROTO(4), *BOX, EMPTY_TUPLE, *dict_state("x", NONE), NEWOBJ_EX
                ),
            }
        ),
    )
    def test_a_plain_class_is_not_called(self, data: bytes, nothing_ran: Any) -> None:
        """Its pickles need NEWOBJ without arguments, and BUILD; it gets no more than that."""
        nothing_ran.refused(data, "picklist_canary.Box", allow=["picklist_canary.Box"])

    @pytest.mark.parametrize(
        "data",
        params(
            {
                "at STOP": asm(PROTO(4), *mention("uuid", "UUID"), EMPTY_TUPLE, NEWOBJ),
                "in a list": asm(
                    PROTO(4), EMPTY_LIST, *mention("uuid", "UUID"), EMPTY_TUPLE, NEWOBJ, APPEND
                ),
                "as a key": asm(
                    PROTO(4),
                    EMPTY_DICT,
                    *mention("uuid", "UUID"),
                    EMPTY_TUPLE,
                    NEWOBJ,
                    NONE,
                    SETITEM,
                ),
                "in the memo": asm(
                    PROTO(4),
                    *mention("uuid", "UUID"),
                    EMPTY_TUPLE,
                    NEWOBJ,
                    BINPUT(0),
                    POP,
                    BINGET(0),
                ),
            }
        ),
    )
    def test_a_uuid_without_state_is_no_uuid(self, data: bytes, nothing_ran: Any) -> None:
        nothing_ran.refused(data, "uuid.UUID")


class Reentrant:
    """Loads from the running Unpickler while it is hashed."""

    unpickler: Any = None
    seen: list[BaseException] = []  # noqa: RUF012

    def __hash__(self) -> int:
        if Reentrant.unpickler is not None:
            try:
                Reentrant.unpickler.load()
            except Exception as error:
                Reentrant.seen.append(error)
        return 1


def test_b7_hooks_that_load_again_are_stopped() -> None:
    """A user ``__hash__`` that re-enters the load gets an error; the outer load goes on."""
    Reentrant.seen.clear()
    key = [*mention(__name__, "Reentrant"), EMPTY_TUPLE, NEWOBJ]
    data = asm(PROTO(4), EMPTY_DICT, MARK, *key, literal(1), *key, literal(2), SETITEMS)
    unpickler = picklist.Unpickler(io.BytesIO(data + b"N."), allow=[Reentrant])
    Reentrant.unpickler = unpickler
    try:
        value = unpickler.load()
    finally:
        Reentrant.unpickler = None
    assert list(value.values()) == [1, 2]
    assert Reentrant.seen
    assert all(
        isinstance(error, (pickle.UnpicklingError, RuntimeError)) for error in Reentrant.seen
    )


class TestB8Reconstructor:
    """``copyreg`` makes objects of any class over any base."""

    RECONSTRUCTOR = GLOBAL("copy_reg", "_reconstructor")

    @pytest.mark.parametrize(
        "args",
        params(
            {
                "forbidden class": [
                    *mention("picklist_canary", "Hashed"),
                    *mention("builtins", "object"),
                    NONE,
                ],
                "base with hooks": [*BOX, *mention("picklist_canary", "Loud"), NONE],
                "wrong base": [*BOX, GLOBAL("__builtin__", "list"), EMPTY_LIST],
                "int for a list": [
                    *mention("picklist_samples", "MyList"),
                    GLOBAL("__builtin__", "int"),
                    literal(1),
                ],
                "object for a list": [
                    *mention("picklist_samples", "MyList"),
                    GLOBAL("__builtin__", "object"),
                    NONE,
                ],
                "state with object": [*BOX, GLOBAL("__builtin__", "object"), literal("x")],
                "class is a native": [
                    *mention("datetime", "date"),
                    GLOBAL("__builtin__", "object"),
                    NONE,
                ],
                "class is type": [
                    GLOBAL("__builtin__", "type"),
                    GLOBAL("__builtin__", "object"),
                    NONE,
                ],
                "class is a str": [literal("Box"), GLOBAL("__builtin__", "object"), NONE],
                "two arguments": [*BOX, GLOBAL("__builtin__", "object")],
            }
        ),
    )
    def test_bases(self, args: Any, nothing_ran: Any) -> None:
        allow = [*ALLOW, "picklist_canary.Loud", samples.MyList]
        data = asm(PROTO(2), self.RECONSTRUCTOR, MARK, *args, b"t", REDUCE)
        nothing_ran.refused(data, allow=allow)

    @pytest.mark.parametrize("name", ["__newobj__", "__newobj_ex__"])
    @pytest.mark.parametrize(
        "args",
        params(
            {
                "forbidden": [*mention("picklist_canary", "Hashed")],
                "function": INERT,
                "type": mention("builtins", "type"),
                "native": mention("collections", "deque"),
                "nothing": [],
            }
        ),
    )
    def test_newobj_as_a_function(self, name: str, args: Any, nothing_ran: Any) -> None:
        more = [EMPTY_TUPLE, EMPTY_DICT] if name == "__newobj_ex__" and args else []
        data = asm(PROTO(4), *mention("copyreg", name), MARK, *args, *more, b"t", REDUCE)
        nothing_ran.refused(data, allow=ALLOW)

    @pytest.mark.parametrize(
        "data",
        params(
            {
                "mentioned": asm(PROTO(4), *mention("copyreg", "_reconstructor"), NONE, TUPLE2),
                "instantiated": asm(
                    PROTO(4), *mention("copyreg", "_reconstructor"), EMPTY_TUPLE, NEWOBJ
                ),
                "built": asm(
                    PROTO(4), *mention("copyreg", "_reconstructor"), *dict_state("x", NONE), BUILD
                ),
            }
        ),
    )
    def test_they_are_no_values(self, data: bytes, nothing_ran: Any) -> None:
        with nothing_ran.guard():
            try:
                picklist.safe_loads(data)
            except picklist.UnsafePickleError:
                pass
            else:
                assert data.endswith(TUPLE2.code + STOP.code), "only a mention may load"


class TestB9Getattr:
    """``getattr`` is needed by real streams as a pattern, and never as a callable."""

    @pytest.mark.parametrize(
        "args",
        params(
            {
                "method": [*BOX, literal("method")],
                "dunder": [*BOX, literal("__class__")],
                "subclasses": [*mention("picklist_samples", "Color"), literal("__subclasses__")],
                "mro": [*mention("picklist_samples", "Color"), literal("mro")],
                "globals": [*INERT, literal("__globals__")],
                "unknown member": [*mention("picklist_samples", "Color"), literal("MAUVE")],
                "std": [*mention("datetime", "datetime"), literal("fromtimestamp")],
                "instance": [*NEW_BOX, literal("method")],
                "str": [literal("x"), literal("format")],
                "default": [*BOX, literal("limit"), NONE],
                "bytes": [*BOX, literal(b"limit")],
                "dotted": [*BOX, literal("method.__globals__")],
                "outer": [*mention("picklist_samples", "Outer"), literal("__dict__")],
                "inner": [*mention("picklist_samples", "Outer.Inner"), literal("__init__")],
                "one argument": [*BOX],
            }
        ),
    )
    @pytest.mark.parametrize("opcode", ["REDUCE", "OBJ", "INST"])
    def test_attributes(self, args: Any, opcode: str, nothing_ran: Any) -> None:
        spelled = mention("builtins", "getattr")
        data = {
            "REDUCE": asm(PROTO(4), *spelled, MARK, *args, b"t", REDUCE),
            "OBJ": asm(PROTO(4), MARK, *spelled, *args, OBJ),
            "INST": asm(PROTO(4), MARK, *args, INST("builtins", "getattr")),
        }[opcode]
        nothing_ran.refused(data, allow=[*ALLOW, samples.Color, samples.Outer.Inner])

    def test_the_payload_works_against_plain_pickle(self, naive: Any) -> None:
        data = asm(
            PROTO(4),
            *mention("builtins", "getattr"),
            *INERT,
            literal("__globals__"),
            TUPLE2,
            REDUCE,
        )
        assert naive(data, *ALLOW, "builtins.getattr") is vars(canary)

    def test_the_pattern_resolves_to_the_policys_entry(self) -> None:
        spelled = [
            GLOBAL("__builtin__", "getattr"),
            GLOBAL("picklist_samples", "Outer"),
            literal("Inner"),
        ]
        data = asm(PROTO(2), *spelled, TUPLE2, REDUCE)
        assert picklist.safe_loads(data, allow=[samples.Outer.Inner]) is samples.Outer.Inner

    @pytest.mark.parametrize("name", ["MAUVE", "mro", "from_bytes", "name", "value"])
    def test_the_policy_refuses_what_is_no_member(self, name: str, nothing_ran: Any) -> None:
        """It is asked first, where the class is known; the lookup among the members comes after."""
        policy = picklist.Policy([samples.Color])
        color = mention("picklist_samples", "Color")
        pattern = [*mention("builtins", "getattr"), *color]
        red = asm(PROTO(4), *pattern, literal("RED"), TUPLE2, REDUCE)
        assert policy.loads(red) is samples.Color.RED
        data = asm(PROTO(4), *pattern, literal(name), TUPLE2, REDUCE)
        with (
            nothing_ran.guard(),
            pytest.raises(picklist.ForbiddenCallError, match="has no") as caught,
        ):
            policy.loads(data)
        assert (caught.value.opcode, caught.value.kind) == ("REDUCE", "forbidden-call")

    @pytest.mark.parametrize(
        "name", ["_value2member_map_", "__class__", "__subclasses__", "_missing_"]
    )
    def test_the_inspector_refuses_what_no_member_is_called(self, name: str) -> None:
        """Without the class at hand: no member's name starts so."""
        color = mention("picklist_samples", "Color")
        data = asm(PROTO(4), *mention("builtins", "getattr"), *color, literal(name), TUPLE2, REDUCE)
        policy = picklist.Policy([samples.Color])
        with pytest.raises(picklist.ForbiddenCallError, match="has no"):
            policy.loads(data)
        found = picklist.inspect(data, policy=policy)
        assert not found.allowed
        assert any("has no" in (used.why or "") for used in found.globals)
