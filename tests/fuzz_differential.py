"""Differential fuzzer: ``safe_loads`` against ``pickle``, and against what ``inspect`` says.

    python tests/fuzz_differential.py --time 60 [--seed 1]
    python tests/fuzz_differential.py --replay crash.pkl

For every mutant of the corpus:

- under ``std``, it loads or raises one of the documented exceptions; nothing is imported; it takes
  at most 1 s and 0.2 us a byte; the inspector's verdict is the loader's; and a value that comes out
  is the one that ``pickle`` makes;
- unrestricted, with a ``find_class`` of harmless names, it gives the value that ``pickle`` gives
  with the same ``find_class``, or raises.

``pickle`` itself only ever sees names of a fixed list through ``find_class``.  The work is done in
a child with an address-space limit that writes each input to a file first, so that an input that
ends the process is known.
"""

from __future__ import annotations

import _compat_pickle
import argparse
import importlib
import io
import json
import os
import pickle
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import picklist
from corpus import SAMPLES
from mutation import mutate
from picklist import _picklist
from structure import same_structure

MEMORY = 3 << 30
SECONDS = 1.0
SECONDS_PER_BYTE = 0.2e-6

STD = {
    ("_codecs", "encode"), ("_operator", "or_"), ("array", "_array_reconstructor"),
    ("array", "array"), ("collections", "Counter"), ("collections", "OrderedDict"),
    ("collections", "defaultdict"), ("collections", "deque"), ("copyreg", "__newobj__"),
    ("copyreg", "__newobj_ex__"), ("copyreg", "_reconstructor"), ("datetime", "date"),
    ("datetime", "datetime"), ("datetime", "time"), ("datetime", "timedelta"),
    ("datetime", "timezone"), ("decimal", "Decimal"), ("fractions", "Fraction"),
    ("functools", "partial"), ("pathlib", "PurePath"), ("pathlib", "PurePosixPath"),
    ("pathlib", "PureWindowsPath"), ("types", "SimpleNamespace"), ("uuid", "SafeUUID"),
    ("uuid", "UUID"), ("ipaddress", "IPv4Address"), ("ipaddress", "IPv4Interface"),
    ("ipaddress", "IPv4Network"), ("ipaddress", "IPv6Address"), ("ipaddress", "IPv6Interface"),
    ("ipaddress", "IPv6Network"),
    *(("builtins", name) for name in (
        "int", "float", "str", "bool", "list", "dict", "tuple", "object", "Ellipsis",
        "NotImplemented", "type", "bytes", "bytearray", "complex", "range", "slice", "set",
        "frozenset", "getattr",
    )),
}  # fmt: skip
# Calling these with any arguments costs nothing much, reads nothing and changes nothing.  Not here:
# what calls its arguments, walks attributes, allocates by number, or runs for ever.
HARMLESS = STD - {
    ("builtins", "getattr"), ("builtins", "type"), ("builtins", "range"), ("builtins", "bytearray"),
    ("builtins", "bytes"), ("functools", "partial"), ("_operator", "or_"), ("_codecs", "encode"),
    ("datetime", "date"), ("datetime", "datetime"), ("datetime", "time"), ("fractions", "Fraction"),
    ("decimal", "Decimal"), ("copyreg", "_reconstructor"), ("copyreg", "__newobj__"),
    ("copyreg", "__newobj_ex__"), ("builtins", "tuple"), ("builtins", "list"),
    ("collections", "defaultdict"), ("types", "SimpleNamespace"),
    ("uuid", "UUID"), ("pathlib", "PurePath"), ("pathlib", "PurePosixPath"),
    ("pathlib", "PureWindowsPath"),
    *(("ipaddress", f"IPv{n}{kind}") for n in "46" for kind in ("Address", "Network", "Interface")),
}  # fmt: skip


class Found(Exception):
    """A rule that an input breaks."""


def find(allowed: set[tuple[str, str]], module: str, name: str) -> Any:
    """Return a name of the list, which may be spelled as Python 2 does."""
    module, name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
    module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    if (module, name) not in allowed:
        raise pickle.UnpicklingError(f"{module}.{name} is not on the list")
    return getattr(importlib.import_module(module), name)


class StdPickle(pickle.Unpickler):
    """``pickle`` with the names of ``std``; for streams whose every step ``std`` has allowed."""

    def find_class(self, module: str, name: str) -> Any:
        module = "pathlib" if module == "pathlib._local" else module
        return find(STD, module, name)


class HarmlessPickle(pickle.Unpickler):
    """``pickle`` with harmless names."""

    def find_class(self, module: str, name: str) -> Any:
        return find(HARMLESS, module, name)


class HarmlessPicklist(picklist.Unpickler):
    """picklist's unpickler with the same ``find_class``: what that returns is under no policy."""

    def find_class(self, module: str, name: str) -> Any:
        return find(HARMLESS, module, name)


FREE = picklist.Policy.unrestricted()
Outcome = tuple[bool, Any]


def attempt(load: Any, *args: Any, **options: Any) -> Outcome:
    """Return whether it loaded, and the value or the exception."""
    try:
        return True, load(*args, **options)
    except Exception as error:
        return False, error


def compare(data: bytes, ours: Any, reference: type[pickle.Unpickler], what: str) -> None:
    """``pickle`` must load the data to the same value."""
    loaded, theirs = attempt(lambda: reference(io.BytesIO(data)).load())
    if not loaded and isinstance(theirs, MemoryError):
        return  # its memo is an array as long as the largest index
    if not loaded:
        raise Found(f"{what}: pickle raises {theirs!r:.200}, picklist gives {type(ours)}")
    difference = same_structure(ours, theirs)
    if difference:
        raise Found(f"{what}: not pickle's value: {difference:.300}")


