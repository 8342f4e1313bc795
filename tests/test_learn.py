"""``learn`` writes the least policy that accepts trusted samples, and never learns a gadget."""

from __future__ import annotations

import gzip
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import picklist
import picklist_samples as samples
import picklist_samples_typed as typed
from assembler import GLOBAL, PROTO, asm
from corpus import SAMPLES, Sample
from payloads import call

pytestmark = pytest.mark.filterwarnings("ignore:The 'u' type code is deprecated")
OPT_IN = [s for s in SAMPLES if s.allow or len(s.base) > 1]
POINT = ("picklist_samples", "Point")


def names(*given: Any) -> set[str]:
    """Return the names that are learned from samples by themselves, beyond presets."""
    return {":".join(pair) for pair in picklist.learn_report(*given).names}


@pytest.mark.parametrize("sample", OPT_IN, ids=str)
def test_the_policy_accepts_what_it_was_learned_from(sample: Sample) -> None:
    """And holds no name that the corpus does not say the sample needs."""
    policy = picklist.learn(sample.data)
    assert picklist.inspect(sample.data, policy=policy, encoding=sample.encoding).allowed
    picklist.safe_loads(sample.data, policy=policy, encoding=sample.encoding)
    needed = {path if ":" in path else ":".join(path.rsplit(".", 1)) for path in sample.allow}
    assert names(sample.data) <= needed


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s not in OPT_IN][::9], ids=str)
def test_nothing_is_learned_from_what_the_base_allows(sample: Sample) -> None:
    assert picklist.learn(sample.data) == picklist.Policy()


def test_all_samples_at_once() -> None:
    learned = picklist.learn_report(*(s.data for s in OPT_IN))
    policy = learned.policy
    for sample in OPT_IN:
        found = picklist.inspect(sample.data, policy=policy, encoding=sample.encoding)
        assert found.allowed, f"{sample}: {found}"
    assert ("picklist_samples", "Outer.Inner") in learned.names
    assert ("picklist_samples", "Outer") not in learned.names


def test_a_mention_is_learned_as_a_mention() -> None:
    """A class that stands as a value may not be called afterwards."""
    policy = picklist.learn(asm(PROTO(4), GLOBAL(*POINT)))
    assert picklist.safe_loads(pickle.dumps(samples.Point), policy=policy) is samples.Point
    with pytest.raises(picklist.ForbiddenCallError):
        picklist.safe_loads(pickle.dumps(samples.Point(1, 2)), policy=policy)


def test_what_is_also_used_is_learned_for_use() -> None:
    mention = asm(PROTO(4), GLOBAL(*POINT))
    policy = picklist.learn(mention, pickle.dumps(samples.Point(1, 2)))
    assert picklist.safe_loads(pickle.dumps(samples.Point(3, 4)), policy=policy).x == 3


def test_presets_come_whole_with_their_checks() -> None:
    data = pickle.dumps([ValueError("x"), samples.Point(1, 2)])
    learned = picklist.learn_report(data)
    assert list(learned.presets) == ["exceptions"]
    assert learned.presets["exceptions"] == ["builtins.ValueError"]
    assert learned.policy == picklist.Policy(["picklist_samples.Point"], base=["std", "exceptions"])


def test_the_base_may_be_less() -> None:
    policy = picklist.learn(pickle.dumps([samples.Point(1, 2)]), base="plain")
    assert policy == picklist.Policy(["picklist_samples.Point"], base="plain")


def test_old_spellings_teach_the_new_ones() -> None:
    """Renames are part of every policy: a Python 2 pickle teaches for Python 3's."""
    old = b"\x80\x02cexceptions\nKeyError\nU\x01a\x85R."
    policy = picklist.learn(old)
    assert repr(picklist.safe_loads(pickle.dumps(KeyError("b")), policy=policy)) == "KeyError('b')"
    assert policy.to_toml().splitlines()[1] == '# preset "exceptions": for builtins.KeyError'


