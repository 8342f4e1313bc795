"""State and container opcodes as call and write primitives (THREATS B1 to B5).

CPython's "Restricting Globals" checks names when they are resolved.  With every name allowed,
BUILD, APPEND(S), SETITEM(S) and ADDITEMS still write to classes, plant attributes that are then
called, and fill objects that are not the stream's own (CWE-502, CWE-915).  Where it says so, a test
first proves that the payload works against a ``pickle.Unpickler`` with an exact allowlist.
"""

from __future__ import annotations

import pickle
import uuid
from typing import Any

import pytest

import picklist
import picklist_canary as canary
import picklist_samples as samples
import picklist_samples_typed as typed
from assembler import (
    ADDITEMS,
    APPEND,
    APPENDS,
    BINGET,
    BINPUT,
    BUILD,
    BYTEARRAY8,
    DUP,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_SET,
    EMPTY_TUPLE,
    FROZENSET,
    GLOBAL,
    MARK,
    NEWOBJ,
    NONE,
    POP,
    PROTO,
    SETITEM,
    SETITEMS,
    TUPLE1,
    asm,
    offsets,
)
from payloads import call, dict_state, literal, mention, params, slot_state

BOX = mention("picklist_canary", "Box")
INERT = mention("picklist_canary", "inert")
NEW_BOX = [*BOX, EMPTY_TUPLE, NEWOBJ]
ALLOW = ["picklist_canary.Box", "picklist_canary.inert"]


class TestB1Classes:
    """BUILD on a class, function or module changes it for the whole process."""

    def test_slot_state_on_a_class(self, nothing_ran: Any, naive: Any) -> None:
        """``setattr(Box, 'limit', 99)`` without a call."""
        data = asm(PROTO(4), *BOX, *slot_state("limit", literal(99)), BUILD)
        naive(data, *ALLOW)
        assert canary.Box.limit == 99
        nothing_ran.refused(data, "picklist_canary.Box", allow=ALLOW)
        assert canary.Box.limit == 10

    @pytest.mark.parametrize("state", params({"dict": dict_state, "slots": slot_state}))
    def test_state_on_a_function(self, state: Any, nothing_ran: Any, naive: Any) -> None:
        data = asm(PROTO(4), *INERT, *state("planted", literal(1)), BUILD)
        naive(data, *ALLOW)
        assert vars(canary.inert) == {"planted": 1}
        nothing_ran.refused(data, "picklist_canary.inert", allow=ALLOW)
        assert vars(canary.inert) == {}

    @pytest.mark.parametrize("way", ["DUP", "memo", "in a list", "GLOBAL"])
    def test_by_any_way_to_the_class(self, way: str, nothing_ran: Any) -> None:
        reach = {
            "DUP": [*BOX, DUP, POP],
            "memo": [*BOX, BINPUT(3), POP, BINGET(3)],
            "in a list": [EMPTY_LIST, *BOX, BINPUT(3), APPEND, POP, BINGET(3)],
            "GLOBAL": [GLOBAL("picklist_canary", "Box")],
        }[way]
        data = asm(PROTO(4), *reach, *slot_state("limit", literal(99)), BUILD)
        nothing_ran.refused(data, "picklist_canary.Box", allow=ALLOW)

    @pytest.mark.parametrize(
        "path", ["uuid.UUID", "fractions.Fraction", "decimal.Decimal", "builtins.list"]
    )
    @pytest.mark.parametrize("state", params({"dict": dict_state, "slots": slot_state}))
    def test_the_classes_of_the_default_policy(
        self, path: str, state: Any, nothing_ran: Any
    ) -> None:
        module, _, name = path.rpartition(".")
        data = asm(PROTO(4), *mention(module, name), *state("planted", literal(1)), BUILD)
        nothing_ran.refused(data, path)
        assert not hasattr(uuid.UUID, "planted")

    def test_a_module_is_no_value(self, nothing_ran: Any) -> None:
        """A name that turns out to be a module is refused, whatever the policy says."""
        spelled = mention("picklist_samples", "collections")
        data = asm(PROTO(4), *spelled, *dict_state("planted", literal(1)), BUILD)
        nothing_ran.refused(data, allow=["picklist_samples.collections"])
        nothing_ran.refused(asm(PROTO(4), *spelled), allow=["picklist_samples.collections"])


