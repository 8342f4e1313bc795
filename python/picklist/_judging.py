"""One stream, judged: whether it is a pickle at all, what reads it how, and what is wrong with it.

Whether bytes are a pickle is decided by what they would do: a stream that fails before it names or
calls anything does nothing, and counts as other data unless its name says that it is a pickle.

joblib steps over arrays that lie raw between the opcodes, `pickle` takes them for opcodes, and
joblib before 1.2 knew no padding. A file of joblib is therefore read in all three ways: as joblib
reads it today for what it is, in the other two for what it may do to whoever loads it so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from picklist._findings import Finding, findings_of

if TYPE_CHECKING:
    from picklist._inspection import Inspection
    from picklist._picklist import Policy
    from picklist.containers import Stream

_IDENTIFIERS = re.compile(r"[\w.]+")
# torch.load reads five pickles; raw storage follows.
_TORCH_LEGACY_PICKLES = 5


def readings(
    stream: Stream, source: str, policy: Policy | None = None, *, encoding: str = "latin1"
) -> tuple[Inspection, list[Inspection]]:
    """Inspect a stream as what it is, and as other readers of it see it.

    A Python 2 str that is not ASCII is no reason to stop looking, unless `encoding` says so.
    """
    # Imported here: the inspection's module is not needed where a file holds no pickles.
    from picklist._inspection import inspect_stream

    def read(arrays: Any) -> Inspection:
        return inspect_stream(
            stream.data,
            source=source,
            policy=policy,
            encoding=encoding,
            persistent_load=stream.kind.startswith("torch"),
            arrays=arrays,
        )

    plain = read("opcodes")
    if not any(_wraps_an_array(report) for report in (plain, *plain.pickles)):
        return plain, []
    return read("padded"), [plain, read("unpadded")]


def _wraps_an_array(report: Inspection) -> bool:
    for used in report.globals:
        module, name = used.spelled or (used.module, used.name)
        wrapper = name == "NumpyArrayWrapper" and module.endswith("joblib.numpy_pickle")
        if wrapper and "state" in used.rights:
            return True
    return False


def is_pickle(stream: Stream, found: Inspection) -> bool:
    """Whether a stream is a pickle: by its name, or by what an inspection has seen it do."""
    report = found.to_dict()
    return stream.named or not report["fault"] or _does_something(report, stream.data)


def judge(stream: Stream, source: str, policy: Policy | None = None) -> tuple[int, list[Finding]]:
    """Return how many pickles a stream holds, and what is wrong with them."""
    found, others = readings(stream, source, policy)
    if not is_pickle(stream, found):
        return 0, []
    pickles, findings = _judged(found, stream, source)
    for other in others:
        findings += seen_besides(findings, _judged(other, stream, source)[1])
    return pickles, findings


def seen_besides(findings: list[Finding], others: list[Finding]) -> list[Finding]:
    """Return what only another reading of the same bytes finds: names, for its faults are none."""
    known = {(finding.rule, finding.name, finding.offset) for finding in findings}
    besides = []
    for finding in others:
        place = (finding.rule, finding.name, finding.offset)
        if place not in known and _IDENTIFIERS.fullmatch(finding.name):
            known.add(place)
            besides.append(finding)
    return besides


def _judged(found: Inspection, stream: Stream, source: str) -> tuple[int, list[Finding]]:
    findings = findings_of(found.to_dict(), source=source, member=stream.member, start=0)
    pickles = 1
    for number, further in enumerate(found.pickles, 2):
        report = further.to_dict()
        if report["fault"] and not report["globals"] and not report["refusals"]:
            if stream.kind == "torch-legacy" and number > _TORCH_LEGACY_PICKLES:
                continue
            message = f"{report['size']} bytes follow that are no pickle"
            at = further.start
            findings.append(Finding("trailing-data", message, source, stream.member, at))
            continue
        pickles += 1
        findings += findings_of(report, source=source, member=stream.member, start=further.start)
    return max(pickles, found.seen if not found.refused else pickles), findings


def _does_something(report: dict[str, Any], data: bytes) -> bool:
    """Tell a broken pickle from other data: by what it does before it breaks."""
    if data[:1] == b"\x80" and len(data) > 1 and data[1] <= 5:
        return True
    for used in report["globals"]:
        plausible = _IDENTIFIERS.fullmatch(used["module"]) and _IDENTIFIERS.fullmatch(used["name"])
        if plausible and (used["calls"] or used.get("gadget") or used["preset"]):
            return True
    return False
