"""The exceptions of picklist (the part that the preflight raises)."""

from __future__ import annotations

import pickle
from typing import Any


class PicklistError(pickle.PicklingError):
    """Every failure that this library explains."""


class NotPicklableError(PicklistError):
    """The object cannot be pickled; `report` says why and where."""

    report: Any

    def __init__(self, report: Any) -> None:
        super().__init__(report)
        self.report = report
