"""What the object is checked against: pickle, deepcopy, cloudpickle, dill, a Pickler class."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from picklist import _picklist

from .catalogue import mro


class NullSink(io.RawIOBase):
    """Counts bytes and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def writable(self) -> bool:
        """Take everything."""
        return True

    def write(self, data: Any) -> int:
        """Count."""
        size = len(data) if isinstance(data, bytes | bytearray) else memoryview(data).nbytes
        self.size += size
        return size


@dataclass(slots=True)
class Dumped:
    """What a real dump did."""

    error: BaseException | None = None
    size: int = 0
    data: bytes | None = None
    buffers: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class Target:
    """How to walk for it, how to dump with it, how to load again."""

    name: str
    protocol: int
    declared: int
    pickler: type | None = None
    opaque: list[type] = field(default_factory=list)
    loads: Callable[..., Any] = pickle.loads

    def walk(self, obj: object) -> _picklist.Walk:
        """Visit what this target visits."""
        if self.name == "deepcopy":
            return _picklist.walk(obj, 4, opaque=self.opaque, deepcopy=True)
        if self.pickler is None:
            return _picklist.walk(obj, self.protocol)
        return _picklist.walk(obj, self.protocol, opaque=self.opaque, **self._hooks())

    def _hooks(self) -> dict[str, Any]:
        cls = self.pickler
        assert cls is not None
        pickler = cls(NullSink(), self.protocol)
        hooks: dict[str, Any] = {}
        for name in ("persistent_id", "reducer_override"):
            if _overrides(cls, name):
                hooks[name] = getattr(pickler, name)
        table = getattr(pickler, "dispatch_table", None)
        if table is not None:
            hooks["dispatch_table"] = table
        return hooks

    def dump(self, obj: object, *, keep: bool) -> Dumped:
        """Dump for real: into memory if it is kept, else into a sink that counts."""
        if self.name == "deepcopy":
            return self._deepcopy(obj)
        sink: Any = io.BytesIO() if keep else NullSink()
        buffers: list[Any] = []
        try:
            self._make(sink, buffers).dump(obj)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001
            return Dumped(error=error)
        size = sum(buffer.raw().nbytes for buffer in buffers)
        if not keep:
            return Dumped(size=sink.size + size)
        data = sink.getvalue()
        return Dumped(size=len(data) + size, data=data, buffers=buffers)

    def _make(self, sink: Any, buffers: list[Any]) -> Any:
        options: dict[str, Any] = {}
        if self.protocol >= 5:
            options["buffer_callback"] = buffers.append
        if self.pickler is None:
            return pickle.Pickler(sink, self.protocol, **options)
        try:
            return self.pickler(sink, self.protocol, **options)
        except TypeError:
            return self.pickler(sink, self.protocol)

    def _deepcopy(self, obj: object) -> Dumped:
        try:
            copy.deepcopy(obj)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001
            return Dumped(error=error)
        return Dumped()

    def load(self, dumped: Dumped) -> Any:
        """Load what `dump` kept."""
        if dumped.buffers:
            return self.loads(dumped.data, buffers=dumped.buffers)
        return self.loads(dumped.data)


def _overrides(cls: type, name: str) -> bool:
    for base in mro(cls):
        if name in vars(base):
            return base.__module__ not in ("pickle", "_pickle")
    return False


def resolve(target: Any, protocol: int | None) -> Target:
    """Return the Target for what the user passed."""
    declared = pickle.DEFAULT_PROTOCOL if protocol is None else protocol
    if declared < 0:
        declared = pickle.HIGHEST_PROTOCOL
    if not 0 <= declared <= pickle.HIGHEST_PROTOCOL:
        raise ValueError(f"pickle protocol must be <= {pickle.HIGHEST_PROTOCOL}")
    effective = 5 if protocol is None else declared
    if target == "pickle":
        return Target("pickle", effective, declared)
    if target == "deepcopy":
        return Target("deepcopy", 4, 4, opaque=_deepcopy_atoms())
    if target == "cloudpickle":
        import cloudpickle  # type: ignore[import-untyped,import-not-found,unused-ignore]

        return Target("cloudpickle", effective, declared, pickler=cloudpickle.Pickler)
    if target == "dill":
        import dill  # type: ignore[import-untyped,import-not-found,unused-ignore]

        own = _own_savers(dill.Pickler)
        return Target(
            "dill",
            effective,
            declared,
            pickler=dill.Pickler,
            opaque=own,
            loads=dill.loads,
        )
    if isinstance(target, type):
        name = f"{target.__module__}.{target.__qualname__}"
        return Target(name, effective, declared, pickler=target, opaque=_own_savers(target))
    raise ValueError(
        "target must be 'pickle', 'deepcopy', 'cloudpickle', 'dill', a Pickler class or a Policy"
    )


def _own_savers(cls: type) -> list[type]:
    """Types for which a pickler written in Python has a `save` method of its own."""
    stock = pickle._Pickler.dispatch
    table = getattr(cls, "dispatch", None)
    if not isinstance(table, dict):
        return []
    containers = (dict, list, tuple, set, frozenset)
    return [
        key
        for key, saver in table.items()
        if isinstance(key, type) and key not in containers and stock.get(key) is not saver
    ]


def _deepcopy_atoms() -> list[type]:
    atomic = getattr(copy, "_deepcopy_atomic", None)
    table = getattr(copy, "_deepcopy_dispatch", {})
    kept = [key for key, copier in table.items() if copier is atomic]
    kept += list(getattr(copy, "_atomic_types", ()))
    return [key for key in kept if isinstance(key, type)]
