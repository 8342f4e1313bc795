"""The reason behind each place where a pickler would stop.

Judged by the object and by what the walk tried, never by the class or the
wording of CPython's exception: both change between versions.
"""

from __future__ import annotations

import time
import types
from collections.abc import Sequence
from typing import Any

from picklist import _picklist

from . import remedies
from .catalogue import (
    OWN_HANDS,
    Kind,
    find_in_class,
    instance_dict,
    is_a,
    is_editable,
    kind_of,
    matching_name,
    module_of,
    mro,
    namespace,
    reasons,
    short_name,
    type_name,
)
from .paths import Link, spell
from .render import human_bytes
from .report import Fix, Reason, exception_text
from .source import class_source, place, source_of

MAX_ALSO_AT = 5
# Dumps and loads of parts, to find out which part it is, end after this time.
SECONDS = 5.0
# Iterators and wrappers that pickle if what they are over does.
TRANSPARENT = ("PKL115", "PKL150", "PKL151", "PKL155")


class Places:
    """Chains and paths of the nodes of one walk."""

    def __init__(self, walk: _picklist.Walk, name: str, protocol: int) -> None:
        self.walk = walk
        self.name = name
        self.protocol = protocol
        self.until = time.monotonic() + SECONDS
        self._hits: dict[int, list[tuple[int, int, str, int, Any]]] | None = None

    @property
    def in_time(self) -> bool:
        """More parts may be tried."""
        return time.monotonic() < self.until

    def chain(self, node: int) -> list[Link]:
        """Return the links from the root to a node."""
        return [Link(*link) for link in self.walk.chain(node)]

    def path(self, node: int) -> str:
        """Return the path of a node."""
        return self.spell(self.chain(node))

    def spell(self, chain: Sequence[Link]) -> str:
        """Return the path along a chain."""
        return spell(chain, self.name, self.protocol)

    def also_at(self, chain: Sequence[Link], path: str) -> list[str]:
        """Other paths to the end of `chain`."""
        if self._hits is None:
            self._hits = {}
            for hit in self.walk.hits():
                self._hits.setdefault(hit[0], []).append(hit)
        others: list[str] = []
        for position in range(len(chain) - 1, 0, -1):
            link = chain[position]
            for node, parent, step, index, key in self._hits.get(link.node, ()):
                if step in ("class", "callable") and chain[-1].node != node:
                    continue
                way = self.chain(parent)
                if any(above.node == node for above in way):
                    continue
                way.append(Link(link.object, step, index, key, node))
                other = self.spell([*way, *chain[position + 1 :]])
                if other != path and other not in others:
                    others.append(other)
                if len(others) >= MAX_ALSO_AT:
                    return others
        return others


def reason(
    code: str,
    places: Places,
    chain: Sequence[Link],
    *,
    summary: str,
    fixes: Sequence[Fix],
    cause: str = "",
    inner: str = "",
    source: str = "",
    original: BaseException | None = None,
    severity: str = "",
) -> Reason:
    """Return a Reason from the catalogue's row and what is known of this case."""
    entry = reasons()[code]
    chosen = list(fixes)
    for text in entry.fixes:
        if len(chosen) >= 2:
            break
        chosen.append(Fix(text))
    path = places.spell(chain)
    return Reason(
        code=code,
        kind=entry.slug,
        severity=severity or entry.severity,
        stage=entry.stage,
        path=path,
        type=type_name(type(chain[-1].object)),
        summary=summary,
        cause=cause or entry.cause,
        fixes=chosen,
        inner=inner,
        source=source,
        also_at=places.also_at(chain, path),
        original=original,
    )


def dump_reasons(places: Places) -> list[tuple[int, Reason]]:
    """One reason for each culprit, in the pickler's order."""
    found: dict[int, Reason] = {}
    for node, trouble, detail in places.walk.findings():
        chain = places.chain(node)
        holder = outermost_kind(chain)
        visible = chain if holder is None else chain[: holder[0] + 1]
        found.update(_method_reasons(places, visible, found))
        if holder is not None:
            position, kind = holder
            culprit = chain[position].node
            if culprit not in found:
                found[culprit] = _kind_reason(places, chain, position, kind, detail)
            continue
        if node not in found:
            found[node] = _own_reason(places, chain, trouble, detail)
    return list(found.items())


