"""Places spelled in Python: `obj.loader.transforms[1]`, evaluating to the culprit.

No step runs more than attribute access on names that were found in instance
dicts and slots; what has no such name is reached through the reduce value.
"""

from __future__ import annotations

import collections
import functools
import keyword
import math
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .catalogue import (
    find_in_class,
    instance_dict,
    is_a,
    mro,
    namespace,
    short_name,
    type_name,
)


class Link(NamedTuple):
    """One object on the way, and the step that led to it."""

    object: Any
    step: str
    position: int
    key: Any
    node: int


# An accessor is a template over the expression so far: "{}.name", "{}[0]".
LONGEST = 150
RUN = 40


def spell(chain: Sequence[Link], name: str, protocol: int = 4) -> str:
    """Return the Python expression that leads along `chain`."""
    return _join(_accessors(chain, protocol), name)


def faithful(value: Any) -> str | None:
    """`repr(value)` where it evaluates to an equal value, for plain types only."""
    kind = type(value)
    if value is None or kind in (bool, str, bytes):
        return repr(value)
    if kind is int:
        number: Any = value
        return repr(value) if number.bit_length() < 4096 else None
    if is_a(value, float) and kind is float:
        return repr(value) if math.isfinite(value) else None
    if is_a(value, tuple) and kind is tuple and len(value) < 20:
        parts = [faithful(part) for part in value]
        if None in parts:
            return None
        return "(" + ", ".join(map(str, parts)) + ("," if len(parts) == 1 else "") + ")"
    return None


def _accessors(chain: Sequence[Link], protocol: int) -> Iterator[str]:
    position = 0
    last = len(chain) - 1
    while position < last:
        holder, link = chain[position], chain[position + 1]
        direct = _direct(holder.object, link)
        framed = _framed(holder.object, chain[last].object)
        if framed is not None:
            yield framed
            return
        if direct is not None:
            yield direct
            position += 1
            continue
        for ahead in range(position + 1, min(position + 13, last + 1)):
            shortcut = _shortcut(holder.object, chain[ahead].object)
            if shortcut is not None:
                yield shortcut
                position = ahead
                break
        else:
            yield _through_reduce(holder.object, link, protocol)
            position += 1


def _direct(holder: object, link: Link) -> str | None:
    if link.step == "item":
        return f"{{}}[{link.position}]"
    if link.step in ("member", "key"):
        return f"list({{}})[{link.position}]"
    if link.step == "value":
        key = faithful(link.key)
        if key is None:
            return f"list({{}}.values())[{link.position}]"
        return f"{{}}[{_brace(key)}]"
    if link.step == "attribute":
        return _attribute(holder, link.key)
    if link.step in ("class", "callable") and link.object is type(holder):
        return "type({})"
    return None


