"""Code of the caller's own classes and files that gets in the way of the load that runs it."""

from __future__ import annotations

import gc
import io
import pickle
import struct
from collections.abc import Callable
from typing import Any

import pytest

import picklist

HOOK: Callable[[Any], None] = lambda value: None  # noqa: E731


class Hashed:
    """Runs the hook when it is hashed."""

    def __hash__(self) -> int:
        HOOK(self)
        return 7

    def __eq__(self, other: object) -> bool:
        HOOK(self)
        return self is other


class Stated:
    """Runs the hook when it is given state."""

    def __setstate__(self, state: Any) -> None:
        self.state = state
        HOOK(self)


ALLOW = [Hashed, Stated]


def global_(cls: type) -> bytes:
    return f"c{cls.__module__}\n{cls.__qualname__}\n".encode()


def new(cls: type) -> bytes:
    return global_(cls) + b")\x81"


def with_hook(hook: Callable[[Any], None], load: Callable[[], Any]) -> Any:
    global HOOK
    before, HOOK = HOOK, hook
    try:
        return load()
    finally:
        HOOK = before


def containers() -> list[Any]:
    """Return the lists, dicts and sets that the collector knows."""
    return [value for value in gc.get_objects() if type(value) in (list, dict, set)]


MARKER = b"X\x0d\0\0\0reentry-token"


def growing(code: bytes) -> list[Any]:
    """Return the containers under construction: those that hold the marker."""
    return [c for c in containers() if type(c) is list and c[:1] == ["reentry-token"]]


@pytest.mark.parametrize("act", ["clear", "extend", "sort", "delete"])
def test_a_list_that_is_changed_while_it_is_built(act: str) -> None:
    """``__setstate__`` finds the half-built list through the collector; the load goes on."""

    def hook(value: Any) -> None:
        for found in growing(b""):
            if act == "clear":
                found.clear()
            elif act == "extend":
                found.extend(range(1_000))
            elif act == "sort":
                found.sort(key=id)
            else:
                del found[:]

    item = new(Stated) + b"K\x01b"
    data = b"]\x94" + MARKER + b"a" + (item + b"a") * 50 + b"(" + item * 50 + b"e."
    value = with_hook(hook, lambda: picklist.safe_loads(data, allow=ALLOW))
    assert isinstance(value, list)
    gc.collect()


@pytest.mark.parametrize("fill", [b"}(%su.", b"}%s."], ids=["SETITEMS", "SETITEM"])
def test_a_dict_that_is_changed_while_it_is_filled(fill: bytes) -> None:
    """``__hash__`` and ``__eq__`` find the dict that they are being put into, and empty it."""

    def hook(value: Any) -> None:
        for found in containers():
            if type(found) is dict and any(type(key) is Hashed for key in found):
                found.clear()

    one = b"s" if b"(" not in fill else b""
    data = fill % ((new(Hashed) + b"N" + one) * 50)
    assert type(with_hook(hook, lambda: picklist.safe_loads(data, allow=ALLOW))) is dict


@pytest.mark.parametrize("data", [b"\x8f(%s\x90.", b"(%s\x91."], ids=["set", "frozenset"])
def test_a_set_while_its_items_are_hashed(data: bytes) -> None:
    """The collector runs inside every hash and every comparison."""
    made = with_hook(
        lambda value: gc.collect(0) and None,
        lambda: picklist.safe_loads(data % (new(Hashed) * 50), allow=ALLOW),
    )
    assert len(made) == 50


class Stop(Exception):
    """What a hook raises."""


def raising(value: Any) -> None:
    raise Stop


@pytest.mark.parametrize(
    "data",
    [
        b"}" + new(Hashed) + b"Ns.",
        b"\x8f(" + new(Hashed) + b"\x90.",
        b"(" + new(Hashed) + b"\x91.",
        new(Stated) + b"K\x01b.",
        b"cbuiltins\nset\n](" + new(Hashed) + b"e\x85R.",
        b"ccollections\nOrderedDict\n)R" + new(Hashed) + b"Ns.",
    ],
)
def test_what_a_hook_raises_comes_out_untouched(data: bytes) -> None:
    """Not wrapped, not swallowed, and nothing is left behind that breaks the next load."""
    with pytest.raises(Stop):
        with_hook(raising, lambda: picklist.safe_loads(data, allow=ALLOW))
    assert picklist.safe_loads(b"K\x01.") == 1


