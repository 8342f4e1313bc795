"""The pytest plugin, in real test runs."""

from __future__ import annotations

import sys

import pytest

pytest_plugins = ["pytester"]


def test_nothing_is_imported_until_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_plain():
            assert "picklist._preflight.check" not in sys.modules
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_check_picklable_raises_with_the_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_good(check_picklable):
            assert check_picklable({"a": 1}).ok

        def test_bad(check_picklable):
            check_picklable({"a": lambda: 1})
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*E PKL110 lambda*obj?'a'?*"])


def test_assert_picklable_in_every_protocol(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        class Slots:
            __slots__ = ("x",)

        class Plain:
            pass

        def test_good(assert_picklable):
            value = {"a": [1]}
            clone = assert_picklable(value)
            assert clone == value and clone is not value

        def test_slots_fail_in_protocol_0(assert_picklable):
            assert_picklable(Slots(), equal=False)

        def test_unequal(assert_picklable):
            assert_picklable(Plain())

        def test_unequal_is_fine(assert_picklable):
            assert type(assert_picklable(Plain(), equal=False)) is Plain
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        ["*protocol 0: obj cannot*", "*PKL157*", "*compares unequal to its clone*"]
    )


def test_assert_spawnable_starts_a_child(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        things="""
        class Good:
            pass
        """,
        test_spawn="""
        import sys, types
        import things

        made = types.ModuleType("made_here")
        exec("class Thing: pass", made.__dict__)
        sys.modules["made_here"] = made

        def test_good(assert_spawnable):
            assert_spawnable({"a": [things.Good()]})

        def test_dump(assert_spawnable):
            assert_spawnable(lambda: 1)

        def test_load(assert_spawnable):
            assert_spawnable(made.Thing())
        """,
    )
    result = pytester.runpytest("test_spawn.py")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*PKL110*", "*does not load in a spawned child*made_here*"])


def test_the_marker_checks_parameters(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.picklable(protocols=[4, 5])
        @pytest.mark.parametrize("value", [1, lambda: 1])
        def test_values(value):
            pass
        """
    )
    result = pytester.runpytest("--strict-markers")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*PKL110*"])


def test_explain_adds_a_section(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pickle, threading

        def test_fails():
            value = {"lock": threading.Lock()}
            pickle.dumps(value)
        """
    )
    result = pytester.runpytest("--picklist-explain")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*pickle*", "*PKL120*"])
    plain = pytester.runpytest()
    assert "PKL120" not in plain.stdout.str()


def test_fixtures_that_load_use_the_policy(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\npicklist_allow = things.Thing\npicklist_base = plain\n")
    pytester.makepyfile(
        things="""
        class Thing:
            pass
        """,
        test_policy="""
        import datetime, pickle
        import picklist, pytest
        from things import Thing

        def test_safe_loads(safe_loads, picklist_policy):
            assert isinstance(picklist_policy, picklist.Policy)
            assert type(safe_loads(pickle.dumps(Thing()))) is Thing
            with pytest.raises(picklist.ForbiddenGlobalError):
                safe_loads(pickle.dumps(datetime.date(2024, 1, 2)))

        def test_allowed():
            assert type(pickle.loads(pickle.dumps(Thing()))) is Thing

        def test_forbidden():
            pickle.loads(pickle.dumps(test_allowed))
        """,
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=3)
    result = pytester.runpytest_subprocess("--picklist-guard")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*ForbiddenGlobalError*", "*test_policy.test_allowed*"])


def test_the_entry_point_is_registered() -> None:
    from importlib.metadata import entry_points

    found = entry_points(group="pytest11", name="picklist")
    assert [point.value for point in found] == ["picklist.pytest_plugin"]
    assert "picklist.pytest_plugin" in sys.modules
