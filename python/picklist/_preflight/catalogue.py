"""The two tables of facts, read once: the reasons and the types."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from types import GetSetDescriptorType
from typing import Any, TypeGuard, TypeVar, cast

from picklist import _picklist

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One reason of the catalogue."""

    code: str
    slug: str
    severity: str
    stage: str
    summary: str
    cause: str
    fixes: list[str]
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table of types."""

    types: list[str]
    code: str
    noun: str
    recreate: str = ""
    replace: str = ""
    advice: list[str] = field(default_factory=list)


# Filled on first use: a check of something that pickles reads neither.
_REASONS: dict[str, Entry] = {}
_KINDS: dict[str, Kind] = {}


def reasons() -> dict[str, Entry]:
    """All reasons by code."""
    if not _REASONS:
        rows = tomllib.loads(_picklist.reason_catalogue())["reason"]
        _REASONS.update({row["code"]: Entry(**row) for row in rows})
    return _REASONS


def kinds() -> dict[str, Kind]:
    """All kinds by qualified type name."""
    if not _KINDS:
        rows = [Kind(**row) for row in tomllib.loads(_picklist.kind_catalogue())["kind"]]
        _KINDS.update({name: kind for kind in rows for name in kind.types})
    return _KINDS


_type_dict = type.__dict__["__dict__"]
_type_mro = type.__dict__["__mro__"]
_type_module = type.__dict__["__module__"]
_type_name = type.__dict__["__name__"]
_type_flags = type.__dict__["__flags__"]
_type_qualname = type.__dict__["__qualname__"]


def mro(cls: type) -> tuple[type, ...]:
    """Return the method resolution order, whatever the metaclass says."""
    return cast("tuple[type, ...]", _type_mro.__get__(cls))


def namespace(cls: type) -> Any:
    """Return the class' own names, whatever the metaclass says."""
    return _type_dict.__get__(cls)


def short_name(cls: type) -> str:
    """`cls.__name__`, whatever the metaclass says."""
    return str(_type_name.__get__(cls))


def qualname(cls: type) -> str:
    """`cls.__qualname__`, whatever the metaclass says."""
    return str(_type_qualname.__get__(cls))


def is_a(value: object, *bases: type[T]) -> TypeGuard[T]:
    """`isinstance` by the real type: neither `__class__` nor a metaclass is asked."""
    order = mro(type(value))
    return any(base in order for base in bases)


def type_name(cls: type) -> str:
    """`module.qualname` of a class, without asking its metaclass."""
    try:
        module = _type_module.__get__(cls)
    except Exception:  # noqa: BLE001
        module = None
    name = qualname(cls)
    if not isinstance(module, str) or module == "builtins":
        return name
    return f"{module}.{name}"


def matching_name(cls: type) -> str:
    """Return the name under which the table of types knows a class."""
    name = type_name(cls)
    return name if "." in name else f"builtins.{name}"


def kind_of(cls: type) -> Kind | None:
    """Return the row for a class or for the first of its bases that has one.

    A subclass that takes pickling into its own hands is judged for itself.
    """
    table = kinds()
    own_hands = False
    for base in mro(cls):
        kind = table.get(matching_name(base))
        if kind is not None:
            return None if own_hands else kind
        names = namespace(base)
        own_hands |= is_user_class(base) and any(name in names for name in OWN_HANDS)
    return None


OWN_HANDS = ("__reduce_ex__", "__reduce__", "__getstate__")


def find_in_class(cls: type, name: str) -> Any:
    """Return what the class or a base defines under `name`, or None; runs nothing."""
    for base in mro(cls):
        names = namespace(base)
        if name in names:
            return names[name]
    return None


def instance_dict(value: object) -> dict[str, Any] | None:
    """Return the instance dict, read without running any code of its class."""
    descriptor = find_in_class(type(value), "__dict__")
    if not isinstance(descriptor, GetSetDescriptorType):
        return None
    try:
        found = descriptor.__get__(value)
    except Exception:  # noqa: BLE001
        return None
    return found if type(found) is dict else None


def is_user_class(cls: type) -> bool:
    """Tell a class written in Python, outside of the standard library."""
    import sys

    heap_type = 1 << 9
    if not _type_flags.__get__(cls) & heap_type:
        return False
    module = module_of(cls)
    return module.partition(".")[0] not in sys.stdlib_module_names or module == "__main__"


def is_editable(cls: type) -> bool:
    """Tell a class of the user's own: not of the standard library, not installed."""
    import sys

    if not is_user_class(cls):
        return False
    module = sys.modules.get(module_of(cls))
    filename = getattr(module, "__file__", None)
    if not isinstance(filename, str):
        return True
    return "site-packages" not in filename and "dist-packages" not in filename


def module_of(cls: type) -> str:
    """`cls.__module__`, whatever the metaclass says."""
    try:
        module = _type_module.__get__(cls)
    except Exception:  # noqa: BLE001
        return ""
    return module if isinstance(module, str) else ""
