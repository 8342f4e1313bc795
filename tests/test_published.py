"""Real files that nobody here wrote: every one is read without error, and every name is found.

They come from packages on the package index: pandas, numpy, joblib, scikit-learn models, PyTorch
weights, gensim, networkx and others, written between Python 2.6 and 3.14.  Protocol 1 is in none of
them; ``test_corpus.py`` has it, as Python 2.7 wrote it.
"""

from __future__ import annotations

import io
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import picklist
from corpus import SAMPLES, Sample
from oracle import pickles_of
from picklist._findings import Finding
from picklist._inspection import Inspection
from picklist._judging import readings
from picklist._scanning import FileReport, scan_stream
from picklist.containers import Stream, streams
from preflight_kinds.table import needs
from published import PUBLISHED, Published, opened

Names = set[tuple[str, str]]


def streams_of(file: io.BytesIO, name: str) -> list[Stream]:
    """Return the streams of a file; a finding among them is an error."""
    found = list(streams(file, name))
    assert not [one for one in found if isinstance(one, Finding)]
    return found


def spelled(report: Inspection) -> Names:
    """Return the names of one pickle as it spells them."""
    return {used.spelled or (used.module, used.name) for used in report.globals}


def test_there_are_enough() -> None:
    """Sixty files of twelve packages, by the least."""
    assert len(PUBLISHED) >= 60
    assert len({row.package for row in PUBLISHED}) >= 12


@pytest.mark.parametrize("row", PUBLISHED, ids=str)
def test_names_are_all_of_them(row: Published) -> None:
    """Every name that `pickletools` finds, or joblib's own reader asks for, and no other."""
    found = streams_of(opened(row), row.member)
    assert found
    for stream in found:
        report, others = readings(stream, row.member)
        mine = [report, *report.pickles]
        if others:
            assert set().union(*map(spelled, mine)) == by_joblib(stream.data)
            assert report.fault is None
            assert report.trailing == 0
            continue
        expected = list(pickles_of(stream.data))
        assert [spelled(one) for one in mine[: len(expected)]] == [names for _, names in expected]
        assert [one.fault for one in mine[: len(expected)]] == [None] * len(expected)
        end = expected[-1][0]
        # Behind PyTorch's pickles lie the storages; behind all others there is nothing.
        assert end == len(stream.data) or stream.kind == "torch-legacy"


@pytest.mark.parametrize("row", PUBLISHED, ids=str)
def test_scans_find_nothing_wrong(row: Published) -> None:
    """Names outside the policy are found, and nothing else: no damage, no doubt."""
    report = FileReport(row.member)
    scan_stream(opened(row), report)
    assert report.failed == ""
    assert report.pickles >= 1
    rules = {finding.rule for finding in report.findings}
    assert rules <= {"forbidden-global", "dangerous-global", "forbidden-call"}
    dangerous = {one.name for one in report.findings if one.rule == "dangerous-global"}
    assert dangerous <= READERS


# Harmless here and dangerous all the same: joblib up to 0.9 had them read the files that they name.
READERS = {"joblib.numpy_pickle.NDArrayWrapper", "joblib.numpy_pickle.ZNDArrayWrapper"}


def test_protocols_are_all_there() -> None:
    """All but 1, which no package was found to ship."""
    protocols = set()
    for row in PUBLISHED:
        for stream in streams_of(opened(row), row.member):
            protocols.add(picklist.inspect(stream.data, encoding="latin1").protocol)
    assert protocols == {0, 2, 3, 4, 5}


def by_joblib(data: bytes) -> Names:
    """Return the names that joblib's own reader asks for, with arrays between the opcodes.

    What dtypes and arrays are made of is the real thing; all else are stand-ins, which take
    whatever they are given.
    """
    needs("joblib")
    needs("numpy")
    from joblib import numpy_pickle

    found: Names = set()

    class StandIn:
        def __init__(self, *args: Any) -> None: ...
        def __setstate__(self, state: Any) -> None: ...

    class Recording(numpy_pickle.NumpyUnpickler):  # type: ignore[misc, name-defined]
        def find_class(self, module: str, name: str) -> Any:
            found.add((module, name))
            if name == "NumpyArrayWrapper":  # scikit-learn had a copy of joblib
                return numpy_pickle.NumpyArrayWrapper
            if module.partition(".")[0] == "numpy" or (module, name) == ("_codecs", "encode"):
                return super().find_class(module, name)
            return StandIn

    reader = Recording("", io.BytesIO(data), ensure_native_byte_order=False)
    reader.encoding = "latin1"  # joblib gives up on Python 2 strings that are not ASCII
    reader.load()
    return found


# `pickletools` cannot read STRING with bytes that are not ASCII, as Python 2 writes them.
READABLE = [one for one in SAMPLES if one.protocol > 0 or b"\\x" not in one.data]


@pytest.mark.parametrize("sample", READABLE, ids=str)
def test_the_oracle_on_what_every_interpreter_writes(sample: Sample) -> None:
    """Each protocol, STACK_GLOBAL through the memo included: oracle and inspector agree."""
    [(end, names)] = pickles_of(sample.data)
    found = picklist.inspect(sample.data, encoding="latin1")
    assert spelled(found) == names
    assert found.size == end


STANDARD_LIBRARY = sorted(Path(sysconfig.get_path("stdlib")).glob("lib2to3/*.pickle"))


@pytest.mark.skipif(not STANDARD_LIBRARY, reason="lib2to3 was removed in Python 3.13")
def test_the_grammars_of_the_standard_library() -> None:
    for path in STANDARD_LIBRARY:
        data = path.read_bytes()
        found = picklist.inspect(path)
        [(end, names)] = pickles_of(data)
        assert spelled(found) == names
        assert (found.size, found.fault) == (end, None)
        assert found.allowed
