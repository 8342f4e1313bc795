"""The ways in which a pickle can say one thing: how a name is mentioned, how it is called.

Every function answers with a dict from a readable id to opcodes or to a whole pickle, for tests to
be parametrised over.  Names aimed at are harmless canaries unless a test says otherwise.
"""

from __future__ import annotations

import pickle
import pickletools
from typing import Any

from assembler import (
    BINGET,
    BINPUT,
    BINUNICODE,
    BINUNICODE8,
    BUILD,
    EMPTY_DICT,
    EMPTY_TUPLE,
    GET,
    GLOBAL,
    INST,
    LONG_BINGET,
    MARK,
    MEMOIZE,
    NEWOBJ,
    NEWOBJ_EX,
    NONE,
    OBJ,
    POP,
    PROTO,
    PUT,
    REDUCE,
    SETITEM,
    SHORT_BINUNICODE,
    STACK_GLOBAL,
    TUPLE,
    TUPLE2,
    UNICODE,
    Instruction,
    Opcode,
    asm,
)

Program = list[Instruction | Opcode | bytes]

CANARY = ("picklist_canary", "fire")


def literal(value: Any) -> bytes:
    """Return the opcodes that put a plain value on the stack."""
    return pickletools.optimize(pickle.dumps(value, 3))[2:-1]


def call(path: str, *values: Any) -> bytes:
    """Return the opcodes that call a dotted name with plain values; programs stand as they are."""
    module, _, name = path.rpartition(".")
    program: Program = [GLOBAL(module, name), MARK]
    for value in values:
        program += value if isinstance(value, Build) else [literal(value)]
    return asm(PROTO(4), *program, TUPLE, REDUCE, stop=False)[2:]


class Build(list[Any]):
    """A program that makes a value, where a plain value could stand."""


def slot_state(key: str, *value: Any) -> Program:
    """Return the state ``(None, {key: value})``."""
    return [NONE, EMPTY_DICT, literal(key), *value, SETITEM, TUPLE2]


def dict_state(key: Any, *value: Any) -> Program:
    """Return the state ``{key: value}``."""
    return [EMPTY_DICT, literal(key), *value, SETITEM]


def mention(module: str, name: str) -> Program:
    """Return the shortest way to put a global on the stack."""
    return [SHORT_BINUNICODE(module), SHORT_BINUNICODE(name), STACK_GLOBAL]


def mentions(module: str, name: str) -> dict[str, Program]:
    """Return every spelling that puts a global on the stack, in a protocol that has it."""
    strings: Program = [SHORT_BINUNICODE(module), SHORT_BINUNICODE(name)]
    found: dict[str, Program] = {
        "GLOBAL": [GLOBAL(module, name)],
        "GLOBAL-p0-text": [UNICODE("x"), POP, GLOBAL(module, name)],
        "GLOBAL-p4": [PROTO(4), GLOBAL(module, name)],
        "STACK_GLOBAL": [PROTO(4), *strings, STACK_GLOBAL],
        "STACK_GLOBAL-no-proto": [*strings, STACK_GLOBAL],
        "STACK_GLOBAL-BINUNICODE": [BINUNICODE(module), BINUNICODE(name), STACK_GLOBAL],
        "STACK_GLOBAL-BINUNICODE8": [BINUNICODE8(module), BINUNICODE8(name), STACK_GLOBAL],
        "STACK_GLOBAL-UNICODE": [UNICODE(module), UNICODE(name), STACK_GLOBAL],
        "STACK_GLOBAL-from-memo": [
            *(BINUNICODE(module), BINPUT(7), POP, BINUNICODE(name), PUT(300), POP),
            *(BINGET(7), LONG_BINGET(300), STACK_GLOBAL),
        ],
        "STACK_GLOBAL-memoized": [
            *(PROTO(4), *(SHORT_BINUNICODE(module), MEMOIZE), SHORT_BINUNICODE(name), MEMOIZE),
            STACK_GLOBAL,
        ],
        "global-from-memo": [GLOBAL(module, name), BINPUT(0), POP, GET(0)],
    }
    return found


def calls(module: str, name: str, *args: Instruction | Opcode) -> dict[str, bytes]:
    """Return every pickle that calls a global with the given arguments, by any opcode."""
    found = {
        f"{spelling}-REDUCE": asm(*program, MARK, *args, TUPLE, REDUCE)
        for spelling, program in mentions(module, name).items()
    }
    short = mention(module, name)
    found |= {
        "INST": asm(MARK, *args, INST(module, name)),
        "INST-p4": asm(PROTO(4), MARK, *args, INST(module, name)),
        "OBJ": asm(MARK, *short, *args, OBJ),
        "OBJ-GLOBAL": asm(MARK, GLOBAL(module, name), *args, OBJ),
        "NEWOBJ": asm(PROTO(2), GLOBAL(module, name), MARK, *args, TUPLE, NEWOBJ),
        "NEWOBJ_EX": asm(PROTO(4), *short, MARK, *args, TUPLE, EMPTY_DICT, NEWOBJ_EX),
        "in-a-frame": asm(PROTO(4), *short, MARK, *args, TUPLE, REDUCE, frame=True),
        "result-popped": asm(*short, MARK, *args, TUPLE, REDUCE, POP, NONE),
        "never-reached": asm(*short, MARK, *args, TUPLE, REDUCE, POP, NONE) + b"rest",
    }
    return found


def mentioned_only(module: str, name: str) -> dict[str, bytes]:
    """Return every pickle that only mentions a global, or builds upon it, without a call."""
    found = {spelling: asm(*program) for spelling, program in mentions(module, name).items()}
    found["BUILD"] = asm(*mention(module, name), EMPTY_DICT, BUILD)
    found["popped"] = asm(*mention(module, name), POP, NONE)
    found["as-argument"] = asm(*mention("collections", "deque"), *mention(module, name), TUPLE)
    found["in-empty-tuple-call"] = asm(*mention(module, name), EMPTY_TUPLE, REDUCE)
    return found


def params(cases: dict[str, Any]) -> Any:
    """Return arguments for ``pytest.mark.parametrize``, with the keys as ids; tuples are spread."""
    import pytest

    found = []
    for key, value in cases.items():
        values = value if type(value) is tuple else (value,)  # an Instruction is a tuple too
        found.append(pytest.param(*values, id=key))
    return found
