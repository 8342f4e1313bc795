"""Mutate pickles: instruction by instruction where they can be taken apart, byte by byte elsewhere.

Everything is drawn from the :class:`random.Random` that is handed in, so a seed names a whole run.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

from assembler import BY_NAME, Instruction, Raw, assemble, disassemble

__all__ = ["INTERESTING", "every_bit", "every_cut", "mutate"]

Program = list[Instruction]

INTERESTING = (
    0, 1, 2, 7, 8, 127, 128, 255, 256, 257, 499, 500, 501, 4299, 4300, 9_999, 10_000, 10_001,
    2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**61 - 2, 2**61 - 1, 2**61, 2**63 - 1, 2**63,
    2**64, 2**128 - 1, 2**128, -1, -2, -(2**31), -(2**61) + 1, -(2**63), -(2**63) - 1,
)  # fmt: skip
WORDS = (
    "", "a", "int", "is_safe", "__class__", "__dict__", "__setstate__", "latin1", "latin-1", "maps",
    "data", "é", "日本", "\U0001f600", "\ud800", "builtins", "collections", "copyreg", "1.5", "NaN",
    "1/3", "1e999999999", "b", "utc", "__new__", "_unpickle", "0" * 300,
)  # fmt: skip
NAMES = (
    "builtins set", "builtins frozenset", "builtins bytearray", "builtins list", "builtins int",
    "builtins object", "builtins complex", "builtins slice", "builtins bytes", "builtins Ellipsis",
    "collections deque", "collections OrderedDict", "collections defaultdict",
    "collections Counter", "uuid UUID", "uuid SafeUUID", "decimal Decimal", "fractions Fraction",
    "datetime timedelta", "datetime timezone", "datetime date", "array array",
    "array _array_reconstructor", "types SimpleNamespace", "copyreg _reconstructor",
    "copyreg __newobj__", "copyreg __newobj_ex__", "_codecs encode", "pathlib PurePosixPath",
    "ipaddress IPv4Address", "ipaddress IPv6Network", "picklist_nowhere anything", "os system",
)  # fmt: skip
NULLARY = tuple(name for name, row in BY_NAME.items() if row.operand is None and name != "STOP")
WIDTHS = ("<b", "<h", "<i", "<q", ">d")


def operand(rng: random.Random, kind: str) -> object:
    """Return an operand of one of pickletools' argument types, or raw bytes in its place."""
    if kind in ("uint1", "uint2", "int4", "uint4", "uint8"):
        top = {"uint1": 2**8, "uint2": 2**16, "int4": 2**31, "uint4": 2**32, "uint8": 2**64}[kind]
        return rng.choice([rng.randrange(top), rng.randrange(8), rng.choice(INTERESTING) % top])
    if kind in ("decimalnl_short", "decimalnl_long", "long1", "long4"):
        return rng.choice([rng.choice(INTERESTING), rng.randrange(-9, 99), rng.getrandbits(200)])
    if kind in ("float8", "floatnl"):
        return rng.choice([0.0, -0.0, 1.5, 1e308, 5e-324, float("inf"), float("nan"), rng.random()])
    if kind.startswith("unicode"):
        return rng.choice(WORDS)
    if kind == "stringnl_noescape_pair":
        return tuple(rng.choice(NAMES).split(" "))
    if kind.startswith("string"):
        return rng.choice(WORDS).encode("ascii", "ignore").decode()
    return rng.choice([b"", b"a", bytes(4), rng.randbytes(10), rng.randbytes(16)])


def instruction(rng: random.Random) -> Instruction:
    """Return any instruction but STOP."""
    if rng.random() < 0.5:
        return Instruction(rng.choice(NULLARY))
    name = rng.choice([name for name, row in BY_NAME.items() if row.operand is not None])
    return fresh(rng, name)


def fresh(rng: random.Random, name: str) -> Instruction:
    """Return the named instruction with an operand of its own."""
    kind = BY_NAME[name].operand
    if kind is None:
        return Instruction(name)
    made = Instruction(name, operand(rng, kind))
    try:
        made.encode()
    except (ValueError, OverflowError, struct.error):
        return Instruction(name, Raw(rng.randbytes(rng.choice([1, 2, 4, 8]))))
    return made


def place(rng: random.Random, program: Program) -> int:
    """Return an index of the program; of an empty one, 0."""
    return rng.randrange(len(program)) if program else 0


def insert(rng: random.Random, program: Program, _other: Program) -> None:
    """Insert one to three instructions."""
    for _ in range(rng.randrange(1, 4)):
        program.insert(place(rng, program), instruction(rng))


