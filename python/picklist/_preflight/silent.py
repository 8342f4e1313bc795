"""What comes back, but different: the PKL3xx reasons."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from . import remedies
from .catalogue import (
    find_in_class,
    instance_dict,
    is_a,
    is_editable,
    mro,
    namespace,
    short_name,
    type_name,
)
from .classify import Places, reason
from .paths import Link, faithful
from .report import Fix, Reason
from .roundtrip import load_error
from .source import class_definition, class_source
from .targets import Target

MAX_INSTANCES = 50
Found = Iterator[tuple[int, Reason]]

# Handles whose clone closes the descriptor of the original when it is freed.
CLOSES_ON_FREE = ("multiprocessing.connection._ConnectionBase",)
STATE_ELSEWHERE = {
    "tempfile.TemporaryDirectory": "the directory on disk, which the original removes",
    "asyncio.locks.Lock": "the waiters and the event loop",
    "asyncio.locks.Event": "the waiters and the event loop",
    "asyncio.locks.Semaphore": "the waiters and the event loop",
    "asyncio.locks.Condition": "the waiters and the event loop",
    "asyncio.queues.Queue": "the waiters and the event loop",
    "multiprocessing.connection._ConnectionBase": "the descriptor, a number of this process",
    "multiprocessing.shared_memory.SharedMemory": "the memory, which only its name stands for",
}


def must_not_load(places: Places) -> bool:
    """Say whether loading a clone would harm the original."""
    for _, value in places.walk.instances(1):
        if any(type_name(base) in CLOSES_ON_FREE for base in mro(type(value))):
            return True
    return False


def state_reasons(places: Places, target: Target) -> list[tuple[int, Reason]]:
    """Return what can be said without loading."""
    return [
        (node, made)
        for node, value in places.walk.instances(MAX_INSTANCES)
        for made in _state_elsewhere(places, target, node, value)
    ]


def silent_reasons(places: Places, target: Target, bad: set[int]) -> list[tuple[int, Reason]]:
    """Warnings about what loading loses."""
    found: list[tuple[int, Reason]] = []
    for node, value in places.walk.instances(MAX_INSTANCES):
        if node in bad:
            continue
        for judge in JUDGES:
            found.extend((node, made) for made in judge(places, target, node, value))
    found.extend(_changed_classes(places, bad))
    return found


def _exception(places: Places, target: Target, node: int, value: Any) -> Iterator[Reason]:
    if not is_a(value, BaseException):
        return
    lost = []
    parts = ("__traceback__", "__cause__", "__context__")
    held = [name for name in parts if _part(value, name) is not None]
    attributes = instance_dict(value) or {}
    slots = remedies.slot_names(type(value))
    if not held and not attributes and not slots:
        return
    error, clone = load_error(places, target, value)
    if error is not None or not is_a(clone, BaseException):
        return
    lost = [name for name in held if _part(clone, name) is None]
    kept = instance_dict(clone) or {}
    lost += [name for name in attributes if name not in kept]
    lost += [name for name in slots if _has(value, name) and not _has(clone, name)]
    if not lost:
        return
    chain = places.chain(node)
    path = places.spell(chain)
    text = f"{type_name(type(value))} comes back without {', '.join(lost)}"
    code = f"''.join(traceback.format_exception({path}))"
    fixes = [
        Fix(f"send the text along: {code}", code, "replace", code),
        Fix("tblib.pickling_support.install() stores tracebacks and causes"),
    ]
    yield reason("PKL310", places, chain, summary=text, fixes=fixes)


def _part(error: BaseException, name: str) -> object:
    part: object = BaseException.__dict__[name].__get__(error)
    return part


def _has(value: object, slot: str) -> bool:
    try:
        find_in_class(type(value), slot).__get__(value)
    except AttributeError:
        return False
    return True


def _identity(places: Places, target: Target, node: int, value: Any) -> Iterator[Reason]:
    cls = type(value)
    if cls is object:
        text = "object() used as a sentinel: its clone is another object"
    else:
        if not is_editable(cls) or mro(cls)[1:] != (object,) or instance_dict(value):
            return
        if remedies.slot_names(cls) or "__eq__" in namespace(cls):
            return
        variable = remedies.variable_of(value, namespace(cls).get("__module__"))
        if variable is None:
            return
        error, clone = load_error(places, target, value)
        if error is not None or clone is value:
            return
        text = f"the sentinel {variable}: its clone is another object"
        code = f"def __reduce__(self):\n    return {variable!r}\n"
        fix = remedies.methods(cls, f"{short_name(cls)}.__reduce__: return {variable!r}", code)
        chain = places.chain(node)
        yield reason("PKL311", places, chain, summary=text, fixes=[fix], source=class_source(cls))
        return
    chain = places.chain(node)
    fixes = [Fix("an Enum member, or a class used as the sentinel: both are stored by name")]
    yield reason("PKL311", places, chain, summary=text, fixes=fixes)


def _state_elsewhere(places: Places, target: Target, node: int, value: Any) -> Iterator[Reason]:  # noqa: ARG001
    cls = type(value)
    names = [type_name(base) for base in mro(cls)]
    missing = next((STATE_ELSEWHERE[name] for name in names if name in STATE_ELSEWHERE), "")
    if "logging.Logger" in names:
        attributes = instance_dict(value) or {}
        if attributes.get("level") or attributes.get("handlers"):
            missing = "its level and handlers"
    if not missing:
        return
    text = f"{type_name(cls)} leaves behind {missing}"
    yield reason("PKL312", places, places.chain(node), summary=text, fixes=())


def _dropped(places: Places, target: Target, node: int, value: Any) -> Iterator[Reason]:
    cls = type(value)
    attributes = instance_dict(value)
    if not attributes or not is_editable(cls) or is_a(value, BaseException):
        return
    own = any(
        find_in_class(cls, name) is not object.__dict__[name]
        for name in ("__getstate__", "__reduce__", "__reduce_ex__")
    )
    if not own or find_in_class(cls, "__getattr__") is not None:
        return
    error, clone = load_error(places, target, value)
    if error is not None or type(clone) is not cls:
        return
    kept = instance_dict(clone)
    if kept is None or clone is value:
        return
    lost = [name for name in attributes if name not in kept and find_in_class(cls, name) is None]
    if not lost:
        return
    text = f"{type_name(cls)} comes back without {', '.join(map(str, lost))}"
    lines = "".join(f"    self.{name} = {faithful(attributes[name]) or 'None'}\n" for name in lost)
    code = f"def __setstate__(self, state):\n    self.__dict__.update(state)\n{lines}"
    shown = ", ".join(map(str, lost))
    fixes = [
        remedies.methods(cls, f"set {shown} in {short_name(cls)}.__setstate__", code),
        Fix(f"give {shown} a default at class level"),
    ]
    yield reason(
        "PKL313",
        places,
        places.chain(node),
        summary=text,
        fixes=fixes,
        source=class_source(cls),
    )


def _shared_memory(places: Places, target: Target, node: int, value: Any) -> Iterator[Reason]:  # noqa: ARG001
    name = type_name(type(value))
    if name == "numpy.ndarray":
        base = value.base
        if base is None or type(base) is not type(value):
            return
        if not any(base is other for _, other in places.walk.instances(MAX_INSTANCES)):
            return
        text = "a view: it comes back with memory of its own, apart from its base"
        path = places.path(node)
        fixes = [
            Fix(
                f"{path}.copy() says what happens",
                f"{path}.copy()",
                "replace",
                f"{path}.copy()",
            )
        ]
        yield reason("PKL315", places, places.chain(node), summary=text, fixes=fixes)
    elif name in ("torch.Tensor", "torch.nn.parameter.Parameter"):
        whole = value.untyped_storage().nbytes()
        own = value.numel() * value.element_size()
        if whole > 2 * own + 1024:
            path = places.path(node)
            text = f"a view of {own} bytes that drags its base of {whole} bytes along"
            fixes = [Fix(f"{path}.clone()", f"{path}.clone()", "replace", f"{path}.clone()")]
            yield reason("PKL315", places, places.chain(node), summary=text, fixes=fixes)


JUDGES: tuple[Callable[[Places, Target, int, Any], Iterator[Reason]], ...] = (
    _exception,
    _identity,
    _state_elsewhere,
    _dropped,
    _shared_memory,
)


def _changed_classes(places: Places, bad: set[int]) -> Found:
    for node, value, _, _ in places.walk.globals():
        if node in bad or not is_a(value, type) or not is_editable(value):
            continue
        if not places.in_time:
            return
        definition = class_definition(value)
        if definition is None:
            continue
        changed = []
        for statement in definition.body:
            for name, literal in _literals(statement):
                now = namespace(value).get(name)
                if faithful(now) is not None and (type(now), now) != (
                    type(literal),
                    literal,
                ):
                    changed.append(f"{name} = {faithful(now)}, in the source {literal!r}")
        if changed:
            text = f"{type_name(value)} was changed: {'; '.join(changed)}"
            chain: list[Link] = places.chain(node)
            yield (
                node,
                reason(
                    "PKL314",
                    places,
                    chain,
                    summary=text,
                    fixes=(),
                    source=class_source(value),
                ),
            )


def _literals(statement: ast.stmt) -> Iterator[tuple[str, object]]:
    value: ast.expr | None = None
    names: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        names, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign):
        names, value = [statement.target], statement.value
    if value is None:
        return
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return
    for name in names:
        if isinstance(name, ast.Name) and not name.id.startswith("__"):
            yield name.id, literal
