"""Short ways that small loads take: they do what the long ones do, and fail as those fail."""

from __future__ import annotations

import enum
import gc
import inspect
import pickle
import random
import string
import uuid
from typing import Any

import pytest

import picklist
from children import printed, run_program
from picklist import safe_loads

PROTOCOLS = [0, 1, 2, 3, 4, 5]
PLAIN: list[Any] = [
    None,
    True,
    7,
    1.5,
    "",
    "a",
    b"",
    (),
    [],
    {},
    {"a": 1},
    {"ab": [1, {"ab": "ab"}]},
    [(1, 2, 3, "x" * 300)],
    2**200,
    {1, 2},
]


def outcome(data: Any, **keywords: Any) -> tuple[Any, ...]:
    """What a load returns, or all that its exception says."""
    try:
        value = safe_loads(data, **keywords)
    except Exception as error:
        said = (getattr(error, name, None) for name in ("offset", "opcode", "path", "kind"))
        return (type(error), str(error), *said)
    return type(value), repr(value)  # damage may put a value into itself


# A call with one argument goes through a door of its own, and any keyword through the wrapper.


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_a_keyword_changes_nothing(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert outcome(data) == outcome(data, strict=False) == (type(value), repr(value))
    for given in (bytearray(data), memoryview(data), data + b"more"):
        assert outcome(given) == outcome(given, strict=False) == (type(value), repr(value))


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("value", [*PLAIN, [uuid.uuid4()]], ids=repr)
def test_damage_is_found_at_the_same_place(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    for at in range(len(data)):
        for damaged in (
            data[:at],
            data[:at] + b"\x00" + data[at + 1 :],
            data[:at] + data[at + 1 :],
        ):
            assert outcome(damaged) == outcome(damaged, strict=False)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"\x80\x05}]K\x01s.", 6),  # a list is no key
        (b"\x80\x06N.", 0),
        (b"\x80\x05\x80\x05N.", 2),
        (b"\x80\x05.", 2),
        (b"\x80\x05(.", 3),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0N.", 2),  # the frame is longer than the data
        (b"\x80\x04\x95\x01\0\0\0\0\0\0\0K\x01.", 11),  # the frame ends within an instruction
        (b"\x80\x04\x95\x0b\0\0\0\0\0\0\0\x95\x02\0\0\0\0\0\0\0N..", 11),
        (b"\x80\x04cos\nsystem\n.", 2),
    ],
)
def test_what_fails_says_where(data: bytes, offset: int) -> None:
    with pytest.raises(picklist.UnsafePickleError) as caught:
        safe_loads(data)
    assert caught.value.offset == offset
    assert outcome(data) == outcome(data, strict=False)


def test_the_door_is_the_function_that_it_stands_for() -> None:
    assert str(inspect.signature(safe_loads)).startswith("(data, /, *, policy=None, allow=()")
    assert (safe_loads.__doc__ or "").startswith("Load a pickle from bytes, under a policy.\n")
    assert safe_loads.__name__ == safe_loads.__qualname__ == "safe_loads"
    assert pickle.loads(pickle.dumps(safe_loads)) is safe_loads is picklist.loads
    with pytest.raises(TypeError, match=r"safe_loads\(\) missing 1 required positional argument"):
        safe_loads()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"safe_loads\(\) takes 1 positional argument"):
        safe_loads(b"N.", b"N.")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"safe_loads\(\) got an unexpected keyword argument"):
        safe_loads(b"N.", polity=None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="bytes-like object is required, not 'int'"):
        safe_loads(1)  # type: ignore[arg-type]


@pytest.mark.parametrize("first", ["b'N.'", "bytearray(b'N.')", "b'N.', strict=True", "b''", "1"])
def test_any_call_may_be_the_first_of_a_process(first: str) -> None:
    code = f"""if True:
        import picklist
        try:
            assert picklist.safe_loads({first}) is None
        except (EOFError, TypeError):
            pass
        assert picklist.safe_loads(b'K\\x07.') == 7
    """
    printed(code)


def test_a_finalizer_may_load_while_the_interpreter_ends() -> None:
    code = """if True:
        import datetime, os, pickle
        from picklist import safe_loads

        class Late:
            load, write, data = safe_loads, os.write, pickle.dumps(datetime.date(2024, 2, 29))
            load(data)

            def __del__(self, load=load, write=write, data=data):
                write(1, str(load(data)).encode())
                for data in (b"}]K1s.", b"(.", b""):
                    try:
                        load(data)
                    except Exception:
                        write(1, b" refused")

        late = Late()
    """
    ran = run_program(code)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "2024-02-29 refused refused refused", "")


