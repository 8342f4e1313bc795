# ruff: noqa: RUF100, UP003, UP004, UP008, UP010, UP025
# mypy: ignore-errors
"""User classes for the tests and for the corpus.

The module is imported by every interpreter that wrote the corpus, Python 2.7 among them, hence the
explicit ``object`` bases and the absence of annotations.  Classes that need newer syntax are in
``picklist_samples_typed``.
"""

from __future__ import unicode_literals

import collections


class Plain(object):
    """Attributes in an instance dict."""

    def __init__(self, x=1, y="two"):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __ne__(self, other):
        return not self == other

    __hash__ = None


class OldStyle:
    """An old-style class where Python 2.7 writes it (INST or OBJ)."""

    def __init__(self, x=1):
        self.x = x

    def __eq__(self, other):
        return self.__class__ is other.__class__ and self.__dict__ == other.__dict__

    __hash__ = None


class Slots(object):
    """Attributes in slots only."""

    __slots__ = tuple(map(str, ("x", "y")))  # 8-bit names where Python 2.7 writes them

    def __init__(self, x=1, y="two"):
        self.x = x
        self.y = y

    def __eq__(self, other):
        return type(self) is type(other) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None


class SlotsAndDict(Slots):
    """Attributes in slots and in an instance dict."""

    def __init__(self, x=1, y="two", z=3.0):
        Slots.__init__(self, x, y)
        self.z = z

    def __eq__(self, other):
        return Slots.__eq__(self, other) and self.__dict__ == other.__dict__

    __hash__ = None


Point = collections.namedtuple("Point", "x y")


class Outer(object):
    """Holds a nested class."""

    class Inner(Plain):
        """Known as ``Outer.Inner`` from protocol 4 on, through getattr below."""


class MyList(list):
    """A list with attributes."""


class MyDict(dict):
    """A dict with attributes."""


class MySet(set):
    """A set with attributes."""


class MyInt(int):
    """An int with attributes."""


class MyStr(type("")):
    """A text string with attributes."""


class MyTuple(tuple):
    """A tuple with attributes."""


class MyFloat(float):
    """A float with attributes."""


class WithSetState(Plain):
    """Has hooks of its own; what it saw is kept in the instance."""

    def __getstate__(self):
        return {"saved": (self.x, self.y)}

    def __setstate__(self, state):
        self.x, self.y = state["saved"]


class ReducesToItself(object):
    """Rebuilt by a call of the class."""

    def __init__(self, x, y):
        self.x = x
        self.y = y

    def __reduce__(self):
        return (type(self), (self.x, self.y))

    def __eq__(self, other):
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None


def rebuild(x, y):
    """Rebuild a ReducesToFunction."""
    return ReducesToFunction(x, y)


class ReducesToFunction(ReducesToItself):
    """Rebuilt by a named function of this module."""

    def __reduce__(self):
        return (rebuild, (self.x, self.y))


class NewArgs(object):
    """Rebuilt through ``__new__`` with positional arguments."""

    def __new__(cls, x=1):
        self = object.__new__(cls)
        self.x = x
        return self

    def __getnewargs__(self):
        return (self.x,)

    def __eq__(self, other):
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None


class NewArgsEx(NewArgs):
    """Rebuilt through ``__new__`` with keyword arguments (protocol 2 and up)."""

    def __new__(cls, x=1, **kwargs):
        self = object.__new__(cls)
        self.x = x
        self.y = kwargs.get("y")
        return self

    def __getnewargs_ex__(self):
        return ((self.x,), {"y": self.y})


try:
    import enum
except ImportError:  # Python 2.7
    pass
else:

    class Color(enum.Enum):
        """Members with plain values."""

        RED = 1
        GREEN = "green"

    class Level(enum.IntEnum):
        """Members that are ints."""

        LOW = 1
        HIGH = 2

    class Perm(enum.Flag):
        """Members that combine."""

        R = 4
        W = 2
        X = 1

    class IntPerm(enum.IntFlag):
        """Members that combine and are ints."""

        R = 4
        W = 2


def make_list(cls=MyList):
    """Return a list subclass with an attribute."""
    value = cls([1, 2, [3]])
    value.tag = "list"
    return value


def make_dict():
    """Return a dict subclass with an attribute."""
    value = MyDict({"a": 1, "b": 2})
    value.tag = "dict"
    return value


def make_set():
    """Return a set subclass with an attribute."""
    value = MySet([1, 2])
    value.tag = "set"
    return value


def make_int():
    """Return an int subclass with an attribute."""
    value = MyInt(7)
    value.tag = "int"
    return value


def cyclic_list():
    """Return a list that holds itself."""
    value = [1]
    value.append(value)
    return value


def cyclic_tuple():
    """Return a tuple that holds itself through a list."""
    inner = []
    value = (inner, 1)
    inner.append(value)
    return value


def shared():
    """Return a list with one inner list held three times."""
    inner = ["shared"]
    return [inner, inner, {"again": inner}]


def cyclic_plain():
    """Return an instance that refers to itself."""
    value = Plain(1, "two")
    value.me = [value]
    return value


class Unlisted(object):
    """A class that no test allows."""
