"""Whatever std values a pickle holds, ``safe_loads`` gives what ``pickle.loads`` gives.

Property tests over nested values, protocols 0 to 5 and both of pickle's own picklers: the same
types, the same values and the same identity structure.  ``HYPOTHESIS_PROFILE=fresh`` draws new
examples, many more of them.
"""

from __future__ import annotations

import array
import collections
import datetime
import io
import ipaddress
import pathlib
import pickle
import types
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import picklist
from structure import same_structure

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

TEXT = st.text(st.characters(codec=None), max_size=40)
OFFSETS = st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23))
ZONES = st.none() | st.builds(datetime.timezone, OFFSETS)
SMALL = st.integers(-(2**31), 2**31)

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**2100), 2**2100),
    st.floats(),
    st.complex_numbers(),
    TEXT,
    st.binary(max_size=300),
    st.binary(max_size=300).map(bytearray),
    st.sampled_from([int, float, str, list, dict, set, bytes, bool, tuple, complex, type(None)]),
    st.sampled_from([Ellipsis, NotImplemented]),
    st.builds(range, SMALL, SMALL, SMALL.filter(bool)),
    st.builds(slice, st.none() | SMALL, st.none() | SMALL, st.none() | SMALL),
    st.dates(),
    st.times(timezones=ZONES),
    st.datetimes(timezones=ZONES),
    st.timedeltas(),
    ZONES,
    st.decimals(),
    st.fractions(),
    st.uuids(),
    st.ip_addresses(),
    st.ip_addresses().map(ipaddress.ip_network),
    st.ip_addresses().map(ipaddress.ip_interface),
    st.lists(TEXT.filter(lambda s: "\0" not in s)).map(lambda p: pathlib.PurePosixPath(*p)),
    st.lists(st.integers(-128, 127)).map(lambda items: array.array("b", items)),
    st.lists(st.floats(width=64)).map(lambda items: array.array("d", items)),
)
KEYS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXT,
    st.binary(max_size=20),
    st.dates(),
    st.datetimes(timezones=ZONES),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.ip_addresses(),
)
HASHABLE = st.recursive(
    KEYS,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return every std container of the inner values."""
    items = st.lists(inner, max_size=6)
    dicts = st.dictionaries(HASHABLE, inner, max_size=5)
    return st.one_of(
        items,
        items.map(tuple),
        dicts,
        st.sets(HASHABLE, max_size=5),
        st.frozensets(HASHABLE, max_size=5),
        dicts.map(collections.OrderedDict),
        items.map(collections.deque),
        st.builds(collections.deque, items, st.integers(0, 8)),
        dicts.map(lambda items: collections.defaultdict(list, items)),
        st.dictionaries(HASHABLE, st.integers(), max_size=4).map(collections.Counter),
        st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner, max_size=4).map(
            lambda attributes: types.SimpleNamespace(**attributes)
        ),
        inner.map(lambda value: [value, value]),
        inner.map(lambda value: {"first": value, "again": (value, value)}),
    )


VALUES = st.recursive(ATOMS, containers, max_leaves=25)


def both(data: bytes) -> tuple[Any, Any]:
    """Load with picklist and with pickle."""
    return picklist.safe_loads(data), pickle.loads(data)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=VALUES)
def test_values_load_as_pickle_loads_them(protocol: int, value: Any) -> None:
    """Nested std values: same types, values and shared references, in every protocol."""
    ours, theirs = both(pickle.dumps(value, protocol))
    assert same_structure(ours, theirs) == ""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=VALUES)
def test_the_python_pickler_is_read_too(protocol: int, value: Any) -> None:
    """Pickles of the Python pickler, without the C pickler's shortcuts."""
    ours, theirs = both(pickle._dumps(value, protocol))  # type: ignore[attr-defined]
    assert same_structure(ours, theirs) == ""


@given(value=VALUES, protocol=st.sampled_from(PROTOCOLS))
def test_files_load_as_bytes_do(value: Any, protocol: int) -> None:
    """A pickle read from a file is the same value, and the file stands right behind STOP."""
    data = pickle.dumps(value, protocol)
    file = io.BytesIO(data + b"rest")
    assert same_structure(picklist.safe_load(file), pickle.loads(data)) == ""
    assert file.read() == b"rest"


@given(value=VALUES)
def test_loading_again_changes_nothing(value: Any) -> None:
    """Pickling what was loaded gives a pickle that loads to the same value again."""
    once = picklist.safe_loads(pickle.dumps(value))
    twice = picklist.safe_loads(pickle.dumps(once))
    assert same_structure(once, twice) == ""


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Draw lists, dicts, deques and namespaces that refer to each other in any way."""
    makers = (list, dict, collections.deque, types.SimpleNamespace, collections.OrderedDict)
    nodes: list[Any] = [draw(st.sampled_from(makers))() for _ in range(draw(st.integers(1, 8)))]
    references = st.sampled_from(nodes)
    for number, node in enumerate(nodes):
        for _ in range(draw(st.integers(0, 3))):
            other = draw(references | references.map(lambda n: (n,)) | st.integers())
            if isinstance(node, types.SimpleNamespace):
                setattr(node, f"n{number}", other)
            elif isinstance(node, dict):
                node[draw(st.integers(0, 3))] = other
            else:
                node.append(other)
    return nodes


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(nodes=graphs())
def test_cycles_and_sharing_survive(protocol: int, nodes: list[Any]) -> None:
    """Any graph of containers comes back with exactly its references."""
    ours, theirs = both(pickle.dumps(nodes, protocol))
    assert same_structure(ours, theirs) == ""
    assert same_structure(ours, nodes) == ""


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=st.lists(st.integers() | TEXT | st.floats(), max_size=2000))
def test_long_lists(protocol: int, value: list[Any]) -> None:
    """Lists beyond one batch of APPENDS."""
    ours, theirs = both(pickle.dumps(value, protocol))
    assert same_structure(ours, theirs) == ""


@given(buffers=st.lists(st.binary(max_size=100), max_size=4))
def test_buffers_come_back(buffers: list[bytes]) -> None:
    """Out-of-band buffers (PEP 574) are handed over as they are, read-only or not."""
    value = [pickle.PickleBuffer(data) for data in buffers]
    value += [pickle.PickleBuffer(bytearray(data)) for data in buffers]
    outside: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, 5, buffer_callback=outside.append)
    ours = picklist.safe_loads(data, buffers=outside)
    theirs = pickle.loads(data, buffers=outside)
    assert [type(item) for item in ours] == [type(item) for item in theirs]
    assert [bytes(item) for item in ours] == [bytes(item) for item in theirs]
    assert (
        same_structure(
            picklist.safe_loads(pickle.dumps(value, 5)), pickle.loads(pickle.dumps(value, 5))
        )
        == ""
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2024, 10, 27, 2, 30, fold=1),
        datetime.time(2, 30, fold=1),
        datetime.datetime.min,
        datetime.datetime.max,
        datetime.timedelta.min,
        datetime.timedelta.max,
        uuid.UUID(int=2**128 - 1),
        pathlib.PureWindowsPath("C:\\a\\b"),
        array.array("Q", [2**64 - 1]),
        collections.deque(maxlen=0),
        [(), [], {}, set(), frozenset(), "", b"", bytearray()],
    ],
    ids=repr,
)
def test_edges(value: Any, protocol: int) -> None:
    """Values at the ends of their ranges."""
    data = pickle.dumps(value, protocol)
    ours, theirs = both(data)
    assert same_structure(ours, theirs) == ""
    assert ours == value


WIDE = {
    "a list": b"\x80\x02carray\narray\nX\x01\0\0\0w](X\x01\0\0\0aX\x01\0\0\0be\x86R.",
    "bytes": b"\x80\x03carray\n_array_reconstructor\n(carray\narray\nX\x01\0\0\0wK\x14"
    b"C\x08a\0\0\0b\0\0\0tR.",
}


@pytest.mark.parametrize("how", WIDE)
def test_the_typecode_w_is_known_where_the_interpreter_has_it(how: str) -> None:
    """And refused by the loader and the inspector alike where it has not."""
    data = WIDE[how]
    if "w" in array.typecodes:
        assert not same_structure(picklist.safe_loads(data), pickle.loads(data))
        assert picklist.inspect(data).allowed
    else:
        with pytest.raises(picklist.ForbiddenCallError, match=r"came with CPython 3\.13"):
            picklist.safe_loads(data)
        assert not picklist.inspect(data).allowed