def delete(rng: random.Random, program: Program, _other: Program) -> None:
    """Delete a short run."""
    at = place(rng, program)
    del program[at : at + rng.randrange(1, 4)]


def duplicate(rng: random.Random, program: Program, _other: Program) -> None:
    """Repeat a run, a few times or many."""
    at = place(rng, program)
    run = program[at : at + rng.randrange(1, 9)]
    program[at:at] = run * rng.choice([1, 1, 2, 5, 50])


def swap(rng: random.Random, program: Program, _other: Program) -> None:
    """Exchange two instructions."""
    if program:
        a, b = place(rng, program), place(rng, program)
        program[a], program[b] = program[b], program[a]


def change(rng: random.Random, program: Program, _other: Program) -> None:
    """Give instructions another operand."""
    with_operand = [at for at, item in enumerate(program) if item.arg is not None]
    for at in rng.sample(with_operand, min(len(with_operand), rng.randrange(1, 4))):
        program[at] = fresh(rng, program[at].name)


def exchange(rng: random.Random, program: Program, _other: Program) -> None:
    """Put another opcode in the place of one."""
    if program:
        program[place(rng, program)] = instruction(rng)


def splice(rng: random.Random, program: Program, other: Program) -> None:
    """Insert a piece of another pickle, memo indexes and all."""
    at, from_ = place(rng, program), place(rng, other)
    program[at:at] = other[from_ : from_ + rng.randrange(1, 30)]


def join(rng: random.Random, program: Program, other: Program) -> None:
    """Build another pickle's value first, under this one's."""
    program[:0] = [item for item in other if item.name not in ("STOP", "FRAME")]


def remember(rng: random.Random, program: Program, _other: Program) -> None:
    """Store and fetch values."""
    slot = rng.randrange(12)
    stores = [Instruction("MEMOIZE"), Instruction("BINPUT", slot), Instruction("DUP")]
    program.insert(place(rng, program), rng.choice(stores))
    for _ in range(rng.randrange(1, 4)):
        program.insert(place(rng, program), Instruction("BINGET", rng.randrange(12)))


def protocol(rng: random.Random, program: Program, _other: Program) -> None:
    """Claim another protocol, or claim one in the middle."""
    made = Instruction("PROTO", rng.randrange(7))
    if program and program[0].name == "PROTO" and rng.random() < 0.8:
        program[0] = made
    else:
        program.insert(rng.choice([0, 0, place(rng, program)]), made)


MUTATIONS: tuple[Callable[[random.Random, Program, Program], None], ...] = (
    insert, delete, duplicate, swap, change, change, exchange, splice, join, remember, protocol,
)  # fmt: skip


def flip(rng: random.Random, data: bytes) -> bytes:
    """Damage bytes: flip a bit, overwrite a number, cut, repeat."""
    damaged = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        if not damaged:
            break
        at = rng.randrange(len(damaged))
        what = rng.randrange(4)
        if what == 0:
            damaged[at] ^= 1 << rng.randrange(8)
        elif what == 1:
            layout = rng.choice(WIDTHS)
            if layout == ">d":
                number = struct.pack(layout, rng.random())
            else:
                bits = 8 * struct.calcsize(layout)
                number = (rng.choice(INTERESTING) % 2**bits).to_bytes(bits // 8, "little")
            damaged[at : at + len(number)] = number
        elif what == 2:
            del damaged[at:]
        else:
            damaged[at:at] = damaged[at : at + rng.randrange(1, 20)]
    return bytes(damaged)


def mutate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Return a mutation of ``data``, which may borrow from ``other``."""
    if rng.random() < 0.15:
        return flip(rng, data)
    try:
        program, donor = disassemble(data), disassemble(other)
    except ValueError:
        return flip(rng, data)
    if rng.random() < 0.7:  # else a frame that no longer fits ends most mutants
        program = [item for item in program if item.name != "FRAME"]
        donor = [item for item in donor if item.name != "FRAME"]
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        rng.choice(MUTATIONS)(rng, program, donor)
    if rng.random() < 0.9 and (not program or program[-1].name != "STOP"):
        program.append(Instruction("STOP"))
    return assemble(program)


def every_cut(data: bytes) -> Iterator[bytes]:
    """Yield every proper prefix."""
    for end in range(len(data)):
        yield data[:end]


def every_bit(data: bytes) -> Iterator[bytes]:
    """Yield the data with each of its bits flipped, one at a time."""
    for at in range(len(data)):
        for bit in range(8):
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