def outermost_kind(chain: Sequence[Link]) -> tuple[int, Kind] | None:
    """Return the first object on the way whose type is known not to pickle.

    That is what the user holds: the Event, not the lock inside it.
    """
    for position, link in enumerate(chain):
        cls = type(link.object)
        if cls in (dict, list, tuple, set, frozenset, type, types.FunctionType):
            continue
        kind = kind_of(cls)
        if kind is None:
            continue
        through = kind.code in TRANSPARENT or cls is types.CellType
        if through and link is not chain[-1]:
            continue
        return position, kind
    return None


def _method_reasons(
    places: Places, chain: Sequence[Link], found: dict[int, Reason]
) -> list[tuple[int, Reason]]:
    made = []
    for position, link in enumerate(chain[:-1]):
        method = link.object
        if type(method) is not types.MethodType or link.node in found:
            continue
        owner = type(method.__self__)
        name = method.__func__.__name__ if hasattr(method.__func__, "__name__") else "method"
        size = human_bytes(places.walk.weight(link.node))
        text = f"bound method {short_name(owner)}.{name}: it carries its whole object, {size}"
        way = chain[: position + 1]
        fixes = [
            Fix(f"a function of module level:  def {name}(...): ...   with the data it needs"),
            Fix(f"make {short_name(owner)} pickle: the other reasons below {places.spell(way)}"),
        ]
        held = remedies.owner_of(way)
        if held is not None:
            fixes.append(remedies.drop_attribute(held[0], held[1], ""))
        made.append((link.node, reason("PKL116", places, way, summary=text, fixes=fixes)))
    return made


def _kind_reason(
    places: Places, chain: Sequence[Link], position: int, kind: Kind, detail: object
) -> Reason:
    way = chain[: position + 1]
    culprit = way[-1].object
    cls = type(culprit)
    path = places.spell(way)
    inner = ""
    summary = type_name(cls)
    if matching_name(cls) not in kind.types:
        summary += f", a {kind.noun}"
    if position + 1 < len(chain):
        inner = places.spell(chain)
        stopped = type_name(type(chain[-1].object))
        summary += f", by its {stopped} at {inner.removeprefix(path)}"
    fixes = _drop_fixes(way, kind.recreate) + remedies.for_kind(kind, path)
    original = detail if is_a(detail, BaseException) and not inner else None
    return reason(
        kind.code,
        places,
        way,
        summary=summary,
        fixes=fixes,
        inner=inner,
        original=original,
        source=class_source(cls),
    )


def _drop_fixes(way: Sequence[Link], recreate: str = "") -> list[Fix]:
    held = remedies.owner_of(way)
    if held is None:
        return []
    owner, name = held
    names = instance_dict(owner)
    direct = names is None or names.get(name) is way[-1].object
    return [remedies.drop_attribute(owner, name, recreate if direct else "")]


def _own_reason(places: Places, chain: Sequence[Link], trouble: str, detail: Any) -> Reason:
    culprit = chain[-1].object
    if trouble in ("local", "missing", "other", "unimportable", "ascii"):
        return _global_reason(places, chain, trouble, detail)
    if trouble == "bad-reduce":
        return _bad_reduce(places, chain, str(detail))
    if trouble == "name-raised":
        text = f"{described(culprit)}: asking for its name raises {exception_text(detail)}"
        fixes = _drop_fixes(chain)
        return reason("PKL156", places, chain, summary=text, fixes=fixes, original=detail)
    if trouble == "extension":
        text = f"{described(culprit)} has a bad code in copyreg's extension registry"
        fixes = [Fix("copyreg.add_extension(module, name, code) with a code from 1 to 2**31 - 1")]
        return reason("PKL173", places, chain, summary=text, fixes=fixes)
    if trouble == "protocol":
        fixes = [Fix("pickle.dumps(obj, protocol=5)"), *_drop_fixes(chain)]
        return reason("PKL157", places, chain, summary=str(detail), fixes=fixes)
    return _raised(places, chain, culprit, detail)


# ---- stored by name


