"""What is wrong with a pickle, one finding each: the rules, and findings as text and SARIF.

`Inspection` and `scan` report the same findings; only this module knows how one looks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from picklist._documents import sarif_artifact, sarif_log, sarif_rule


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding.

    Attributes
    ----------
    code : str
        Its stable name.
    level : str
        "error", "warning" or "note".
    summary, text, remedy : str
        What it is, why it matters, what to do.
    """

    code: str
    level: str
    summary: str
    text: str
    remedy: str


RULES = {
    rule.code: rule
    for rule in (
        Rule(
            "dangerous-global",
            "error",
            "the pickle names a callable that no data needs",
            "Loading it with pickle would import it and most likely run the writer's code.",
            "Do not load the file with pickle. Find out where it comes from.",
        ),
        Rule(
            "forbidden-global",
            "warning",
            "the pickle names something outside the policy",
            "picklist would refuse to load it; pickle would import it and do whatever it does.",
            "If your data needs the class, allow it by name; `picklist learn` writes the policy.",
        ),
        Rule(
            "forbidden-call",
            "error",
            "the pickle uses an allowed name for more than its data needs",
            "A name in the policy is called, instantiated or given state beyond its contract.",
            "Do not load the file with pickle: no pickler writes this for values of the type.",
        ),
        Rule(
            "extension-code",
            "warning",
            "the pickle names something by an extension code",
            "The code stands for whatever the loading process has registered with copyreg.",
            "If you know the code, map it: Policy(ext={code: ('module', 'Name')}).",
        ),
        Rule(
            "external",
            "warning",
            "the pickle needs something that only its caller can give",
            "It holds persistent ids or refers to buffers that travel beside it.",
            "Load it with the persistent_load or the buffers that belong to it.",
        ),
        Rule(
            "limit",
            "error",
            "the pickle costs more than the limits allow",
            "Loading it with pickle would take the memory, time or stack that its writer likes.",
            "If you trust it, raise the limit that is named: Policy(limits=Limits(...)).",
        ),
        Rule(
            "malformed",
            "error",
            "the pickle is broken, and what it does up to there is done first",
            "pickle executes a stream as it reads it; an error at the end undoes nothing.",
            "Get the file anew. A real pickler does not write this.",
        ),
        Rule(
            "trailing-data",
            "warning",
            "bytes follow the pickle that are no pickle",
            "Readers that go on after STOP, or look for a pickle elsewhere, see another file.",
            "Find out what wrote them.",
        ),
        Rule(
            "not-inspected",
            "error",
            "it could not be inspected",
            "What may hold a pickle is damaged, encrypted, too large or of an unknown form.",
            "Do not take it for clean. Get the file anew, or install what reads its compression.",
        ),
        Rule(
            "mismatch",
            "warning",
            "the file is not what it says it is",
            "Its name, headers or checksums contradict its content; two readers may disagree.",
            "Find out what wrote it.",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    rule : str
        Name of the rule, a key of `RULES`.
    message : str
        What it is, in a sentence.
    source : str
        The file, or "<bytes>".
    member : str
        Where in a container the pickle lies, as in ``"weights.zip!data.pkl"``, or "".
    offset : int or None
        Byte offset in the pickle's stream.
    opcode : str or None
        The opcode there.
    path : str or None
        Where in the object.
    name : str
        ``module.name`` of the global, or "".
    """

    rule: str
    message: str
    source: str = "<bytes>"
    member: str = ""
    offset: int | None = None
    opcode: str | None = None
    path: str | None = None
    name: str = ""

    @property
    def level(self) -> str:
        """How bad it is: "error", "warning" or "note"."""
        return RULES[self.rule].level

    @property
    def where(self) -> str:
        """The file, with the member inside it."""
        return f"{self.source}!{self.member}" if self.member else self.source

    @property
    def fingerprint(self) -> str:
        """The same for the same finding in another version of the file: no offset is part of it."""
        parts = [self.rule, self.source, self.member, self.name, self.path or ""]
        if not self.name:
            parts.append(self.message)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:24]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "level": self.level, "fingerprint": self.fingerprint}


def findings_of(report: dict[str, Any], *, source: str, member: str, start: int) -> list[Finding]:
    """Return what is wrong with one pickle, from its report.

    Parameters
    ----------
    report : dict
        The document ``picklist-inspection/1``.
    source, member : str
        The file, and the place in it.
    start : int
        Where in the stream the pickle begins; offsets count from the start of the stream.
    """
    found = []
    for refused in report["refusals"]:
        used = None if refused["global"] is None else report["globals"][refused["global"]]
        found.append(
            Finding(
                _rule(refused, used),
                _message(refused, used),
                source,
                member,
                start + refused["offset"],
                refused["opcode"],
                refused["path"] or (used and used["path"]),
                f"{used['module']}.{used['name']}" if used else "",
            )
        )
    fault = report["fault"]
    if fault is not None:
        own = fault["class"] in ("limit", "not-inspected")
        rule = fault["class"] if own else "malformed"
        place = (start + fault["offset"], fault["opcode"])
        found.append(Finding(rule, fault["message"], source, member, *place))
    return found


def _rule(refused: dict[str, Any], used: dict[str, Any] | None) -> str:
    match refused["class"]:
        case "forbidden-global" if used and used.get("gadget"):
            return "dangerous-global"
        case "forbidden-global":
            return "forbidden-global"
        case "forbidden-call":
            return "forbidden-call"
        case "forbidden-extension":
            return "extension-code"
        case _:
            return "external"


def _message(refused: dict[str, Any], used: dict[str, Any] | None) -> str:
    if used is None or refused["class"] != "forbidden-global":
        return str(refused["message"])
    parts = [refused["message"]]
    if used["arguments"]:
        verb = "called" if "call" in used["rights"] else "made"
        parts.append(f"{verb} with {used['arguments'][0]}")
    if used.get("gadget"):
        parts.append(f"never needed to store data: {used['gadget']}")
    elif used["preset"]:
        parts.append(f'in preset "{used["preset"]}"')
    return "; ".join(parts)


def as_sarif(findings: Iterable[Finding]) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log with one run; every rule is in it, so that fixed ones are known."""
    rules = [
        sarif_rule(
            rule.code,
            name=rule.code,
            summary=rule.summary,
            text=rule.text,
            level=rule.level,
            remedy=rule.remedy,
        )
        for rule in RULES.values()
    ]
    return sarif_log(rules, map(_sarif_result, findings))


def _sarif_result(finding: Finding) -> dict[str, Any]:
    place = [finding.where]
    if finding.path:
        place.append(finding.path)
    logical = {"fullyQualifiedName": " ".join(place), "kind": "object"}
    # Viewers want a line; a pickle has none but the first. Offsets into a member are not offsets
    # into the file.
    region: dict[str, Any] = {"startLine": 1}
    if finding.offset is not None and not finding.member:
        region |= {"byteOffset": finding.offset, "byteLength": 1}
    return {
        "ruleId": finding.rule,
        "level": finding.level,
        "message": {"text": finding.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": sarif_artifact(finding.source),
                    "region": region,
                },
                "logicalLocations": [logical],
            }
        ],
        "partialFingerprints": {"picklist/1": finding.fingerprint},
        "properties": {
            key: value
            for key, value in (
                ("member", finding.member),
                ("offset", finding.offset),
                ("opcode", finding.opcode),
                ("path", finding.path),
                ("global", finding.name),
            )
            if value not in (None, "")
        },
    }