def test_a_load_inside_a_load() -> None:
    """``safe_loads`` may be called from any hook, under the same policy."""
    policy = picklist.Policy(allow=ALLOW)
    inner = pickle.dumps([{"a": 1}] * 3)
    seen: list[Any] = []

    def hook(value: Any) -> None:
        seen.append(policy.loads(inner))

    data = b"(" + (new(Stated) + b"K\x01b") * 20 + b"l."
    assert len(with_hook(hook, lambda: policy.loads(data))) == 20
    assert seen == [[{"a": 1}] * 3] * 20


class Reentering(picklist.Unpickler):
    """Calls ``load`` again from ``find_class`` and ``persistent_load``."""

    def find_class(self, module: str, name: str) -> Any:
        self.load()

    def persistent_load(self, pid: Any) -> Any:
        self.load()


@pytest.mark.parametrize("data", [b"cos\nsystem\n.", b"N\x51.", b"P1\n."])
def test_the_same_unpickler_is_busy(data: bytes) -> None:
    """Re-entering one Unpickler is an error and not a race; afterwards it is free again."""
    unpickler = Reentering(io.BytesIO(data + b"K\x07."))
    with pytest.raises(RuntimeError, match="while it is loading"):
        unpickler.load()
    with pytest.raises(picklist.MalformedPickleError):
        unpickler.load()  # goes on where it stopped, as pickle does
    assert unpickler.load() == 7


def test_init_while_loading_is_refused() -> None:
    class Mine(picklist.Unpickler):
        def persistent_load(self, pid: Any) -> Any:
            self.__init__(io.BytesIO(b"N."))

    with pytest.raises(RuntimeError, match="while it is loading"):
        Mine(io.BytesIO(b"NQ.")).load()


class Trick(io.BytesIO):
    """A file whose ``read`` gets in the way."""

    trick: Callable[[], None] = staticmethod(lambda: None)

    def read(self, size: int | None = -1) -> bytes:
        type(self).trick()
        return super().read(size)

    def peek(self, size: int = 0) -> bytes:
        return b""


def test_a_file_that_loads_from_itself() -> None:
    """``read`` that re-enters the Unpickler is refused, one that raises is heard."""
    file = Trick(pickle.dumps(list(range(300))))
    unpickler = picklist.Unpickler(file)
    Trick.trick = staticmethod(lambda: unpickler.load() and None)
    try:
        with pytest.raises(RuntimeError, match="while it is loading"):
            unpickler.load()
        Trick.trick = staticmethod(lambda: raising(None))
        with pytest.raises(Stop):
            picklist.Unpickler(Trick(b"N.")).load()
        Trick.trick = staticmethod(lambda: gc.collect() and None)
        assert picklist.safe_load(Trick(pickle.dumps([[1]] * 9))) == [[1]] * 9
    finally:
        Trick.trick = staticmethod(lambda: None)


class Counting:
    """A file that remembers what was asked of it."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)
        self.asked: list[int] = []

    def read(self, size: int) -> bytes:
        self.asked.append(size)
        return self.file.read(size)

    def readline(self) -> bytes:
        return self.file.readline()


@pytest.mark.parametrize(
    "head",
    [
        b"B" + struct.pack("<I", 3_000_000_000),
        b"X" + struct.pack("<I", 3_000_000_000),
        b"\x8e" + struct.pack("<Q", 3_000_000_000),
        b"\x96" + struct.pack("<Q", 3_000_000_000),
        b"\x8b" + struct.pack("<i", 2_000_000_000),
        b"\x80\x04\x95" + struct.pack("<Q", 3_000_000_000),
    ],
)
def test_a_file_is_read_in_growing_pieces(head: bytes) -> None:
    """Three declared gigabytes are asked for piece by piece, each at most twice the last."""
    file = Counting(head + b"x" * 1_000_000)
    with pytest.raises((picklist.UnsafePickleError, EOFError)):
        picklist.safe_load(file)
    had = 0
    for size in file.asked:
        assert size <= max(1 << 16, 2 * had + (1 << 16))
        had += size
    assert had < 8_000_000


def test_load_stops_exactly_after_stop() -> None:
    """Whatever follows is left to whoever reads next."""
    for protocol in range(6):
        one = pickle.dumps({"a": [1.5] * 100, "b": "x" * 70_000}, protocol)
        file = io.BytesIO(one + b"rest")
        picklist.safe_load(file)
        assert file.read() == b"rest"
