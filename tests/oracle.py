"""The names that a pickle asks for, by `pickletools` alone: the truth that inspections must meet.

`pickletools.genops` reads the opcodes; what STACK_GLOBAL takes from the stack is found by following
strings through stack and memo, by the stack effects that `pickletools` documents for each opcode.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any

__all__ = ["globals_of", "pickles_of"]

MARK = object()
OTHER = object()


def pickles_of(data: bytes) -> Iterator[tuple[int, set[tuple[str, str]]]]:
    """Yield where each pickle of a stream ends, and its names; ends where no pickle begins."""
    at = 0
    while at < len(data):
        try:
            size, names = globals_of(data[at:])
        except (ValueError, IndexError, KeyError):
            if at == 0:
                raise
            return
        at += size
        yield at, names


def globals_of(data: bytes) -> tuple[int, set[tuple[str, str]]]:
    """Return the size of the first pickle and the names in it, as it spells them."""
    names: set[tuple[str, str]] = set()
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, position in pickletools.genops(data):
        match opcode.name:
            case "MARK":
                stack.append(MARK)
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "DUP":
                stack.append(stack[-1])
            case "GLOBAL" | "INST" as name:
                module, _, attribute = argument.partition(" ")
                names.add((module, attribute))
                if name == "INST":
                    pop_mark(stack)
                stack.append(OTHER)
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                if not isinstance(module, str) or not isinstance(attribute, str):
                    raise ValueError("STACK_GLOBAL without strings")
                names.add((module, attribute))
                stack.append(OTHER)
            case "POP" if stack[-1] is MARK:
                stack.pop()
            case "STOP":
                return position + 1, names
            case _:
                before = list(opcode.stack_before)
                if pickletools.markobject in before:
                    pop_mark(stack)
                    before = before[: before.index(pickletools.markobject)]
                del stack[len(stack) - len(before) :]
                is_text = isinstance(argument, str) and opcode.name != "PERSID"
                stack += [argument if is_text else OTHER] * len(opcode.stack_after)
    raise ValueError("no STOP")


def pop_mark(stack: list[Any]) -> None:
    """Take everything above the last mark, and the mark."""
    while stack.pop() is not MARK:
        pass