def test_nothing_of_a_refused_load_is_left() -> None:
    for _ in range(100):
        for data in (b"\x80\x05}]K\x01s.", b"\x80\x04cos\nsystem\n.", b"", b"\x80\x05(N"):
            outcome(data)
    gc.collect()
    left = [thing for thing in gc.get_objects() if isinstance(thing, picklist.PicklistError)]
    assert not left


# A run of BINGET behind MARK has a loop of its own.


class Colour(enum.Enum):
    RED = 1
    GREEN = 2
    BLUE = 3


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 999, 1000, 1001, 70_000])
def test_runs_of_members(length: int) -> None:
    values = (list(Colour) * (length // 3 + 1))[:length]
    loaded = safe_loads(pickle.dumps([*Colour, values, tuple(values)], 5), allow=[Colour])
    assert loaded == [*Colour, values, tuple(values)]


@pytest.mark.parametrize("names", [2, 255, 256, 257, 300])
def test_runs_of_strings(names: int) -> None:
    texts = [f"text {number}" for number in range(names)]
    values = [texts, texts[::-1], [texts[0]] * 10, texts[-3:] * 20]
    for protocol in (1, 2, 4, 5):
        assert safe_loads(pickle.dumps(values, protocol)) == values


def test_a_slot_that_was_not_filled_ends_a_run() -> None:
    data = b"\x80\x04\x8c\x02ab\x94](" + b"h\x00" * 6 + b"h\x07e."
    with pytest.raises(picklist.MalformedPickleError) as caught:
        safe_loads(data)
    assert (caught.value.offset, caught.value.opcode) == (data.index(b"h\x07"), "BINGET")


# Keys that come again are the same objects.


@pytest.mark.parametrize("length", [2, 3, 15, 16, 17, 32])
def test_keys_that_come_again_are_shared(length: int) -> None:
    stem = "k" * (length - 1)
    datas = [pickle.dumps({stem + "x": 1, stem + "y": 2}, 4) for _ in range(4)]
    *_, third, fourth = (list(safe_loads(data)) for data in datas)
    assert third == fourth == [stem + "x", stem + "y"]
    assert all(ours is theirs for ours, theirs in zip(third, fourth, strict=True))


def test_keys_are_told_apart() -> None:
    keys = [
        "ab",
        "ab\0",
        "ab\0\0",
        "a" * 15,
        "a" * 15 + "\0",
        "a" * 16,
        "a" * 17,
        "b" * 32,
        "b" * 33,
    ]
    for _ in range(4):
        for key in keys:
            assert safe_loads(pickle.dumps({key: key}, 4)) == {key: key}
        many = {
            f"{key}{number}": number for number in range(2000) for key in ("x", "long key " * 2)
        }
        assert safe_loads(pickle.dumps(many, 5)) == many


# The state of a UUID that a pickler writes is not judged at length.


def uuid_of(*state: tuple[Any, Any]) -> bytes:
    """A UUID with a state of our own."""
    pairs = b"".join(pickle.dumps(part, 2)[2:-1] for pair in state for part in pair)
    return b"\x80\x02cuuid\nUUID\n)\x81}(" + pairs + b"ub."


@pytest.mark.parametrize("value", [0, 1, 2**63, 2**64, 2**127, 2**128 - 1])
def test_a_uuid_of_any_int_that_fits(value: int) -> None:
    loaded = safe_loads(uuid_of(("int", value)))
    assert loaded == uuid.UUID(int=value)
    assert loaded.is_safe is uuid.SafeUUID.unknown


@pytest.mark.parametrize(
    "state",
    [
        [("int", -1)],
        [("int", 2**128)],
        [("int", -(2**127))],
        [("int", 1.0)],
        [("int", True)],
        [("int", None)],
        [("inT", 1)],
        [("hex", "0" * 32)],
        [],
        [("int", 1), ("more", 2)],
        [(b"int", 1)],
    ],
    ids=repr,
)
def test_a_uuid_of_anything_else_is_refused(state: list[tuple[Any, Any]]) -> None:
    with pytest.raises(picklist.UnsafePickleError):
        safe_loads(uuid_of(*state))


@pytest.mark.parametrize("length", [3, 12, 24])
def test_every_schema_is_known_after_a_few_loads(length: int) -> None:
    rng = random.Random(length)
    letters = string.ascii_lowercase + "_"
    for _ in range(100):
        keys = {"".join(rng.choices(letters, k=length)) for _ in range(26)}
        data = pickle.dumps(dict.fromkeys(keys, 1))
        policy = picklist.Policy()
        for _ in range(8):
            before = picklist.safe_loads(data, policy=policy)
        after = picklist.safe_loads(data, policy=policy)
        assert all(one is other for one, other in zip(before, after, strict=True))
