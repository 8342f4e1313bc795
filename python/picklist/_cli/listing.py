"""The annotated listing of one pickle: offset, opcode, argument, stack effect, meaning."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator

# Columns of a listing: offset, opcode, argument, stack effect; what is left says what it means.
_FIXED = 8 + 2 + 16 + 2
_EFFECT = 27
_MEANING = 20
# Opcodes that import, call or fill something.
ACTING = {
    *("GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "BUILD"),
    *("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"),
}


def listing(data: bytes, limit: int, width: int) -> Iterator[tuple[str, str]]:
    """Yield lines of a listing with their style, up to `limit` opcodes; ends where it breaks.

    It only shows: what the pickle does is what the inspection says. A `width` of 0 is no width; in
    a narrow one the meaning is left out, and then the stack effect.
    """
    argument_width = 40 if not width else max(16, min(40, width - _FIXED - 2 - _EFFECT, width // 4))
    shown = 0
    try:
        for opcode, argument, position in pickletools.genops(data):
            if shown == limit:
                yield f"… {len(data) - (position or 0)} more bytes; --limit shows more", "dim"
                return
            shown += 1
            text = "" if argument is None else _cut(repr(argument), argument_width)
            effect = f"{_stack(opcode.stack_before)} -> {_stack(opcode.stack_after)}"
            meaning = " ".join(opcode.doc.split("\n\n")[0].split()).removesuffix(".")
            line = f"{position:>8}  {opcode.name:<16}  {text:<{argument_width}}"
            if not width or len(line) + 2 + _EFFECT <= width:
                line += f"  {effect:<{_EFFECT}}"
                left = width - len(line) - 2
                if not width or left >= _MEANING:
                    line += f"  {meaning if not width else _cut_at_word(meaning, left)}"
            yield line.rstrip(), "bold" if opcode.name in ACTING else ""
    except ValueError as error:
        yield f"{'':>8}  the listing ends here: {_cut(str(error), 120)}", "yellow"


def _stack(items: list[pickletools.StackObject]) -> str:
    return " ".join(item.name for item in items) or "-"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _cut_at_word(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rpartition(' ')[0]}…"
