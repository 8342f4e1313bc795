"""Compare two object graphs by type, value and shape, without recursion.

``same_structure(a, b)`` answers with the empty string where two graphs are the same, and otherwise
with the path of the first difference.  Same means: exact types, equal values (nan equals nan, 0.0
differs from -0.0), the same order in dicts, and the same references: whatever is one object on the
left is one on the right, cycles included.  Numbers, text and bytes are only compared: whether two
equal ones are one object is the interpreter's affair.
"""

from __future__ import annotations

import array
import collections
import decimal
import math
import struct
import types
from typing import Any

__all__ = ["same_structure"]

LEAVES = (type(None), bool, int, str, bytes, type, type(Ellipsis), type(NotImplemented))
Pair = tuple[Any, Any, str]


def same_float(a: float, b: float) -> bool:
    """Tell whether two floats are the same, bit for bit but for the kind of nan."""
    return (math.isnan(a) and math.isnan(b)) or struct.pack(">d", a) == struct.pack(">d", b)


def same_leaf(a: Any, b: Any) -> bool:
    """Compare two values without parts, of one exact type."""
    if type(a) is float:
        return same_float(a, b)
    if type(a) is complex:
        return same_float(a.real, b.real) and same_float(a.imag, b.imag)
    if type(a) is decimal.Decimal:
        return bool(a.as_tuple() == b.as_tuple())
    if type(a) is array.array:
        return bool(a.typecode == b.typecode and a.tobytes() == b.tobytes())
    return bool(a == b)


def slots_of(value: Any) -> dict[str, Any]:
    """Return the filled slots of an instance, from every class of its MRO."""
    found = {}
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                found[name] = getattr(value, name)
    return found


def unordered(a: Any, b: Any, path: str) -> tuple[str, list[Pair]]:
    """Match the elements of two sets; equal elements are then compared in depth."""
    if len(a) != len(b):
        return f"{path}: {len(a)} elements, not {len(b)}", []
    partners = {element: element for element in b}
    odd = [element for element in a if element not in partners]
    if odd:  # a nan is equal to nothing: compare what is left over by its repr
        rest = [element for element in b if element not in a]
        if sorted(map(repr, odd)) != sorted(map(repr, rest)):
            return f"{path}: {odd!r} is not in {b!r}", []
    return "", [
        (element, partners[element], f"{path}.element({element!r})")
        for element in a
        if element in partners
    ]


def mapping(a: Any, b: Any, path: str) -> tuple[str, list[Pair]]:
    """Compare two dicts item by item in their order."""
    if len(a) != len(b):
        return f"{path}: {len(a)} items, not {len(b)}", []
    pairs: list[Pair] = []
    for (key_a, value_a), (key_b, value_b) in zip(dict.items(a), dict.items(b), strict=True):
        pairs += [
            (key_a, key_b, f"{path}.key({key_a!r:.40})"),
            (value_a, value_b, f"{path}[{key_a!r:.40}]"),
        ]
    return "", pairs


def parts(a: Any, b: Any, path: str) -> tuple[str, list[Pair] | None]:
    """Return a difference, or the pairs to compare next; ``None`` for a value without parts."""
    trouble, pairs, composite = "", [], False
    if isinstance(a, (list, tuple, collections.deque)):
        composite = True
        if len(a) != len(b):
            return f"{path}: length {len(a)}, not {len(b)}", []
        if isinstance(a, collections.deque) and a.maxlen != b.maxlen:
            return f"{path}: maxlen {a.maxlen}, not {b.maxlen}", []
        pairs = [(x, y, f"{path}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True))]
    elif isinstance(a, (set, frozenset)):
        composite = True
        trouble, pairs = unordered(a, b, path)
    elif isinstance(a, dict):
        composite = True
        trouble, pairs = mapping(a, b, path)
        if isinstance(a, collections.defaultdict):
            pairs.append((a.default_factory, b.default_factory, f"{path}.default_factory"))
    if isinstance(a, slice):
        composite = True
        bounds = ("start", "stop", "step")
        pairs += [(getattr(a, name), getattr(b, name), f"{path}.{name}") for name in bounds]
    if isinstance(a, memoryview):  # of an array of characters, none is equal to any other
        composite = True
        fields = ("format", "shape", "readonly")
        pairs += [(getattr(a, name), getattr(b, name), f"{path}.{name}") for name in fields]
        pairs.append((a.tobytes(), b.tobytes(), f"{path}.tobytes()"))
    if isinstance(a, BaseException):
        composite = True
        pairs.append((a.args, b.args, f"{path}.args"))
    if trouble:
        return trouble, []
    if isinstance(a, types.SimpleNamespace) or "picklist" in type(a).__module__:
        composite = True
        own = getattr(a, "__dict__", None), getattr(b, "__dict__", None)
        pairs += [(*own, f"{path}.__dict__"), (slots_of(a), slots_of(b), f"{path}.slots")]
    if type(a) is object:
        composite = True
    return "", (pairs if composite else None)


def same_structure(a: Any, b: Any) -> str:
    """Return "" where two graphs are the same, else where and how they first differ."""
    there: dict[int, int] = {}
    back: dict[int, int] = {}
    keep: list[Any] = []
    todo: list[Pair] = [(a, b, "$")]
    while todo:
        x, y, path = todo.pop()
        if type(x) is not type(y):
            return f"{path}: {type(x)} is not {type(y)}"
        if isinstance(x, LEAVES) and type(x) in LEAVES:
            if x != y:
                return f"{path}: {x!r:.80} is not {y!r:.80}"
            continue
        if type(x) in (float, complex, decimal.Decimal):
            if not same_leaf(x, y):
                return f"{path}: {x!r} is not {y!r}"
            continue
        if type(x) not in (tuple, frozenset) or len(x):  # the empty ones may be singletons
            if id(x) in there or id(y) in back:
                if there.get(id(x)) != id(y) or back.get(id(y)) != id(x):
                    return f"{path}: references are shared differently"
                continue
            there[id(x)], back[id(y)] = id(y), id(x)
            keep += [x, y]
        trouble, pairs = parts(x, y, path)
        if trouble:
            return trouble
        if pairs is None:
            if not same_leaf(x, y):
                return f"{path}: {x!r:.80} is not {y!r:.80}"
            continue
        todo.extend(reversed(pairs))
    return ""
