"""User classes load under ``allow=[Cls]`` in every protocol, as far as their pickles need."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import picklist
import picklist_samples as samples
import picklist_samples_typed as typed
from assembler import (
    ADDITEMS,
    APPEND,
    APPENDS,
    BUILD,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    MARK,
    NEWOBJ,
    NEWOBJ_EX,
    NONE,
    PROTO,
    SETITEM,
    TUPLE1,
    TUPLE2,
    asm,
)
from payloads import call, dict_state, literal, mention, params
from structure import same_structure

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

# What is made, what must be allowed for it, and the first protocol that can write it.
CASES: dict[str, tuple[Any, list[Any], int]] = {
    "plain": (lambda: samples.Plain(3, "z"), [samples.Plain], 0),
    "cyclic": (samples.cyclic_plain, [samples.Plain], 0),
    "old-style": (lambda: samples.OldStyle(3), [samples.OldStyle], 0),
    "slots": (lambda: samples.Slots(3, "z"), [samples.Slots], 2),
    "slots and dict": (lambda: samples.SlotsAndDict(3, "z", 2.5), [samples.SlotsAndDict], 2),
    "namedtuple": (lambda: samples.Point(1, "y"), [samples.Point], 0),
    "nested": (lambda: samples.Outer.Inner(5), [samples.Outer.Inner], 0),
    "list subclass": (samples.make_list, [samples.MyList], 0),
    "dict subclass": (samples.make_dict, [samples.MyDict], 0),
    "set subclass": (samples.make_set, [samples.MySet], 0),
    "int subclass": (samples.make_int, [samples.MyInt], 0),
    "str subclass": (lambda: samples.MyStr("abc"), [samples.MyStr], 0),
    "tuple subclass": (lambda: samples.MyTuple((1, 2)), [samples.MyTuple], 0),
    "float subclass": (lambda: samples.MyFloat(1.5), [samples.MyFloat], 0),
    "setstate": (lambda: samples.WithSetState(8, "q"), [samples.WithSetState], 0),
    "reduce to itself": (lambda: samples.ReducesToItself(1, [2]), [samples.ReducesToItself], 0),
    "reduce to function": (lambda: samples.ReducesToFunction(1, [2]), [samples.rebuild], 0),
    "getnewargs": (lambda: samples.NewArgs(9), [samples.NewArgs], 2),
    "getnewargs_ex": (lambda: samples.NewArgsEx(9, y="k"), [samples.NewArgsEx], 2),
    "enum": (lambda: list(samples.Color), [samples.Color], 0),
    "int enum": (lambda: list(samples.Level), [samples.Level], 0),
    "flag": (lambda: [samples.Perm.R | samples.Perm.X, samples.Perm(0)], [samples.Perm], 0),
    "int flag": (lambda: samples.IntPerm(6), [samples.IntPerm], 0),
    "dataclass": (lambda: typed.Data(1, "d", [2]), [typed.Data], 0),
    "frozen dataclass": (lambda: typed.Frozen(1, "d"), [typed.Frozen], 0),
    "slots dataclass": (lambda: typed.SlotsData(1, "d"), [typed.SlotsData], 2),
    "frozen slots dataclass": (lambda: typed.FrozenSlots(1, "d"), [typed.FrozenSlots], 2),
    "nested dataclass": (lambda: typed.Holder.Deep(), [typed.Holder.Deep], 0),
    "holding others": (
        lambda: typed.Nested(typed.Data(), typed.Frozen()),
        [typed.Nested, typed.Data, typed.Frozen],
        0,
    ),
    "as keys": (
        lambda: {samples.Point(1, 2): 1, typed.Frozen(): 2},
        [samples.Point, typed.Frozen],
        0,
    ),
    "a class as a value": (
        lambda: [samples.Plain, samples.Outer.Inner],
        [samples.Plain, samples.Outer.Inner],
        0,
    ),
}
WRITTEN = [
    pytest.param(make, allow, protocol, id=f"{name}-p{protocol}".replace(" ", "_"))
    for name, (make, allow, first) in CASES.items()
    for protocol in PROTOCOLS
    if protocol >= first
]


@pytest.mark.parametrize(("make", "allow", "protocol"), WRITTEN)
@pytest.mark.parametrize("dumps", [pickle.dumps, pickle._dumps], ids=["C", "Python"])  # type: ignore[attr-defined]
def test_they_load(make: Any, allow: list[Any], protocol: int, dumps: Any) -> None:
    """Allowed by the class, and by its name, they are what pickle makes of them.

    The name of a nested class has a colon before it: nothing is split at a guess.
    """
    data = dumps(make(), protocol)
    expected = pickle.loads(data)
    assert same_structure(picklist.safe_loads(data, allow=allow), expected) == ""
    names = [f"{thing.__module__}:{thing.__qualname__}" for thing in allow]
    assert same_structure(picklist.safe_loads(data, allow=names), expected) == ""


@pytest.mark.parametrize(("make", "allow", "protocol"), WRITTEN)
def test_without_their_allowance_they_are_refused(
    make: Any, allow: list[Any], protocol: int, nothing_ran: Any
) -> None:
    """The refusal names the class, and the line that would allow it."""
    data = pickle.dumps(make(), protocol)
    error = nothing_ran.refused(data, allow[0].__module__)
    assert isinstance(error, picklist.ForbiddenGlobalError)
    assert allow[0].__qualname__.split(".")[0] in str(error)


@pytest.mark.parametrize(("make", "allow", "protocol"), WRITTEN)
def test_their_neighbours_are_still_refused(
    make: Any, allow: list[Any], protocol: int, nothing_ran: Any
) -> None:
    """Allowing one class of a module allows no other."""
    data = pickle.dumps([make(), samples.Unlisted()], protocol)
    error = nothing_ran.refused(data, "picklist_samples.Unlisted", allow=allow)
    assert error.blocked == (("picklist_samples", "Unlisted"),)


def new(name: str, module: str = "picklist_samples") -> list[Any]:
    """Return the opcodes that instantiate a class without arguments."""
    return [*mention(module, name), EMPTY_TUPLE, NEWOBJ]


# Class, and what a stream might do with it that none of its own pickles does.
BEYOND: dict[str, tuple[Any, list[Any]]] = {
    "plain called": (samples.Plain, [call("picklist_samples.Plain")]),
    "plain with arguments": (
        samples.Plain,
        [*mention("picklist_samples", "Plain"), literal((1,)), NEWOBJ],
    ),
    "plain with keywords": (
        samples.Plain,
        [*mention("picklist_samples", "Plain"), EMPTY_TUPLE, *dict_state("x", NONE), NEWOBJ_EX],
    ),
    "plain appended to": (samples.Plain, [*new("Plain"), NONE, APPEND]),
    "plain filled by key": (samples.Plain, [*new("Plain"), NONE, NONE, SETITEM]),
    "plain added to": (samples.Plain, [*new("Plain"), MARK, NONE, ADDITEMS]),
    "plain with a dunder key": (
        samples.Plain,
        [*new("Plain"), *dict_state("__class__", NONE), BUILD],
    ),
    "slots with another key": (
        samples.Slots,
        [*new("Slots"), NONE, *dict_state("z", NONE), TUPLE2, BUILD],
    ),
    "slots with a dict": (samples.Slots, [*new("Slots"), *dict_state("z", NONE), BUILD]),
    "namedtuple built": (
        samples.Point,
        [
            *mention("picklist_samples", "Point"),
            literal((1, 2)),
            NEWOBJ,
            *dict_state("x", NONE),
            BUILD,
        ],
    ),
    "namedtuple of one": (
        samples.Point,
        [*mention("picklist_samples", "Point"), literal((1,)), NEWOBJ],
    ),
    "list filled by key": (samples.MyList, [*new("MyList"), literal(0), NONE, SETITEM]),
    "list added to": (samples.MyList, [*new("MyList"), MARK, NONE, ADDITEMS]),
    "dict appended to": (samples.MyDict, [*new("MyDict"), NONE, APPEND]),
    "int of text": (
        samples.MyInt,
        [*mention("picklist_samples", "MyInt"), literal(("9" * 5000,)), NEWOBJ],
    ),
    "int appended to": (
        samples.MyInt,
        [*mention("picklist_samples", "MyInt"), literal((1,)), NEWOBJ, NONE, APPEND],
    ),
    "str with a codec": (
        samples.MyStr,
        [*mention("picklist_samples", "MyStr"), literal((b"a", "rot13")), NEWOBJ],
    ),
    "function instantiated": (
        samples.rebuild,
        [*mention("picklist_samples", "rebuild"), EMPTY_TUPLE, NEWOBJ],
    ),
    "function built": (
        samples.rebuild,
        [*mention("picklist_samples", "rebuild"), *dict_state("x", NONE), BUILD],
    ),
    "enum instantiated": (samples.Color, new("Color")),
    "enum of an unknown value": (samples.Color, [call("picklist_samples.Color", "mauve")]),
    "enum called to make one": (samples.Color, [call("picklist_samples.Color", "New", "A B")]),
    "enum member built": (
        samples.Color,
        [call("picklist_samples.Color", 1), *dict_state("_value_", NONE), BUILD],
    ),
    "flag beyond its mask": (samples.Perm, [call("picklist_samples.Perm", 64)]),
    "dataclass with another field": (
        typed.Data,
        [*new("Data", "picklist_samples_typed"), *dict_state("other", NONE), BUILD],
    ),
    "dataclass called": (typed.Data, [call("picklist_samples_typed.Data", 1, "a", [])]),
    "frozen slots with three": (
        typed.FrozenSlots,
        [*new("FrozenSlots", "picklist_samples_typed"), literal([1, 2, 3]), BUILD],
    ),
    "frozen slots with a dict": (
        typed.FrozenSlots,
        [*new("FrozenSlots", "picklist_samples_typed"), *dict_state("x", NONE), BUILD],
    ),
}


@pytest.mark.parametrize(("cls", "program"), params(BEYOND))
def test_no_further_than_their_pickles_need(cls: Any, program: list[Any], nothing_ran: Any) -> None:
    """Being allowed is not being allowed everything."""
    error = nothing_ran.refused(asm(PROTO(4), *program), allow=[cls])
    assert isinstance(error, picklist.UnsafePickleError)
    assert cls.__name__ in str(error)


def test_a_scope_is_not_a_class() -> None:
    """``Outer`` is mentioned to reach ``Outer.Inner``, and is not allowed by that."""
    for protocol in PROTOCOLS:
        with pytest.raises(picklist.UnsafePickleError, match=r"picklist_samples\.Outer"):
            picklist.safe_loads(
                pickle.dumps(samples.Outer(), protocol), allow=[samples.Outer.Inner]
            )


def test_lists_are_filled_by_both_opcodes() -> None:
    """A list subclass takes APPEND and APPENDS, of one item and of many."""
    for fill in ([literal(1), APPEND], [MARK, literal(1), APPENDS]):
        assert picklist.safe_loads(
            asm(PROTO(4), *new("MyList"), *fill), allow=[samples.MyList]
        ) == [1]
    value = samples.MyList(range(5000))
    assert picklist.safe_loads(pickle.dumps(value), allow=[samples.MyList]) == value


def test_a_class_that_is_gone_is_said_to_be_gone() -> None:
    """An allowed name that does not exist is an UnpicklingError too, and says which."""
    data = asm(PROTO(4), *mention("picklist_samples", "Gone"), EMPTY_TUPLE, NEWOBJ)
    with pytest.raises(pickle.UnpicklingError, match=r"picklist_samples.*Gone") as caught:
        picklist.safe_loads(data, allow=["picklist_samples.Gone"])
    assert isinstance(caught.value, (AttributeError, picklist.PicklistError))


def test_empty_containers_and_states() -> None:
    """Nothing to fill and nothing to set is fine."""
    allow = [samples.Plain, samples.MyList, samples.MyDict]
    for program in ([*new("Plain"), EMPTY_DICT, BUILD], [*new("MyList"), MARK, APPENDS]):
        picklist.safe_loads(asm(PROTO(4), *program), allow=allow)
    assert picklist.safe_loads(asm(PROTO(4), EMPTY_LIST, TUPLE1), allow=allow) == ([],)


class WithProperty:
    """A descriptor stands in the way of setting attributes one by one."""

    @property
    def x(self) -> None:
        return None

    @x.setter
    def x(self, value: object) -> None:
        raise AssertionError(value)


class TestClassesThatChange:
    """What a policy knows of a class is distrusted as soon as the class changes."""

    @staticmethod
    def load(policy: picklist.Policy, data: bytes) -> Any:
        return picklist.safe_loads(data, policy=policy)

    def test_a_property_is_never_set_through(self) -> None:
        cls = type("Changing", (), {"__module__": __name__, "__qualname__": "Changing"})
        seen: list[object] = []
        globals()["Changing"] = cls
        instances = [cls() for _ in range(8)]
        for instance in instances:
            instance.__dict__.update(x=1, y=2)
        data = pickle.dumps(instances)
        policy = picklist.Policy([cls])
        assert [vars(one) for one in self.load(policy, data)] == [{"x": 1, "y": 2}] * 8
        cls.y = property(lambda self: 0, lambda self, value: seen.append(value))
        assert [vars(one) for one in self.load(policy, data)] == [{"x": 1, "y": 2}] * 8
        assert seen == []

    def test_a_setstate_that_came_later_is_called(self) -> None:
        cls = type("Changing", (), {"__module__": __name__, "__qualname__": "Changing"})
        globals()["Changing"] = cls
        instance = cls()
        instance.__dict__.update(x=1, y=2)
        data = pickle.dumps([instance] * 3)
        policy = picklist.Policy([cls])
        self.load(policy, data)
        cls.__setstate__ = lambda self, state: vars(self).update(state, late=True)
        assert vars(self.load(policy, data)[0]) == vars(pickle.loads(data)[0])

    def test_a_class_is_looked_at_once_for_each_change(self) -> None:
        """Instances of several classes, changed after the policy met them, as pickling does."""
        looks: list[str] = []

        class Watch(type):
            def __getattribute__(cls, name: str) -> Any:
                looks.append(name)
                return super().__getattribute__(name)

        class Watched(metaclass=Watch):
            pass

        classes = [samples.Plain, WithProperty, samples.MyDict, samples.WithSetState]
        for cls in classes:
            cls.watched = Watched()  # type: ignore[attr-defined]
        try:
            policy = picklist.Policy(allow=classes)
            things = [cls() for cls in classes * 50]
            for thing in things:
                thing.more = 1  # type: ignore[attr-defined]
            data = pickle.dumps(things)
            for cls in classes:
                cls.changed = True  # type: ignore[attr-defined]
            looks.clear()
            found = policy.loads(data)
            assert len(looks) <= 4 * len(classes)
            assert [type(thing) for thing in found] == classes * 50
            assert found[0].more == 1
            classes[0].changed = False  # type: ignore[attr-defined]
            policy.loads(data)
            assert 0 < len(looks) <= 6 * len(classes)
        finally:
            for cls in classes:
                del cls.watched  # type: ignore[attr-defined]
                if hasattr(cls, "changed"):
                    del cls.changed
