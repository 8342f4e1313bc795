"""The faces: check_picklable, explain, is_picklable; and `attach` for failed dumps."""

from __future__ import annotations

from typing import Any

from picklist import _picklist
from picklist.errors import NotPicklableError

from . import context as contexts
from . import remedies, silent
from .catalogue import is_editable, is_user_class, mro, namespace, type_name
from .classify import Places, dump_reasons, own_code, reason
from .policies import as_policy, policy_reasons
from .report import Reason, Report, exception_text
from .roundtrip import load_reasons
from .targets import Dumped, Target, resolve

CONTAINERS = (list, tuple, dict, set, frozenset)
SURE_BUFFERS = ("numpy", "pandas")


def check_picklable(
    obj: object,
    /,
    *,
    name: str = "obj",
    protocol: int | None = None,
    target: Any = "pickle",
    context: str | None = None,
    policy: Any = None,
    roundtrip: bool = True,
    max_reasons: int = 50,
) -> Report:
    """Check that an object pickles and comes back; explain every reason if not.

    Parameters
    ----------
    obj
        The object. Only what pickling itself would run is run.
    name : str
        What paths start with.
    protocol : int, optional
        The pickle protocol; the default is that of `pickle.dumps`.
    target : str, Pickler class or Policy
        "pickle", "deepcopy", "cloudpickle", "dill", or a Pickler class.
    context : {"spawn", "forkserver", "fork"}, optional
        Also what this start method of multiprocessing needs.
    policy : Policy, optional
        Also that `safe_loads(pickle.dumps(obj), policy=policy)` accepts it.
    roundtrip : bool
        Also load it again, and look at what comes back.
    max_reasons : int
        Reasons kept in the report.

    Returns
    -------
    Report
        When there are no errors; it may hold warnings.

    Raises
    ------
    NotPicklableError
        When there are errors; its text is the whole explanation.
    """
    report = explain(
        obj,
        name=name,
        protocol=protocol,
        target=target,
        context=context,
        policy=policy,
        roundtrip=roundtrip,
        max_reasons=max_reasons,
    )
    if not report.ok:
        raise NotPicklableError(str(report), report=report)
    return report


def is_picklable(obj: object, /, **options: Any) -> bool:
    """Say whether it pickles and comes back. The options are those of `check_picklable`."""
    return explain(obj, **options).ok


def explain(
    obj: object,
    /,
    *,
    name: str = "obj",
    protocol: int | None = None,
    target: Any = "pickle",
    context: str | None = None,
    policy: Any = None,
    roundtrip: bool = True,
    max_reasons: int = 50,
) -> Report:
    """Return the Report of `check_picklable` and never raise it."""
    contexts.validate(context)
    if policy is None:
        policy, target = as_policy(target)
    aim = resolve(target, protocol)
    try:
        report = _explained(obj, name, aim, context, policy, roundtrip, max_reasons)
    except Exception as error:  # noqa: BLE001
        report = _unexplained(obj, name, aim, error)
    report.target = aim.name
    return report


def _explained(
    obj: object,
    name: str,
    aim: Target,
    context: str | None,
    policy: Any,
    roundtrip: bool,
    max_reasons: int,
) -> Report:
    places = Places(aim.walk(obj), name, aim.protocol)
    if aim.declared != aim.protocol and _depends_on_protocol(places):
        aim = Target(aim.name, aim.declared, aim.declared, aim.pickler, aim.opaque, aim.loads)
        places = Places(aim.walk(obj), name, aim.protocol)
    found = dump_reasons(places)
    dumped: Dumped | None = None
    disagreement = ""
    keep = roundtrip and aim.name != "deepcopy"
    harmful = keep and silent.must_not_load(places)
    keep = keep and not harmful
    if keep or harmful or policy is not None or not places.walk.certain or found:
        dumped = aim.dump(obj, keep=keep)
        disagreement = _reconcile(places, aim, dumped, found)
    if keep and dumped is not None:
        found += _loaded(places, aim, dumped, found)
    elif harmful:
        found += silent.state_reasons(places, aim)
    if policy is not None and dumped is not None and dumped.error is None:
        found += policy_reasons(places, obj, policy, aim.declared)
    if context is not None:
        found += contexts.context_reasons(places, context)
    report = _report(places, found, dumped, max_reasons)
    report.disagreement = disagreement
    return report


def _unexplained(obj: object, name: str, aim: Target, error: Exception) -> Report:
    """Where explaining itself fails, what a real dump says; the failure is a bug here."""
    dumped = aim.dump(obj, keep=False)
    reasons: list[Reason] = []
    if dumped.error is not None:
        places = Places(_picklist.walk(None, 5), name, 5)
        text = f"{type_name(type(obj))}: {exception_text(dumped.error)}"
        made = reason(
            "PKL173", places, places.chain(0), summary=text, fixes=(), original=dumped.error
        )
        made.type = type_name(type(obj))
        reasons.append(made)
    report = Report(name, 1, reasons, size=dumped.size, measured=dumped.error is None)
    report.disagreement = f"the preflight failed with {exception_text(error)}"
    return report


