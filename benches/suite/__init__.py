"""The payloads of the benchmark: what each row is and how to make it.

Every payload is made here from fixed seeds, so two runs time the same bytes.  Rows are functions
that take a size (1.0 is the full row, ``--quick`` asks for less) and return the object to pickle.
The order of the imports below is the order of the table.
"""

# ruff: noqa: I001
from __future__ import annotations

from .row import ROWS, Payload, Row
from . import small, documents, values, containers, standard, classes, buffers, science, cold

__all__ = [
    "ROWS",
    "Payload",
    "Row",
    "buffers",
    "classes",
    "cold",
    "containers",
    "documents",
    "science",
    "small",
    "standard",
    "values",
]
