"""A policy is a value: immutable, hashable, combined with ``|``, written to TOML and read back."""

from __future__ import annotations

import copy
import datetime
import io
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import picklist
import picklist_samples as samples
import picklist_samples_typed as typed
from assembler import EMPTY_TUPLE, NEWOBJ, PROTO, asm
from payloads import call, mention
from picklist import Allow, Limits, Policy

POLICIES: dict[str, Any] = {
    "default": lambda: Policy(),
    "plain": lambda: Policy(base="plain"),
    "several bases": lambda: Policy(base=["std", "enums", "exceptions", "paths", "zoneinfo"]),
    "classes": lambda: Policy([samples.Plain, typed.Data, samples.rebuild]),
    "names": lambda: Policy(["picklist_samples.Plain", "app.models.User"]),
    "nested": lambda: Policy([samples.Outer.Inner]),
    "allow": lambda: Policy([Allow("app.Point", new="(int, int)", state=["x", "y"])]),
    "rights": lambda: Policy([Allow("app.Bag", new="()", append=True, items=True)]),
    "rename": lambda: Policy(["app.New"], rename={("app.old", "Old"): ("app", "New")}),
    "ext": lambda: Policy(["app.New"], ext={240: ("app", "New")}),
    "limits": lambda: Policy(limits=Limits(max_depth=100)),
}
EVERY = [pytest.param(make, id=name) for name, make in POLICIES.items()]


class TestValue:
    """Equality, hashing, immutability, copies."""

    @pytest.mark.parametrize("make", EVERY)
    def test_equal_policies_are_equal(self, make: Any) -> None:
        assert make() == make()
        assert hash(make()) == hash(make())
        assert len({make(), make()}) == 1

    def test_different_policies_differ(self) -> None:
        policies = [make() for make in POLICIES.values()]
        assert len(set(policies)) == len(policies)
        assert Policy() != "std"
        assert Policy() != Policy.unrestricted()

    def test_order_does_not_matter(self) -> None:
        one = Policy([samples.Plain, samples.Slots], base=["std", "paths"])
        assert one == Policy([samples.Slots, samples.Plain], base=["paths", "std"])

    def test_a_class_and_its_name_are_one_entry(self) -> None:
        assert Policy([samples.Plain]) == Policy(["picklist_samples.Plain"])

    @pytest.mark.parametrize("make", EVERY)
    def test_nothing_can_be_set(self, make: Any) -> None:
        policy = make()
        for name in ("allow", "base", "loads", "anything", "__dict__"):
            with pytest.raises((AttributeError, TypeError)):
                setattr(policy, name, None)
        assert policy == make()

    def test_it_cannot_be_subclassed(self) -> None:
        with pytest.raises(TypeError):
            type("Mine", (Policy,), {})

    @pytest.mark.parametrize("make", EVERY)
    @pytest.mark.parametrize("protocol", range(2, 6))
    def test_policies_pickle(self, make: Any, protocol: int) -> None:
        again = pickle.loads(pickle.dumps(make(), protocol))
        assert again == make()
        assert again.to_toml() == make().to_toml()

    @pytest.mark.parametrize("make", EVERY)
    def test_policies_copy(self, make: Any) -> None:
        assert copy.copy(make()) == make()
        assert copy.deepcopy(make()) == make()

    def test_the_list_given_is_not_kept(self) -> None:
        entries: list[Any] = [samples.Plain]
        policy = Policy(entries)
        entries.append(samples.Slots)
        assert "picklist_samples.Slots" not in policy


class TestCombine:
    """``|``, ``extend`` and ``allow=`` add and never change what they start from."""

    def test_or_is_a_union(self) -> None:
        left, right = Policy([samples.Plain]), Policy([samples.Slots], base="plain")
        both = left | right
        assert both == right | left == Policy([samples.Plain, samples.Slots])
        assert "picklist_samples.Slots" not in left
        assert left | left == left

    def test_extend_gives_a_new_policy(self) -> None:
        policy = Policy()
        more = policy.extend(samples.Plain, "picklist_samples.Slots")
        assert more == Policy([samples.Plain, samples.Slots])
        assert policy == Policy()

    def test_allow_adds_to_the_policy_of_one_call(self) -> None:
        policy = Policy([samples.Slots])
        data = pickle.dumps([samples.Slots(), samples.Plain()])
        with pytest.raises(picklist.ForbiddenGlobalError):
            picklist.safe_loads(data, policy=policy)
        value = picklist.safe_loads(data, policy=policy, allow=[samples.Plain])
        assert value == [samples.Slots(), samples.Plain()]
        assert "picklist_samples.Plain" not in policy

    @pytest.mark.parametrize("other", [None, "std", ["a.B"], 1])
    def test_or_takes_policies_only(self, other: Any) -> None:
        with pytest.raises(TypeError):
            _ = Policy() | other

    def test_unrestricted_is_not_combined(self) -> None:
        with pytest.raises(picklist.PolicyError):
            _ = Policy.unrestricted() | Policy()
        with pytest.raises(picklist.PolicyError):
            Policy.unrestricted().extend("a.B")
        with pytest.raises(picklist.PolicyError):
            picklist.safe_loads(b"N.", policy=Policy.unrestricted(), allow=["a.B"])