def _brace(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _attribute(holder: object, name: object) -> str:
    cls = type(holder)
    if not (type(name) is str and name.isidentifier() and not keyword.iskeyword(name)):
        key = faithful(name)
        if key is None:
            index = list(instance_dict(holder) or ()).index(name)  # type: ignore[arg-type]
            return f"list(vars({{}}).values())[{index}]"
        return f"vars({{}})[{_brace(key)}]"
    if find_in_class(cls, "__getattribute__") is not object.__getattribute__ and not is_a(
        holder, type, types.ModuleType, types.FunctionType, types.MethodType
    ):
        return f"object.__getattribute__({{}}, {name!r})"
    defined = find_in_class(cls, name)
    shadowed = defined is not None and any(
        "__set__" in namespace(base) or "__delete__" in namespace(base)
        for base in mro(type(defined))
    )
    if shadowed and not isinstance(
        defined, types.MemberDescriptorType | types.GetSetDescriptorType
    ):
        return f"vars({{}})[{name!r}]"
    return f"{{}}.{name}"


def _shortcut(holder: object, target: object) -> str | None:
    """Return a public way from `holder` to `target`, or None."""
    for accessor, value in _parts(holder):
        if value is target:
            return accessor
    names = instance_dict(holder)
    if names is not None and not is_a(holder, type, types.ModuleType):
        for name, value in names.copy().items():
            if value is target:
                return _attribute(holder, name)
    for accessor, value in _slots_and_items(holder):
        if value is target:
            return accessor
    return None


def _slots_and_items(holder: object) -> Iterator[tuple[str, object]]:
    for base in mro(type(holder)):
        for member in namespace(base).values():
            if isinstance(member, types.MemberDescriptorType):
                try:
                    value = member.__get__(holder)
                except Exception:  # noqa: BLE001
                    continue
                yield f"{{}}.{member.__name__}", value
    yield from _items(holder)


def _parts(holder: object) -> Iterator[tuple[str, object]]:
    if is_a(holder, functools.partial):
        yield "{}.func", holder.func
        yield "{}.args", holder.args
        yield "{}.keywords", holder.keywords
        for index, value in enumerate(holder.args):
            yield f"{{}}.args[{index}]", value
        for name, value in holder.keywords.items():
            yield f"{{}}.keywords[{_brace(repr(str(name)))}]", value
    elif type(holder) in (
        types.MethodType,
        types.BuiltinMethodType,
        types.MethodWrapperType,
    ):
        yield "{}.__self__", holder.__self__  # type: ignore[attr-defined]
        if type(holder) is types.MethodType:
            yield "{}.__func__", holder.__func__
    elif type(holder) is types.FunctionType:
        yield from _function_parts(holder)
    elif type(holder) is types.CellType:
        try:
            yield "{}.cell_contents", holder.cell_contents
        except ValueError:
            return
    elif is_a(holder, BaseException):
        arguments = BaseException.__dict__["args"].__get__(holder)
        yield "{}.args", arguments
        for index, value in enumerate(arguments):
            yield f"{{}}.args[{index}]", value
    elif collections.defaultdict in mro(type(holder)):
        member = collections.defaultdict.__dict__["default_factory"]
        yield "{}.default_factory", member.__get__(holder)
    elif type(holder) in (property, staticmethod, classmethod):
        for name in ("fget", "fset", "fdel", "__func__"):
            if hasattr(type(holder), name):
                yield f"{{}}.{name}", getattr(holder, name)
    elif type(type(holder)) is type and is_a(holder, type):
        for name, value in namespace(holder).items():
            yield f"vars({{}})[{name!r}]", value


def _function_parts(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    for index, cell in enumerate(function.__closure__ or ()):
        yield f"{{}}.__closure__[{index}]", cell
        try:
            yield f"{{}}.__closure__[{index}].cell_contents", cell.cell_contents
        except ValueError:
            continue
    for index, value in enumerate(function.__defaults__ or ()):
        yield f"{{}}.__defaults__[{index}]", value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield f"{{}}.__kwdefaults__[{name!r}]", value
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield f"{{}}.__globals__[{name!r}]", function.__globals__[name]
    yield "{}.__code__", function.__code__


def _framed(holder: object, target: object) -> str | None:
    if "numpy" not in sys.modules:
        return None
    return next((accessor for accessor, value in _frames(holder) if value is target), None)


def _frames(holder: Any) -> Iterator[tuple[str, object]]:
    """Objects inside numpy arrays and pandas frames, by index; exact types only."""
    cls = type(holder)
    name = f"{type_name(cls).partition('.')[0]}.{short_name(cls)}"
    if name == "numpy.ndarray" and holder.dtype.hasobject and holder.dtype.names is None:
        for index, value in enumerate(holder.flat):
            yield f"{{}}.flat[{index}]", value
    elif name == "pandas.Series" and holder.dtype == object:
        for index, value in enumerate(holder.array):
            yield f"{{}}.iloc[{index}]", value
    elif name == "pandas.DataFrame":
        for column in range(holder.shape[1]):
            series = holder.iloc[:, column]
            if series.dtype == object:
                for index, value in enumerate(series.array):
                    yield f"{{}}.iloc[{index}, {column}]", value


def _sequence_items(
    holder: Any, base: type[list[Any] | tuple[Any, ...]]
) -> Iterator[tuple[str, object]]:
    stock = find_in_class(type(holder), "__getitem__") is base.__getitem__
    for index, value in enumerate(base.__iter__(holder)):
        yield (
            f"{{}}[{index}]" if stock else f"{base.__name__}.__getitem__({{}}, {index})",
            value,
        )


def _items(holder: object) -> Iterator[tuple[str, object]]:
    if is_a(holder, list):
        yield from _sequence_items(holder, list)
    elif is_a(holder, tuple):
        yield from _sequence_items(holder, tuple)
    elif is_a(holder, dict):
        stock = find_in_class(type(holder), "__getitem__") is dict.__getitem__
        for index, (key, value) in enumerate(list(dict.items(holder))):
            text = faithful(key)
            if text is None:
                yield f"list(dict.values({{}}))[{index}]", value
            elif stock:
                yield f"{{}}[{_brace(text)}]", value
            else:
                yield f"dict.__getitem__({{}}, {_brace(text)})", value
            yield f"list(dict.keys({{}}))[{index}]", key
    elif is_a(holder, set):
        for index, value in enumerate(set.__iter__(holder)):
            yield f"list(set.__iter__({{}}))[{index}]", value
    elif is_a(holder, frozenset):
        for index, value in enumerate(frozenset.__iter__(holder)):
            yield f"list(frozenset.__iter__({{}}))[{index}]", value
    elif is_a(holder, collections.deque):
        for index, value in enumerate(collections.deque.__iter__(holder)):
            yield f"{{}}[{index}]", value


def _through_reduce(holder: object, link: Link, protocol: int) -> str:
    import copyreg

    if type(holder) in copyreg.dispatch_table:
        value = "__import__('copyreg').dispatch_table[type({0})]({0})"
    else:
        value = f"{{}}.__reduce_ex__({protocol})"
    if link.step == "state":
        getstate = find_in_class(type(holder), "__getstate__")
        reduces = any(
            find_in_class(type(holder), name) is not object.__dict__[name]
            for name in ("__reduce__", "__reduce_ex__")
        )
        if isinstance(getstate, types.FunctionType) and not reduces:
            return "{}.__getstate__()"
        return value + "[2]"
    if link.step == "callable":
        return value + "[0]"
    if link.step == "arguments":
        return _arguments(holder, value, protocol)
    if link.step == "keywords":
        return value + "[1][2]"
    if link.step == "list-item":
        return f"list({value}[3])[{link.position}]"
    if link.step == "dict-key":
        return f"list({value}[4])[{link.position}][0]"
    if link.step == "dict-value":
        return f"list({value}[4])[{link.position}][1]"
    if link.step == "state-setter":
        return value + "[5]"
    return "{}"


def _arguments(holder: object, value: str, protocol: int) -> str:
    new = find_in_class(type(holder), "__getnewargs_ex__")
    if new is not None and protocol >= 2:
        return value + "[1][1]"
    reduces = any(
        find_in_class(type(holder), name) is not object.__dict__[name]
        for name in ("__reduce__", "__reduce_ex__")
    )
    if reduces or "copyreg" in value:
        return value + "[1]"
    return value + "[1][1:]"


def _join(accessors: Iterator[str], name: str) -> str:
    runs: list[tuple[str, int]] = []
    for accessor in accessors:
        if runs and runs[-1][0] == accessor:
            runs[-1] = (accessor, runs[-1][1] + 1)
        else:
            runs.append((accessor, 1))
    expression = name
    length = 0
    for accessor, count in runs:
        length += 1 if count > RUN else count
        if length > LONGEST:
            return f"{expression} …"
        if count > RUN:
            step = accessor.format("x")
            reduce = "__import__('functools').reduce"
            expression = f"{reduce}(lambda x, _: {step}, range({count}), {expression})"
            continue
        for _ in range(count):
            expression = accessor.format(expression)
    return expression
