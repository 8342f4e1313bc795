"""The cyclic collector is paused while only the loader's own code runs, and at no other time."""

from __future__ import annotations

import gc
import io
import os
import pickle
import signal
import sys
import sysconfig
import threading
import weakref
from typing import Any

import pytest

import picklist
from picklist import _picklist

RECORDS = pickle.dumps([{"id": i, "tags": [i], "at": (i, [i])} for i in range(20_000)])
PAUSES = not sysconfig.get_config_var("Py_GIL_DISABLED")
KNOWN = _picklist._ways()["generations"]
needs_generations = pytest.mark.skipif(not KNOWN, reason="the generations are not known here")


class Hooked:
    """An instance whose state is set by code of its own."""

    seen: list[bool]

    def __init__(self) -> None:
        self.x = 1

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        type(self).seen.append(gc.isenabled())


@pytest.fixture(autouse=True)
def collecting() -> Any:
    gc.enable()
    yield
    gc.enable()


def test_it_runs_again_after_a_load() -> None:
    picklist.safe_loads(RECORDS)
    assert gc.isenabled()


@pytest.mark.parametrize("end", [b"cos\nsystem\n.", b"\xff", b"", b"]](]s."])
def test_it_runs_again_after_a_refusal(end: bytes) -> None:
    with pytest.raises((pickle.UnpicklingError, EOFError)):
        picklist.safe_loads(RECORDS[:-1] + end)
    assert gc.isenabled()


def test_a_caller_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    picklist.safe_loads(RECORDS)
    assert not gc.isenabled()


def runs_of(data: bytes) -> tuple[Any, list[int], list[int]]:
    """Load; return the value, the generations collected meanwhile, and those up to the end."""
    runs: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            runs.append(info["generation"])

    gc.collect()
    gc.callbacks.append(note)
    try:
        value = picklist.safe_loads(data)
        during = runs.copy()
        made = [[] for _ in range(2_000)]
    finally:
        gc.callbacks.remove(note)
    assert len(made) == 2_000
    return value, during, runs


@pytest.mark.skipif(not PAUSES, reason="a free-threaded build shares its collector")
def test_it_does_not_run_in_the_middle_of_plain_data() -> None:
    data = pickle.dumps([{"id": i, "tags": [i], "at": (i, [i])} for i in range(8_000)])
    assert len(data) < 1 << 18
    value, during, runs = runs_of(data)
    # From 3.12 on the interpreter's loop collects as soon as the load has returned.
    assert not during or (sys.version_info >= (3, 12) and len(during) <= 2)
    assert runs, "what was put off was not done afterwards"
    assert len(value) == 8_000


@pytest.mark.skipif(not PAUSES, reason="a free-threaded build shares its collector")
def test_it_ages_the_beginning_of_a_long_stream_and_no_more() -> None:
    value, during, runs = runs_of(RECORDS)
    assert during[0] == 0
    assert len(during) == 1 or (sys.version_info >= (3, 12) and len(during) <= 3)
    assert len(runs) > len(during), "what was put off was not done afterwards"
    assert len(value) == 20_000
    # The list is no longer young, so that the next young collection need not visit its items.
    numbers, during, _ = runs_of(pickle.dumps(list(range(200_000))))
    assert during == [0]
    assert not any(each is numbers for each in gc.get_objects(generation=0))


def test_a_long_stream_does_not_collect_for_a_caller_who_has_switched_it_off() -> None:
    gc.disable()
    _, during, _ = runs_of(RECORDS)
    assert during == []
    assert not gc.isenabled()


def test_code_of_an_allowed_class_finds_it_running() -> None:
    Hooked.seen = []
    data = pickle.dumps([*({"id": i} for i in range(2_000)), Hooked()])
    picklist.safe_loads(data, allow=[Hooked])
    picklist.safe_loads(data, allow=[Hooked])
    assert Hooked.seen == [True, True]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_a_signal_handler_finds_it_running() -> None:
    seen: list[bool] = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(gc.isenabled()))
    data = pickle.dumps([[i] for i in range(1_500_000)])
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        value = picklist.safe_loads(data)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(value) == 1_500_000
    assert seen == [True]
    assert gc.isenabled()


class Held:
    """Something that can be watched."""


def generation_of(value: Any) -> int | None:
    """Where the collector holds a value."""
    for generation in range(3):
        if any(each is value for each in gc.get_objects(generation=generation)):
            return generation
    return None


