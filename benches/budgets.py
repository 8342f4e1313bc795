"""What the budgets cost: every row of the benchmark with them compiled in, and compiled out.

    python benches/budgets.py [--quick] [--only NAME] [--markdown]

Builds the extension twice in release mode, each in a directory of its own under target/: as it is
shipped, and with ``--cfg picklist_unbudgeted``.  Both are loaded into this one process and take
turns, A B A B.  Where the processor's counter can be read, instructions are compared as well: they
are the same on a busy machine, time is not.  Needs cargo and maturin.

1.00 means that the budgets cost nothing, 1.05 that loads take five hundredths longer for them.
"""

from __future__ import annotations

import argparse
import gc
import importlib.machinery
import importlib.util
import math
import os
import pickle
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import picklist
from counting import counter
from suite import ROWS

HERE = Path(__file__).resolve().parent.parent
BUILDS = {"in": "", "out": "--cfg picklist_unbudgeted"}
DEEP = b"]" * 20_000 + b"a" * 19_999 + b"."

Load = Callable[[bytes], Any]


def build(name: str) -> Path:
    """Build the extension and return where it lies."""
    target = HERE / "target" / f"budgets-{name}"
    wheels = target / "wheels"
    for old in wheels.glob("*.whl"):
        old.unlink()
    subprocess.run(
        [
            *(sys.executable, "-m", "maturin", "build", "--locked", "--profile", "release"),
            *("--quiet", "--interpreter", sys.executable, "--out", str(wheels)),
        ],
        cwd=HERE,
        check=True,
        env=dict(os.environ, CARGO_TARGET_DIR=str(target), RUSTFLAGS=BUILDS[name]),
    )
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (member,) = (m for m in archive.namelist() if "_picklist" in m and m.endswith(".so"))
        return Path(archive.extract(member, target))


def extension(path: Path, name: str) -> Any:
    """Load an extension module beside the one that is installed."""
    loader = importlib.machinery.ExtensionFileLoader(f"budgets_{name}._picklist", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def check(modules: dict[str, Any]) -> None:
    """See that one counts and the other does not."""
    modules["out"].safe_loads(DEEP)
    try:
        modules["in"].safe_loads(DEEP)
    except picklist.LimitExceededError:
        return
    raise SystemExit("the build that should count does not")


def measure(loads: dict[str, Load], data: bytes, seconds: float) -> tuple[float, float | None]:
    """Return the ratios in : out of times and of instructions."""
    count = counter()
    best = dict.fromkeys(loads, math.inf)
    least = dict.fromkeys(loads, 0)
    started = time.process_time()
    loads["in"](data)
    once = time.process_time() - started
    often = max(1, round(0.005 / max(once, 1e-7)))
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end or rounds < 5:
        rounds += 1
        for name, load in loads.items():
            before = count() if count else 0
            started = time.process_time()
            for _ in range(often):
                load(data)
            best[name] = min(best[name], time.process_time() - started)
            if count:
                spent = count() - before
                least[name] = spent if rounds == 1 else min(least[name], spent)
            gc.collect(0)
    instructions = least["in"] / least["out"] if count else None
    return best["in"] / best["out"], instructions


def mean(ratios: list[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def main() -> int:
    """Print a line for each row and protocol, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of each row, fewer rounds")
    parser.add_argument("--only", default="")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    size, seconds = (0.1, 0.5) if options.quick else (0.3, 1.0)
    modules = {name: extension(build(name), name) for name in BUILDS}
    check(modules)
    times, counts = [], []
    line = "| {:24} | {:>8} | {:>6} | {:>12} |" if options.markdown else "{:26}{:>8}{:>8}{:>14}"
    print(line.format("row", "protocol", "time", "instructions"))
    if options.markdown:
        print("|---|---:|---:|---:|")
    for row in ROWS:
        if options.only not in row.name or row.cold or row.out_of_band or row.missing():
            continue
        value = row.make(size)
        allow = () if row.allow is None else row.allow()
        if any(isinstance(entry, picklist.Allow) for entry in allow):
            continue  # the package's own objects, which two other extensions do not know
        policies = {name: module.Policy(allow) for name, module in modules.items()}
        for protocol in row.protocols:
            data = pickle.dumps(value, protocol)
            loads = {name: policy.loads for name, policy in policies.items()}
            assert all(row.equal(load(data), value) for load in loads.values())
            spent, counted = measure(loads, data, seconds)
            times.append(spent)
            counts += [] if counted is None else [counted]
            shown = "" if counted is None else f"{counted:.3f}"
            print(line.format(row.name, protocol, f"{spent:.2f}", shown), flush=True)
    shown = f"{mean(counts):.3f}" if counts else ""
    print(line.format("geometric mean", "", f"{mean(times):.2f}", shown))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
