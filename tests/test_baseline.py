"""Instruction counts against the baseline in ``benches/baseline``: no quiet machine is needed.

The counts hold for one interpreter, build profile, architecture and toolchain.  Anywhere else the
comparison skips and says why.  In CI, on the interpreter that has the baseline, a skip for want of
valgrind or of a release build fails; one for another compiler or processor does not.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import counts
from callgrind import INSTALL, self_costs, total_of, valgrind_version
from counts import BASELINE, Baseline, Count

REFERENCE = (3, 11)

KNOWN = Baseline(
    {"python": "3.11.7", "rustc": "1.95.0"},
    {"tiny, protocol 5": Count(1_000, 2_000), "ints 1M, protocol 5": Count(50_000, 60_000)},
)


def not_counted(reason: str, version: tuple[int, int] = sys.version_info[:2]) -> NoReturn:
    """Skip; in CI, on the interpreter that has a baseline, fail."""
    reason = f"{reason} (renew the baseline: make baseline)"
    if os.environ.get("CI") and version == REFERENCE:
        pytest.fail(reason)
    pytest.skip(reason)


def elsewhere(reason: str) -> NoReturn:
    """Skip: what was counted on another machine says nothing about this one."""
    pytest.skip(f"{reason} (renew the baseline: make baseline)")


@pytest.fixture(scope="module")
def kept() -> Baseline:
    """The baseline of this very toolchain."""
    if valgrind_version() is None:
        not_counted(INSTALL)
    if counts.profile() != "release":
        not_counted("counts are kept for release builds, and this is another profile")
    path = counts.baseline_path()
    if not path.exists():
        not_counted(f"there is no {path.name}")
    baseline = Baseline.read(path)
    other = baseline.differs(counts.toolchain())
    if other is not None:
        elsewhere(other)
    return baseline


@pytest.fixture(scope="module")
def measured(kept: Baseline) -> dict[str, Count]:
    """What the rows count now."""
    found = counts.counts(BASELINE)
    drift = kept.drift(found)
    if drift is not None:
        elsewhere(drift)
    return found


def test_no_row_is_off_by_more_than_three_percent(kept: Baseline, measured: dict[str, Count]):
    lines = kept.deviations(measured)
    assert not lines, "\n".join([*lines, "if that is meant: make baseline"])


def test_a_real_count_edited_by_four_percent_is_found(kept: Baseline, measured: dict[str, Count]):
    for title, count in kept.rows.items():
        for factor in (0.96, 1.04):
            edited = Count(round(measured[title].picklist * factor), count.pickle)
            lines = Baseline(kept.toolchain, kept.rows | {title: edited}).deviations(measured)
            assert any(line.startswith(title) for line in lines), (title, factor)


def test_the_baseline_has_the_rows_that_are_counted(kept: Baseline):
    assert list(kept.rows) == [row.title for row in BASELINE]
    assert len(BASELINE) == 10


@pytest.mark.parametrize(("now", "word"), [(1_031, "more"), (969, "fewer")])
def test_deviations_in_both_directions_are_found(now: int, word: str):
    measured = KNOWN.rows | {"tiny, protocol 5": Count(now, 2_000)}
    (line,) = KNOWN.deviations(measured)
    assert line.startswith("tiny, protocol 5: ")
    assert word in line


@pytest.mark.parametrize("now", [970, 1_000, 1_030])
def test_deviations_within_the_tolerance_pass(now: int):
    assert KNOWN.deviations(KNOWN.rows | {"tiny, protocol 5": Count(now, 2_000)}) == []


def test_a_row_that_is_missing_on_either_side_is_found():
    (line,) = KNOWN.deviations({"tiny, protocol 5": Count(1_000, 2_000)})
    assert line == "ints 1M, protocol 5: only in the baseline"
    (line,) = KNOWN.deviations(KNOWN.rows | {"new, protocol 5": Count(1, 1)})
    assert line == "new, protocol 5: only in the run"


def test_another_toolchain_is_named():
    assert KNOWN.differs({"python": "3.11.7", "rustc": "1.95.0"}) is None
    other = KNOWN.differs({"python": "3.11.7", "rustc": "1.96.0"})
    assert other is not None
    assert "rustc 1.95.0, here 1.96.0" in other


def test_a_machine_on_which_pickle_itself_counts_otherwise_is_named():
    assert KNOWN.drift(KNOWN.rows) is None
    drift = KNOWN.drift(KNOWN.rows | {"tiny, protocol 5": Count(1_000, 2_100)})
    assert drift is not None
    assert "tiny, protocol 5: +5.0%" in drift


def test_baselines_survive_their_file(tmp_path: Path):
    KNOWN.write(tmp_path / "kept.json")
    assert Baseline.read(tmp_path / "kept.json") == KNOWN


def test_a_skip_on_the_reference_interpreter_fails_in_ci(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match=r"no valgrind .*make baseline"):
        not_counted("no valgrind", REFERENCE)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match=r"no valgrind .*make baseline"):
        not_counted("no valgrind", REFERENCE)


def test_a_skip_elsewhere_is_a_skip_in_ci_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.skip.Exception):
        not_counted("another profile", (3, 13))


def test_costs_are_read_from_a_dump_without_those_of_callees(tmp_path: Path):
    dump = tmp_path / "out.2"
    dump.write_text(
        "events: Ir\nsummary: 60\n\nob=/lib/a.so\nfl=a.c\nfn=outer\n10 20\n+1 5\n"
        "cob=/lib/b.so\ncfn=inner\ncalls=3 7\n12 30\n13 5\n\nob=/lib/b.so\nfn=inner\n7 30\n"
        "totals: 60\n"
    )
    assert total_of(dump) == 60
    assert self_costs(dump) == {"outer  [a.so]": 30, "inner  [b.so]": 30}