class TestB2SetState:
    """``__setstate__`` planted by one BUILD is called by the next."""

    @pytest.mark.parametrize("state", params({"dict": dict_state, "slots": slot_state}))
    def test_planting_setstate(self, state: Any, nothing_ran: Any, naive: Any) -> None:
        plant = [*NEW_BOX, *state("__setstate__", *INERT), BUILD]
        data = asm(PROTO(4), *plant, literal("any argument"), BUILD)
        naive(data, *ALLOW)
        assert canary.CALLS == [("inert", ("any argument",))]
        nothing_ran.refused(data, "__setstate__", allow=ALLOW)

    @pytest.mark.parametrize("path", ["picklist_canary.Loud", "uuid.UUID"])
    def test_one_build_per_object(self, path: str, nothing_ran: Any) -> None:
        """A second BUILD is refused where somebody receives the state, in place and by the memo."""
        module, _, name = path.rpartition(".")
        made = [*mention(module, name), EMPTY_TUPLE, NEWOBJ]
        state = dict_state("int", literal(1))
        allow = ["picklist_canary.Loud"]
        twice = asm(PROTO(4), *made, *state, BUILD, *state, BUILD)
        nothing_ran.refused(twice, path, allow=allow)
        again = [*made, BINPUT(0), *state, BUILD, POP, BINGET(0), *state, BUILD]
        nothing_ran.refused(asm(PROTO(4), *again), path, allow=allow)

    def test_setting_attributes_twice_is_setting_attributes(self) -> None:
        """Where no hook receives it, a second state could have been part of the first."""
        program = [*NEW_BOX, *dict_state("x", literal(1)), BUILD, *dict_state("x", literal(2))]
        assert vars(picklist.safe_loads(asm(PROTO(4), *program, BUILD), allow=ALLOW)) == {"x": 2}

    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_picklers_build_twice_where_arguments_recur(self, protocol: int) -> None:
        """A tuple in a list in itself is made twice by its own pickle, and one of them is kept."""
        items: list[Any] = []
        value = samples.MyTuple((items,))
        value.note = "kept"  # type: ignore[attr-defined]
        items.append(value)
        built = []
        for dumps in (pickle.dumps, pickle._dumps):  # type: ignore[attr-defined]
            data = dumps(value, protocol)
            built.append(len(offsets(data, "BUILD")))
            again = picklist.safe_loads(data, allow=[samples.MyTuple])
            assert type(again) is samples.MyTuple
            assert again[0][0] is again
            assert again.note == "kept"
        assert built == [1, 2]  # the pickler in C stops at the copy from the memo


class TestB3Planted:
    """APPEND, APPENDS and ADDITEMS call what they find on the instance."""

    CASES = params(
        {
            "APPEND": ("append", [literal("arg"), APPEND]),
            "APPENDS-extend": ("extend", [MARK, literal("arg"), APPENDS]),
            "APPENDS-append": ("append", [MARK, literal("arg"), literal("b"), APPENDS]),
            "ADDITEMS": ("add", [MARK, literal("arg"), ADDITEMS]),
        }
    )

    @pytest.mark.parametrize(("name", "fill"), CASES)
    def test_planted_methods(self, name: str, fill: Any, nothing_ran: Any, naive: Any) -> None:
        data = asm(PROTO(4), *NEW_BOX, *dict_state(name, *INERT), BUILD, *fill)
        naive(data, *ALLOW)
        assert canary.CALLS, "the payload must work"
        nothing_ran.refused(data, "picklist_canary.Box", allow=ALLOW)

    @pytest.mark.parametrize(("name", "fill"), CASES)
    def test_methods_of_the_class(self, name: str, fill: Any, nothing_ran: Any) -> None:
        """A class given plainly has no right to be filled, whatever methods it has."""
        loud = [*mention("picklist_canary", "Loud"), EMPTY_TUPLE, NEWOBJ]
        nothing_ran.refused(asm(PROTO(4), *loud, *fill), allow=["picklist_canary.Loud"])

    @pytest.mark.parametrize(
        "target",
        params(
            {
                "tuple": [EMPTY_TUPLE],
                "dict": [EMPTY_DICT],
                "str": [literal("s")],
                "bytearray": [BYTEARRAY8(b"ab")],
                "class": BOX,
                "None": [NONE],
                "set": [EMPTY_SET],
                "int": [literal(5)],
                "frozenset": [MARK, FROZENSET],
            }
        ),
    )
    @pytest.mark.parametrize(
        "fill",
        params(
            {
                "APPEND": [literal(1), APPEND],
                "APPENDS": [MARK, literal(1), APPENDS],
            }
        ),
    )
    def test_only_lists_are_appended_to(self, target: Any, fill: Any, nothing_ran: Any) -> None:
        nothing_ran.refused(asm(PROTO(5), *target, *fill), allow=ALLOW)

    @pytest.mark.parametrize(
        "target",
        params(
            {
                "list": [EMPTY_LIST],
                "dict": [EMPTY_DICT],
                "frozenset": [MARK, FROZENSET],
                "class": BOX,
                "box": NEW_BOX,
            }
        ),
    )
    def test_only_sets_are_added_to(self, target: Any, nothing_ran: Any) -> None:
        nothing_ran.refused(asm(PROTO(4), *target, MARK, literal(1), ADDITEMS), allow=ALLOW)


