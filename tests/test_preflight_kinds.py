"""Every kind of object: verdict, code, path, and fixes that are really applied."""

from __future__ import annotations

import contextlib
import pickle
import sys
import textwrap
import types
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import picklist
import preflight_third_party
from picklist import Fix, Reason
from preflight_kinds import KINDS, THEMES, Holder, Kind, needs


@pytest.fixture
def keep() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def really_pickles(value: object) -> bool:
    """What pickle does, and nothing else."""
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:
        return False
    return True


def test_the_table_is_wide_enough() -> None:
    names = [row.name for row in KINDS]
    assert len(names) == len(set(names))
    assert sum(row.code != "ok" for row in KINDS) >= 150


@pytest.mark.filterwarnings("ignore:Pickle, copy:DeprecationWarning")
@pytest.mark.parametrize("row", KINDS, ids=lambda row: row.name.replace(" ", "-"))
def test_kind(row: Kind, keep: ExitStack) -> None:
    if row.package:
        needs(row.package)
    holder = Holder(row.make(keep))
    report = picklist.explain(holder)
    assert report.disagreement == ""
    assert report.ok == really_pickles(holder), report
    if row.code == "ok":
        assert report.ok, report
        return
    reason = next((reason for reason in report.errors if reason.code == row.code), None)
    assert reason is not None, report
    check_path(reason, holder)
    assert len(reason.fixes) >= 2, reason.fixes
    assert all(fix.text for fix in reason.fixes)
    assert reason.cause
    assert reason.summary
    applied = [try_fix(fix, reason, holder) for fix in reason.fixes]
    assert any(applied), [fix.text for fix in reason.fixes]


def check_path(reason: Reason, holder: Holder) -> None:
    """The path is Python and leads to the culprit."""
    found = eval(reason.path, {"obj": holder})
    assert picklist._preflight.catalogue.type_name(type(found)) == reason.type
    if reason.path == "obj.value":
        assert found is holder.value
    if reason.inner:
        eval(reason.inner, {"obj": holder})


def try_fix(fix: Fix, reason: Reason, holder: Holder) -> bool:
    """Apply the fix's code; if it has code to apply, the object pickles then."""
    applied = {
        "methods": with_methods,
        "define": defined,
        "assign": assigned,
        "replace": replaced,
    }
    apply = applied.get(fix.kind)
    if apply is None:
        return False
    with apply(fix, reason, holder) as changed:
        if changed is None:
            return False
        pickle.loads(pickle.dumps(changed))
    return True


@contextlib.contextmanager
def with_methods(fix: Fix, reason: Reason, holder: Holder) -> Iterator[Any]:
    """Methods for the class that the fix names."""
    value = eval(reason.path, {"obj": holder})
    candidates = [Holder, type(value), type(holder.value)]
    cls = next(cls for cls in candidates if cls.__qualname__ == fix.target)
    names: dict[str, Any] = {"__name__": cls.__module__}
    exec(fix.code, names)
    made = {
        name: member
        for name, member in names.items()
        if name.startswith("__") and name not in ("__name__", "__builtins__")
    }
    before = {name: cls.__dict__[name] for name in made if name in cls.__dict__}
    for name, member in made.items():
        setattr(cls, name, member)
    try:
        yield holder
    finally:
        for name in made:
            if name in before:
                setattr(cls, name, before[name])
            else:
                delattr(cls, name)


@contextlib.contextmanager
def defined(fix: Fix, reason: Reason, holder: Holder) -> Iterator[Any]:
    """The definition in a module of its own, and its name in place of the culprit."""
    module = types.ModuleType("preflight_defined")
    for theme in (*THEMES, preflight_third_party):
        module.__dict__.update(vars(theme))
    module.__dict__["__name__"] = "preflight_defined"
    sys.modules[module.__name__] = module
    try:
        exec(textwrap.dedent(fix.code), module.__dict__)
        made = eval(fix.target, {**module.__dict__, "functools": __import__("functools")})
        yield {"value": made}
    finally:
        del sys.modules[module.__name__]


@contextlib.contextmanager
def assigned(fix: Fix, reason: Reason, holder: Holder) -> Iterator[Any]:
    """A statement in the module that the fix names."""
    module = sys.modules[fix.target]
    value = eval(reason.path, {"obj": holder})
    before = (value.__name__, value.__qualname__)
    exec(fix.code, module.__dict__)
    try:
        yield holder
    finally:
        value.__name__, value.__qualname__ = before


@contextlib.contextmanager
def replaced(fix: Fix, reason: Reason, holder: Holder) -> Iterator[Any]:
    """An expression over the object, in place of the culprit."""
    names: dict[str, Any] = {"obj": holder, "traceback": __import__("traceback")}
    yield {"value": eval(fix.target, names)}


def test_fixtures_of_pytest(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    for value in (request, request.config, request.node, capsys):
        holder = Holder(value)
        report = picklist.explain(holder)
        assert not really_pickles(holder)
        assert [reason.code for reason in report.errors] == ["PKL163"], report
        assert eval(report.errors[0].path, {"obj": holder}) is value
        applied = [try_fix(fix, report.errors[0], holder) for fix in report.errors[0].fixes]
        assert any(applied)
