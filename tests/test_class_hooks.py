"""Classes whose descriptors, hooks or metaclass stand beside the state that BUILD sets."""

from __future__ import annotations

import abc
import gc
import pickle
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

import picklist
from assembler import EMPTY_TUPLE, NEWOBJ, PROTO, asm
from payloads import literal, mention

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
CALLS: list[tuple[str, Any]] = []


@pytest.fixture(autouse=True)
def no_calls() -> Iterator[None]:
    CALLS.clear()
    yield
    CALLS.clear()


class Guarded:
    """A data descriptor whose setter tells of itself, beside plain attributes."""

    def __init__(self, x: int = 1, y: str = "two") -> None:
        self.x = x
        self.y = y

    @property
    def loud(self) -> Any:
        """Read from the dict that a setter would have passed by."""
        return vars(self).get("loud")

    @loud.setter
    def loud(self, value: Any) -> None:
        CALLS.append(("loud", value))


class GuardedSlots:
    """The same beside slots, where ``setattr`` is what ``pickle`` calls."""

    __slots__ = ("x", "y")

    def __init__(self, x: int = 1, y: str = "two") -> None:
        self.x = x
        self.y = y

    @property
    def loud(self) -> Any:
        """Nothing."""
        return None

    @loud.setter
    def loud(self, value: Any) -> None:
        CALLS.append(("loud", value))


class Setter:
    """A ``__setattr__`` that tells of itself."""

    def __init__(self, x: int = 1, y: str = "two") -> None:
        vars(self).update(x=x, y=y)

    def __setattr__(self, name: str, value: Any) -> None:
        CALLS.append((name, value))
        object.__setattr__(self, name, value)


class SetterSlots:
    """The same with slots."""

    __slots__ = ("x", "y")

    def __init__(self, x: int = 1, y: str = "two") -> None:
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __setattr__(self, name: str, value: Any) -> None:
        CALLS.append((name, value))
        object.__setattr__(self, name, value)


class SetterError(Exception):
    """An exception sets its state by ``setattr``."""

    def __setattr__(self, name: str, value: Any) -> None:
        CALLS.append((name, value))
        object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Frozen:
    """Refuses to be written to."""

    x: int = 1
    y: str = "two"


@dataclass(frozen=True, slots=True)
class FrozenSlots:
    """Its ``__setstate__`` is written by ``dataclasses``, and takes a list."""

    x: int = 1
    y: str = "two"
    z: list[int] = field(default_factory=list)
    shared: ClassVar[int] = 3


@dataclass(frozen=True, slots=True)
class FrozenMore(FrozenSlots):
    """With a field of its own, and one of its base's made anew."""

    w: Any = None
    x: int = 7


class Abstract(abc.ABC):
    """Its metaclass is ABCMeta."""

    @abc.abstractmethod
    def act(self) -> None:
        """To be defined."""


class Concrete(Abstract):
    """An instance of it can be made."""

    def __init__(self, x: int = 1, y: str = "two") -> None:
        self.x = x
        self.y = y

    def act(self) -> None:
        """Nothing."""


CLASSES = [Guarded, GuardedSlots, Setter, SetterSlots, Frozen, FrozenSlots, FrozenMore, Concrete]


def contents(thing: Any) -> dict[str, Any]:
    """All attributes that hold something of the instance's own."""
    names = [*getattr(thing, "__dict__", ()), "x", "y", "z", "w"]
    return {name: getattr(thing, name) for name in names if hasattr(thing, name)}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("cls", CLASSES)
def test_they_load_as_pickle_loads_them(cls: type, count: int, protocol: int) -> None:
    things = [cls(i, f"text {i % 3}") for i in range(count)]
    data = pickle.dumps(things, protocol)
    CALLS.clear()
    expected = pickle.loads(data)
    calls = list(CALLS)
    CALLS.clear()
    found = picklist.safe_loads(data, policy=picklist.Policy([cls]))
    assert [type(thing) for thing in found] == [cls] * count
    assert [contents(thing) for thing in found] == [contents(thing) for thing in expected]
    assert list(CALLS) == calls
    assert all(
        gc.is_tracked(thing) == gc.is_tracked(one)
        for thing, one in zip(found, expected, strict=True)
    )


def test_the_frozen_stay_frozen() -> None:
    for cls in (Frozen, FrozenSlots, FrozenMore):
        found = picklist.safe_loads(pickle.dumps(cls(5)), policy=picklist.Policy([cls]))
        assert found == cls(5)
        with pytest.raises(FrozenInstanceError):
            found.x = 6


def state(cls: type, *states: bytes, behind: bytes = b"") -> bytes:
    """An instance that is given these states, and then what stands behind it."""
    named = mention(cls.__module__, cls.__qualname__)
    made = asm(PROTO(4), *named, EMPTY_TUPLE, NEWOBJ).removesuffix(b".")
    return made + b"".join(given + b"b" for given in states) + behind + b"."


def test_a_property_is_passed_by_where_its_name_is_allowed() -> None:
    data = pickle.dumps([Guarded() for _ in range(30)])
    for thing in (things := pickle.loads(data)):
        vars(thing)["loud"] = "kept"
    data = pickle.dumps(things)
    with pytest.raises(picklist.ForbiddenCallError, match="loud"):
        picklist.safe_loads(data, policy=picklist.Policy([Guarded]))
    policy = picklist.Policy([picklist.Allow(Guarded, new="()", state=["x", "y", "loud"])])
    assert [thing.loud for thing in picklist.safe_loads(data, policy=policy)] == ["kept"] * 30
    assert CALLS == []


HIDDEN = "picklist_trap"  # a module that tells when it is imported


SLOTS_ENTRY = f"""
[[entry]]
module = "{__name__}"
name = "GuardedSlots"
rights = ["reference", "new", "state"]
new = "()"
state = ["x", "y", "loud"]
runs_code = false
"""


