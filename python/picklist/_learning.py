"""`learn`: the least policy that accepts what trusted samples hold.

Nothing is imported: samples are inspected under a policy, what is refused is added, until nothing
is refused. A name whose checks a preset holds comes by that preset; any other comes by itself, as
a mention where it is only mentioned. Universal gadgets are never learned.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from picklist._findings import Finding
from picklist._inspection import GlobalUse, Inspection, inspect_stream
from picklist._judging import is_pickle, readings
from picklist._picklist import Allow, Policy, presets_with
from picklist.containers import streams
from picklist.errors import PolicyError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

Pair = tuple[str, str]

# Places of one name that are written down.
_PLACES = 3
# `getattr(Outer, 'Inner')`, as protocols below 4 spell a nested class.
_NESTED = re.compile(r"\(([\w.]+), '(\w+)'\)")


@dataclass(frozen=True, slots=True)
class Sample:
    """One stream to learn from: its name, its bytes, and what joblib's arrays are in it."""

    source: str
    data: ReadableBuffer
    arrays: Literal["opcodes", "padded"] = "opcodes"


@dataclass
class Learned:
    """What was learned from samples, and what was not.

    Attributes
    ----------
    policy : Policy
        The policy; its `to_toml` says for every name where it was seen.
    samples : int
        How many there were.
    presets : dict of str to list of str
        Presets beyond `base`, with the names that needed them.
    names : dict of (str, str) to list of str
        Names that are allowed by themselves, with the places where they were seen.
    dangerous : list of Finding
        Universal gadgets in the samples, not learned: whoever may call one may do anything.
    unlearned : list of Finding
        What else the policy still refuses: broken streams, costs, extension codes.
    """

    policy: Policy
    samples: int
    base: tuple[str, ...]
    presets: dict[str, list[str]] = field(default_factory=dict)
    names: dict[Pair, list[str]] = field(default_factory=dict)
    mentioned: set[Pair] = field(default_factory=set)
    dangerous: list[Finding] = field(default_factory=list)
    unlearned: list[Finding] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether the policy accepts every sample."""
        return not self.dangerous and not self.unlearned

    def to_toml(self) -> str:
        """Return the policy as a document for `Policy.from_file`, with comments."""
        return self.policy.to_toml()

    def to_python(self) -> str:
        """Return the policy as Python source, with comments."""
        lines = [*(f"# {line}" for line in self._top()), "policy = picklist.Policy("]
        if self.names:
            lines.append("    [")
            for pair, places in self.names.items():
                lines += (f"        # {_printable(place)}" for place in places)
                path = repr(_path(pair)).replace("'", '"')
                lines.append(
                    f"        picklist.Allow({path}),"
                    if pair in self.mentioned
                    else f"        {path},"
                )
            lines.append("    ],")
        lines.append(f"    base={_quoted([*self.base, *self.presets])},")
        lines.append(")")
        return "\n".join(lines) + "\n"

    def _top(self) -> list[str]:
        samples = "1 sample" if self.samples == 1 else f"{self.samples} samples"
        lines = [f"learned from {samples}; nothing of it was loaded"]
        for preset, names in self.presets.items():
            shown = ", ".join(names[:_PLACES])
            more = f" and {len(names) - _PLACES} more" if len(names) > _PLACES else ""
            lines.append(f'preset "{preset}": for {shown}{more}')
        lines += (f"not learned, dangerous: {one.name} in {one.where}" for one in self.dangerous)
        lines += (f"not learned: {one.message} in {one.where}" for one in self.unlearned)
        return [_printable(line) for line in lines]

    def __str__(self) -> str:
        lines = self._top()
        width = max((len(_path(pair)) for pair in self.names), default=0)
        for pair, places in self.names.items():
            how = "mentioned" if pair in self.mentioned else "allowed"
            lines.append(f"  {how:<9}  {_path(pair):<{width}}  {places[0] if places else ''}")
        return "\n".join(lines)


def _path(pair: Pair) -> str:
    """Return a name as `allow=` takes it."""
    module, name = pair
    return f"{module}:{name}" if "." in name else f"{module}.{name}"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _quoted(names: Sequence[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"


class _Learner:
    """The policy in the making: presets, and names either mentioned or allowed."""

    def __init__(self, samples: list[Sample], base: tuple[str, ...]) -> None:
        self.samples = samples
        self.base = base
        self.presets: dict[str, dict[str, None]] = {}
        self.allowed: dict[Pair, None] = {}
        self.mentioned: dict[Pair, None] = {}
        # What was guessed from a refused call, and may turn out not to be needed.
        self.guessed: dict[Pair, None] = {}
        self.tried: set[str] = set()

    def policy(self) -> Policy:
        allow: list[str | Allow] = [_path(pair) for pair in self.allowed]
        allow += [Allow(_path(pair)) for pair in self.mentioned]
        return Policy(allow, base=[*self.base, *self.presets])

    def reports(self, policy: Policy) -> Iterator[Inspection]:
        for sample in self.samples:
            found = inspect_stream(
                sample.data,
                source=sample.source,
                policy=policy,
                encoding="latin1",
                persistent_load=True,
                arrays=sample.arrays,
            )
            yield found
            yield from found.pickles

    def run(self) -> None:
        while self.learn_more():
            pass
        for module, name in list(self.allowed):
            if "." in name:  # the way to a nested class needs no entry of its own
                self.guessed[module, name.rpartition(".")[0]] = None
        for pair in self.guessed:
            if pair in self.allowed:
                self.drop_unless_needed(pair)
        for preset in self.tried & set(self.presets):
            refused, names = self.refused(), self.presets.pop(preset)
            if self.refused() > refused:
                self.presets[preset] = names

    def refused(self) -> int:
        """How many pickles the policy refuses as it is now."""
        return sum(not report.allowed for report in self.reports(self.policy()))

    def learn_more(self) -> bool:
        """Look at every sample once; true if there was anything to add."""
        grew = False
        for report in self.reports(self.policy()):
            grew |= self.learn_from(report)
        return grew

    def learn_from(self, report: Inspection) -> bool:
        """Add what one pickle lacks; true if there was anything to add."""
        unknown = [used for used in self.refused_names(report) if not used.gadget]
        if unknown:
            grown = [self.add(used) for used in unknown]
            return any(grown)
        if report.allowed:
            return False
        return self.guess_preset(report) or self.promote(report) or self.add_nested(report)

    @staticmethod
    def refused_names(report: Inspection) -> list[GlobalUse]:
        """Return the names that the policy does not have."""
        rows = [row for row in report.to_dict()["refusals"] if row["class"] == "forbidden-global"]
        return [report.globals[row["global"]] for row in rows]

    def add(self, used: GlobalUse) -> bool:
        pair = (used.module, used.name)
        if pair in self.allowed or pair in self.mentioned:
            return False
        presets = presets_with(used.module, used.name)
        if known := next((name for name in presets if name in self.presets), None):
            self.presets[known][str(used)] = None
            return False
        if presets:
            self.presets[presets[0]] = {str(used): None}
            return True
        does_nothing = set(used.rights) <= {"reference"}
        (self.mentioned if does_nothing else self.allowed)[pair] = None
        try:
            self.policy()
        except PolicyError:  # a spelling that no policy takes; it stays refused, and is reported
            self.mentioned.pop(pair, None)
            self.allowed.pop(pair, None)
            return False
        return True

    def guess_preset(self, report: Inspection) -> bool:
        """Add a preset that grants more to a name of the policy than the policy does."""
        now = Policy(base=[*self.base, *self.presets])
        for used in report.globals:
            for preset in presets_with(used.module, used.name):
                if preset in self.presets or preset in self.base or preset in self.tried:
                    continue
                self.tried.add(preset)
                if Policy(base=[*self.base, *self.presets, preset]) != now:
                    self.presets[preset] = {str(used): None}
                    return True
        return False

    def promote(self, report: Inspection) -> bool:
        """Allow the names that were mentioned only: something is made of one of them."""
        found = [
            pair for used in report.globals if (pair := (used.module, used.name)) in self.mentioned
        ]
        for pair in found:
            del self.mentioned[pair]
            self.allowed[pair] = self.guessed[pair] = None
        return bool(found)

    def add_nested(self, report: Inspection) -> bool:
        """Allow nested classes that are reached by getattr from their outer ones."""
        grew = False
        outer = {str(used): used for used in report.globals}
        for used in report.globals:
            if str(used) != "builtins.getattr":
                continue
            for match in filter(None, map(_NESTED.fullmatch, used.arguments)):
                holder = outer.get(match[1])
                if holder is None:
                    continue
                pair = (holder.module, f"{holder.name}.{match[2]}")
                if pair not in self.allowed:
                    self.allowed[pair] = self.guessed[pair] = None
                    grew = True
        return grew

    def drop_unless_needed(self, pair: Pair) -> None:
        """Take back a guess that every sample does without, or that need only be mentioned."""
        refused = self.refused()
        was_allowed = dict(self.allowed)
        del self.allowed[pair]
        for lesser in (None, pair):
            if lesser:
                self.mentioned[lesser] = None
            if self.refused() <= refused:
                return
        del self.mentioned[pair]
        self.allowed = was_allowed

    def learned(self) -> Learned:
        """Put it together, with the places."""
        policy = self.policy()
        learned = Learned(policy, len(self.samples), self.base)
        learned.presets = {preset: list(names) for preset, names in self.presets.items()}
        learned.mentioned = set(self.mentioned)
        places: dict[Pair, list[str]] = {pair: [] for pair in (*self.allowed, *self.mentioned)}
        counts = dict.fromkeys(places, 0)
        for report in self.reports(policy):
            for used in report.globals:
                for pair in self.pairs_of(used):
                    if pair in places:
                        counts[pair] += 1
                        if counts[pair] <= _PLACES:
                            places[pair].append(_place(report, used))
        for pair, count in counts.items():
            if count > _PLACES:
                places[pair].append(f"and in {count - _PLACES} more pickles")
        learned.names = places
        for report in self.reports(policy):
            if report.start:
                continue
            for finding in report.findings:
                if finding.rule == "dangerous-global":
                    learned.dangerous.append(finding)
                elif finding.rule not in ("external", "trailing-data"):
                    learned.unlearned.append(finding)
        learned.policy = policy._noted(learned._top(), places)
        return learned

    @staticmethod
    def pairs_of(used: GlobalUse) -> Iterator[Pair]:
        yield used.module, used.name
        if str(used) == "builtins.getattr":
            for match in filter(None, map(_NESTED.fullmatch, used.arguments)):
                module, _, outer = match[1].rpartition(".")
                yield module, f"{outer}.{match[2]}"


def _place(report: Inspection, used: GlobalUse) -> str:
    path = f" at {used.path}" if used.path else ""
    spelled = f", spelled {used.spelled[0]}.{used.spelled[1]}" if used.spelled else ""
    return _printable(f"{report.source}: byte {report.start + used.offset}{path}{spelled}")


def learn_report(
    *samples: ReadableBuffer | str | os.PathLike[str], base: str | Iterable[str] = "std"
) -> Learned:
    """Learn a policy from trusted samples, and say what was not learned; never refuses.

    Parameters
    ----------
    samples : bytes-like, str or os.PathLike
        Pickles, or files and archives of them. A str is always a path.
    base : str or iterable of str
        The presets to start from.
    """
    read: list[Sample] = []
    unread: list[Finding] = []
    for number, sample in enumerate(samples, 1):
        if not isinstance(sample, (str, os.PathLike)):
            read.append(Sample(f"sample {number}", sample))
            continue
        with Path(sample).open("rb") as file:
            for found in streams(file, os.fspath(sample)):
                if isinstance(found, Finding):
                    unread.append(found)
                    continue
                report, others = readings(found, os.fspath(sample))
                if is_pickle(found, report) or not found.member:
                    place = (os.fspath(sample), found.member)
                    arrays: Literal["opcodes", "padded"] = "padded" if others else "opcodes"
                    read.append(Sample("!".join(filter(None, place)), found.data, arrays))
    bases = (base,) if isinstance(base, str) else tuple(base)
    learner = _Learner(read, bases)
    learner.run()
    learned = learner.learned()
    learned.unlearned += unread
    return learned


def learn(
    *samples: ReadableBuffer | str | os.PathLike[str], base: str | Iterable[str] = "std"
) -> Policy:
    """Return the least policy that accepts trusted samples; nothing is imported or loaded for it.

    Names that a preset has come by that preset, with its checks. Any other class or function is
    allowed by itself, and one that is only mentioned may only be mentioned. Renames of Python 2
    and of library versions are part of every policy, so a sample of one version teaches all.

    Parameters
    ----------
    samples : bytes-like, str or os.PathLike
        Pickles, or files and archives of them. A str is always a path.
    base : str or iterable of str
        The presets to start from.

    Returns
    -------
    Policy
        Its `to_toml` says for every name where it was seen.

    Raises
    ------
    PolicyError
        If a sample holds what no policy may grant (universal gadgets such as ``os.system``), or
        is broken. `learn_report` tells what was learned all the same.
    """
    learned = learn_report(*samples, base=base)
    if learned.complete:
        return learned.policy
    wrong = [*learned.dangerous, *learned.unlearned]
    lines = [f"  {finding.where}: {finding.message}" for finding in wrong[:20]]
    if len(wrong) > 20:
        lines.append(f"  and {len(wrong) - 20} more")
    raise PolicyError("the samples hold what no policy can grant:\n" + "\n".join(lines))
