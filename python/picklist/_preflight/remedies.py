"""Fixes with the object's own names: code to copy that makes the object pickle."""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
import keyword
import re
import sys
import textwrap
import types
from collections.abc import Sequence
from typing import Any

from .catalogue import (
    Kind,
    find_in_class,
    instance_dict,
    is_a,
    is_editable,
    mro,
    namespace,
    qualname,
    short_name,
)
from .paths import Link, faithful
from .report import Fix
from .source import class_definition, definition, module_level


def owner_of(chain: Sequence[Link]) -> tuple[Any, str] | None:
    """Return the nearest instance of a user's class on the way, and the attribute to drop."""
    for position in range(len(chain) - 2, -1, -1):
        holder = chain[position].object
        if not is_editable(type(holder)) or is_a(holder, type):
            continue
        if is_a(type(holder), enum.EnumType):  # members pickle by value or name, never by state
            continue
        following = chain[position + 1 :]
        if following[0].step in ("class", "callable"):
            continue
        if following[0].step == "attribute" and type(following[0].key) is str:
            return holder, following[0].key
        names = instance_dict(holder) or {}
        on_the_way = {id(link.object) for link in following}
        for name, value in names.items():
            if id(value) in on_the_way and type(name) is str:
                return holder, name
        for name in slot_names(type(holder)):
            member = find_in_class(type(holder), name)
            try:
                value = member.__get__(holder)
            except Exception:  # noqa: BLE001
                continue
            if id(value) in on_the_way:
                return holder, name
    return None


def slot_names(cls: type) -> list[str]:
    """Names of the slots of a class and its bases, as attributes."""
    return [
        name
        for base in mro(cls)
        for name, member in namespace(base).items()
        if isinstance(member, types.MemberDescriptorType) and not name.startswith("__")
    ]


def drop_attribute(owner: object, name: str, recreate: str) -> Fix:
    """`__getstate__` without the attribute, `__setstate__` that makes it again."""
    cls = type(owner)
    value = recreate or "None"
    slots = slot_names(cls)
    imports = import_lines(recreate)
    if slots:
        code = f"""\
        def __getstate__(self):
            names = {slots!r} + list(getattr(self, "__dict__", ()))
            names.remove({name!r})
            return {{name: getattr(self, name) for name in names if hasattr(self, name)}}

        def __setstate__(self, state):
            for name, value in state.items():
                object.__setattr__(self, name, value)
            object.__setattr__(self, {name!r}, {value})
        """
    else:
        plain = name.isidentifier() and not keyword.iskeyword(name) and not _private(name)
        plain = plain and find_in_class(cls, "__setattr__") is object.__setattr__
        plain = plain and find_in_class(cls, name) is None
        set_again = f"self.{name} = {value}" if plain else f"self.__dict__[{name!r}] = {value}"
        code = f"""\
        def __getstate__(self):
            state = self.__dict__.copy()
            state.pop({name!r}, None)
            return state

        def __setstate__(self, state):
            self.__dict__.update(state)
            {set_again}
        """
    code = imports + textwrap.dedent(code)
    if recreate:
        text = (
            f"drop {name} in {short_name(cls)}.__getstate__, recreate it in __setstate__: {value}"
        )
    else:
        text = f"drop {name} in {short_name(cls)}.__getstate__, and make it again where it is used"
    return Fix(text, code, "methods", qualname(cls))


def _private(name: str) -> bool:
    return name.startswith("_") and "__" in name


def import_lines(expression: str) -> str:
    """Return the imports that an expression of ours needs."""
    modules = sorted(set(re.findall(r"\b([a-z_][a-z_0-9]*)\.", expression)))
    known = [name for name in modules if name in sys.stdlib_module_names]
    return "".join(f"import {name}\n" for name in known) + ("\n" if known else "")


