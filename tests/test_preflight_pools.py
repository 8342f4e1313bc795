"""Explanations where pickling fails out of sight: real pools, executors and queues."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import pickle
import threading
from typing import Any

import pytest

import picklist
from preflight_kinds import needs


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def identity(value: Any) -> Any:
    return value


def failing(_: Any) -> Any:
    raise ApiError(404, "not found")


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", ()))


def test_process_pool_executor() -> None:
    context = multiprocessing.get_context("spawn")
    with (
        concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor,
        pytest.raises(Exception, match="pickle") as caught,
        picklist.explain_errors(),
    ):
        executor.submit(identity, {"hook": lambda: 1}).result(60)
    assert "PKL110" in notes(caught.value)


def test_pool() -> None:
    context = multiprocessing.get_context("spawn")
    with (
        context.Pool(1) as pool,
        pytest.raises(Exception, match="pickle") as caught,
        picklist.explain_errors(),
    ):
        pool.apply(identity, ({"lock": threading.Lock()},))
    assert "PKL120" in notes(caught.value)


def test_process_arguments() -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=identity, args=(threading.Lock(),))
    with pytest.raises(TypeError) as caught, picklist.explain_errors():
        process.start()
    assert "PKL120" in notes(caught.value)


def test_an_exception_that_does_not_come_back_breaks_the_pool() -> None:
    context = multiprocessing.get_context("spawn")
    with (
        concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor,
        pytest.raises(concurrent.futures.process.BrokenProcessPool) as caught,
        picklist.explain_errors(),
    ):
        executor.submit(failing, 1).result(60)
    assert "PKL210" in notes(caught.value)


def test_plain_pickle() -> None:
    value = {"a": lambda: 1}
    with pytest.raises(Exception, match="pickle") as caught, picklist.explain_errors():
        pickle.dumps(value)
    assert "PKL110" in notes(caught.value)


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(KeyError) as caught, picklist.explain_errors():
        raise KeyError("x")
    assert notes(caught.value) == ""


def test_guarded_queue() -> None:
    queue = picklist.guard_queue(multiprocessing.get_context("spawn").Queue())
    try:
        with pytest.raises(picklist.NotPicklableError) as caught:
            queue.put({"lock": threading.Lock()})
        assert "item['lock']" in str(caught.value)
        with pytest.raises(picklist.NotPicklableError):
            queue.put_nowait(lambda: 1)
        queue.put([1])
        assert queue.get(timeout=60) == [1]
    finally:
        queue.close()
        queue.join_thread()


def test_joblib() -> None:
    joblib = needs("joblib")
    with pytest.raises(Exception, match="pickle") as caught, picklist.explain_errors():
        joblib.Parallel(n_jobs=2)(joblib.delayed(identity)(threading.Lock()) for _ in range(2))
    assert "PKL120" in notes(caught.value)