def _global_reason(places: Places, chain: Sequence[Link], trouble: str, detail: Any) -> Reason:
    culprit = chain[-1].object
    is_function = type(culprit) is types.FunctionType
    if trouble == "unimportable":
        module = getattr(detail, "name", None) or "its module"
        text = f"{described(culprit)} says it is from {module}, which cannot be imported"
        fixes = [*_drop_fixes(chain), *_rename_fixes(culprit)]
        return reason(
            "PKL117",
            places,
            chain,
            summary=text,
            fixes=fixes,
            original=detail,
            source=source_of(culprit),
        )
    if trouble == "ascii":
        text = f"the name {detail} is not ASCII, which needs protocol 3 or later"
        fixes = [Fix("pickle.dumps(obj, protocol=5)")]
        return reason("PKL157", places, chain, summary=text, fixes=fixes)
    if trouble == "local":
        return _local_reason(places, chain, str(detail))
    if trouble == "missing":
        code, text = "PKL114", f"{described(culprit)}: there is no {detail}"
    else:
        code, text = (
            "PKL113",
            f"{described(culprit)}: its name leads to {described(detail)}",
        )
    if is_function and culprit.__name__ == "<lambda>":
        code = "PKL110"
    fixes = [*_rename_fixes(culprit), *_drop_fixes(chain)]
    return reason(code, places, chain, summary=text, fixes=fixes, source=source_of(culprit))


def _rename_fixes(culprit: Any) -> list[Fix]:
    """Make the name that it carries and the variable that holds it the same."""
    if not is_a(culprit, type, types.FunctionType):
        return []
    module = module_of(culprit) if is_a(culprit, type) else culprit.__module__
    variable = remedies.variable_of(culprit, module)
    if variable is None:
        return []
    code = f"{variable}.__name__ = {variable}.__qualname__ = {variable!r}\n"
    text = f"make the names equal, in {module}:  {code.strip()}"
    return [Fix(text, code, "assign", module)]


def _local_reason(places: Places, chain: Sequence[Link], qualname: str) -> Reason:
    culprit = chain[-1].object
    scope, _, name = qualname.rpartition(".<locals>.")
    inside = f" in {scope.replace('.<locals>.', ' in ')}()" if scope else ""
    drop = _drop_fixes(chain)
    if is_a(culprit, type):
        source = class_source(culprit)
        text = f"class {name}{inside}{place(source)}"
        fixes = remedies.for_class(culprit, name.rpartition(".")[2])
        return reason("PKL112", places, chain, summary=text, fixes=fixes, source=source)
    if type(culprit) is not types.FunctionType:
        cls = type(culprit)
        kind = kind_of(cls)
        text = f"{type_name(cls)} stored by the name {qualname}"
        fixes = drop + (remedies.for_kind(kind, places.spell(chain)) if kind else [])
        wrapped = getattr(culprit, "__wrapped__", None) if kind else None
        if type(wrapped) is types.FunctionType:
            fixes = remedies.for_function(wrapped, wanted_name(chain)) + fixes
        return reason("PKL115", places, chain, summary=text, fixes=fixes)
    source = source_of(culprit)
    wrapped = vars(culprit).get("__wrapped__")
    function = wrapped if type(wrapped) is types.FunctionType else culprit
    fixes = remedies.for_function(function, wanted_name(chain)) + drop
    if "<lambda>" in name:
        text = f"<lambda>{inside}{place(source)}"
        return reason("PKL110", places, chain, summary=text, fixes=fixes, source=source)
    if "__wrapped__" in vars(culprit):
        text = f"{name}{inside}, a wrapper{place(source)}"
        return reason("PKL115", places, chain, summary=text, fixes=fixes, source=source)
    text = f"function {name}{inside}{place(source)}"
    return reason("PKL111", places, chain, summary=text, fixes=fixes, source=source)


def wanted_name(chain: Sequence[Link]) -> str:
    """Return a name for a function without one: that of the attribute or key it is under."""
    for link in reversed(chain[1:]):
        key = link.key
        if type(key) is str and key.isidentifier() and not remedies.is_builtin_name(key):
            return key
    return "function"


def described(value: object) -> str:
    """Return a short name for anything, without its repr."""
    if is_a(value, type):
        return f"class {type_name(value)}"
    if type(value) is types.FunctionType:
        return f"function {value.__module__}.{value.__qualname__}"
    if type(value) is types.ModuleType:
        return f"module {value.__name__}"
    return f"a {type_name(type(value))}"


# ---- the object's own methods