def _depends_on_protocol(places: Places) -> bool:
    """Tell what pickles otherwise below protocol 5 than the walk has seen."""
    if any(not _from_a_library(places, node) for node in places.walk.buffers()):
        return True
    return any(_asks_protocol(type(value)) for _, value in places.walk.instances(1))


def _asks_protocol(cls: type) -> bool:
    """Tell a class of a user's with a `__reduce_ex__`, which may depend on the protocol."""
    return any("__reduce_ex__" in namespace(base) and is_user_class(base) for base in mro(cls))


def _from_a_library(places: Places, node: int) -> bool:
    """Tell a buffer of a numpy array, which has another form below protocol 5."""
    return any(
        type_name(type(link.object)).partition(".")[0] in SURE_BUFFERS
        for link in places.chain(node)
    )


def _reconcile(places: Places, aim: Target, dumped: Dumped, found: list[tuple[int, Reason]]) -> str:
    """Where pickle itself decides otherwise, pickle is right."""
    if dumped.error is None:
        if not found:
            return ""
        if _runs_own_code(places):  # it acts differently each time: the first time counts
            return ""
        for _, entry in found:
            entry.severity = "warning"
        return "pickle accepted the object in spite of what the walk found"
    if found:
        return ""
    error = dumped.error
    node = _smallest_failing(places, aim)
    chain = places.chain(node)
    if isinstance(error, RecursionError):
        loops = places.walk.loops()
        fixes = []
        if loops:
            chain = places.chain(loops[0])
            cls = type(chain[-1].object)
            text = f"{type_name(cls)} needs itself among its own arguments"
            if is_editable(cls):
                fixes.append(remedies.reduce_by_state(cls))
        else:
            first = next(
                (at for at, link in enumerate(chain) if type(link.object) in CONTAINERS),
                len(chain) - 1,
            )
            chain = chain[: first + 1]
            text = f"nested {places.walk.depth} levels deep"
        held = remedies.owner_of(chain)
        fixes += [remedies.drop_attribute(*held, "")] if held else []
        made = reason("PKL172", places, chain, summary=text, fixes=fixes, original=error)
        found.append((chain[-1].node, made))
        return ""
    held = remedies.owner_of(chain)
    fixes = [remedies.drop_attribute(*held, "")] if held else []
    text = f"{type_name(type(chain[-1].object))}: {exception_text(error)}"
    made = reason("PKL173", places, chain, summary=text, fixes=fixes, original=error)
    found.append((node, made))
    if aim.pickler is not None or places.walk.loops() or _runs_own_code(places):
        return ""
    return f"the walk found no reason, and pickle raised {exception_text(error)}"


def _runs_own_code(places: Places) -> bool:
    """Code of the objects ran, and may act differently each time."""
    return any(own_code(type(value)) for _, value in places.walk.instances(1))


def _smallest_failing(places: Places, aim: Target) -> int:
    """Return the innermost node that does not dump by itself."""
    smallest = 0
    for node, parent, value in places.walk.nodes(500):
        if not places.in_time:
            break
        if node and parent == smallest and aim.dump(value, keep=False).error is not None:
            smallest = node
    return smallest


def _loaded(
    places: Places, aim: Target, dumped: Dumped, found: list[tuple[int, Reason]]
) -> list[tuple[int, Reason]]:
    bad = {node for node, _ in found}
    if dumped.error is not None:
        made = load_reasons(places, aim, bad, None)
        return made + silent.silent_reasons(places, aim, bad | {node for node, _ in made})
    try:
        aim.load(dumped)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001
        made = load_reasons(places, aim, bad, error)
        return made + silent.silent_reasons(places, aim, bad | {node for node, _ in made})
    return silent.silent_reasons(places, aim, bad)


def _public_path(places: Places, node: int) -> str:
    """Return the path of a node, or of the object whose reduce value it is in."""
    chain = places.chain(node)
    path = places.spell(chain)
    while "__reduce_ex__" in path and len(chain) > 1:
        chain.pop()
        path = places.spell(chain)
    return path


def _report(
    places: Places,
    found: list[tuple[int, Reason]],
    dumped: Dumped | None,
    max_reasons: int,
) -> Report:
    entries = [entry for _, entry in found]
    entries.sort(key=lambda entry: entry.severity != "error")
    measured = dumped is not None and dumped.error is None and bool(dumped.size)
    size = dumped.size if measured and dumped is not None else places.walk.size
    largest = {_public_path(places, node): count for node, count in places.walk.largest(5)}
    return Report(
        name=places.name,
        objects=places.walk.objects,
        reasons=entries[:max_reasons],
        size=size,
        measured=measured,
        largest=list(largest.items()),
        omitted=max(0, len(entries) - max_reasons),
    )


def attach(
    error: BaseException,
    obj: object,
    protocol: int | None = None,
    *,
    name: str = "obj",
    target: str = "pickle",
) -> None:
    """Add the explanation to an exception, once."""
    if any(note.startswith("picklist: ") for note in getattr(error, "__notes__", ())):
        return
    report = explain(obj, name=name, protocol=protocol, target=target, roundtrip=False)
    if not report.ok:
        error.add_note(f"picklist: {report}")
