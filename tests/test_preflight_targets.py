"""Targets other than pickle, and policies."""

from __future__ import annotations

import copy
import pickle
import threading
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest

import picklist
from preflight_kinds import needs


def codes(value: object, target: Any) -> list[str]:
    return [reason.code for reason in picklist.explain(value, target=target).errors]


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def method(self) -> None:
        """Bound to a lock."""


class Copies:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __deepcopy__(self, memo: Any) -> Any:
        return Copies()


@pytest.mark.parametrize(
    "value",
    [
        lambda: 1,
        [Locked],
        {"a": (1, {2})},
        Copies(),
        Locked(),
        Locked().method,
        (x for x in "a"),
    ],
    ids=["lambda", "class", "plain", "deepcopy", "lock", "method", "generator"],
)
def test_deepcopy_is_judged_by_deepcopy(value: Any) -> None:
    try:
        copy.deepcopy(value)
        copies = True
    except Exception:
        copies = False
    report = picklist.explain(value, target="deepcopy")
    assert report.ok == copies, report
    assert not report.disagreement
    assert "copied" in str(report)


def test_cloudpickle_takes_code_and_not_locks() -> None:
    cloudpickle = needs("cloudpickle")
    lock = threading.Lock()
    good = lambda: 1  # noqa: E731
    bad = lambda: lock  # noqa: E731
    assert codes([good], "cloudpickle") == []
    report = picklist.explain([bad], target="cloudpickle")
    assert [reason.code for reason in report.errors] == ["PKL120"]
    obj = [bad]
    report = picklist.explain(obj, target="cloudpickle")
    assert eval(report.errors[0].path, {"obj": obj}) is lock
    with pytest.raises(TypeError):
        cloudpickle.dumps(obj)


def test_dill_is_judged_by_dill() -> None:
    dill = needs("dill")
    assert codes([lambda: 1, threading.Lock()], "dill") == []
    generator = (x for x in "a")
    with pytest.raises(TypeError):
        dill.dumps({"a": generator})
    obj = {"a": [1, generator]}
    report = picklist.explain(obj, target="dill")
    assert not report.ok
    assert eval(report.errors[0].path, {"obj": obj}) is generator


def test_forking_pickler_knows_more() -> None:
    import socket

    with socket.socket() as connection:
        assert codes([connection], "pickle") == ["PKL131"]
        assert picklist.is_picklable([connection], target=ForkingPickler, roundtrip=False)


class Refusing(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is Locked:
            raise pickle.PicklingError("no")
        return NotImplemented


def test_a_pickler_class() -> None:
    obj = [1, Locked()]
    report = picklist.explain(obj, target=Refusing)
    assert [reason.path for reason in report.errors] == ["obj[1]"]


class Table(pickle.Pickler):
    dispatch_table = {Locked: lambda obj: (Locked, ())}  # noqa: RUF012


def test_a_dispatch_table() -> None:
    assert picklist.is_picklable([Locked()], target=Table)
    assert not picklist.is_picklable([Locked()])


def test_every_protocol() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert picklist.is_picklable([1, {"a": (1.5, None)}], protocol=protocol)
    assert not picklist.is_picklable(Slotted(), protocol=0)
    assert picklist.explain(Slotted(), protocol=1).errors[0].code == "PKL157"
    assert picklist.is_picklable(Slotted(), protocol=2)


class Slotted:
    __slots__ = ("x",)


def test_a_buffer_needs_protocol_5() -> None:
    value = [pickle.PickleBuffer(b"x")]
    assert picklist.is_picklable(value, protocol=5)
    for protocol in (None, 4):
        report = picklist.explain(value, protocol=protocol)
        assert [reason.code for reason in report.errors] == ["PKL157"]


class Allowed:
    """A class for policies."""

    def __init__(self) -> None:
        self.x = 1


def test_a_policy_that_refuses_names_every_entry_to_add() -> None:
    policy = picklist.Policy()
    obj = {"a": [Allowed(), Allowed()], "b": Copies.__deepcopy__}
    report = picklist.explain(obj, policy=policy)
    assert {reason.code for reason in report.errors} == {"PKL510"}
    found = report.errors[0]
    assert eval(found.path, {"obj": obj}) is Allowed
    names: dict[str, Any] = {"policy": policy}
    for reason in report.errors:
        for fix in reason.fixes:
            if fix.kind == "assign":
                exec(fix.code, names)
    assert picklist.is_picklable(obj["a"], policy=names["policy"])
    picklist.safe_loads(pickle.dumps(obj["a"]), policy=names["policy"])


def test_what_no_policy_may_allow() -> None:
    report = picklist.explain([eval], policy=picklist.Policy())
    assert report.errors[0].fixes[0].text.startswith("it cannot be allowed")


def test_a_policy_as_the_target() -> None:
    policy = picklist.Policy(allow=[Allowed])
    assert picklist.is_picklable([Allowed()], target=policy)
    assert not picklist.is_picklable([Locked], target=policy)


def test_the_promise_of_a_policy_holds() -> None:
    policy = picklist.Policy(allow=[Allowed])
    for value in ([1, {"a": (1.5, None)}], Allowed(), [Slotted], {"x": 1j}, {print}):
        accepted = True
        try:
            picklist.safe_loads(pickle.dumps(value), policy=policy)
        except picklist.UnsafePickleError:
            accepted = False
        assert picklist.is_picklable(value, policy=policy) == accepted