def _bad_reduce(places: Places, chain: Sequence[Link], text: str) -> Reason:
    culprit = chain[-1].object
    cls = type(culprit)
    summary = f"{type_name(cls)}: {text}"
    fixes: list[Fix] = []
    if is_editable(cls):
        arguments = remedies.constructor_arguments(culprit, "__init__")
        if arguments is not None:
            items = remedies.self_items(arguments)
            code = f"def __reduce__(self):\n    return type(self), ({items})\n"
            shown = f"return type(self), ({items}) from {short_name(cls)}.__reduce__"
            fixes.append(remedies.methods(cls, shown, code))
        fixes.append(remedies.reduce_by_state(cls))
    fixes.extend(_drop_fixes(chain))
    return reason("PKL170", places, chain, summary=summary, fixes=fixes, source=class_source(cls))


def _raised(places: Places, chain: Sequence[Link], culprit: Any, error: Any) -> Reason:
    cls = type(culprit)
    drop = _drop_fixes(chain)
    recursion = isinstance(error, RecursionError)
    if recursion or own_code(cls) or raised_in_python(error):
        if recursion:
            text = f"{type_name(cls)}: its own code recurses without end"
        else:
            text = f"{type_name(cls)}: {raising_method(error)} raises {exception_text(error)}"
        return reason(
            "PKL171",
            places,
            chain,
            summary=text,
            fixes=[*_own_code_fixes(cls), *drop],
            original=error,
            source=(None if recursion else raising_place(error)) or class_source(cls),
        )
    if places.protocol < 2 and remedies.slot_names(cls):
        text = f"{type_name(cls)} has __slots__, which need protocol 2 or later"
        fixes = [Fix("pickle.dumps(obj, protocol=5)"), remedies_getstate_for_slots(cls)]
        return reason("PKL157", places, chain, summary=text, fixes=fixes, original=error)
    text = f"{type_name(cls)} does not say how to store it"
    fixes = [
        *drop,
        Fix(
            f"register a reducer: copyreg.pickle({short_name(cls)}, function), where function "
            "returns (callable, arguments)"
        ),
    ]
    return reason("PKL155", places, chain, summary=text, fixes=fixes, original=error)


def remedies_getstate_for_slots(cls: type) -> Fix:
    """`__getstate__` and `__setstate__` for slots below protocol 2."""
    names = remedies.slot_names(cls)
    code = (
        "def __getstate__(self):\n"
        f"    return {{name: getattr(self, name) for name in {names!r} if hasattr(self, name)}}\n\n"
        "def __setstate__(self, state):\n"
        "    for name, value in state.items():\n"
        "        object.__setattr__(self, name, value)\n"
    )
    return remedies.methods(cls, f"{short_name(cls)}.__getstate__ that reads the slots", code)


def _own_code_fixes(cls: type) -> list[Fix]:
    if not is_editable(cls):
        return []
    fixes = []
    if find_in_class(cls, "__getstate__") is not object.__dict__["__getstate__"]:
        fixes.append(remedies.getstate_by_dict(cls))
    fixes.append(remedies.reduce_by_state(cls))
    return fixes


def own_code(cls: type) -> bool:
    """Tell whether the class or a base written in Python defines how it is pickled."""
    for base in mro(cls):
        names = namespace(base)
        for name in (
            *OWN_HANDS,
            "__getnewargs__",
            "__getnewargs_ex__",
            "__getattribute__",
        ):
            if isinstance(names.get(name), types.FunctionType):
                return True
    return False


def _own_frames(error: BaseException) -> list[types.TracebackType]:
    frames = []
    tb = getattr(error, "__traceback__", None)
    while tb is not None:
        name = tb.tb_frame.f_globals.get("__name__", "")
        if name != "copyreg" and not str(name).startswith("picklist."):
            frames.append(tb)
        tb = tb.tb_next
    return frames


def raised_in_python(error: BaseException) -> bool:
    """Tell whether the exception comes out of Python code other than copyreg."""
    return bool(_own_frames(error))


def raising_method(error: BaseException) -> str:
    """Return the first function of the object's that was on the way."""
    frames = _own_frames(error)
    return frames[0].tb_frame.f_code.co_name if frames else "its reducer"


def raising_place(error: BaseException) -> str:
    """`file:line` where it was raised."""
    frames = _own_frames(error)
    if not frames:
        return ""
    return f"{frames[-1].tb_frame.f_code.co_filename}:{frames[-1].tb_lineno}"
