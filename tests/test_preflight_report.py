"""The faces: exceptions, text, JSON, SARIF, HTML, sizes, dumps."""

from __future__ import annotations

import functools
import html.parser
import io
import json
import pickle
import threading
from typing import Any

import pytest

import picklist
from picklist import NotPicklableError, Report
from preflight_kinds import needs


class Cache:
    def __init__(self) -> None:
        self.ready = threading.Event()


class Loader:
    def __init__(self, size: int) -> None:
        self.transforms = [1, lambda value: value * size]


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class App:
    def __init__(self) -> None:
        self.cache = Cache()
        self.pool = {"cache": self.cache}
        self.loader = Loader(224)
        self.last_error = ApiError(404, "not found")


class Big:
    def __init__(self) -> None:
        self.name = "x"
        self.table = b"x" * 5_000_000

    def run(self) -> None:
        """A method that drags the table along."""


def test_check_raises_a_pickling_error_that_is_the_explanation() -> None:
    with pytest.raises(NotPicklableError) as caught:
        picklist.check_picklable(App())
    text = str(caught.value)
    assert isinstance(caught.value, pickle.PicklingError)
    assert isinstance(caught.value.report, Report)
    assert text.startswith("obj cannot be pickled: 3 errors in ")
    assert "E PKL120 lock" in text
    assert "obj.cache.ready  threading.Event, by its _thread.lock at ._cond._lock" in text
    assert "(also at obj.pool['cache'].ready)" in text
    assert "functools.partial(transforms, size=224)" in text
    assert "E PKL210 exception-init" in text


def test_the_report_of_something_that_pickles() -> None:
    report = picklist.check_picklable({"a": [1, 2]})
    assert report
    assert report.ok
    assert report.errors == []
    assert str(report).startswith("obj can be pickled: no reason against it in 2 objects")


def test_names_begin_with_what_the_caller_says() -> None:
    report = picklist.explain([threading.Lock()], name="config")
    assert report.reasons[0].path == "config[0]"
    assert str(report).startswith("config cannot be pickled: 1 error in 2 objects")


def test_is_picklable() -> None:
    assert picklist.is_picklable([1])
    assert not picklist.is_picklable(lambda: 1)


def test_json_and_dict_agree() -> None:
    report = picklist.explain(App())
    plain = json.loads(report.to_json())
    assert plain == report.to_dict()
    assert {reason["code"] for reason in plain["reasons"]} == {
        "PKL110",
        "PKL120",
        "PKL210",
    }
    assert plain["ok"] is False
    assert all(reason["fixes"] for reason in plain["reasons"])