def for_kind(kind: Kind, path: str) -> list[Fix]:
    """Return what the table of types knows."""
    fixes = []
    if kind.replace:
        expression = kind.replace.replace("{path}", path)
        fixes.append(
            Fix(
                f"send the data instead: {expression}",
                expression,
                "replace",
                expression,
            )
        )
    fixes.extend(Fix(text.replace("{path}", path)) for text in kind.advice)
    return fixes


# ---- functions


def for_function(function: types.FunctionType, name: str) -> list[Fix]:
    """Return the function at module level, with what it captures as a partial."""
    captured = closure(function)
    chosen = name if function.__name__ == "<lambda>" else function.__name__
    captured.pop(chosen, None)
    node = definition(function)
    arguments = ", ".join(f"{key}={faithful(value) or key}" for key, value in captured.items())
    target = f"functools.partial({chosen}, {arguments})" if captured else chosen
    fixes = []
    if node is not None:
        code = module_level(node, function, chosen, list(captured))
        first = code.splitlines()[0]
        fixes.append(Fix(f"move it to module level:  {first} ...", code, "define", target))
    else:
        fixes.append(Fix(f"move it to module level:  def {chosen}(...): ..."))
    if captured:
        code = f"import functools\n\n{target}\n"
        fixes.append(Fix(f"it captures {arguments}:  {target}", code))
    fixes.append(cloudpickle_fix())
    return fixes


def cloudpickle_fix() -> Fix:
    return Fix(
        "need code by value?  cloudpickle.dumps(obj)   "
        "same Python on both ends, never for untrusted data"
    )


def closure(function: types.FunctionType) -> dict[str, Any]:
    """Return what a function captures, by name."""
    captured = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            captured[name] = cell.cell_contents
        except ValueError:
            continue
    return captured


def for_class(cls: type, name: str) -> list[Fix]:
    """Return the class at module level."""
    node = class_definition(cls)
    fixes = []
    if node is not None:
        code = ast.unparse(node) + "\n"
        text = f"move it to module level:  class {name}: ..."
        fixes.append(Fix(text, code, "define", name))
    else:
        fixes.append(Fix(f"move it to module level:  class {name}: ..."))
    fixes.append(Fix("keep the data in a dict, a tuple or a class of module level"))
    fixes.append(cloudpickle_fix())
    return fixes


def variable_of(value: object, module_name: object) -> str | None:
    """Return the variable of the module that holds `value`, if there is one."""
    module = sys.modules.get(module_name) if isinstance(module_name, str) else None
    names = getattr(module, "__dict__", None)
    if not isinstance(names, dict):
        return None
    for name, found in list(names.items()):
        if found is value and isinstance(name, str):
            return name
    return None


# ---- methods for classes


STATE_COPY = "self.__dict__.copy()"


def methods(cls: type, text: str, code: str) -> Fix:
    """Return the fix of adding methods to a class."""
    return Fix(text, code, "methods", short_name(cls))


def self_items(names: Sequence[str]) -> str:
    """Return the items of a tuple of attributes: `self.x, self.y,`."""
    return "".join(f"self.{name}, " for name in names).rstrip()


def reduce_by_state(cls: type) -> Fix:
    """Return a reducer that always is what a pickler accepts."""
    own = find_in_class(cls, "__reduce_ex__") is not object.__dict__["__reduce_ex__"]
    method, parameters = ("__reduce_ex__", "self, protocol") if own else ("__reduce__", "self")
    code = (
        "import copyreg\n\n"
        f"def {method}({parameters}):\n"
        f"    return copyreg.__newobj__, (type(self),), {STATE_COPY}\n"
    )
    return methods(cls, f"{short_name(cls)}.{method} that stores the attributes", code)


def getstate_by_dict(cls: type) -> Fix:
    code = f"def __getstate__(self):\n    return {STATE_COPY}\n"
    return methods(
        cls, f"{short_name(cls)}.__getstate__ that stores the attributes as they are", code
    )