def check(data: bytes) -> str:
    """Hold one input against every rule; return what became of it."""
    modules = set(sys.modules)
    started = time.process_time()
    loaded, value = attempt(picklist.safe_loads, data)
    spent = time.process_time() - started
    if spent > SECONDS + SECONDS_PER_BYTE * len(data):
        raise Found(f"std took {spent:.2f} s for {len(data)} bytes")
    if imported := set(sys.modules) - modules:
        raise Found(f"std imported {sorted(imported)}")
    if not loaded and not isinstance(value, picklist.UnsafePickleError):
        raise Found(f"std raises {type(value).__name__}: {value!s:.200}")
    verdict = json.loads(_picklist._inspect(data))
    if verdict["allowed"] != loaded:
        said = [verdict["fault"], *verdict["refusals"][:2]]
        raise Found(f"the inspector says {verdict['allowed']} ({said!s:.400}), std: {value!r:.300}")
    if loaded:
        compare(data, value, StdPickle, "std")
    free, given = attempt(lambda: HarmlessPicklist(io.BytesIO(data), policy=FREE).load())
    if free:
        compare(data, given, HarmlessPickle, "unrestricted")
    return "loaded" if loaded else type(value).__name__


# A limit that most seeds come near.
TIGHT: dict[str, tuple[int, int]] = {
    "max_depth": (1, 8),
    "max_hash_depth": (1, 4),
    "max_memory": (100, 5_000),
    "max_hash_work": (1, 40),
    "max_key_collisions": (1, 5),
    "max_int_digits": (1, 30),
    "max_int_bytes": (1, 12),
    "max_bytes": (1, 400),
}


def is_limit(fault: dict[str, Any] | None) -> bool:
    """Whether the inspector stopped at a limit."""
    return fault is not None and fault["class"] == "limit"


def check_limits(data: bytes, rng: random.Random) -> None:
    """Hold loader and inspector to one verdict under a limit that is tight."""
    name = rng.choice(sorted(TIGHT))
    limits = picklist.Limits(**{name: rng.randint(*TIGHT[name])})
    loaded, value = attempt(picklist.safe_loads, data, limits=limits)
    verdict = json.loads(_picklist._inspect(data, None, limits=limits))
    if loaded and name in ("max_depth", "max_hash_work") and is_limit(verdict["fault"]):
        return  # a container put into itself, a frozenset of equal items: see docs/limits.md
    if verdict["allowed"] != loaded:
        raise Found(f"{limits}: the inspector says {verdict['fault']}, the loader {value!r:.300}")
    if isinstance(value, picklist.LimitExceededError) and value.path is None:
        raise Found(f"{limits}: no path in {value}")


def seeds() -> list[bytes]:
    """Return the pickles that mutants are made of, the shorter the likelier."""
    found = {sample.data for sample in SAMPLES if len(sample.data) < 3000}
    extra: list[Any] = [
        [{"a": [1, 2.5, None, True], "b": (1, (2, (3,)))}] * 3,
        {(1, 2): frozenset([1, (2, 3)]), 2**70: {1.5, 2 + 1j}},
    ]
    found |= {pickle.dumps(value, proto) for value in extra for proto in range(6)}
    return sorted(found)


def work(options: argparse.Namespace) -> None:
    """Be the child: mutate and check until the time or the iterations are up."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    for sample in SAMPLES:  # every module of std is here before anything is checked
        attempt(picklist.safe_loads, sample.data)
    for module, _ in STD:
        importlib.import_module(module)
    rng = random.Random(options.seed)
    pool = seeds()
    current = Path(options.current)
    deadline = time.monotonic() + options.time
    outcomes: dict[str, int] = {}
    done = 0
    while done < options.iterations and time.monotonic() < deadline:
        data = mutate(rng, rng.choice(pool), rng.choice(pool))
        if len(data) > 100_000:
            continue
        current.write_bytes(data)
        outcome = check(data)
        check_limits(data, rng)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        done += 1
        if outcome == "loaded" and len(data) < 2000 and rng.random() < 0.05:
            pool.append(data)
            if len(pool) > 4000:
                pool.pop(rng.randrange(len(pool)))
    summary = ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items()))
    print(f"{done} inputs of seed {options.seed}: {summary}", flush=True)


def run(time_: float, iterations: int, seed: int, keep: Path) -> str:
    """Fuzz in a child; return what was found, or the empty string."""
    with tempfile.TemporaryDirectory() as folder:
        current = Path(folder) / "current.pkl"
        command = [sys.executable, "-X", "faulthandler", __file__, "--work", str(current)]
        command += ["--time", str(time_), "--iterations", str(iterations), "--seed", str(seed)]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
        child = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        print(child.stdout, end="")
        if child.returncode == 0:
            return ""
        keep.mkdir(parents=True, exist_ok=True)
        data = current.read_bytes() if current.exists() else b""
        kept = keep / f"differential-{seed}.pkl"
        kept.write_bytes(data)
        last = "\n".join(child.stderr.splitlines()[-12:])
        return f"seed {seed}, exit {child.returncode}, {kept}: {data[:600]!r}\n{last}"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="differential fuzzer")
    parser.add_argument("--time", type=float, default=60.0)
    parser.add_argument("--iterations", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--keep", type=Path, default=Path("fuzz/found"))
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--work", dest="current", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.current:
        work(options)
        return 0
    if options.replay:
        print(check(options.replay.read_bytes()))
        return 0
    found = run(options.time, options.iterations, options.seed, options.keep)
    print(found or "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
