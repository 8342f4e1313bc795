"""Types of the standard library that are written down or filled here are the library's own.

Deques take items into their first block, arrays their bytes, ranges their numbers, classes with
slots what is in these; namespaces and defaultdicts are filled as dicts are, exceptions by key.
Where `PICKLIST_SLOW` is set the constructors and methods run, under the same tests.
"""

from __future__ import annotations

import array
import builtins
import collections
import copy
import fractions
import gc
import ipaddress
import itertools
import pathlib
import pickle
import pickletools
import sys
import types
import warnings
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import picklist
from assembler import PROTO, asm
from payloads import call, literal

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
EXCEPTIONS = picklist.Policy(base="exceptions")
WORDS = [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, -(2**64), 2**200]
# From 3.13 on the interpreter warns of the typecode "u".
CODES = "bBhHiIlLqQfd" + ("w" if sys.version_info >= (3, 13) else "u")


def alike(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    assert repr(ours) == repr(theirs)
    assert sys.getsizeof(ours) == sys.getsizeof(theirs)
    assert gc.is_tracked(ours) == gc.is_tracked(theirs)
    assert pickle.dumps(ours, 4) == pickle.dumps(theirs, 4)
    if not isinstance(ours, BaseException):
        assert ours == theirs


def each(values: list[Any], protocol: int, policy: Any = None) -> list[tuple[Any, Any]]:
    """What both make of each value, so often that the memo is scanned and names are resolved."""
    data = pickle.dumps([copy.copy(value) for value in values for _ in range(6)], protocol)
    ours, theirs = picklist.safe_loads(data, policy=policy), pickle.loads(data)
    return list(zip(ours, theirs, strict=True))


# --- deques --------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("most", [None, 0, 1, 62, 63, 64, 1000, 10_000])
@pytest.mark.parametrize("count", [0, 1, 2, 62, 63, 64, 65, 128, 1001, 2500])
def test_deques(count: int, most: int | None, protocol: int) -> None:
    value = collections.deque(([i] if i % 3 else i for i in range(count)), most)
    data = pickle.dumps([value, value.copy(), value.copy()], protocol)
    for ours, theirs in zip(picklist.safe_loads(data), pickle.loads(data), strict=True):
        assert ours.maxlen == theirs.maxlen
        for change in (
            lambda deque: deque.rotate(3),
            lambda deque: deque.append("right"),
            lambda deque: deque.appendleft("left"),
            lambda deque: deque.extend(range(70)),
            lambda deque: deque.extendleft(range(70)),
            lambda deque: deque and deque.pop(),
            lambda deque: deque and deque.popleft(),
            lambda deque: deque.reverse(),
            lambda deque: deque.clear(),
            lambda deque: deque.extend("again"),
        ):
            alike(ours, theirs)
            assert list(reversed(ours)) == list(reversed(theirs))
            for both in (ours, theirs):
                change(both)
        assert weakref.ref(ours)() is ours


def test_a_deque_in_itself() -> None:
    deque: collections.deque[Any] = collections.deque([1])
    deque.append(deque)
    for protocol in PROTOCOLS:
        ours = picklist.safe_loads(pickle.dumps(deque, protocol))
        assert ours[0] == 1
        assert ours[1] is ours


def test_a_deque_is_filled_in_parts() -> None:
    """APPEND and APPENDS in turns, on what the memo holds as well."""
    made = b"ccollections\ndeque\n)R\x94"
    parts = b"K\x01a(K\x02K\x03e" * 30 + b"(e"
    data = asm(PROTO(4), made, parts, b"h\x00K\x04a0")
    alike(picklist.safe_loads(data), pickle.loads(data))


def test_an_iterator_notices_that_a_deque_is_filled() -> None:
    """A `persistent_load` meets a deque that is not whole yet, by way of the collector."""
    iterators = []

    def meet(_: object) -> None:
        iterators.extend(
            iter(found)
            for found in gc.get_objects()
            if type(found) is collections.deque and list(found) == ["mark"]
        )

    data = b"\x80\x04ccollections\ndeque\n)RX\x04\x00\x00\x00marka(NQK\x01e."
    ours = picklist.safe_loads(data, persistent_load=meet)
    assert list(ours) == ["mark", None, 1]
    with pytest.raises(RuntimeError, match="mutated"):
        list(iterators[0])


# --- arrays --------------------------------------------------------------------------------------


def items(code: str, count: int) -> array.array[Any]:
    if code in "uw":
        return array.array(code, "xyz\U0001f600"[:4] * count)
    if code in "fd":
        edges = [0.0, -0.0, 1.5, -1e30, 1e-30, float("inf")]
        return array.array(code, [edges[i % len(edges)] for i in range(count)])
    bits = 8 * array.array(code).itemsize
    low, high = (0, 2**bits - 1) if code.isupper() else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    edges = [low, high, low + 1, high - 1, 0, 1, high // 3]
    return array.array(code, [edges[i % len(edges)] for i in range(count)])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("code", CODES)
def test_arrays(code: str, protocol: int) -> None:
    values = [items(code, count) for count in (0, 1, 2, 7, 15, 16, 17, 64, 1000)]
    for ours, theirs in each(values, protocol):
        alike(ours, theirs)
        assert ours.typecode == theirs.typecode
        assert bytes(memoryview(ours)) == bytes(memoryview(theirs)) if code not in "uw" else True
        for both in (ours, theirs):
            both.extend(both)
            both.byteswap()
            both.reverse()
        alike(ours, theirs) if code not in "uw" else None
        assert weakref.ref(ours)() is ours


def test_what_an_array_of_floats_takes() -> None:
    """Ints of 64 bits are rounded as the module rounds them; not a number stays that."""
    for code in "fd":
        given = [2**53 + 1, 2**63 - 1, -(2**63), 1e39, -1e-46, 0.1, float("nan")]
        data = asm(PROTO(2), b"(", *[call("array.array", code, given)] * 6, b"l")
        for ours, theirs in zip(picklist.safe_loads(data), pickle.loads(data), strict=True):
            assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_machine_formats(width: int) -> None:
    """Those of another machine, which are turned around."""
    formats = {1: [0, 1], 2: [2, 3, 4, 5], 4: [6, 7, 8, 9, 14, 15], 8: [10, 11, 12, 13, 16, 17]}
    for code, known in itertools.product("bBhHiIlLqQfd", formats[width]):
        if (code in "fd") != (known in (14, 15, 16, 17)):
            continue
        data = bytes(range(width * 3))
        try:
            theirs = array._array_reconstructor(array.array, code, known, data)  # type: ignore[attr-defined]
        except ValueError:
            continue
        made = asm(
            *(PROTO(4), b"carray\n_array_reconstructor\n(carray\narray\n"),
            *(literal(code), literal(known), literal(data), b"tR"),
        )
        for _ in range(2):
            try:
                ours = picklist.safe_loads(made)
            except picklist.UnsafePickleError:
                assert code.isupper() == (known in (1, 4, 5, 8, 9, 12, 13))
                continue
            assert ours.typecode == theirs.typecode
            assert ours == theirs


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_an_array_of_text_refuses() -> None:
    good = call("array.array", "u", ["a", "\U0001f600", "\0"])
    for items_ in (["ab"], [""], ["\ud800"], [1], [b"a"], [None]):
        with pytest.raises(picklist.ForbiddenCallError):
            picklist.safe_loads(asm(PROTO(2), good * 6, call("array.array", "u", items_)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_text_beyond_the_last_character() -> None:
    made = b"carray\n_array_reconstructor\n(carray\narray\n"
    for data in (b"\0\0\x11\0", b"\xff" * 4, b"abc"):
        program = asm(PROTO(4), made, literal("u"), b"K\x14", literal(data), b"tR")
        for _ in range(2):
            with pytest.raises(picklist.ForbiddenCallError):
                picklist.safe_loads(program)


def test_an_array_of_text_warns_as_the_module_does() -> None:
    data = asm(PROTO(2), call("array.array", "u", ["a"]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert picklist.safe_loads(data).tolist() == ["a"]
    with warnings.catch_warnings(record=True) as wanted:
        warnings.simplefilter("always")
        pickle.loads(data)
    assert [str(each.message) for each in caught] == [str(each.message) for each in wanted]


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ranges_and_slices(protocol: int) -> None:
    numbers = [-1000, -1, 0, 1, 255, 256, 257, 1000, *WORDS]
    steps = [-(2**70), -(2**63), -7, -1, 1, 3, 1000, 2**63 - 1, 2**63]
    values = [
        range(start, stop, step) for start in numbers for stop in numbers[::2] for step in steps
    ]
    data = pickle.dumps(values, protocol)
    for ours, theirs in zip(picklist.safe_loads(data), pickle.loads(data), strict=True):
        alike(ours, theirs)
        assert (ours.start, ours.stop, ours.step) == (theirs.start, theirs.stop, theirs.step)
        assert hash(ours) == hash(theirs)
        assert bool(ours) == bool(theirs)
        if ours:
            assert (ours[0], ours[-1]) == (theirs[0], theirs[-1])
    cuts = [slice(1), slice(None, 5, -1), slice("a", b"b", 1.5), slice(2**80, None, True)]
    for ours, theirs in each(cuts, protocol):
        alike(ours, theirs)


def test_what_a_range_is_made_of_is_shared() -> None:
    big = literal(10**12)
    data = asm(PROTO(4), b"cbuiltins\nrange\n(", big, b"\x94K\x05K\x01tRh\x00\x86")
    made, number = picklist.safe_loads(data)
    assert made.start is number


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fractions(protocol: int) -> None:
    numerators = [0, 1, -1, 7, -12, 2**62, *WORDS]
    values = [fractions.Fraction(n, d) for n in numerators for d in (1, 2, 3, 97, 2**61, 2**90)]
    for ours, theirs in each(values, protocol):
        alike(ours, theirs)
        assert hash(ours) == hash(theirs)
        assert ours + 1 == theirs + 1
        assert (ours.numerator, ours.denominator) == (theirs.numerator, theirs.denominator)


def test_a_fraction_is_reduced() -> None:
    pairs = [(2, 4), (-6, 4), (0, 5), (2**62, 2**40), (7, 1), (5, 5)]
    made = [call("fractions.Fraction", *pair) for pair in pairs]
    for ours, pair in zip(
        picklist.safe_loads(asm(PROTO(4), b"(", *made * 2, b"l")), pairs * 2, strict=True
    ):
        alike(ours, fractions.Fraction(*pair))


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_addresses(protocol: int) -> None:
    values: list[Any] = [ipaddress.IPv4Address(n) for n in (0, 1, 255, 0x7F000001, 2**32 - 1)]
    wide = [0, 1, 2**63, 2**64, 0xFFFF << 32 | 0x01020304, 0x20010DB8 << 96, 2**128 - 1]
    values += [ipaddress.IPv6Address(n) for n in wide]
    values += [ipaddress.IPv6Address("fe80::1%eth0"), ipaddress.ip_network("10.0.0.0/8")]
    values += [ipaddress.ip_interface("10.0.0.1/8"), ipaddress.ip_network("2001:db8::/32")]
    for ours, theirs in each(values, protocol):
        alike(ours, theirs)
        assert hash(ours) == hash(theirs)
        assert ours.is_private == theirs.is_private
        if isinstance(ours, ipaddress.IPv6Address):
            assert ours.scope_id == theirs.scope_id
        if isinstance(ours, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
            alike(ours.packed, theirs.packed)
            assert weakref.ref(ours)() is ours


GROUPS = st.lists(st.sampled_from(["", "0", "1", "00ff", "ffff", "10000", "g", "1.2.3.4"]))


@given(GROUPS.map(":".join) | st.ip_addresses(v=6).map(str) | st.text("0123456789abcdef:.%"))
def test_any_text_of_an_address(text: str) -> None:
    """What is let through is what the library reads."""
    data = asm(PROTO(4), *[call("ipaddress.IPv6Address", text)] * 2, b"\x86")
    try:
        ours = picklist.safe_loads(data)
    except picklist.UnsafePickleError:
        return
    for address in ours:
        alike(address, ipaddress.IPv6Address(text))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_networks_and_interfaces(protocol: int) -> None:
    values: list[Any] = []
    for prefix in range(33):
        values.append(ipaddress.IPv4Network((0xC0A8FFFF, prefix), strict=False))
        values.append(ipaddress.IPv4Interface((0xC0A8FFFF, prefix)))
    for prefix in (0, 1, 63, 64, 65, 126, 127, 128):
        values.append(ipaddress.IPv6Network((2**128 - 1, prefix), strict=False))
        values.append(ipaddress.IPv6Interface((0x20010DB8 << 96 | 7, prefix)))
    for ours, theirs in each(values, protocol):
        alike(ours, theirs)
        assert hash(ours) == hash(theirs)
        assert list(vars(ours)) == list(vars(theirs))
        ours, theirs = (getattr(each, "network", each) for each in (ours, theirs))
        assert ours.netmask == theirs.netmask
        assert ours.broadcast_address == theirs.broadcast_address
        if ours.num_addresses < 3:
            assert list(ours.hosts()) == list(theirs.hosts())


# --- paths ---------------------------------------------------------------------------------------

PARTS = [(), ("/",), ("/", "usr", "a b.c"), ("..", "x", ".hidden"), ("\xe9", "\u1234"), ("c:", "x")]
PATHS = picklist.Policy(base="paths")


def slots(path: Any) -> dict[str, Any]:
    names = [name for kind in type(path).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: getattr(path, name) for name in names if hasattr(path, name)}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.Path])
def test_paths(kind: type[pathlib.PurePath], protocol: int) -> None:
    values = [kind(*parts) for parts in PARTS] + [kind("//net/x/y"), kind("c:\\a\\b")]
    data = pickle.dumps([kind(value) for value in values for _ in range(6)], protocol)
    for ours, theirs in zip(PATHS.loads(data), pickle.loads(data), strict=True):
        assert slots(ours) == slots(theirs)
        alike(ours, theirs)
        assert hash(ours) == hash(theirs)
        assert ours.parts == theirs.parts
        assert (ours.name, ours.suffix, ours.anchor) == (theirs.name, theirs.suffix, theirs.anchor)
        assert str(ours / "x" / "../y") == str(theirs / "x" / "../y")
        assert list(map(str, ours.parents)) == list(map(str, theirs.parents))


@given(st.lists(st.text("/.a\\:\xe9", max_size=4), max_size=4))
def test_any_parts(parts: list[str]) -> None:
    """Also such as no path has: what the constructor makes of them is made."""
    for name in ("PurePosixPath", "PureWindowsPath"):
        data = asm(PROTO(4), *[call(f"pathlib.{name}", *parts)] * 2, b"\x86")
        for ours, theirs in zip(picklist.safe_loads(data), pickle.loads(data), strict=True):
            assert slots(ours) == slots(theirs)
            alike(ours, theirs)


# --- dicts of other classes ----------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("keys", [0, 1, 2, 5, 6, 11, 33, 1500])
def test_defaultdicts_and_counters(keys: int, protocol: int) -> None:
    texts = {f"key {k}": [k] if k % 2 else k for k in range(keys)}
    mixed = {k if k % 2 else (k, 1.5): k for k in range(keys)}
    values: list[Any] = [collections.Counter(mixed), collections.Counter(dict.fromkeys(texts, 3))]
    for factory in (list, int, None):
        values += [collections.defaultdict(factory, texts), collections.defaultdict(factory, mixed)]
    for ours, theirs in each(values, protocol):
        alike(ours, theirs)
        assert list(ours) == list(theirs)
        assert vars(ours) == {} if isinstance(ours, collections.Counter) else True
        if isinstance(ours, collections.defaultdict):
            assert ours.default_factory is theirs.default_factory
        for both in (ours, theirs):
            both["key 1"] = "changed"
            both.pop("key 0", None)
            both["another"] = 1
            if not isinstance(both, collections.defaultdict) or both.default_factory:
                both["missing"] += both["missing"]
        alike(ours, theirs)


def test_a_defaultdict_in_itself() -> None:
    value: Any = collections.defaultdict(list)
    value["self"] = value
    for protocol in PROTOCOLS:
        ours = picklist.safe_loads(pickle.dumps(value, protocol))
        assert ours["self"] is ours


def test_counters_share_nothing_with_the_dict_that_they_are_made_of() -> None:
    data = b"\x80\x04}\x94(K\x01K\x02K\x03K\x04u\x94ccollections\nCounter\nh\x00\x85R\x86."
    given, made = picklist.safe_loads(data)
    made["new"] = 1
    assert given == {1: 2, 3: 4}


# --- state by key --------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("keys", [0, 1, 2, 5, 6, 33, 100])
def test_namespaces(keys: int, protocol: int) -> None:
    attributes = {f"name_{k}": [k] if k % 2 else k for k in range(keys)}
    for ours, theirs in each([types.SimpleNamespace(**attributes)], protocol):
        alike(ours, theirs)
        alike(vars(ours), vars(theirs))
        assert all(sys.intern(name) is name for name in vars(ours))
        ours.another = theirs.another = 1
        alike(ours, theirs)


def test_a_namespace_in_itself() -> None:
    value = types.SimpleNamespace(other=1)
    value.itself = value
    for protocol in PROTOCOLS:
        ours = picklist.safe_loads(pickle.dumps([value] * 6, protocol))
        assert ours[0].itself is ours[5]


RAISED = [
    ValueError("text", 1),
    KeyError((1, 2)),
    RuntimeError(),
    OSError(2, "no such file", "name"),
    OSError(11, "again"),
    StopIteration([1]),
    SystemExit(3),
    UnicodeDecodeError("ascii", b"\xff", 0, 1, "why"),
    ImportError("text", name="name", path="path"),
    ModuleNotFoundError("text", name="name"),
    SyntaxError("text", ("file", 1, 2, "line")),
    ExceptionGroup("text", [ValueError(1)]),
    AttributeError("text"),
    NameError("text"),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exceptions(protocol: int) -> None:
    data = pickle.dumps(RAISED * 6, protocol)
    ours, theirs = EXCEPTIONS.loads(data), pickle.loads(data)
    for mine, other in zip(ours, theirs, strict=True):
        alike(mine, other)
        assert repr(mine.args) == repr(other.args)
        assert vars(mine) == vars(other)
        for name in ("errno", "strerror", "filename", "name", "path", "object", "code", "value"):
            assert getattr(mine, name, None) == getattr(other, name, None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exceptions_keep_attributes(protocol: int) -> None:
    values = []
    for i in range(6):
        for attributes in ({"one": i}, {"one": [i], "two": 2, "__notes__": ["note"]}):
            values.append(ValueError(i))
            vars(values[-1]).update({k: v for k, v in attributes.items() if k[0] != "_"})
    data = pickle.dumps(values, protocol)
    for ours, theirs in zip(EXCEPTIONS.loads(data), pickle.loads(data), strict=True):
        alike(ours, theirs)
        assert vars(ours) == vars(theirs)


def test_state_of_every_exception_is_set_by_key() -> None:
    """What `BUILD` would call on them is `BaseException`'s, which sets attributes."""
    for found in vars(builtins).values():
        if isinstance(found, type) and issubclass(found, BaseException):
            assert found.__setstate__ is BaseException.__setstate__, found


STATED = {
    "namespace": b"ctypes\nSimpleNamespace\n)R\x94}\x94(",
    "exception": b"cbuiltins\nValueError\n)R\x94}\x94(",
}


@pytest.mark.parametrize("begin", STATED.values(), ids=STATED)
@pytest.mark.parametrize("key", ["__class__", "__dict__", 1, b"bytes", None, (1,), "\ud800"])
def test_names_that_are_refused_behind_names_that_are_not(begin: bytes, key: Any) -> None:
    good = begin + literal("a") + b"K\x01" + literal("b") + b"K\x02ub0"
    bad = begin + literal("a") + b"K\x01" + literal(key) + b"K\x02ub"
    for count in (0, 3, 8):
        data = asm(PROTO(4), *[good] * count, bad)
        with pytest.raises(picklist.ForbiddenCallError, match="given state"):
            EXCEPTIONS.loads(data)


def test_keys_of_a_state_that_cannot_be_hashed() -> None:
    for begin in STATED.values():
        data = asm(PROTO(4), *[begin + b"X\1\0\0\0aK\1ub0"] * 8, begin, b"]K\x01X\1\0\0\0aK\1ub")
        with pytest.raises(TypeError):
            pickle.loads(data)
        with pytest.raises(picklist.UnsafePickleError):
            EXCEPTIONS.loads(data)


@pytest.mark.parametrize("begin", STATED.values(), ids=STATED)
def test_state_costs_the_same_from_the_stack(begin: bytes) -> None:
    """The first few dicts of state are made, before the memo is scanned."""

    def cost(count: int) -> int:
        one = begin + b"X\2\0\0\0abK\1X\2\0\0\0cdK\2ub0"
        data = asm(PROTO(4), *[one] * count, b"N")
        low, high = 0, 1 << 15
        while low < high:
            middle = (low + high) // 2
            try:
                limits = picklist.Limits(max_memory=middle)
                picklist.safe_loads(data, policy=EXCEPTIONS, limits=limits)
                high = middle
            except picklist.LimitExceededError:
                low = middle + 1
        return low

    costs = [cost(count) for count in range(1, 9)]
    assert len({after - before for before, after in itertools.pairwise(costs)}) == 1


# --- what they are judged by ---------------------------------------------------------------------


def test_a_policy_that_grants_less() -> None:
    """What an entry may not be filled with or given is refused, however quickly it is made."""
    data = pickle.dumps([collections.deque([1]) for _ in range(8)])
    with pytest.raises(picklist.ForbiddenGlobalError):
        picklist.safe_loads(data, policy=picklist.Policy(base="plain"))
    for name in ("collections.deque", "types.SimpleNamespace", "array.array"):
        program = b"c" + name.replace(".", "\n").encode() + b"\n"
        with pytest.raises(picklist.UnsafePickleError):
            picklist.safe_loads(asm(PROTO(4), program, b"K\x01a"))
        with pytest.raises(picklist.UnsafePickleError):
            picklist.safe_loads(asm(PROTO(4), program, b"}X\1\0\0\0aK\1sb"))


def test_a_buffer_is_no_argument() -> None:
    """What the caller hands over beside the stream is nobody's bytes."""
    made = b"carray\n_array_reconstructor\n(carray\narray\n"
    good = asm(PROTO(5), made, literal("i"), b"K\x08", literal(b"abcd"), b"tR", stop=False)[2:]
    data = asm(PROTO(5), good * 6, made, literal("i"), b"K\x08\x97tR")
    with pytest.raises(picklist.ForbiddenCallError):
        picklist.safe_loads(data, buffers=[b"abcd"])


def test_deep_chains_are_refused_as_ever() -> None:
    """A deque in a deque, ten thousand times, would be freed by recursion."""
    made = b"ccollections\ndeque\n)R"
    data = asm(PROTO(4), made * 20_000, b"a" * 19_999)
    with pytest.raises(picklist.LimitExceededError):
        picklist.safe_loads(data)


def test_references_are_given_back() -> None:
    text = "a text that is nowhere else"
    values = [
        collections.deque([text]),
        collections.deque([text], 3),
        collections.defaultdict(list, a=text),
        collections.Counter({text: 1}),
        types.SimpleNamespace(a=text, b=1),
        range(10**6, 10**7),
        slice(text),
        fractions.Fraction(10**6, 7),
        ipaddress.IPv6Address(2**100),
        array.array("i", range(50)),
        ValueError(text, 1),
    ]
    for value in values:
        one = pickle.dumps(value)
        assert sys.getrefcount(EXCEPTIONS.loads(one)) == sys.getrefcount(pickle.loads(one))
    data = pickletools.optimize(pickle.dumps([copy.copy(v) for v in values for _ in range(50)]))
    EXCEPTIONS.loads(data)
    classes = [type(value) for value in values]

    def count() -> list[int]:
        gc.collect()
        return [sys.getrefcount(each) for each in classes]

    before = count()
    for _ in range(20):
        EXCEPTIONS.loads(data)
    assert all(abs(now - then) < 10 for now, then in zip(count(), before, strict=True))
