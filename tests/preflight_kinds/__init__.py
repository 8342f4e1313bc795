"""The table of kinds: objects that people hold, and what pickle makes of each.

A row is a name, the code that the report must give ("ok" where it pickles), and
a factory. Factories get an ExitStack for what has to be closed. Each module adds
the rows of one theme; third-party rows are in `preflight_third_party`.
"""

from __future__ import annotations

from preflight_kinds import (
    coming_back,
    definitions,
    own_methods,
    picklable,
    resources,
    values,
    workers,
)
from preflight_kinds.table import KINDS, Holder, Kind, kind, needs

THEMES = (
    definitions,
    workers,
    resources,
    values,
    own_methods,
    coming_back,
    picklable,
)

__all__ = ["KINDS", "THEMES", "Holder", "Kind", "kind", "needs"]
