"""picklist."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from picklist.errors import NotPicklableError, PicklistError

if TYPE_CHECKING:
    from picklist._preflight.check import (
        check_picklable,
        dump,
        dumps,
        explain,
        is_picklable,
    )
    from picklist._preflight.explained import explain_errors, guard_queue
    from picklist._preflight.report import Fix, Reason, Report

# Imported on first use: the preflight costs nothing until something is checked.
_LAZY = {
    "Fix": "report",
    "Reason": "report",
    "Report": "report",
    "check_picklable": "check",
    "dump": "check",
    "dumps": "check",
    "explain": "check",
    "explain_errors": "explained",
    "guard_queue": "explained",
    "is_picklable": "check",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module = importlib.import_module(f"picklist._preflight.{_LAZY[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Fix",
    "NotPicklableError",
    "PicklistError",
    "Reason",
    "Report",
    "check_picklable",
    "dump",
    "dumps",
    "explain",
    "explain_errors",
    "guard_queue",
    "is_picklable",
]
