"""Many threads under one policy."""

from __future__ import annotations

import pickle
import sys
import threading
from typing import Any

import picklist
from corpus import SAMPLES
from picklist_samples import Point
from structure import same_structure

THREADS = 16
ROUNDS = 30


def test_sixteen_threads_load_under_one_policy() -> None:
    """Good and refused pickles, interleaved as finely as the interpreter allows."""
    policy = picklist.Policy(allow=[Point])
    good = [s for s in SAMPLES if s.base == ("std",) and not s.allow and s.encoding == "ASCII"]
    values: list[tuple[bytes, Any]] = [(s.data, policy.loads(s.data)) for s in good[:60]]
    values.append((pickle.dumps([Point(1, "y")] * 50), [Point(1, "y")] * 50))
    bad = [b"cos\nsystem\n.", b"}R.", b"]" * 20_000 + b"a" * 19_999 + b".", b"N"]
    failures: list[str] = []
    barrier = threading.Barrier(THREADS)

    def work(number: int) -> None:
        barrier.wait()
        try:
            for turn in range(ROUNDS):
                for at in range(len(values)):
                    data, expected = values[(at + number * 7 + turn) % len(values)]
                    if difference := same_structure(policy.loads(data), expected):
                        failures.append(difference)
                try:
                    policy.loads(bad[(number + turn) % len(bad)])
                    failures.append("a bad one loaded")
                except (picklist.UnsafePickleError, EOFError):
                    pass
        except BaseException as error:
            failures.append(repr(error))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive(), "a thread hangs"
    finally:
        sys.setswitchinterval(interval)
    assert failures == []