def test_sarif_has_rules_and_places() -> None:
    report = picklist.explain(App())
    log = report.to_sarif()
    json.dumps(log)
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert log["version"] == "2.1.0"
    assert len(run["results"]) == len(report.reasons)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        assert result["message"]["text"]
    lambdas = [result for result in run["results"] if result["ruleId"] == "PKL110"]
    place = lambdas[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("test_preflight_report.py")
    assert place["region"]["startLine"] > 1


class Strict(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag not in ("script", "img", "link")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_and_escaped() -> None:
    report = picklist.explain({"<script>": lambda: 1})
    page = report._repr_html_()
    assert "<script>" not in page
    parser = Strict()
    parser.feed(page)
    assert parser.open == []


def test_colour_only_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = picklist.explain(App())
    report.show()
    assert "\x1b[" not in capsys.readouterr().out
    assert "\x1b[" not in str(report)
    assert "\x1b[" in report.render(color=True)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.delenv("NO_COLOR", raising=False)
    report.show()
    assert "\x1b[" in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    silent = Terminal()
    monkeypatch.setattr("sys.stdout", silent)
    report.show()
    assert "\x1b[" not in silent.getvalue()


def test_sizes_say_where_the_bytes_are() -> None:
    big = Big()
    report = picklist.explain({"job": big.run})
    assert report.ok
    assert report.size == len(pickle.dumps({"job": big.run}, 5))
    assert report.measured
    path, size = report.largest[0]
    assert path == "obj['job'].__self__.table"
    assert size > 5_000_000
    assert "bound method" in str(report)


def test_a_size_without_a_dump_is_an_estimate() -> None:
    value = [{"name": str(number), "x": number * 1.5} for number in range(1000)]
    report = picklist.explain(value, roundtrip=False)
    real = len(pickle.dumps(value, 5))
    assert not report.measured
    assert real / 2 < report.size < real * 2


def test_buffers_are_counted_and_not_copied() -> None:
    numpy = needs("numpy")
    array = numpy.zeros(10_000_000)
    report = picklist.explain({"a": array})
    assert report.size > array.nbytes
    assert report.largest[0][0] == "obj['a']"


def test_paths_evaluate_to_the_culprit() -> None:
    culprit = lambda: 1  # noqa: E731
    slots = Slots()
    slots.x = culprit
    values: list[Any] = [
        {("a", 1): culprit},
        {1.5: culprit},
        {frozenset(): culprit},
        {culprit: 1},
        {culprit},
        (culprit,),
        functools.partial(print, culprit),
        functools.partial(print, key=culprit),
        slots,
        Odd(culprit),
        Words([culprit]),
        Table(a=culprit),
        Shadow(culprit),
        __import__("collections").defaultdict(culprit),
        __import__("collections").deque([culprit]),
        Stated(culprit),
        ValueError(culprit),
        Mangled(culprit),
    ]
    for value in values:
        report = picklist.explain(value)
        assert len(report.errors) == 1, report
        path = report.errors[0].path
        assert eval(path, {"obj": value}) is culprit, path


class Slots:
    __slots__ = ("x",)


class Odd:
    def __init__(self, value: Any) -> None:
        self.__dict__["not a name"] = value


class Words(list):  # type: ignore[type-arg]
    def __getitem__(self, index: Any) -> Any:
        raise RuntimeError


class Table(dict):  # type: ignore[type-arg]
    def __getitem__(self, index: Any) -> Any:
        raise RuntimeError


class Shadow:
    def __init__(self, value: Any) -> None:
        self.__dict__["value"] = value

    @property
    def value(self) -> Any:
        raise RuntimeError


class Stated:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __getstate__(self) -> Any:
        return {"other": self.value}


class Mangled:
    def __init__(self, value: Any) -> None:
        self.__value = value


def test_dumps_carries_the_explanation() -> None:
    assert pickle.loads(picklist.dumps([1])) == [1]
    with pytest.raises(Exception, match="pickle") as caught:
        picklist.dumps({"a": lambda: 1})
    assert type(caught.value) is not NotPicklableError
    notes = caught.value.__notes__
    assert len(notes) == 1
    assert "PKL110" in notes[0]


def test_dump_carries_the_explanation() -> None:
    file = io.BytesIO()
    picklist.dump([1], file)
    assert pickle.loads(file.getvalue()) == [1]
    with pytest.raises(TypeError) as caught:
        picklist.dump({"a": threading.Lock()}, io.BytesIO())
    assert "PKL120" in caught.value.__notes__[0]


def test_a_wrong_option_says_so() -> None:
    with pytest.raises(ValueError, match="context must be one of"):
        picklist.explain(1, context="thread")
    with pytest.raises(ValueError, match="target must be"):
        picklist.explain(1, target="marshal")
    with pytest.raises(ValueError, match="protocol"):
        picklist.explain(1, protocol=99)


def test_the_error_travels_between_processes() -> None:
    with pytest.raises(NotPicklableError) as caught:
        picklist.check_picklable(App())
    clone = pickle.loads(pickle.dumps(caught.value))
    assert str(clone) == str(caught.value)
    assert str(clone.report) == str(caught.value.report)
    assert all(reason.original is None for reason in clone.report.reasons)


def test_a_failure_of_the_preflight_itself_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("picklist._preflight.check.dump_reasons", broken)
    report = picklist.explain([1])
    assert report.ok
    assert "broken" in report.disagreement
    report = picklist.explain(lambda: 1)
    assert not report.ok
    assert report.reasons[0].type == "function"