@pytest.mark.parametrize("cls", [GuardedSlots, SetterSlots, SetterError])
def test_what_would_run_code_waits_for_the_inspector(cls: type, tmp_path: Path) -> None:
    """What is forbidden behind it is found before a setter has run."""
    name = "loud" if cls is GuardedSlots else "x"
    if cls is GuardedSlots:
        # Only a policy that says what is not so gets here.
        (tmp_path / "policy.toml").write_text(SLOTS_ENTRY)
        policy = picklist.Policy.from_file(tmp_path / "policy.toml")
    else:
        policy = picklist.Policy([cls])
    dictionary = literal({name: 1})
    slots = dictionary if cls is SetterError else b"N" + dictionary + b"\x86"
    loaded = picklist.safe_loads(state(cls, slots), policy=policy)
    assert type(loaded) is cls
    assert [(name, 1)] == CALLS
    CALLS.clear()
    hostile = state(cls, slots, behind=f"c{HIDDEN}\nanything\n0".encode())
    with pytest.raises(picklist.ForbiddenGlobalError):
        picklist.safe_loads(hostile, policy=policy)
    assert CALLS == []


def test_so_does_the_quick_way(tmp_path: Path) -> None:
    """Far enough into a stream the states of slots are never made."""
    (tmp_path / "policy.toml").write_text(SLOTS_ENTRY)
    policy = picklist.Policy.from_file(tmp_path / "policy.toml").extend(Setter)
    before = [Setter.__new__(Setter) for _ in range(50)]
    for thing in before:
        vars(thing)["a"] = 1
    things = [*before, *(GuardedSlots() for _ in range(5))]
    data = pickle.dumps(things, 2).replace(b"X\x01\0\0\0y", b"X\x04\0\0\0loud")
    assert len(picklist.safe_loads(data, policy=policy)) == 55
    assert CALLS == [("loud", "two")] * 5
    CALLS.clear()
    with pytest.raises(picklist.ForbiddenGlobalError):
        picklist.safe_loads(data[:-1] + f"c{HIDDEN}\nanything\n0.".encode(), policy=policy)
    assert CALLS == []


def test_an_abstract_class_is_not_made() -> None:
    data = asm(PROTO(4), *mention(__name__, "Abstract"), EMPTY_TUPLE, NEWOBJ)
    with pytest.raises(TypeError, match="abstract"):
        pickle.loads(data)
    with pytest.raises(TypeError, match="abstract"):
        picklist.safe_loads(data, policy=picklist.Policy([Abstract]))


@pytest.mark.parametrize("values", [[], [1], [1, "a", [], 2], (1, "a", []), {"x": 1}, None, 7])
def test_fields_are_given_by_a_list_of_as_many_values(values: Any) -> None:
    policy = picklist.Policy([FrozenSlots])
    with pytest.raises(pickle.UnpicklingError):
        picklist.safe_loads(state(FrozenSlots, literal(values)), policy=policy)
    whole = picklist.safe_loads(state(FrozenSlots, literal([1, "a", []])), policy=policy)
    assert whole == FrozenSlots(1, "a", [])


def test_fields_may_be_given_only_once() -> None:
    twice = state(FrozenSlots, literal([1, "a", []]), literal([2, "b", []]))
    with pytest.raises(picklist.ForbiddenCallError, match="once"):
        picklist.safe_loads(twice, policy=picklist.Policy([FrozenSlots]))


def test_another_setstate_is_called() -> None:
    """The way by fields is left as soon as the class has another ``__setstate__``."""

    @dataclass(frozen=True, slots=True)
    class Changing:
        x: int = 1

    Changing.__qualname__ = "Changing"
    globals()["Changing"] = Changing
    policy = picklist.Policy([Changing])
    data = pickle.dumps([Changing(1), Changing(2)])
    assert [thing.x for thing in picklist.safe_loads(data, policy=policy)] == [1, 2]

    def setstate(self: Any, values: list[int]) -> None:
        object.__setattr__(self, "x", values[0] * 10)

    Changing.__setstate__ = setstate  # type: ignore[attr-defined]
    assert [thing.x for thing in picklist.safe_loads(data, policy=policy)] == [10, 20]


@pytest.mark.parametrize("before", [True, False])
def test_a_descriptor_at_a_field_waits_for_the_inspector(before: bool) -> None:
    """``object.__setattr__``, which dataclasses' own ``__setstate__`` calls, asks the class."""

    @dataclass(frozen=True, slots=True)
    class Field:
        x: int = 1

    Field.__qualname__ = "Field"
    globals()["Field"] = Field
    data = pickle.dumps(Field(5), 3)
    if before:
        policy = picklist.Policy([Field])
        assert picklist.safe_loads(data, policy=policy) == Field(5)
    loud = property(lambda self: 0, lambda self, value: CALLS.append(("x", value)))
    Field.x = loud  # type: ignore[misc, assignment]
    if not before:
        policy = picklist.Policy([Field])
    picklist.safe_loads(data, policy=policy)
    assert CALLS == [("x", 5)]
    CALLS.clear()
    with pytest.raises(picklist.ForbiddenGlobalError):
        picklist.safe_loads(data[:-1] + f"c{HIDDEN}\nanything\n0.".encode(), policy=policy)
    assert CALLS == []


def test_cycles_and_sharing() -> None:
    shared = [1, 2]
    first = FrozenSlots(1, "a", shared)
    data = pickle.dumps([first, FrozenMore(2, "b", shared, first), first])
    one, more, again = picklist.safe_loads(data, policy=picklist.Policy([FrozenSlots, FrozenMore]))
    assert one is again
    assert more.w is one
    assert more.z is one.z