class TestGadgets:
    """Whoever may call one may do anything."""

    DATA = asm(PROTO(4), call("os.system", "id"))

    def test_they_are_refused(self) -> None:
        with pytest.raises(picklist.PolicyError, match=r"os\.system") as caught:
            picklist.learn(self.DATA)
        assert "never needed to store data" in str(caught.value)

    def test_the_rest_is_learned_and_they_are_reported(self) -> None:
        learned = picklist.learn_report(
            self.DATA, pickle.dumps(samples.Point(1, 2)), b"cbuiltins\neval\n."
        )
        assert {finding.name for finding in learned.dangerous} == {"os.system", "builtins.eval"}
        assert not learned.complete
        assert list(learned.names) == [("picklist_samples", "Point")]
        assert "not learned, dangerous: os.system" in learned.to_toml()

    @pytest.mark.parametrize("data", [b"", b"\x80\x04cabc\nd\n", b"\x82\x07."])
    def test_what_no_policy_can_mend_is_reported(self, data: bytes) -> None:
        learned = picklist.learn_report(data)
        assert learned.unlearned
        with pytest.raises(picklist.PolicyError):
            picklist.learn(data)

    def test_misuse_of_a_native_type_is_not_learned(self) -> None:
        data = asm(PROTO(4), call("builtins.bytearray", 10**9))
        learned = picklist.learn_report(data)
        assert [finding.rule for finding in learned.unlearned] == ["forbidden-call"]
        assert learned.policy == picklist.Policy()


class TestForms:
    """The policy as a value, as TOML and as Python."""

    def learned(self, tmp_path: Path) -> Any:
        path = tmp_path / "a.pkl"
        path.write_bytes(pickle.dumps({"p": samples.Point(1, 2), "e": ValueError("x")}))
        return picklist.learn_report(path, pickle.dumps(samples.MyList([1]))), path

    def test_toml_says_where(self, tmp_path: Path) -> None:
        learned, path = self.learned(tmp_path)
        text = learned.to_toml()
        assert f"# {path}: byte " in text
        assert " at $['p']\n[[entry]]" in text
        assert text.startswith("# learned from 2 samples; nothing of it was loaded\n")
        file = tmp_path / "policy.toml"
        file.write_text(text)
        assert picklist.Policy.from_file(file) == learned.policy

    def test_python_is_the_same_policy(self, tmp_path: Path) -> None:
        learned, path = self.learned(tmp_path)
        text = learned.to_python()
        scope: dict[str, Any] = {"picklist": picklist}
        exec(text, scope)
        assert scope["policy"] == learned.policy
        assert f"# {path}: byte " in text

    def test_mentions_in_both(self, tmp_path: Path) -> None:
        learned = picklist.learn_report(asm(PROTO(4), GLOBAL(*POINT)))
        scope: dict[str, Any] = {"picklist": picklist}
        exec(learned.to_python(), scope)
        assert scope["policy"] == learned.policy
        assert 'rights = ["reference"]' in learned.to_toml()

    def test_text(self, tmp_path: Path) -> None:
        learned, _ = self.learned(tmp_path)
        assert 'preset "exceptions": for builtins.ValueError' in str(learned)
        assert "  allowed    picklist_samples.Point" in str(learned)

    def test_hostile_names_stay_in_their_comment(self) -> None:
        data = asm(PROTO(4), GLOBAL("app", "Thing"))
        learned = picklist.learn_report(data)
        noted = learned.policy._noted(["a\nb"], {("app", "Thing"): ['x\n[policy]\nbase=["all"]']})
        assert noted == learned.policy
        assert "a?b" in noted.to_toml()
        assert noted.to_toml().count("[policy]\n") == 1

    def test_many_places_are_cut(self) -> None:
        learned = picklist.learn_report(*[pickle.dumps(samples.Point(1, 2))] * 9)
        (places,) = learned.names.values()
        assert len(places) == 4
        assert places[-1] == "and in 6 more pickles"


def test_files_are_opened_as_a_scan_does(tmp_path: Path) -> None:
    path = tmp_path / "models.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "about")
        archive.writestr("a.pkl", gzip.compress(pickle.dumps(samples.Point(1, 2))))
    learned = picklist.learn_report(path)
    assert learned.complete
    (places,) = learned.names.values()
    assert places[0].startswith(f"{path}!a.pkl: byte ")
    path.write_bytes(path.read_bytes()[:-30])
    assert not picklist.learn_report(path).complete


def test_nothing_is_imported() -> None:
    sys.modules.pop("picklist_trap", None)
    assert names(asm(PROTO(4), call("picklist_trap.Thing"))) == {"picklist_trap:Thing"}
    assert "picklist_trap" not in sys.modules


def test_nested_classes_of_dataclasses() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        data = pickle.dumps(typed.Holder.Deep(), protocol)
        assert names(data) == {"picklist_samples_typed:Holder.Deep"}
