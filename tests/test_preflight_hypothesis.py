"""Nested values made by hypothesis: never a false alarm, never a crash."""

from __future__ import annotations

import os
import pickle
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import picklist

# 100,000 in CI, fewer while editing.
EXAMPLES = 100_000 if os.environ.get("CI") == "true" else 3_000
ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.sampled_from([int, len, ValueError, ..., NotImplemented])
)
HASHABLE = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.binary(max_size=8)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.sets(HASHABLE, max_size=4)
        | st.frozensets(HASHABLE, max_size=4)
        | st.builds(lambda value: [value, value], inner)
    ),
    max_leaves=12,
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    database=None,
)
@given(VALUES, st.sampled_from([None, 0, 1, 2, 3, 4, 5]))
def test_plain_values_are_never_blamed(value: Any, protocol: int | None) -> None:
    report = picklist.explain(value, protocol=protocol, roundtrip=False)
    pickle.dumps(value, protocol)
    assert report.ok, report
    assert not report.disagreement


@settings(max_examples=500, deadline=None, database=None)
@given(VALUES, st.integers(min_value=0, max_value=5))
def test_a_lambda_is_found_wherever_it_is(value: Any, protocol: int) -> None:
    culprit = lambda: 1  # noqa: E731
    holder = [value, {"deep": (value, [culprit])}]
    report = picklist.explain(holder, protocol=protocol)
    assert [reason.code for reason in report.errors] == ["PKL110"]
    assert eval(report.reasons[0].path, {"obj": holder}) is culprit
