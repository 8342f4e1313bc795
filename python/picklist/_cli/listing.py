"""The annotated listing of one pickle: offset, opcode, argument, stack effect, meaning."""

from __future__ import annotations

import pickletools
from collections import deque
from collections.abc import Iterator, Sequence

# Columns of a listing: offset, opcode, argument, stack effect; what is left says what it means.
_FIXED = 8 + 2 + 16 + 2
_EFFECT = 27
_MEANING = 20
# Opcodes that import, call or fill something.
ACTING = {
    *("GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "BUILD"),
    *("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"),
}


def listing(
    data: bytes, limit: int, width: int, raw: Sequence[tuple[int, int]] = ()
) -> Iterator[tuple[str, str]]:
    """Yield lines of a listing with their style, up to `limit` opcodes; ends where it breaks.

    It only shows: what the pickle does is what the inspection says. A `width` of 0 is no width; in
    a narrow one the meaning is left out, and then the stack effect. `raw` has offset and length of
    the arrays that lie between the opcodes of a joblib file, in order.
    """
    argument_width = 40 if not width else max(16, min(40, width - _FIXED - 2 - _EFFECT, width // 4))
    shown = left_out = 0
    arrays = deque(raw)
    try:
        for opcode, argument, found_at in pickletools.genops(_between(data, raw)):
            position = (found_at or 0) + left_out
            while arrays and arrays[0][0] <= position:
                at, length = arrays.popleft()
                left_out += length
                position += length
                yield f"{at:>8}  {length} bytes of an array", "dim"
            if shown == limit:
                yield f"… {len(data) - position} more bytes; --limit shows more", "dim"
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


def _between(data: bytes, raw: Sequence[tuple[int, int]]) -> bytes:
    """Return the opcodes without the arrays between them."""
    if not raw:
        return data
    starts = [0, *(at + length for at, length in raw)]
    ends = [*(at for at, _ in raw), len(data)]
    return b"".join(data[start:end] for start, end in zip(starts, ends, strict=True))


def _stack(items: list[pickletools.StackObject]) -> str:
    return " ".join(item.name for item in items) or "-"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _cut_at_word(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rpartition(' ')[0]}…"