class TestAsk:
    """What a policy holds can be asked."""

    @pytest.mark.parametrize(
        "target", ["datetime.date", "picklist_samples.Plain", samples.Plain, datetime.date]
    )
    def test_contains(self, target: Any) -> None:
        assert target in Policy([samples.Plain])
        assert target not in Policy(base="plain")

    @pytest.mark.parametrize(
        "target", ["os.system", "datetime", "date", "", samples.Slots, None, 5]
    )
    def test_does_not_contain(self, target: Any) -> None:
        assert target not in Policy([samples.Plain])

    def test_check(self) -> None:
        policy = Policy([samples.Plain])
        verdict = policy.check("datetime", "date")
        assert verdict
        assert verdict.allowed
        assert verdict.preset == "std"
        assert "call" in verdict.rights
        mine = policy.check("picklist_samples", "Plain")
        assert mine.allowed
        assert mine.preset is None
        refused = policy.check("os", "system")
        assert not refused
        assert not refused.allowed
        assert refused.rights == ()

    def test_check_says_which_preset_would_allow_it(self) -> None:
        assert "exceptions" in str(Policy().check("builtins", "ValueError"))

    def test_explain(self) -> None:
        assert "std" in Policy().explain("datetime.date")
        assert "paths" in Policy().explain("pathlib.PosixPath")
        assert "os.system" in Policy().explain("os.system")

    def test_repr_says_what_it_is(self) -> None:
        assert "std" in repr(Policy())
        assert "picklist_samples.Plain" in repr(Policy([samples.Plain]))
        assert "unrestricted" in repr(Policy.unrestricted())


class TestFiles:
    """TOML and back; a module's own classes."""

    @pytest.mark.parametrize("make", [case for case in EVERY if case.id != "limits"])
    def test_toml_round_trip(self, make: Any, tmp_path: Any) -> None:
        path = tmp_path / "policy.toml"
        path.write_text(make().to_toml(), "utf-8")
        assert Policy.from_file(path) == make()
        assert Policy.from_file(str(path)) == make()
        assert Policy.from_file(path).to_toml() == make().to_toml()

    def test_a_policy_written_by_hand(self, tmp_path: Any) -> None:
        path = tmp_path / "policy.toml"
        path.write_text(
            '[policy]\nbase = ["std"]\n\n[[entry]]\nmodule = "picklist_samples"\nname = "Plain"\n'
        )
        assert Policy.from_file(path) == Policy([samples.Plain])

    @pytest.mark.parametrize(
        "text",
        [
            "not toml",
            "[policy]\nbase = 5\n",
            '[policy]\nbase = ["nowhere"]\n',
            '[[entry]]\nmodule = "os"\nname = "system"\n',
            '[[entry]]\nmodule = "app"\n',
            '[[entry]]\nmodule = "app"\nname = "X"\nsurprise = true\n',
            '[[entry]]\nmodule = "app.*"\nname = "*"\n',
            '[[entry]]\nmodule = "app"\nname = "X"\ncall = "(int"\n',
        ],
    )
    def test_documents_that_make_no_sense(self, text: str, tmp_path: Any) -> None:
        path = tmp_path / "policy.toml"
        path.write_text(text)
        with pytest.raises(picklist.PolicyError):
            Policy.from_file(path)

    def test_a_file_that_is_not_there(self, tmp_path: Any) -> None:
        with pytest.raises(FileNotFoundError):
            Policy.from_file(tmp_path / "nowhere.toml")

    def test_from_module(self) -> None:
        policy = Policy.from_module(samples)
        assert policy == Policy.from_module("picklist_samples")
        assert {"picklist_samples.Plain", "picklist_samples.Color"} <= {
            f"picklist_samples.{name}"
            for name in vars(samples)
            if f"picklist_samples.{name}" in policy
        }
        assert picklist.safe_loads(pickle.dumps(samples.Plain()), policy=policy) == samples.Plain()


