"""PKL510: it pickles, but `safe_loads` would refuse it under a policy."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Iterable
from typing import Any

from .classify import Places, reason
from .report import Fix, Reason, exception_text


def as_policy(target: Any) -> tuple[Any, Any]:
    """`(policy, "pickle")` where the target is a Policy, else `(None, target)`."""
    if not isinstance(target, str | type) and hasattr(type(target), "loads"):
        return target, "pickle"
    return None, target


def policy_reasons(
    places: Places, obj: object, policy: Any, protocol: int
) -> list[tuple[int, Reason]]:
    """Load it for real under the policy; every refused name is a reason."""
    package: Any = importlib.import_module("picklist")
    data = pickle.dumps(obj, protocol)
    try:
        package.safe_loads(data, policy=policy)
    except package.UnsafePickleError as error:
        return [_refused(places, policy, names, error) for names in _names(error)]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001
        text = f"under this policy, loading raises {exception_text(error)}"
        chain = places.chain(0)
        fixes = [Fix("allow what the object's own __setstate__ needs")]
        return [
            (
                0,
                reason("PKL510", places, chain, summary=text, fixes=fixes, original=error),
            )
        ]
    return []


def _names(error: BaseException) -> Iterable[tuple[str, str]]:
    """Return `(module, name)` of everything refused, or one empty pair."""
    names: list[tuple[str, str]] = []
    for blocked in getattr(error, "blocked", None) or ():
        pair = _pair(blocked)
        if pair is not None and pair not in names:
            names.append(pair)
    if not names:
        pair = _pair(error)
        names.append(pair or ("", ""))
    return names


def _pair(blocked: Any) -> tuple[str, str] | None:
    if isinstance(blocked, tuple) and len(blocked) >= 2:
        return str(blocked[0]), str(blocked[1])
    module, name = getattr(blocked, "module", None), getattr(blocked, "name", None)
    if isinstance(module, str) and isinstance(name, str):
        return module, name
    return None


def _refused(
    places: Places, policy: Any, names: tuple[str, str], error: BaseException
) -> tuple[int, Reason]:
    module, name = names
    node = 0
    for candidate, _, its_module, qualname in places.walk.globals():
        if (its_module, qualname) == (module, name):
            node = candidate
            break
    chain = places.chain(node)
    if module:
        text = f"{module}.{name} is not allowed"
        fixes = _allowing(policy, module, name)
    else:
        text = exception_text(error)
        fixes = [Fix("the refusal names the limit or capability: see reason.original")]
    return node, reason("PKL510", places, chain, summary=text, fixes=fixes, original=error)


def _allowing(policy: Any, module: str, name: str) -> list[Fix]:
    """Return the entry to add, or why there is none."""
    package: Any = importlib.import_module("picklist")
    entry = f'"{module}.{name}"'
    try:
        policy.extend(f"{module}.{name}")
    except package.PolicyError as error:
        return [
            Fix(f"it cannot be allowed: {exception_text(error)}"),
            Fix("send plain data instead: keep it out of the object, or drop it in __getstate__"),
        ]
    fixes = [Fix(f"policy.extend({entry})", f"policy = policy.extend({entry})\n", "assign")]
    preset = policy.check(module, name).preset
    if preset:
        fixes.append(Fix(f'it is in a preset:  Policy(base=["std", "{preset}"])'))
    else:
        fixes.append(Fix(f"safe_loads(data, policy=policy, allow=[{entry}])"))
    return [*fixes, Fix("send plain data instead")]
