"""Instructions per load, counted by callgrind: speed that a noisy machine cannot blur.

    python benches/counts.py                      # the ten rows of the baseline, compared with it
    python benches/counts.py --write              # make these counts the baseline
    python benches/counts.py --only ROW ...       # any rows, in all their protocols
    python benches/counts.py --only ROW --functions 20   # and where the instructions go

A count is the difference between 2 n loads and n loads, divided by n, in one process: what is the
same in both parts, start and marks included, cancels out.  Hashes are seeded, the environment is
empty, the collector is off, so the same run counts the same to the last digit.  What is left are
addresses: where objects lie decides which entries of the interpreter's method cache collide and
which arenas come and go.  So each count is the least of a few runs whose objects lie elsewhere.
Another compiler, interpreter or C library counts differently, so a baseline is kept for each
interpreter, build profile and architecture, and names the toolchain it was taken with.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import picklist
from callgrind import run, self_costs, total_of, valgrind_version
from suite import ROWS, Row

HERE = Path(__file__).resolve().parent
BASELINES = HERE / "baseline"
TOLERANCE = 0.03
#: How far ``pickle.loads`` itself may be off before the machine, not picklist, is another one.
DRIFT = 0.01
#: Objects made beforehand, to move all others; one run for each.
LAYOUTS = (0, 101, 1_001, 5_003)


@dataclass(frozen=True)
class Counted:
    """A row to count: its size as a part of the full one, and the loads of the shorter part."""

    name: str
    protocol: int
    size: float
    loads: int

    @property
    def title(self) -> str:
        """How baselines call it."""
        return f"{self.name}, protocol {self.protocol}"


@dataclass(frozen=True)
class Count:
    """Instructions a load."""

    picklist: int
    pickle: int

    @property
    def ratio(self) -> float:
        """How many times fewer instructions picklist needs."""
        return self.pickle / self.picklist


FUNCTIONS = (
    "list that many functions for each row; picklist's have names in a build that keeps them: "
    "CARGO_PROFILE_RELEASE_STRIP=none"
)

BASELINE = (
    Counted("tiny", 5, 1.0, 200),
    Counted("session 1 kB", 5, 1.0, 40),
    Counted("JSON 3 MB", 5, 0.01, 3),
    Counted("JSON 3 MB", 4, 0.01, 3),
    Counted("ASCII strings 1M", 5, 0.003, 3),
    Counted("ints 1M", 5, 0.003, 3),
    Counted("dataclasses 100k", 5, 0.01, 3),
    Counted("namedtuples 100k", 5, 0.01, 3),
    Counted("tuples 300k", 5, 0.005, 3),
    Counted("datetimes 100k", 5, 0.01, 3),
)


# --- the toolchain -------------------------------------------------------------------------------


def extension() -> Path:
    """Return the file of the extension module."""
    found = sorted(Path(picklist.__file__).parent.glob("_picklist*.so"))
    if not found:
        raise SystemExit("picklist's extension module was not found")
    return found[-1]


def profile() -> str:
    """Return the cargo profile of the build: only ``release`` is stripped of symbols."""
    return "quick" if b"\0.symtab\0" in extension().read_bytes() else "release"


def toolchain() -> dict[str, str]:
    """Return what the counts depend on besides the code."""
    rustc = re.search(rb"rustc version ([^\0]+)", extension().read_bytes())
    configured = sysconfig.get_config_var("CONFIG_ARGS") or ""
    flags = [flag for flag in ("--enable-optimizations", "--with-lto") if flag in configured]
    flags += (sysconfig.get_config_var("OPT") or "").split()
    return {
        "python": platform.python_version(),
        "compiler": platform.python_compiler(),
        "flags": " ".join(flags),
        "libc": " ".join(platform.libc_ver()),
        "rustc": rustc.group(1).decode() if rustc else "unknown",
        "valgrind": valgrind_version() or "missing",
    }


def baseline_path() -> Path:
    """Return where the baseline of this interpreter, profile and architecture is kept."""
    major, minor = sys.version_info[:2]
    return BASELINES / f"cpython-{major}.{minor}-{platform.machine()}-{profile()}.json"


# --- counting ------------------------------------------------------------------------------------


def worker(rows: Sequence[Counted], layout: int) -> list[str]:
    """Return the command that loads the rows."""
    command = [sys.executable, str(HERE / "counted.py"), str(layout)]
    for row in rows:
        command += [row.name, str(row.protocol), str(row.size), str(row.loads)]
    return command


def differences(rows: Sequence[Counted], parts: Sequence[int]) -> list[Count]:
    """Return the instructions a load of each row, from the parts of a run."""
    found = []
    for at, row in enumerate(rows):
        ours, ours_twice, pickles, pickles_twice = parts[4 * at : 4 * at + 4]
        found.append(
            Count((ours_twice - ours) // row.loads, (pickles_twice - pickles) // row.loads)
        )
    return found


def counts(rows: Sequence[Counted], layouts: Sequence[int] = LAYOUTS) -> dict[str, Count]:
    """Return the instructions a load of each row, by its title: the least of the layouts."""
    runs = []
    for layout in layouts:
        with tempfile.TemporaryDirectory() as folder:
            parts = run(worker(rows, layout), Path(folder))
            runs.append(differences(rows, [total_of(part) for part in parts]))
    return {
        row.title: Count(min(each.picklist for each in found), min(each.pickle for each in found))
        for row, *found in zip(rows, *runs, strict=True)
    }


# --- the baseline --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Baseline:
    """Counts that were found good."""

    toolchain: dict[str, str]
    rows: dict[str, Count]

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read a baseline."""
        document = json.loads(path.read_text(encoding="utf-8"))
        rows = {title: Count(**count) for title, count in document["rows"].items()}
        return cls(document["toolchain"], rows)

    def write(self, path: Path) -> None:
        """Keep it."""
        document = {
            "toolchain": self.toolchain,
            "rows": {title: asdict(count) for title, count in self.rows.items()},
        }
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    def differs(self, here: Mapping[str, str]) -> str | None:
        """Say in what the toolchain here is another one, None if in nothing."""
        names = [name for name in self.toolchain if self.toolchain[name] != here.get(name)]
        if not names:
            return None
        return "the baseline was taken with another toolchain: " + "; ".join(
            f"{name} {self.toolchain[name]}, here {here.get(name)}" for name in names
        )

    def drift(self, measured: Mapping[str, Count]) -> str | None:
        """Say where ``pickle.loads`` needs other counts than it did, None if nowhere."""
        off = [
            f"{title}: {measured[title].pickle / count.pickle - 1:+.1%}"
            for title, count in self.rows.items()
            if title in measured and abs(measured[title].pickle / count.pickle - 1) > DRIFT
        ]
        if not off:
            return None
        return "pickle.loads itself counts differently here, so nothing can be said: " + ", ".join(
            off
        )

    def deviations(self, measured: Mapping[str, Count]) -> list[str]:
        """Return a line for each row that is off by more than `TOLERANCE`, or missing."""
        lines = []
        for title in self.rows.keys() | measured.keys():
            if title not in measured or title not in self.rows:
                lines.append(f"{title}: only in the {'baseline' if title in self.rows else 'run'}")
                continue
            was, now = self.rows[title].picklist, measured[title].picklist
            if abs(now - was) > TOLERANCE * was:
                word = "more" if now > was else "fewer"
                lines.append(
                    f"{title}: {now} instructions a load, {now / was - 1:+.1%} ({word} than {was})"
                )
        return sorted(lines)