class TestMistakes:
    """What makes no policy is said when it is built."""

    def test_unknown_presets_name_the_known_ones(self) -> None:
        with pytest.raises(picklist.PolicyError, match=r"nowhere.*std"):
            Policy(base="nowhere")

    def test_objects_that_cannot_be_imported(self) -> None:
        for thing in (5, None, samples.Plain(), b"a.B", samples, "Plain", "a b.C", "a.*"):
            with pytest.raises((ValueError, TypeError)):
                Policy([thing])

    def test_local_classes_stay_in_the_process(self) -> None:
        """A class given as an object is that object; its name would find nothing elsewhere."""

        class Local:
            pass

        policy = Policy([Local])
        assert Local in policy
        with pytest.raises(picklist.PolicyError, match=r"Local.*this process"):
            pickle.dumps(policy)

    def test_arguments_of_the_wrong_type(self) -> None:
        for wrong in ({"allow": 5}, {"base": 5}, {"limits": 5}, {"surprise": 1}, {"rename": [1]}):
            with pytest.raises((TypeError, ValueError)):
                Policy(**wrong)
        with pytest.raises((TypeError, ValueError)):
            Policy("picklist_samples.Plain")  # a string is not a list of strings

    @pytest.mark.parametrize("contract", ["", "int", "(int", "(nothing)", "(int,, int)", "int)"])
    def test_contracts_that_cannot_be_read(self, contract: str) -> None:
        with pytest.raises(ValueError, match=r".+"):
            Allow("app.X", call=contract)
            Policy([Allow("app.X", call=contract)])


class TestModuleFace:
    """A policy stands where the pickle module stands."""

    def test_it_has_pickles_names(self) -> None:
        policy = Policy([samples.Plain])
        data = policy.dumps(samples.Plain())
        assert policy.loads(data) == samples.Plain()
        assert policy.load(io.BytesIO(data)) == samples.Plain()
        file = io.BytesIO()
        policy.dump(samples.Plain(), file)
        policy.Pickler(file, policy.HIGHEST_PROTOCOL).dump([1])
        file.seek(0)
        assert [policy.Unpickler(file).load()] == [samples.Plain()]
        assert isinstance(policy.__name__, str)

    def test_its_unpickler_is_bound_to_it(self) -> None:
        data = pickle.dumps(samples.Plain())
        assert Policy([samples.Plain]).Unpickler(io.BytesIO(data)).load() == samples.Plain()
        with pytest.raises(picklist.ForbiddenGlobalError):
            Policy().Unpickler(io.BytesIO(data)).load()

    def test_limits_and_persistent_ids_belong_to_it(self) -> None:
        policy = Policy(persistent_load=lambda pid: ("loaded", pid), limits=Limits(max_depth=20))
        assert policy.loads(b"Pabc\n.") == ("loaded", "abc")
        with pytest.raises(picklist.LimitExceededError):
            policy.loads(b"]" * 50 + b"a" * 49 + b".")


class TestThreads:
    """One policy serves any number of threads."""

    def test_many_threads_load_at_once(self) -> None:
        policy = Policy([samples.Plain, typed.Data, samples.Color])
        data = pickle.dumps(
            [samples.Plain(n) for n in range(50)] + [typed.Data(), samples.Color.RED]
        )
        expected = pickle.loads(data)
        barrier = threading.Barrier(8)

        def work(_: int) -> bool:
            barrier.wait()  # all settle the policy's entries at the same time
            return all(picklist.safe_loads(data, policy=policy) == expected for _ in range(20))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))

    def test_refusals_in_threads(self) -> None:
        policy = Policy()

        def work(n: int) -> tuple[tuple[str, str], ...]:
            with pytest.raises(picklist.ForbiddenGlobalError) as caught:
                picklist.safe_loads(asm(PROTO(4), *mention("evil", f"n{n}")), policy=policy)
            return caught.value.blocked

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(work, range(100)))
        assert found == [(("evil", f"n{n}"),) for n in range(100)]


class TestAllow:
    """``Allow`` grants exactly what it says."""

    def test_call_contracts(self) -> None:
        policy = Policy([Allow("picklist_samples.rebuild", call="(int, str)")])
        load = policy.loads
        assert load(asm(call("picklist_samples.rebuild", 1, "a"))) == samples.ReducesToFunction(
            1, "a"
        )
        for args in ((), (1,), ("a", 1), (1, "a", 2), (True, "a"), (1.0, "a"), (1, b"a")):
            with pytest.raises(picklist.ForbiddenCallError, match="rebuild"):
                load(asm(call("picklist_samples.rebuild", *args)))

    def test_nothing_but_a_mention(self) -> None:
        policy = Policy([Allow("picklist_samples.Plain")])
        assert policy.loads(asm(*mention("picklist_samples", "Plain"))) is samples.Plain
        with pytest.raises(picklist.ForbiddenCallError):
            policy.loads(asm(*mention("picklist_samples", "Plain"), EMPTY_TUPLE, NEWOBJ))

    def test_equality(self) -> None:
        assert Allow("a.B", call="(int)") == Allow("a.B", call="(int)")
        assert hash(Allow("a.B", call="(int)")) == hash(Allow("a.B", call="(int)"))
        assert Allow("a.B", call="(int)") != Allow("a.B", call="(str)")
        assert Allow(samples.Plain, new="()") == Allow("picklist_samples.Plain", new="()")
