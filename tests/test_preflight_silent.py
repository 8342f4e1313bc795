"""What comes back, but different; and load-stage reasons inside of larger objects."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import multiprocessing
import tempfile
import threading
from typing import Any

import pytest

import picklist
from preflight_kinds import needs


class Missing:
    """A sentinel's class."""


MISSING = Missing()


class Named:
    def __reduce__(self) -> str:
        return "NAMED"


NAMED = Named()


class Forgetful:
    def __init__(self) -> None:
        self.kept = 1
        self.lost = 2

    def __getstate__(self) -> Any:
        return {"kept": self.kept}


class Settings:
    debug = False
    level: int = 3

    def __init__(self) -> None:
        self.x = 1


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class SlottedError(Exception):
    __slots__ = ("detail",)


def warnings(value: object) -> list[str]:
    report = picklist.explain(value)
    assert report.ok, report
    return [reason.code for reason in report.warnings]


def raised() -> BaseException:
    try:
        try:
            raise ValueError("inner")
        except ValueError as inner:
            raise KeyError("outer") from inner
    except KeyError as error:
        return error


def test_exceptions_lose_their_traceback_and_cause() -> None:
    report = picklist.explain({"error": raised()})
    reason = report.warnings[0]
    assert reason.code == "PKL310"
    assert "__traceback__" in reason.summary
    assert "__cause__" in reason.summary
    assert reason.path == "obj['error']"
    assert warnings(ValueError("never raised")) == []
    error = SlottedError()
    error.detail = 1
    assert warnings(error) == ["PKL310"]


def test_sentinels_lose_their_identity() -> None:
    assert warnings([object()]) == ["PKL311"]
    report = picklist.explain({"default": MISSING})
    assert [reason.code for reason in report.warnings] == ["PKL311"]
    assert "MISSING" in report.warnings[0].summary
    assert warnings(NAMED) == []
    assert warnings(Missing()) == []


def test_loggers_leave_their_level_behind() -> None:
    logger = logging.getLogger("preflight.silent")
    assert warnings([logger]) == []
    logger.setLevel(logging.DEBUG)
    assert warnings([logger]) == ["PKL312"]


def test_asyncio_locks_leave_their_waiters_behind() -> None:
    assert warnings([asyncio.Lock()]) == ["PKL312"]


def test_dropped_attributes() -> None:
    report = picklist.explain([Forgetful()])
    reason = report.warnings[0]
    assert reason.code == "PKL313"
    assert "lost" in reason.summary
    assert "kept" not in reason.summary.partition("without")[2]
    assert "self.lost = 2" in reason.fixes[0].code


def test_changed_class_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert warnings([Settings()]) == []
    monkeypatch.setattr(Settings, "debug", True)
    report = picklist.explain([Settings()])
    assert [reason.code for reason in report.warnings] == ["PKL314"]
    assert "debug = True, in the source False" in report.warnings[0].summary


def test_views_of_one_array_come_apart() -> None:
    numpy = needs("numpy")
    base = numpy.arange(10)
    report = picklist.explain([base, base[2:4]])
    assert [reason.code for reason in report.warnings] == ["PKL315"]
    assert eval(report.warnings[0].path, {"obj": [base, base[2:4]]}) is not None
    assert warnings([base, base.copy()]) == []


def test_a_pipe_end_is_not_loaded() -> None:
    left, right = multiprocessing.Pipe()
    with left, right:
        report = picklist.explain([left])
        left.send("still open")
        assert right.recv() == "still open"
    assert [reason.code for reason in report.warnings] == ["PKL312"]


def test_every_load_reason_is_found_at_once_and_besides_dump_reasons() -> None:
    obj = {"a": ApiError(1, "x"), "b": [ApiError(2, "y")], "c": threading.Lock()}
    report = picklist.explain(obj)
    found = {(reason.code, reason.path) for reason in report.errors}
    assert found == {
        ("PKL210", "obj['a']"),
        ("PKL210", "obj['b'][0]"),
        ("PKL120", "obj['c']"),
    }


def test_no_round_trip_no_load_reasons() -> None:
    assert picklist.is_picklable(ApiError(1, "x"), roundtrip=False)
    assert not picklist.is_picklable(ApiError(1, "x"))


@dataclasses.dataclass
class Kept:
    x: int
    error: Any = None


def test_nothing_is_said_about_plain_data() -> None:
    values = [1, "a", [Kept(1), Kept(2, ValueError("x"))], {"a": {1, 2}}]
    assert warnings(values) == []


def test_a_temporary_directory() -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert picklist.is_picklable({"folder": folder})
