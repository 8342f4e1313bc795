"""Run a load in a child process with a bound on its address space and its CPU time.

The child first starts picklist and loads something small, then notes its memory, and may from
there on take 128 bytes for each byte of input and 16 MiB, as ``Limits`` promises, besides the input
and the slack that an allocator needs.  It answers with one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from children import printed

__all__ = ["DEBUG", "MANY", "SECONDS", "SECONDS_PER_BYTE", "outcome"]

SECONDS = 1.0
SECONDS_PER_BYTE = 0.2e-6
MEMORY = 16 << 20
MEMORY_PER_BYTE = 128
# The child's own: the input twice; what an allocator keeps for itself, and a stack that has just
# doubled; and the time of a machine that does other things too.
OWN_PER_BYTE = 2
SLACK = 32 << 20
PATIENCE = 4.0
# A debug interpreter checks itself all the while, and fences each object with 32 bytes.
DEBUG = hasattr(sys, "gettotalrefcount")
if DEBUG:
    PATIENCE *= 4
    OWN_PER_BYTE += 64
# Objects that a payload of one byte each is made of.
MANY = 1_000_000 if DEBUG else 10_000_000

CHILD = """
import io, json, resource, sys, time, warnings
import array, collections, datetime, decimal, fractions, ipaddress, pathlib, types, uuid
import picklist
data = open(sys.argv[1], "rb").read()
how, bound = sys.argv[2], json.loads(sys.argv[3])
limits = picklist.Limits(**bound["limits"]) if bound["limits"] else None
policy = picklist.Policy(base=bound["base"])
try:
    picklist.safe_loads(b"cos\\nsystem\\n.", policy=policy)
except picklist.UnsafePickleError:
    pass
picklist.safe_loads(b"N.", policy=policy)
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
space = pages + bound["memory"]
resource.setrlimit(resource.RLIMIT_AS, (space, space))
resource.setrlimit(resource.RLIMIT_CPU, (bound["cpu"], bound["cpu"] + 1))
started = time.process_time()
answer = {}
try:
    if how == "load":
        value = picklist.safe_load(io.BytesIO(data), policy=policy, limits=limits)
    else:
        value = picklist.safe_loads(data, policy=policy, limits=limits)
    answer["type"] = type(value).__name__
    answer["length"] = len(value) if hasattr(value, "__len__") else None
    del value
except picklist.LimitExceededError as error:
    answer.update(limit=error.limit, value=error.value, maximum=error.maximum,
                  offset=error.offset, path=error.path, message=str(error))
except Exception as error:
    answer["error"] = f"{type(error).__name__}: {error}"[:300]
answer["seconds"] = time.process_time() - started
print(json.dumps(answer))
"""


def outcome(
    data: bytes,
    folder: Path,
    *,
    how: str = "loads",
    base: str | list[str] = "std",
    **limits: Any,
) -> dict[str, Any]:
    """Load in a bounded child; return what it says.  A child that does not answer is an error.

    Parameters
    ----------
    data : bytes
        The pickle.
    folder : Path
        Where the input may be written.
    how : str
        ``"loads"``, or ``"load"`` from a file.
    base : str or list of str
        Presets of the policy.
    limits
        Fields of ``Limits``; none: the defaults.
    """
    path = folder / "input.pkl"
    path.write_bytes(data)
    cpu = SECONDS + SECONDS_PER_BYTE * len(data)
    bound = {
        "memory": MEMORY + MEMORY_PER_BYTE * len(data) + OWN_PER_BYTE * len(data) + SLACK,
        "cpu": int(PATIENCE * cpu) + 2,
        "limits": limits,
        "base": base,
    }
    answer: dict[str, Any] = json.loads(printed(CHILD, path, how, json.dumps(bound)))
    assert "error" not in answer, answer["error"]
    assert answer["seconds"] < PATIENCE * cpu, (
        f"{answer['seconds']:.2f} s, {cpu:.2f} s are promised"
    )
    return answer