def test_generations_are_known_up_to_3_13() -> None:
    accounted = not PAUSES or hasattr(sys, "gettotalrefcount") or "PICKLIST_SLOW" in os.environ
    assert (sys.version_info < (3, 14) and not accounted) == KNOWN


@needs_generations
def test_what_a_long_load_made_is_where_a_young_collection_leaves_it() -> None:
    gc.collect()
    mine = [Held()]
    value = picklist.safe_loads(RECORDS)
    made = [[] for _ in range(5)]
    assert {generation_of(each) for each in (value, value[0], value[-1], value[77]["at"])} == {1}
    # What was young before has been looked at; what came after is young.
    assert generation_of(mine) == 1
    assert [generation_of(each) for each in made] == [0] * 5
    young, middle, _ = gc.get_count()
    assert young < 200
    assert middle == 1
    assert value == pickle.loads(RECORDS)


@needs_generations
def test_the_collector_finds_what_was_moved() -> None:
    ring: list[Any] = [[f"{i}" * 3] for i in range(60_000)]
    ring.append(ring)
    data = pickle.dumps(ring)
    del ring
    gc.collect()
    value = picklist.safe_loads(data)
    del value
    # Young collections do not see it, the next one does.
    assert gc.collect(0) < 100
    assert gc.collect(1) > 60_000
    assert gc.collect() < 100


@needs_generations
def test_what_was_garbage_before_is_not_carried_along() -> None:
    gc.collect()
    cycle = Held()
    cycle.itself = cycle  # type: ignore[attr-defined]
    gone = weakref.ref(cycle)
    del cycle
    picklist.safe_loads(RECORDS)
    assert gone() is None


@needs_generations
def test_nothing_is_moved_for_a_caller_who_has_switched_it_off() -> None:
    gc.collect()
    gc.disable()
    value = picklist.safe_loads(RECORDS)
    assert generation_of(value[0]) == 0


@needs_generations
def test_instances_are_moved_too() -> None:
    Hooked.seen = []
    data = pickle.dumps([*({"id": i, "tags": [i]} for i in range(20_000)), Hooked()])
    assert len(data) >= 1 << 18
    gc.collect()
    value = picklist.safe_loads(data, allow=[Hooked])
    assert {generation_of(each) for each in (value, value[0]["tags"], value[-1])} == {1}


def test_a_load_out_of_a_finalizer_in_the_middle_of_a_collection() -> None:
    loaded: list[Any] = []

    class Last:
        def __del__(self) -> None:
            loaded.append(picklist.safe_loads(RECORDS))

    for generation in range(3):
        for _ in range(3):
            last = Last()
            last.itself = last  # type: ignore[attr-defined]
            others = [[i] for i in range(50)]
            for each in others:
                each.append(each)
            del last, others, each
        gc.collect(0)
        gc.collect(generation)
    assert len(loaded) == 9
    wanted = pickle.loads(RECORDS)
    assert all(each == wanted for each in loaded)
    gc.collect()
    assert generation_of(loaded[0]) == 2
    del loaded[:], wanted
    assert gc.collect() < 100


def test_threads_load_while_another_collects() -> None:
    stop = threading.Event()

    def collect() -> None:
        while not stop.is_set():
            ring: list[Any] = []
            ring.append(ring)
            gc.collect(1)

    collecting = threading.Thread(target=collect)
    collecting.start()
    try:
        wanted = pickle.loads(RECORDS)
        for _ in range(20):
            assert picklist.safe_loads(RECORDS) == wanted
    finally:
        stop.set()
        collecting.join()
    gc.collect()


class Watched(io.BytesIO):
    """A file that notes what it finds when it is asked."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.seen: set[bool] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.seen.add(gc.isenabled())
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self.seen.add(gc.isenabled())
        return super().readline(size)

    def readinto(self, buffer: Any, /) -> int:
        self.seen.add(gc.isenabled())
        return super().readinto(buffer)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_file_finds_it_running(protocol: int) -> None:
    value = pickle.loads(RECORDS)
    file = Watched(pickle.dumps(value, protocol))
    assert picklist.safe_load(file) == value
    assert file.seen == {True}
    assert gc.isenabled()


@needs_generations
def test_what_a_long_file_made_is_where_a_young_collection_leaves_it() -> None:
    gc.collect()
    value = picklist.safe_load(io.BytesIO(RECORDS))
    assert {generation_of(each) for each in (value, value[0], value[-1], value[77]["at"])} == {1}
    assert gc.get_count()[0] < 200
