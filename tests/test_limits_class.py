"""``Limits`` and ``Verdict`` are values, and a policy's names follow one written rule."""

from __future__ import annotations

import copy
import datetime
import functools
import gc
import inspect
import operator
import os
import pickle
import types
import weakref
from pathlib import Path
from typing import Any

import pytest

import picklist
import picklist_samples as samples
from picklist import Allow, Limits, Policy

DEFAULTS = {
    "max_depth": 10_000,
    "max_hash_depth": 500,
    "max_memory": None,
    "max_hash_work": None,
    "max_key_collisions": 256,
    "max_int_digits": 4300,
    "max_int_bytes": 16 << 20,
    "max_bytes": None,
    "max_expanded": None,
}
FIELDS = [pytest.param(name, id=name) for name in DEFAULTS]


class TestLimits:
    """Whole numbers or None, by keyword."""

    def test_the_signature_states_the_defaults(self) -> None:
        parameters = inspect.signature(Limits).parameters
        assert {name: parameter.default for name, parameter in parameters.items()} == DEFAULTS
        assert {name: getattr(Limits(), name) for name in DEFAULTS} == DEFAULTS
        assert {parameter.kind for parameter in parameters.values()} == {
            inspect.Parameter.KEYWORD_ONLY
        }

    @pytest.mark.parametrize("name", FIELDS)
    @pytest.mark.parametrize("value", [0, 1, 2**31, None])
    def test_what_is_given_is_read_back(self, name: str, value: int | None) -> None:
        limits = Limits(**{name: value})
        assert getattr(limits, name) == value
        assert limits == Limits(**{name: value})
        assert hash(limits) == hash(Limits(**{name: value}))
        assert (limits == Limits()) == (value == DEFAULTS[name])
        assert eval(repr(limits)) == limits

    @pytest.mark.parametrize("name", FIELDS)
    @pytest.mark.parametrize("value", [-1, True, 1.0, "1", 2**64, [1]], ids=repr)
    def test_anything_else_is_refused_by_name(self, name: str, value: Any) -> None:
        with pytest.raises(ValueError, match=name):
            Limits(**{name: value})

    def test_unknown_names_and_positions_are_refused(self) -> None:
        with pytest.raises(TypeError, match="max_depht"):
            Limits(max_depht=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            Limits(1)  # type: ignore[misc]

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    @pytest.mark.parametrize("limits", [Limits(), Limits(max_depth=None), Limits.unlimited()])
    def test_they_pickle_and_copy(self, limits: Limits, protocol: int) -> None:
        assert pickle.loads(pickle.dumps(limits, protocol)) == limits
        assert copy.copy(limits) == copy.deepcopy(limits) == limits

    def test_unlimited_has_no_bound(self) -> None:
        limits = Limits.unlimited()
        assert limits.max_depth is limits.max_bytes is limits.max_int_digits is None
        assert repr(limits) == "Limits.unlimited()"

    def test_nothing_can_be_set(self) -> None:
        with pytest.raises(AttributeError):
            Limits().max_depth = 3  # type: ignore[misc]


class TestNames:
    """A colon is exact; without one the last dot splits; objects are named by themselves."""

    def test_nested_classes_take_a_colon(self) -> None:
        policy = Policy(["picklist_samples:Outer.Inner"])
        assert policy == Policy([samples.Outer.Inner])
        assert policy.check("picklist_samples", "Outer.Inner")
        assert not policy.check("picklist_samples", "Outer")
        assert not policy.check("picklist_samples.Outer", "Inner")
        assert "picklist_samples:Outer.Inner" in policy.explain("picklist_samples.Outer.Inner")

    @pytest.mark.parametrize(
        "path", ["Plain", "a:", ":a", "a:b:c", "a..b", "a.b c", "a.1b", "a.b?"]
    )
    def test_what_is_no_name_is_refused(self, path: str) -> None:
        with pytest.raises(picklist.PolicyError):
            Policy([path])

    @pytest.mark.parametrize("alias", [os.system, operator.attrgetter, functools.partial])
    def test_gadgets_are_known_by_their_own_names(self, alias: Any) -> None:
        with pytest.raises(picklist.PolicyError, match="dangerously"):
            Policy([alias])
        assert alias in Policy([Allow.dangerously(alias, call="()")])

    @pytest.mark.parametrize("hidden", [types.FunctionType, types.CodeType, type(None)])
    def test_types_that_no_pickle_can_name_are_refused(self, hidden: type) -> None:
        for make in (Allow, Allow.dangerously, lambda hidden: Policy([hidden])):
            with pytest.raises(picklist.PolicyError):
                make(hidden)

    @pytest.mark.parametrize(
        "thing", [list[int], [].append, functools.partial(samples.Plain), samples.Plain(), 5, None]
    )
    def test_what_has_no_name_of_its_own_is_refused(self, thing: Any) -> None:
        with pytest.raises(TypeError, match="allow="):
            Policy([thing])

    def test_methods_of_classes_have_a_name(self) -> None:
        assert datetime.datetime.now in Policy([datetime.datetime.now])

    def test_a_local_class_is_known_by_the_object(self) -> None:
        def make() -> type:
            class Local:
                pass

            return Local

        one, other = make(), make()
        policy = Policy([one])
        assert one in policy
        assert other not in policy
        assert policy == Policy([one])
        assert policy != Policy([other])
        for refused in (pickle.dumps, Policy.to_toml, lambda policy: policy.extend(other)):
            with pytest.raises(picklist.PolicyError, match="Local"):
                refused(policy)

    def test_a_class_with_a_native_types_name_is_no_such_type(self) -> None:
        impostor = type("date", (), {"__module__": "datetime"})
        with pytest.raises(picklist.PolicyError, match="natively"):
            Policy([impostor])


class TestDocuments:
    """What is wrong with a document is said with its line."""

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ('base = ["std"\n\n[[entry]\n', 3),
            ('# comment\nbase = ["nowhere"]\n', 2),
            ('allow = [\n  "app.Fine",\n  "os.system",\n]\n', 3),
            ('[[entry]]\nmodule = "a"\nname = "X"\n\n[[entry]]\nmodule = "os"\nname = "wait"\n', 5),
            ('\n[[entry]]\nmodule = "app"\nname = "X"\nnew = "(int"\n', 2),
            ('[[entry]]\nmodule = "app"\nname = "X"\nsurprise = 1\n', 4),
            ('\n\n[rename]\n"a:b" = "c"\n', 3),
        ],
    )
    def test_in_a_file(self, text: str, line: int, tmp_path: Path) -> None:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        with pytest.raises(picklist.PolicyError) as caught:
            Policy.from_file(path)
        assert str(caught.value).startswith(f"{path}:{line}: ")

    def test_in_a_pyproject(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "pyproject.toml"
        below = tmp_path / "package"
        below.mkdir()
        monkeypatch.chdir(below)
        path.write_text(
            '[project]\nname = "app"\n\n[tool.picklist]\nbase = ["std", "enums"]\n'
            'allow = ["picklist_samples.Plain"]\n\n[[tool.picklist.entry]]\n'
            'module = "app"\nname = "X"\nnew = "(int)"\n\n[tool.other]\nx = 1\n'
        )
        expected = Policy([samples.Plain, Allow("app.X", new="(int)")], base=["std", "enums"])
        for given in (None, path, tmp_path, str(path)):
            assert Policy.from_pyproject(given) == expected
        path.write_text(
            '[tool.picklist]\n\n[[tool.picklist.entry]]\nmodule = "os"\nname = "popen"\n'
        )
        with pytest.raises(picklist.PolicyError, match=r"pyproject.toml:3: os.popen"):
            Policy.from_pyproject(path)
        path.write_text('[project]\nname = "app"\n')
        for refused in (path, below):
            with pytest.raises((picklist.PolicyError, FileNotFoundError)):
                Policy.from_pyproject(refused)


class TestObjects:
    """Allow entries and verdicts as values; policies and the garbage collector."""

    @pytest.mark.parametrize(
        "allow",
        [
            Allow("app.X"),
            Allow("app:X.Y", call=True, append=True, items=True, add=True),
            Allow(samples.Plain, new="()", state=["x"]),
            Allow("app.X", state={"except": ["x"]}),
            Allow("app.X", state="setstate"),
            Allow.dangerously("os.getenv", call="(str)"),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_allow_pickles_and_prints_itself(self, allow: Allow, protocol: int) -> None:
        assert pickle.loads(pickle.dumps(allow, protocol)) == allow
        assert eval(repr(allow)) == allow
        assert Policy.unrestricted() != Policy([allow]) == Policy([allow])

    def test_fields_are_names(self) -> None:
        assert Allow("app.X", fields=("a", "b")) == Allow("app.X", state=["b", "a"])
        for wrong in ({"a": int}, "a", [1]):
            with pytest.raises(TypeError, match="fields"):
                Allow("app.X", fields=wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="different things"):
            Allow("app.X", state="setstate", fields=["a"])

    def test_verdicts_are_values(self) -> None:
        verdict = Policy().check("pathlib._local", "PurePosixPath")
        assert (verdict.module, verdict.name) == ("pathlib", "PurePosixPath")
        assert verdict == Policy().check("pathlib", "PurePosixPath")
        assert hash(verdict) == hash(Policy().check("pathlib", "PurePosixPath"))

    @pytest.mark.parametrize("use", [lambda _: None, lambda policy: policy.Unpickler])
    def test_cycles_through_a_policy_are_collected(self, use: Any) -> None:
        def cycle() -> list[weakref.ref[Any]]:
            class Local:
                policy: Policy

            policy = Local.policy = Policy([Local])
            use(policy)
            return [weakref.ref(policy), weakref.ref(Local)]

        references = cycle()
        gc.collect()
        assert [reference() for reference in references] == [None, None]

    def test_the_unpickler_is_one_class(self) -> None:
        policy = Policy([samples.Plain])
        assert policy.Unpickler is policy.Unpickler is not Policy([samples.Plain]).Unpickler
        assert issubclass(policy.Unpickler, picklist.Unpickler)
        assert policy.PickleError is pickle.PickleError
        assert not hasattr(policy, "nothing_of_the_kind")