# --- the command ---------------------------------------------------------------------------------


def small(row: Row, protocol: int) -> Counted:
    """Return a row of the suite at a size that callgrind can afford."""
    for counted in BASELINE:
        if (counted.name, counted.protocol) == (row.name, protocol):
            return counted
    if row.fixed:
        return Counted(row.name, protocol, 1.0, 40)
    if row.cold:
        return Counted(row.name, protocol, 0.02, 1)
    return Counted(row.name, protocol, 0.01, 3)


def table(measured: Mapping[str, Count]) -> str:
    """Return the counts for a terminal."""
    width = max(map(len, measured))
    lines = [f"{'instructions a load':<{width}} {'pickle':>12} {'picklist':>12} {'ratio':>7}"]
    for title, count in measured.items():
        cells = f"{count.pickle:>12,} {count.picklist:>12,} {count.ratio:>7.2f}"
        lines.append(f"{title:<{width}} {cells}")
    return "\n".join(lines)


def functions(rows: Sequence[Counted], most: int) -> str:
    """Return the functions that the instructions went to, picklist's and pickle's, row by row."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        parts = run(worker(rows, LAYOUTS[0]), Path(folder))
        for at, row in enumerate(rows):
            for who, part in (("picklist", 4 * at + 1), ("pickle", 4 * at + 3)):
                lines.append(f"\n{row.title}, {who}: instructions a load, and where they go")
                costs = self_costs(parts[part]).most_common(most)
                total = total_of(parts[part])
                lines += [
                    f"{cost // (2 * row.loads):>12,} {cost / total:>6.1%}  {name[:100]}"
                    for name, cost in costs
                ]
    return "\n".join(lines)


def main() -> int:
    """Count, print, and compare with the baseline or write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="ROW", help="row names or their beginnings")
    parser.add_argument("--protocol", nargs="+", type=int, default=[], metavar="N")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help=FUNCTIONS)
    parser.add_argument("--write", action="store_true", help="make the counts the baseline")
    options = parser.parse_args()
    rows: Sequence[Counted] = BASELINE
    if options.only:
        wanted = tuple(name.casefold() for name in options.only)
        rows = [
            small(row, protocol)
            for row in ROWS
            if row.name.casefold().startswith(wanted) and not row.missing()
            for protocol in row.protocols
            if not options.protocol or protocol in options.protocol
        ]
    if not rows or (options.write and options.only):
        parser.error("no such row" if not rows else "a baseline has all its rows: no --only")
    measured = counts(rows)
    print(table(measured))
    if options.functions:
        print(functions(rows, options.functions))
    path = baseline_path()
    if options.write:
        Baseline(toolchain(), measured).write(path)
        print(f"\nwritten: {path.relative_to(HERE.parent)}")
    elif not options.only and path.exists():
        baseline = Baseline.read(path)
        here = baseline.differs(toolchain()) or baseline.drift(measured)
        lines = [here] if here else baseline.deviations(measured)
        print("\n" + ("\n".join(lines) or f"within {TOLERANCE:.0%} of {path.name}"))
        return 1 if lines else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
