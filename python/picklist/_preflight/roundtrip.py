"""What a real load says: the PKL2xx reasons, each at the smallest part that fails."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

from . import remedies
from .catalogue import (
    find_in_class,
    is_a,
    is_editable,
    is_user_class,
    short_name,
    type_name,
)
from .classify import Places, raising_method, raising_place, reason
from .paths import Link
from .report import Fix, Reason, exception_text
from .source import class_source
from .targets import Target

MAX_PARTS = 300
PER_TYPE = 50


def load_error(places: Places, target: Target, obj: object) -> tuple[BaseException | None, Any]:
    """Return the exception of loading what dumps, if it dumps in time, and the clone."""
    if not places.in_time:
        return None, None
    dumped = target.dump(obj, keep=True)
    if dumped.error is not None:
        return None, None
    try:
        return None, target.load(dumped)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001
        return error, None


def parts(places: Places) -> Iterator[tuple[int, Any]]:
    """Instances to try alone: exceptions all, of other types a few, inner ones first."""
    chosen = []
    seen: dict[type, int] = {}
    for node, value in places.walk.instances(MAX_PARTS):
        cls = type(value)
        seen[cls] = seen.get(cls, 0) + 1
        own = is_user_class(cls) or is_a(value, BaseException)
        if own and (is_a(value, BaseException) or seen[cls] <= PER_TYPE):
            chosen.append((node, value))
    yield from reversed(chosen[-MAX_PARTS:])


def load_reasons(
    places: Places, target: Target, bad: set[int], whole: BaseException | None
) -> list[tuple[int, Reason]]:
    """Reasons for every part that dumps and does not load.

    `bad` holds the nodes that already have a reason; `whole` is the exception
    of loading everything, or None where the whole did not dump.
    """
    found: list[tuple[int, Reason]] = []
    failing: set[int] = {link.node for node in bad for link in places.chain(node)}
    for node, value in parts(places):
        chain = places.chain(node)
        if any(link.node in bad for link in chain) or node in failing:
            continue
        error, _ = load_error(places, target, value)
        if error is None:
            continue
        failing.update(link.node for link in chain)
        found.append((node, _classified(places, chain, error)))
    if whole is not None and not found:
        chain = places.chain(0)
        found.append((0, _classified(places, chain, whole)))
    found.reverse()
    return found


def _classified(places: Places, chain: list[Link], error: BaseException) -> Reason:
    value = chain[-1].object
    cls = type(value)
    code, fixes = _judge(value, cls, error)
    text = f"{type_name(cls)} dumps, but loading raises {exception_text(error)}"
    return reason(
        code,
        places,
        chain,
        summary=text,
        fixes=fixes,
        original=error,
        source=raising_place(error) or class_source(cls),
    )


def _judge(value: object, cls: type, error: BaseException) -> tuple[str, list[Fix]]:
    methods = frame_names(error)
    if is_a(value, BaseException) and (isinstance(error, TypeError) or "__init__" in methods):
        return "PKL210", remedies.for_exception(value)
    if isinstance(error, ImportError) or (isinstance(error, AttributeError) and not methods):
        fixes = [
            Fix("keep an alias at the old place"),
            Fix("Policy(rename={old: new}) when loading"),
        ]
        if is_editable(cls):
            fixes.insert(0, remedies.reduce_by_state(cls))
        if "__setattr__" not in methods and find_in_class(cls, "__getattr__") is None:
            return "PKL216", fixes
    if find_in_class(cls, "__getattr__") is not None and (
        isinstance(error, RecursionError) or "__getattr__" in methods
    ):
        fix = remedies.methods(
            cls,
            f"{short_name(cls)}.__setstate__, found on the class before __getattr__ is asked",
            remedies.SETSTATE_BY_DICT,
        )
        guard = Fix("in __getattr__: raise AttributeError(name) for names that start with '__'")
        return "PKL212", [fix, guard]
    new = find_in_class(cls, "__new__")
    if isinstance(error, TypeError) and isinstance(new, staticmethod) and not methods:
        return "PKL211", remedies.for_new(value)
    if "__setattr__" in methods or type(error).__name__ == "FrozenInstanceError":
        fix = remedies.methods(
            cls,
            f"{short_name(cls)}.__setstate__ with object.__setattr__",
            remedies.SETSTATE_BY_OBJECT,
        )
        other = Fix("@dataclass(frozen=True, slots=True), which brings both methods")
        return "PKL213", [fix, other]
    if is_a(value, list, dict) and methods & {"append", "extend", "__setitem__"}:
        return "PKL214", remedies.for_container(value)
    if methods & {"__hash__", "__eq__"}:
        fix = remedies.methods(cls, "hash by identity", "__hash__ = object.__hash__\n")
        made = Fix("define __getnewargs__ and set in __new__ what __hash__ reads")
        return "PKL215", [fix, made]
    fix = remedies.methods(
        cls,
        f"{short_name(cls)}.__reduce__ that stores the attributes",
        remedies.reduce_by_state(cls).code + "\n" + remedies.SETSTATE_BY_DICT,
    )
    repair = Fix(f"repair {raising_method(error)}: it raises {exception_text(error)}")
    return "PKL217", [repair, fix]


def frame_names(error: BaseException) -> set[str]:
    """Names of the Python functions on the way to the exception, ours left out."""
    names = set()
    tb: types.TracebackType | None = error.__traceback__
    while tb is not None:
        frame = tb.tb_frame
        if not str(frame.f_globals.get("__name__", "")).startswith("picklist."):
            names.add(frame.f_code.co_name)
        tb = tb.tb_next
    return names