class TestB4Items:
    """SETITEM and SETITEMS write into anything that has ``__setitem__``."""

    @pytest.mark.parametrize(
        "target",
        params(
            {
                "list": [literal([1, 2])],
                "bytearray": [BYTEARRAY8(b"ab")],
                "class": BOX,
                "instance": NEW_BOX,
                "function": INERT,
                "tuple": [literal((1, 2))],
                "set": [EMPTY_SET],
                "None": [NONE],
                "loud": [*mention("picklist_canary", "Loud"), EMPTY_TUPLE, NEWOBJ],
                "deque": [call("collections.deque", [1, 2])],
                "array": [call("array.array", "b", [1])],
                "enum": mention("picklist_samples", "Color"),
            }
        ),
    )
    @pytest.mark.parametrize(
        "fill",
        params(
            {
                "SETITEM": [literal(0), literal(9), SETITEM],
                "SETITEMS": [MARK, literal(0), literal(9), SETITEMS],
            }
        ),
    )
    def test_only_dicts_are_filled_by_key(self, target: Any, fill: Any, nothing_ran: Any) -> None:
        allow = [*ALLOW, "picklist_canary.Loud", "picklist_samples.Color"]
        nothing_ran.refused(asm(PROTO(5), *target, *fill), allow=allow)


class TestB5Keys:
    """Keys of a state are names of attributes, and some names are code."""

    @pytest.mark.parametrize(
        "key", ["__class__", "__dict__", "__init__", "__reduce__", "__call__", "__x__"]
    )
    @pytest.mark.parametrize("state", params({"dict": dict_state, "slots": slot_state}))
    def test_dunder_keys(self, key: str, state: Any, nothing_ran: Any) -> None:
        data = asm(PROTO(4), *NEW_BOX, *state(key, *BOX), BUILD)
        nothing_ran.refused(data, key, "picklist_canary.Box", allow=ALLOW)

    @pytest.mark.parametrize("key", [1, None, b"x", (1,), 1.5])
    @pytest.mark.parametrize("state", params({"dict": dict_state, "slots": slot_state}))
    def test_keys_are_strings(self, key: Any, state: Any, nothing_ran: Any) -> None:
        nothing_ran.refused(asm(PROTO(4), *NEW_BOX, *state(key, NONE), BUILD), allow=ALLOW)

    def test_keys_are_exact_strings(self, nothing_ran: Any) -> None:
        mine = [*mention("picklist_samples", "MyStr"), literal("x"), TUPLE1, NEWOBJ]
        data = asm(PROTO(4), *NEW_BOX, EMPTY_DICT, *mine, NONE, SETITEM, BUILD)
        nothing_ran.refused(data, allow=[*ALLOW, samples.MyStr])

    @pytest.mark.parametrize(
        "name", ["WithDescriptor.x", "Slotted.y", "Slotted.__class__", "Box.method"]
    )
    def test_slot_state_sets_slots_only(self, name: str, nothing_ran: Any) -> None:
        """Slot state goes through member descriptors, never a property or ``__setattr__``."""
        cls, _, key = name.partition(".")
        made = [*mention("picklist_canary", cls), EMPTY_TUPLE, NEWOBJ]
        data = asm(PROTO(4), *made, *slot_state(key, literal(1)), BUILD)
        with nothing_ran.guard(), pytest.raises(picklist.UnsafePickleError):
            picklist.safe_loads(data, allow=[f"picklist_canary.{cls}"])

    def test_the_descriptor_runs_under_plain_pickle(self, naive: Any) -> None:
        made = [*mention("picklist_canary", "WithDescriptor"), EMPTY_TUPLE, NEWOBJ]
        naive(
            asm(PROTO(4), *made, *slot_state("x", literal(1)), BUILD),
            "picklist_canary.WithDescriptor",
        )
        assert canary.CALLS == [("WithDescriptor.x", 1)]

    def test_fields_of_a_dataclass_are_all_there_is(self, nothing_ran: Any) -> None:
        made = [*mention("picklist_samples_typed", "Data"), EMPTY_TUPLE, NEWOBJ]
        data = asm(PROTO(4), *made, *dict_state("extra", NONE), BUILD)
        nothing_ran.refused(data, "extra", allow=[typed.Data])

    def test_a_field_list_is_kept_to(self, nothing_ran: Any) -> None:
        policy = picklist.Policy([picklist.Allow("picklist_canary.Box", new="()", state=["x"])])
        good = asm(PROTO(4), *NEW_BOX, *dict_state("x", literal(1)), BUILD)
        assert vars(picklist.safe_loads(good, policy=policy)) == {"x": 1}
        bad = asm(PROTO(4), *NEW_BOX, *dict_state("method", literal(1)), BUILD)
        nothing_ran.refused(bad, "method", policy=policy)

    @pytest.mark.parametrize(
        "state",
        params(
            {
                "int": [literal(1)],
                "str": [literal("x")],
                "list": [EMPTY_LIST],
                "triple": [literal((1, 2, 3))],
                "pair of ints": [literal((1, 2))],
                "pair with int": [literal(({}, 1))],
                "class": BOX,
            }
        ),
    )
    def test_state_is_a_dict_or_a_pair(self, state: Any, nothing_ran: Any) -> None:
        nothing_ran.refused(asm(PROTO(4), *NEW_BOX, *state, BUILD), allow=ALLOW, remedy=False)
