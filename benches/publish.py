"""Writes what the last ``make bench`` found into the documents: tables, plot, cost curves.

    python benches/publish.py benches/out docs

What is missing in the folder is left out of the document.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from plot import draw, line, version

HEAD = """\
# Speed

`picklist.safe_loads` with policy, provenance and budgets on, as shipped, against `pickle.loads` in
one process: A B A B, CPU time, the collector left alone and what is left to it billed by a
`gc.collect(0)` behind each load. A load of a millisecond or more is timed alone and its result
freed while the clock stands still; smaller ones are timed by the hundred and their results dropped
at once. A ratio says how many times as fast as `pickle.loads`; 2.0 is half the time. Written by
`make bench publish`; `make bench-python3.11 BENCH="--only tiny json"` times some rows on one
interpreter. Times depend on the machine; the ratios do much less.

- *picklist*, *find_class*, *marshal*, *orjson*, *msgspec*: ratios of the minima. *find_class* is an
  `Unpickler` subclass with an exact allowlist. A blank means that the format does not give the same
  value back.
- *(median)*: picklist's ratio by medians. *vs find_class*: picklist against the subclass.
- Cold rows get another payload at every load. Rows of classes, and those of numpy, pandas and
  scikit-learn, run under exact lists of the names they need; the whole stream is then checked
  before any of their code runs, and that is timed too. numpy's plain arrays need no such check.
- Long loads leave what they made in the collector's middle generation, where a young collection
  would, and in huge pages where Linux gives them:
  [limits.md](limits.md#what-a-load-does-to-the-process).
- Which rows stay low, and why: [profile.md](profile.md).

![ratios](speed.svg)
"""

SHARED = """
## Inspecting first

Before code of an allowed class or function could run, the whole stream is inspected: nothing has
happened when a pickle is refused. That is part of the times above. Here is how much of them it is,
by the clock, within the loads themselves; rows that are not here need no inspection.
"""

LOOKED = """
## Looking and checking

`picklist.inspect` in CPU time, `picklist scan` in wall-clock time over cached files, and
`picklist.is_picklable` against `pickle.dumps` of the same object.
"""

CURVES = """
## Cost curves

Nanoseconds per byte while n doubles over eight steps, `pickle.loads` in grey. A flat curve is
linear cost.

![cost curves](curves.svg)
"""


def main() -> None:
    """Write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("found", type=Path, help="what was saved")
    parser.add_argument("documents", type=Path)
    options = parser.parse_args()
    paths = list(options.found.glob("bench-*.json"))
    if not paths:
        parser.error(f"nothing in {options.found}: run `make bench` first")
    reports = [(json.loads(path.read_text(encoding="utf-8")), path) for path in paths]
    reports.sort(key=lambda pair: [int(part) for part in version(pair[0]).split(".")])
    text = [HEAD, *(f"- {line(report)}" for report, _ in reports)]
    for report, path in reports:
        table = path.with_suffix(".md").read_text(encoding="utf-8").strip()
        text.append(f"\n## CPython {version(report)}\n\n{table}")
    options.documents.mkdir(exist_ok=True)
    figure = draw([report for report, _ in reports], protocol=5).render()
    (options.documents / "speed.svg").write_text(figure, encoding="utf-8")
    for title, names in ((SHARED, ["share.txt"]), (LOOKED, ["look.txt", "preflight.txt"])):
        paths = [options.found / name for name in names]
        outputs = [path.read_text(encoding="utf-8").strip() for path in paths if path.exists()]
        if outputs:
            blocks = [f"\n```text\n{output}\n```\n" for output in outputs]
            text.append(title + "".join(blocks).rstrip())
    curves = sorted(options.found.glob("curves-*.svg"))
    if curves:
        shutil.copyfile(curves[0], options.documents / "curves.svg")
        text.append(CURVES.rstrip())
    (options.documents / "speed.md").write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
