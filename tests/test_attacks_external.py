"""Values that come by another way: the memo, persistent ids, buffers (THREATS B10 and B11).

The memo hands values on, a popped result has still been made, and persistent ids and out-of-band
buffers (PEP 574) bring in the caller's own objects, which a stream may look at and no more
(CWE-502).
"""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import picklist
import picklist_canary as canary
from assembler import (
    ADDITEMS,
    APPEND,
    APPENDS,
    BINGET,
    BINPERSID,
    BINPUT,
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    LONG_BINGET,
    MARK,
    NEWOBJ,
    NEWOBJ_EX,
    NEXT_BUFFER,
    NONE,
    PERSID,
    POP,
    PROTO,
    READONLY_BUFFER,
    REDUCE,
    SETITEM,
    asm,
)
from payloads import Build, call, dict_state, literal, mention, params, slot_state

BOX = mention("picklist_canary", "Box")
INERT = mention("picklist_canary", "inert")
NEW_BOX = [*BOX, EMPTY_TUPLE, NEWOBJ]
ALLOW = ["picklist_canary.Box", "picklist_canary.inert"]


class TestB10Memo:
    """The memo hands values on; what a value is goes with it."""

    def test_a_slot_that_is_redefined(self, nothing_ran: Any, naive: Any) -> None:
        """A class fetched from a slot that held a list before is still a class."""
        data = asm(
            *(PROTO(4), EMPTY_LIST, BINPUT(0), POP, *BOX, BINPUT(0), POP),
            *(BINGET(0), *slot_state("limit", literal(99)), BUILD),
        )
        naive(data, *ALLOW)
        assert canary.Box.limit == 99
        nothing_ran.refused(data, "picklist_canary.Box", allow=ALLOW)

    def test_a_popped_call_has_been_judged(self, nothing_ran: Any) -> None:
        """Popping the result of a call does not undo the call, so it is judged like any other."""
        data = asm(PROTO(4), call("picklist_canary.fire", "id"), POP, NONE)
        nothing_ran.refused(data, "picklist_canary.fire", allow=ALLOW)

    def test_a_call_is_no_list(self, nothing_ran: Any) -> None:
        """What an allowed function returns may be anyone's: it is not filled."""
        shared = Build([*mention("picklist_canary", "shared_list"), EMPTY_TUPLE, REDUCE])
        data = asm(PROTO(4), *shared, literal(666), APPEND)
        nothing_ran.refused(data, allow=["picklist_canary.shared_list"])

    def test_a_half_built_value_elsewhere(self, nothing_ran: Any) -> None:
        """An instance put into the memo before BUILD is the same instance after it."""
        data = asm(
            *(PROTO(4), *NEW_BOX, BINPUT(0), *dict_state("me", BINGET(0)), BUILD, POP, BINGET(0)),
        )
        with nothing_ran.guard():
            value = picklist.safe_loads(data, allow=ALLOW)
        assert value.me is value

    @pytest.mark.parametrize("index", [1, 255, 2**31 - 1])
    def test_what_was_never_put(self, index: int, nothing_ran: Any) -> None:
        nothing_ran.refused(asm(LONG_BINGET(index)), str(index), remedy=False)

    @pytest.mark.parametrize(
        "data",
        params(
            {
                "one value left": asm(NONE, NONE),
                "a mark left": asm(MARK, NONE, NONE),
                "bytes behind": asm(NONE) + b"x",
                "a pickle behind": asm(NONE) + asm(NONE),
            }
        ),
    )
    def test_strict_refuses_leftovers(self, data: bytes, nothing_ran: Any) -> None:
        """What the program never sees may be meant for another reader."""
        nothing_ran.refused(data, strict=True, remedy=False)
        if data[:1] != b"(":
            assert picklist.safe_loads(data) is None

    def test_strict_takes_what_pickle_writes(self) -> None:
        for protocol in range(6):
            assert picklist.safe_loads(pickle.dumps([1], protocol), strict=True) == [1]


class TestB11External:
    """Persistent ids and buffers are the caller's objects: never built, filled or called."""

    @pytest.mark.parametrize(
        "data",
        params(
            {
                "PERSID": asm(PERSID("pid")),
                "BINPERSID": asm(literal("pid"), BINPERSID),
                "popped": asm(PERSID("x"), POP, NONE),
            }
        ),
    )
    def test_without_a_handler_they_are_refused(self, data: bytes, nothing_ran: Any) -> None:
        nothing_ran.refused(data, "persistent_load")

    @pytest.mark.parametrize(
        ("external", "then"),
        params(
            {
                "list APPEND": (list, [literal(1), APPEND]),
                "list APPENDS": (list, [MARK, literal(1), APPENDS]),
                "dict SETITEM": (dict, [literal(1), literal(2), SETITEM]),
                "set ADDITEMS": (set, [MARK, literal(1), ADDITEMS]),
                "box BUILD": (canary.Box, [*dict_state("x", NONE), BUILD]),
                "function REDUCE": (lambda: canary.fire, [EMPTY_TUPLE, REDUCE]),
                "class REDUCE": (lambda: canary.Loud, [EMPTY_TUPLE, REDUCE]),
                "class NEWOBJ": (lambda: canary.Loud, [EMPTY_TUPLE, NEWOBJ]),
                "class NEWOBJ_EX": (lambda: canary.Loud, [EMPTY_TUPLE, EMPTY_DICT, NEWOBJ_EX]),
                "class BUILD": (lambda: canary.Box, [*slot_state("limit", NONE), BUILD]),
            }
        ),
    )
    def test_they_are_left_alone(self, external: Any, then: Any, nothing_ran: Any) -> None:
        thing = external()
        before = repr(vars(thing)) if isinstance(thing, canary.Box) else repr(thing)
        handler: Any = lambda pid: thing  # noqa: E731
        data = asm(PROTO(4), literal("pid"), BINPERSID, *then)
        nothing_ran.refused(data, persistent_load=handler, allow=ALLOW)
        assert before == (repr(vars(thing)) if isinstance(thing, canary.Box) else repr(thing))

    def test_a_global_through_stack_global_operands(self, nothing_ran: Any) -> None:
        """A string from outside is no name either, unless the policy holds it."""
        handler: Any = {"m": "picklist_canary", "n": "fire"}.get
        data = asm(PROTO(4), literal("m"), BINPERSID, literal("n"), BINPERSID, b"\x93")
        nothing_ran.refused(data, persistent_load=handler, remedy=False)

    @pytest.mark.parametrize(
        "data",
        params(
            {
                "no buffers": asm(PROTO(5), NEXT_BUFFER),
                "read-only": asm(PROTO(5), NONE, READONLY_BUFFER),
            }
        ),
    )
    def test_buffers_that_are_not_there(self, data: bytes, nothing_ran: Any) -> None:
        nothing_ran.refused(data, remedy=False)

    def test_buffers_are_counted_and_left_alone(self, nothing_ran: Any) -> None:
        mine = bytearray(b"abc")
        nothing_ran.refused(
            asm(PROTO(5), NEXT_BUFFER, POP, NEXT_BUFFER), buffers=[mine], remedy=False
        )
        for then in (
            [literal(0), literal(9), SETITEM],
            [literal(9), APPEND],
            [*dict_state("x", NONE), BUILD],
        ):
            nothing_ran.refused(asm(PROTO(5), NEXT_BUFFER, *then), buffers=[mine])
        assert mine == b"abc"
