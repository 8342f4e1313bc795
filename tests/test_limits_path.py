"""A limit says where in the object it was reached, as every other refusal does."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import pytest

import picklist
from bounded import MANY, outcome
from picklist import Limits, Policy

DATA = {"a": [1, 2, 3, {"k": (1, 2, [["x"]])}], "b": 2}


def refused(data: bytes, **limits: int) -> picklist.LimitExceededError:
    """Return what `safe_loads` says, which `inspect` must say too."""
    bound = Limits(**limits)
    with pytest.raises(picklist.LimitExceededError) as caught:
        picklist.safe_loads(data, limits=bound)
    fault = picklist.inspect(data, policy=Policy(limits=bound)).fault
    assert fault is not None
    assert (fault.kind, fault.path) == ("limit", caught.value.path)
    assert str(fault) == str(caught.value)
    return caught.value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_path_is_the_objects(protocol: int) -> None:
    """Whatever the opcodes: what is being filled, or what would be made next."""
    assert refused(pickle.dumps(DATA, protocol), max_depth=4).path == "$['a']"
    wide = pickle.dumps({"rows": [(1, {"x": list(range(100))})]}, protocol)
    assert str(refused(wide, max_memory=1_200).path).startswith("$['rows'][0][1]['x'][")
    deep = {"a": {"b": {((1, (2, (3, 4))), 5): 6}}}
    found = refused(pickle.dumps(deep, protocol), max_hash_depth=3)
    assert found.path == "$['a']['b']"


def test_siblings_that_were_filled_before_are_not_meant() -> None:
    """An empty container before a tuple is not what the tuple's items go into."""
    data = pickle.dumps([[], {}, (1, 2, 3, [[[[]]]], 5)], 4)
    assert refused(data, max_depth=3).path == "$[2][3]"
    data = pickle.dumps([[[]], [], [[[[]]]]], 4)
    assert refused(data, max_depth=3).path == "$[2]"


def test_calls_and_state() -> None:
    """Arguments and attributes, as in the paths of names."""
    deque = b"ccollections\ndeque\n"
    assert refused(b"]" + deque + b"](K\x01]]ae\x85Ra.", max_depth=2).path == "$[0].<arg 0>"
    namespace = b"ctypes\nSimpleNamespace\n)R}\x8c\x04rows]]]aasb."
    assert refused(namespace, max_depth=2).path == "$.rows"


def test_what_is_thrown_away_has_no_place() -> None:
    """It was on its way nowhere."""
    assert refused(b"N]]]aa0.", max_depth=2).path == "$…"


def test_a_long_path_is_cut() -> None:
    """Its inner end is what helps."""
    path = refused(b"]" * 2_000 + b"a" * 1_999 + b".", max_depth=100).path
    assert path is not None
    assert path.startswith("$…[0][0]")
    assert len(path) < 200


@pytest.mark.parametrize("limit", ["max_bytes", "max_expanded"])
def test_a_limit_of_the_whole_is_at_the_whole(limit: str) -> None:
    """The result itself."""
    assert refused(pickle.dumps(DATA), **{limit: 3}).path == "$"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_file_says_it_too_and_is_not_read_on_for_it(protocol: int) -> None:
    """What follows may never come."""
    data = pickle.dumps(DATA, protocol)
    file = io.BytesIO(data + b"more")
    with pytest.raises(picklist.LimitExceededError) as caught:
        picklist.safe_load(file, limits=Limits(max_depth=4))
    assert caught.value.path == "$['a']"
    assert file.tell() <= len(data)


def test_an_unpickler_that_remembers() -> None:
    """What an earlier pickle left in the memo counts."""
    file = io.BytesIO(b"]\x94." + b"}K\x01h\x00K\x02\x85\x85\x85as.")
    unpickler = picklist.Unpickler(file, limits=Limits(max_depth=3))
    assert unpickler.load() == []
    with pytest.raises(picklist.LimitExceededError) as caught:
        unpickler.load()
    assert caught.value.path == "$[1]"


def test_a_policy_with_classes_says_it_too() -> None:
    """There the inspector meets the limit first."""
    from picklist_samples import Plain

    value = Plain()
    value.x = [[[[]]]]  # type: ignore[attr-defined]
    with pytest.raises(picklist.LimitExceededError) as caught:
        picklist.safe_loads(pickle.dumps(value), allow=[Plain], limits=Limits(max_depth=3))
    assert caught.value.path == "$.x"


def test_trusted_data_says_it_too() -> None:
    """Without a policy the text is pickle's own; the path is an attribute."""
    with pytest.raises(picklist.LimitExceededError) as caught:
        picklist.safe_loads(
            pickle.dumps(DATA), policy=Policy.unrestricted(), limits=Limits(max_depth=4)
        )
    assert caught.value.path == "$['a']"


def test_the_path_survives_pickling_and_copying() -> None:
    """It comes back from a worker."""
    error = refused(pickle.dumps(DATA), max_depth=4)
    for clone in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (clone.path, str(clone)) == ("$['a']", str(error))
        assert "at $['a']" in str(clone)


HEAVY: dict[str, tuple[bytes, str]] = {
    "where the limit is reached last": (
        b"(" + b"\x8f" * MANY + b"l.",
        "$[",
    ),
    "and all of the rest is read": (
        b"](" + b"\x8f" * (MANY * 65 // 100) + b"N" * (MANY * 35 // 100) + b"e.",
        "$[",
    ),
    "hash work is not done twice": (
        b"(" + b"N" * 1_000_000 + b"t\x940}" + b"h\x00Ns" * 2_000 + b".",
        "$",
    ),
    "a list from the memo is not copied twice": (
        b"](" + b"N" * 500_000 + b"e\x940ccollections\ndeque\n\x940("
        + b"".join(b"h\x01h\x00\x85R" for _ in range(1_000)) + b"l.",
        "$[",
    ),
    "numbers of one hash": (
        b"}(" + b"".join(b"\x8a\x0b" + (at * (2**61 - 1)).to_bytes(11, "little") + b"N"
                         for at in range(1 << 18)) + b"u.",
        "$",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEAVY)
def test_looking_for_the_path_stays_within_the_bounds(name: str, tmp_path: Path) -> None:
    """Time and memory are those that the issue of a load may cost, the path included."""
    data, start = HEAVY[name]
    said: dict[str, Any] = outcome(data, tmp_path)
    if "limit" in said:
        assert str(said["path"]).startswith(start)
