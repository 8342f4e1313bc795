"""Who takes part in a row, each found to be right before anything is timed.

picklist
    ``picklist.safe_loads`` under the default policy, or one that allows what the row needs.
pickle
    ``pickle.loads``, which checks nothing.  It is the unit of every ratio.
find_class
    A ``pickle.Unpickler`` subclass whose ``find_class`` holds an exact allowlist, over a BytesIO,
    as pickle's manual shows it.  Below protocol 4 it is slow for a second reason, which the summary
    keeps apart: such streams have no frames, so the file is read a few bytes at a time.
marshal, orjson, msgspec
    Other formats on the same object, where they give it back equal.
inspect
    ``picklist.inspect``, if asked for.
"""

from __future__ import annotations

import functools
import importlib
import io
import marshal
import pickle
from collections.abc import Callable, Iterable
from typing import Any

import picklist
from suite import Payload, Row

Call = Callable[[], Any]
Load = Callable[[bytes], Any]
Codec = tuple[Callable[[Any], bytes], Load]

BASE = "pickle"
OURS = "picklist"
TODAY = "find_class"
PEERS = ("marshal", "orjson", "msgspec")


def optional(name: str) -> Any:
    """Import a module that may be missing."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def find_class_loader(payload: Payload) -> Load:
    """Return a loader as people write it today, with exactly the names that the data needs."""
    needed: set[tuple[str, str]] = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            needed.add((module, name))
            return super().find_class(module, name)

    for data in payload.streams:
        Recorder(io.BytesIO(data), **payload.keywords).load()
    allowed = frozenset(needed)

    class AllowlistUnpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            if (module, name) in allowed:
                return super().find_class(module, name)
            raise pickle.UnpicklingError(f"{module}.{name} is forbidden")

    if payload.buffers is None:
        return lambda data: AllowlistUnpickler(io.BytesIO(data)).load()
    return lambda data: AllowlistUnpickler(io.BytesIO(data), buffers=payload.buffers).load()


def codecs(shape: Any) -> dict[str, Codec]:
    """Return how to write and read the other formats, as far as they are installed."""
    found: dict[str, Codec] = {"marshal": (marshal.dumps, marshal.loads)}
    orjson, msgspec = optional("orjson"), optional("msgspec")
    if orjson is not None:
        found["orjson"] = (orjson.dumps, orjson.loads)
    if msgspec is not None:
        decoder = msgspec.msgpack.Decoder() if shape is None else msgspec.msgpack.Decoder(shape)
        found["msgspec"] = (msgspec.msgpack.encode, decoder.decode)
    return found


def bind(load: Callable[..., Any], keywords: dict[str, Any]) -> Load:
    """Return a loader with its keywords; none are passed where none are needed."""
    return functools.partial(load, **keywords) if keywords else load


def call_of(load: Load, streams: list[bytes]) -> Call:
    """Return a call that loads every stream once and keeps the last value."""
    if len(streams) == 1:
        return functools.partial(load, streams[0])

    def every() -> Any:
        value = None
        for data in streams:
            value = load(data)
        return value

    return every


def right(row: Row, loads: Iterable[Any], value: Any) -> bool:
    """Whether what was loaded is what was pickled, types included."""
    wanted = value if row.cold else [value]
    return all(
        type(got) is type(want) and row.equal(got, want)
        for got, want in zip(loads, wanted, strict=True)
    )


def peer_calls(row: Row, value: Any) -> dict[str, Call]:
    """Return the loaders of other formats that give back an equal value."""
    calls: dict[str, Call] = {}
    for name, (write, read) in codecs(row.shape).items():
        try:
            streams = [write(one) for one in (value if row.cold else [value])]
            equal = right(row, map(read, streams), value)
        except (TypeError, ValueError, OverflowError, RecursionError, AttributeError):
            continue  # the format cannot hold this value
        if equal:
            calls[name] = call_of(read, streams)
    return calls


def contestants(
    row: Row, value: Any, payload: Payload, *, inspect: bool, peers: bool
) -> dict[str, Call]:
    """Return every loader that takes part in a row, each already found to be right."""
    # First the peers: msgspec keeps notes on the classes it meets, and a class that changes after a
    # policy has looked at it is another row.
    others = peer_calls(row, value) if peers else {}
    policy = row.policy()
    ours = {} if policy is None else {"policy": policy}
    loaders: dict[str, Load] = {
        BASE: bind(pickle.loads, payload.keywords),
        OURS: bind(picklist.safe_loads, payload.keywords | ours),
        TODAY: find_class_loader(payload),
    }
    for name, load in loaders.items():
        if not right(row, map(load, payload.streams), value):
            raise SystemExit(f"{row.name}: {name} returned another value than was pickled")
    calls = {name: call_of(load, payload.streams) for name, load in loaders.items()}
    calls |= others
    if inspect and payload.buffers is None:
        calls["inspect"] = call_of(bind(picklist.inspect, ours), payload.streams)
    return calls
