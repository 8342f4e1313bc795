"""The cyclic collector is paused while only the loader's own code runs, and at no other time."""

from __future__ import annotations

import gc
import pickle
import signal
import sys
import sysconfig
from typing import Any

import pytest

import picklist

RECORDS = pickle.dumps([{"id": i, "tags": [i], "at": (i, [i])} for i in range(20_000)])
PAUSES = not sysconfig.get_config_var("Py_GIL_DISABLED")


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
