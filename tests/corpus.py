"""Read the corpus of real pickles (``tests/data/corpus.jsonl``, written by ``make_corpus.py``)."""

from __future__ import annotations

import base64
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "data" / "corpus.jsonl"
MODULES = (
    "array",
    "collections",
    "datetime",
    "decimal",
    "fractions",
    "http",
    "ipaddress",
    "pathlib",
    "picklist_samples",
    "picklist_samples_typed",
    "re",
    "signal",
    "socket",
    "time",
    "types",
    "uuid",
    "zoneinfo",
)


@dataclass(frozen=True)
class Sample:
    """One pickle that a real interpreter wrote."""

    name: str
    expr: str
    protocol: int
    pythons: tuple[str, ...]
    data: bytes
    encoding: str
    base: tuple[str, ...]
    allow: tuple[str, ...]
    by_structure: bool

    def __str__(self) -> str:
        return f"{self.name}-p{self.protocol}-py{self.pythons[0]}".replace(" ", "_")

    def expected(self) -> Any:
        """Return the value that the pickle was made from."""
        return eval(self.expr, {name: importlib.import_module(name) for name in MODULES})


def sample(row: dict[str, Any]) -> Sample:
    """Turn one line of the file into a Sample."""
    return Sample(
        name=row["name"],
        expr=row["expected"],
        protocol=row["protocol"],
        pythons=tuple(row["pythons"]),
        data=base64.b64decode(row["b64"]),
        encoding=row.get("encoding", "ASCII"),
        base=("std", *row.get("base", ())),
        allow=tuple(row.get("allow", ())),
        by_structure=bool(row.get("identity")),
    )


SAMPLES: tuple[Sample, ...] = tuple(
    sample(json.loads(line)) for line in CORPUS.read_text("ascii").splitlines()
)