def constructor_arguments(value: object, method: str) -> list[str] | None:
    """Parameters of `__init__` or `__new__` that the instance has as attributes."""
    function = find_in_class(type(value), method)
    if isinstance(function, staticmethod):
        function = function.__func__
    if not isinstance(function, types.FunctionType):
        return None
    parameters = list(inspect.signature(function).parameters.values())[1:]
    names = instance_dict(value) or {}
    slots = slot_names(type(value))
    arguments = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name not in names and parameter.name not in slots:
            if parameter.default is not parameter.empty:
                continue
            return None
        if parameter.kind is parameter.KEYWORD_ONLY:
            return None
        arguments.append(parameter.name)
    return arguments


def for_exception(error: BaseException) -> list[Fix]:
    """Exceptions whose `__init__` does not accept their args."""
    cls = type(error)
    fixes = []
    names = ", ".join(_init_parameters(cls))
    if names:
        text = f"in {short_name(cls)}.__init__:  super().__init__({names})"
        fixes.append(Fix(f"{text}   so that self.args matches"))
    arguments = constructor_arguments(error, "__init__")
    if arguments:
        items = self_items(arguments)
        code = f"def __reduce__(self):\n    return type(self), ({items})\n"
        text = f"{short_name(cls)}.__reduce__: return type(self), ({items})"
        fixes.append(methods(cls, text, code))
    code = (
        "import copyreg\n\n"
        "def __reduce__(self):\n"
        "    return copyreg.__newobj__, (type(self), *self.args), self.__dict__.copy()\n"
    )
    text = f"{short_name(cls)}.__reduce__ that does not call __init__ when loading"
    fixes.append(methods(cls, text, code))
    return fixes


def _init_parameters(cls: type) -> list[str]:
    """Return the names that `__init__` takes by position."""
    function = find_in_class(cls, "__init__")
    if not isinstance(function, types.FunctionType):
        return []
    code = function.__code__
    return list(code.co_varnames[1 : code.co_argcount])


def for_new(value: object) -> list[Fix]:
    """Return remedies for a `__new__` that needs arguments."""
    cls = type(value)
    fixes = []
    arguments = constructor_arguments(value, "__new__")
    if arguments:
        items = self_items(arguments)
        code = f"def __getnewargs_ex__(self):\n    return ({items}), {{}}\n"
        text = f"{short_name(cls)}.__getnewargs_ex__: return ({items}), {{}}"
        fixes.append(methods(cls, text, code))
    if find_in_class(cls, "__new__") is not None and mro(cls)[1:] == (object,):
        code = (
            "def __reduce__(self):\n"
            "    return object.__new__, (type(self),), self.__dict__.copy()\n"
        )
        text = f"{short_name(cls)}.__reduce__ that does not call __new__ when loading"
        fixes.append(methods(cls, text, code))
    fixes.append(Fix("give the arguments of __new__ defaults"))
    return fixes


SETSTATE_BY_DICT = "def __setstate__(self, state):\n    self.__dict__.update(state)\n"
SETSTATE_BY_OBJECT = """\
def __setstate__(self, state):
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    for part in (attributes, slots):
        for name, value in (part or {}).items():
            object.__setattr__(self, name, value)
"""
STATE_FIRST = """\
import copyreg

def __reduce__(self):
    items = {base}.copy(self)
    return copyreg.__newobj__, (type(self),), (items, self.__dict__.copy())

def __setstate__(self, state):
    items, attributes = state
    self.__dict__.update(attributes)
    {base}.{fill}(self, items)
"""


def for_container(value: object) -> list[Fix]:
    """Return remedies for a list or dict subclass that needs its attributes first."""
    cls = type(value)
    base, fill = ("dict", "update") if is_a(value, dict) else ("list", "extend")
    code = STATE_FIRST.format(base=base, fill=fill)
    return [
        methods(
            cls, f"{short_name(cls)}.__setstate__ that sets attributes first, then the items", code
        ),
        Fix(f"set the attributes in {short_name(cls)}.__new__, which loading does call"),
    ]


def is_builtin_name(name: str) -> bool:
    """Tell a name that an argument should not take."""
    return hasattr(builtins, name) or keyword.iskeyword(name)
