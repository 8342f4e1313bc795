"""The shells of machine-readable and notebook output, shared by every report: SARIF logs, HTML."""

from __future__ import annotations

import html
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
COLORS = {"error": "#b00020", "warning": "#8a6d00", "note": "#555555"}


def sarif_rule(
    code: str, *, name: str, summary: str, text: str, level: str, remedy: str = ""
) -> dict[str, Any]:
    """Return one `reportingDescriptor` of a SARIF log."""
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": text},
        "help": {"text": remedy or text},
        "defaultConfiguration": {"level": level},
    }


def sarif_log(
    rules: Sequence[Mapping[str, Any]], results: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log of one run; the rule index of every result is filled in."""
    index = {rule["id"]: at for at, rule in enumerate(rules)}
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "picklist", "rules": list(rules)}},
                "results": [{**result, "ruleIndex": index[result["ruleId"]]} for result in results],
            }
        ],
    }


def sarif_artifact(file: str) -> dict[str, str]:
    """Return the `artifactLocation` of a file; relative paths stay relative, as viewers want."""
    if urllib.parse.urlsplit(file).scheme and "://" in file:
        return {"uri": urllib.parse.quote(file, safe="/:?=&%@+~")}
    path = Path(file)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": urllib.parse.quote(file.replace("\\", "/"))}


def html_mark(level: str, text: str) -> str:
    """Return a table cell in the colour of its level."""
    return f'<td style="color:{COLORS[level]};white-space:nowrap">{html.escape(text)}</td>'


def html_report(headline: str, rows: Iterable[str], footer: str = "") -> str:
    """Return a headline over table rows; nothing is loaded from elsewhere."""
    body = "".join(rows)
    table = f'<table style="text-align:left">{body}</table>' if body else ""
    last = f"<p>{html.escape(footer)}</p>" if footer else ""
    return f"<div><p><b>{html.escape(headline)}</b></p>{table}{last}</div>"
