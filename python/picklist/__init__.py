"""picklist."""

from picklist._preflight.check import check_picklable, dump, dumps, explain, is_picklable
from picklist._preflight.explained import explain_errors, guard_queue
from picklist._preflight.report import Fix, Reason, Report
from picklist.errors import NotPicklableError, PicklistError

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
