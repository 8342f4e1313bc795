"""No false alarm and no false comfort on what CPython tests its own picklers with."""

from __future__ import annotations

import io
import pickle
import sys
import unittest
from typing import Any

import pytest

import picklist

pickletester = pytest.importorskip("test.pickletester")


class Judging(unittest.TestCase):
    """`dumps` as the suite wants it, with the walk's verdict compared to it."""

    def dumps(self, arg: Any, proto: Any = None, **kwargs: Any) -> bytes:
        if kwargs:  # a buffer_callback is another question
            return pickle.dumps(arg, proto, **kwargs)
        protocol = proto if proto is None or proto >= 0 else pickle.HIGHEST_PROTOCOL
        report = picklist.explain(arg, protocol=protocol, roundtrip=False)
        assert not report.disagreement, report
        try:
            data = pickle.dumps(arg, proto, **kwargs)
        except Exception:
            assert not report.ok, report
            raise
        assert report.ok, report
        return data

    def loads(self, buf: bytes, **kwds: Any) -> Any:
        return pickle.loads(buf, **kwds)


class TestPickle(Judging, pickletester.AbstractPickleTests):  # type: ignore[misc,name-defined]
    """All that AbstractPickleTests dumps."""

    optimized = True
    pickler = pickle.Pickler
    unpickler = pickle.Unpickler
    # Objects that count how often they are reduced.
    test_reduce_calls_base = None
    test_reduce_ex_called = None
    # Objects that clear what holds them at random while they are reduced.
    test_evil_class_mutating_dict = None


if hasattr(pickletester, "AbstractPicklingErrorTests"):

    class TestErrors(
        Judging,
        pickletester.AbstractPicklingErrorTests,  # type: ignore[misc,name-defined]
    ):
        """All that AbstractPicklingErrorTests expects to fail."""

        py_version = sys.version_info
        pickler = pickle.Pickler
        # Its reduce value holds an iterator, which the first of two dumps uses up.
        test_bad_object_dict_items = None


def loader_samples() -> list[Any]:
    """Every value that the loader's corpus was made from, once."""
    import corpus

    made = []
    for expression in dict.fromkeys(sample.expr for sample in corpus.SAMPLES):
        sample = next(sample for sample in corpus.SAMPLES if sample.expr == expression)
        made.append(pytest.param(sample, id=sample.name.replace(" ", "_")))
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("sample", loader_samples())
def test_no_false_alarm_on_what_the_loader_is_tested_with(sample: Any) -> None:
    value = sample.expected()
    report = picklist.explain(value)
    assert not report.disagreement
    try:
        pickle.loads(pickle.dumps(value))
        pickles = True
    except Exception:
        pickles = False
    assert report.ok == pickles, report


class Naming(pickle.Pickler):
    """Strings that start with `keep` go by a persistent id."""

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, str) and obj.startswith("keep"):
            return obj
        return None


def test_persistent_ids_stand_for_the_object() -> None:
    assert picklist.is_picklable(["keep"], target=Naming, roundtrip=False)
    report = picklist.explain(["other", open], target=Naming, roundtrip=False)
    assert report.ok


class Overriding(pickle.Pickler):
    """Lambdas become the name of a function."""

    def reducer_override(self, obj: Any) -> Any:
        if getattr(obj, "__name__", None) == "<lambda>":
            return getattr, (io, "StringIO")
        return NotImplemented


def test_reducer_override_is_asked() -> None:
    report = picklist.explain([lambda: 1], target=Overriding, roundtrip=False)
    assert [reason.code for reason in report.errors] == ["PKL150"]
    assert eval(report.reasons[0].inner or "io", {"obj": [1], "io": io}) is io
