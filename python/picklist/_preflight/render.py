"""A Report for people and for tools: text, HTML, SARIF."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from picklist._documents import html_mark, html_report, sarif_artifact, sarif_log, sarif_rule

from .catalogue import reasons

if TYPE_CHECKING:
    from .report import Reason, Report

COLORS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "path": "\x1b[36m",
    "fix": "\x1b[32m",
}
RESET = "\x1b[0m"


def human_bytes(count: int) -> str:
    """`512.0 MB`, `3.1 kB`, `12 bytes`."""
    if count < 1000:
        return f"{count} bytes"
    size = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size:.1f} TB"


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def headline(report: Report) -> str:
    """Return the first line."""
    counts = []
    if report.errors:
        counts.append(plural(len(report.errors), "error"))
    if report.warnings:
        counts.append(plural(len(report.warnings), "warning"))
    verb = "copied" if report.target == "deepcopy" else "pickled"
    where = f"in {plural(report.objects, 'object')}"
    if not report.ok:
        return f"{report.name} cannot be {verb}: {', '.join(counts)} {where}"
    if counts:
        return f"{report.name} can be {verb}: {', '.join(counts)} {where}"
    return f"{report.name} can be {verb}: no reason against it {where}"


def as_text(report: Report, *, color: bool = False) -> str:
    """Return the whole explanation."""

    def paint(style: str, text: str) -> str:
        return f"{COLORS[style]}{text}{RESET}" if color else text

    lines = [headline(report)]
    if report.reasons:
        lines.append("")
    width = max((len(r.code) + len(r.kind) for r in report.reasons), default=0)
    for reason in report.reasons:
        mark = "E" if reason.severity == "error" else "W"
        label = f"{mark} {reason.code} {reason.kind}"
        label += " " * (width - len(reason.code) - len(reason.kind))
        place = paint("path", shorten(reason.path))
        lines.append(f"{paint(reason.severity, label)}  {place}  {reason.summary}{also(reason)}")
        lines.append(f"    {reason.cause}")
        lines.extend(f"    {paint('fix', 'fix')}  {fix.text}" for fix in reason.fixes[:4])
    if report.omitted:
        lines.append(f"… and {report.omitted} more")
    if report.disagreement:
        lines.append(f"disagreement: {report.disagreement} (please report this)")
    if report.size:
        lines.append(size_line(report))
    return "\n".join(lines)


def shorten(path: str) -> str:
    """Return a path that fits on a line."""
    return path if len(path) <= 160 else f"{path[:100]} … {path[-50:]}"


def also(reason: Reason) -> str:
    """`(also at …)`, or nothing."""
    if not reason.also_at:
        return ""
    more = len(reason.also_at) - 2
    text = ", ".join(map(shorten, reason.also_at[:2]))
    return f"  (also at {text}{f' and {more} more' if more > 0 else ''})"


def size_line(report: Report) -> str:
    """Where the bytes are."""
    about = "" if report.measured else "about "
    line = f"size: {about}{human_bytes(report.size)}"
    if report.largest:
        path, size = report.largest[0]
        if size * 2 > report.size and path != report.name:
            line += f", {human_bytes(size)} of it at {shorten(path)}"
            if ".__self__" in path:
                holder = path.partition(".__self__")[0]
                line += f" ({holder} is a bound method, which carries its whole object)"
    return line


def as_html(report: Report) -> str:
    """Return a table for notebooks; everything escaped, nothing loaded from elsewhere."""
    rows = []
    for reason in report.reasons:
        fixes = "".join(
            f"<li>{html.escape(fix.text)}"
            + (f"<pre>{html.escape(fix.code)}</pre>" if fix.code else "")
            + "</li>"
            for fix in reason.fixes
        )
        rows.append(
            f"<tr>{html_mark(reason.severity, f'{reason.code} {reason.kind}')}"
            f"<td><code>{html.escape(reason.path)}</code></td>"
            f"<td>{html.escape(reason.summary)}<br><i>{html.escape(reason.cause)}</i>"
            f"<details><summary>fixes</summary><ul>{fixes}</ul></details></td></tr>"
        )
    return html_report(headline(report), rows, size_line(report) if report.size else "")


def as_sarif(report: Report) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log with one run."""
    entries = reasons()
    rules = [
        sarif_rule(
            code,
            name=entries[code].slug,
            summary=entries[code].summary,
            text=entries[code].cause,
            level=entries[code].severity,
            remedy="\n".join(entries[code].fixes),
        )
        for code in sorted({reason.code for reason in report.reasons})
    ]
    return sarif_log(rules, map(_sarif_result, report.reasons))


def _sarif_result(reason: Reason) -> dict[str, Any]:
    fixes = "".join(f"\n- {fix.text}" for fix in reason.fixes)
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": reason.path, "kind": "object"}]
    }
    file, _, line = reason.source.rpartition(":")
    if file and line.isdigit():
        location["physicalLocation"] = {
            "artifactLocation": sarif_artifact(file),
            "region": {"startLine": max(1, int(line))},
        }
    return {
        "ruleId": reason.code,
        "level": reason.severity,
        "message": {"text": f"{reason.path}: {reason.summary}. {reason.cause}{fixes}"},
        "locations": [location],
    }
