"""A bounded run of the fuzzer, every cut and every bit of small pickles, and what it found before.

One seed is fixed, one is fresh and printed: ``--fuzz-seed`` of the failing run is in its message.
"""

from __future__ import annotations

import gc
import io
import pickle
import random
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fuzz_differential
import picklist
from mutation import every_bit, every_cut

ITERATIONS = 1_500
SMALL: dict[str, Any] = {
    "plain": {"a": [1, 2.5, None, True, "é"], "b": (b"x", {1, 2})},
    "nested": [[], {}, (), ((1,),), {"k": {"k": []}}],
}


@pytest.mark.parametrize("seed", [20_240_229, None], ids=["fixed", "fresh"])
def test_mutants_load_as_pickle_loads_them_or_are_refused(
    seed: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No crash, no import, no value but pickle's, and one verdict from loader and inspector."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    with capsys.disabled():
        found = fuzz_differential.run(60.0, ITERATIONS, seed, tmp_path)
    assert not found, found


@pytest.fixture
def little_space() -> Iterator[None]:
    """A gigabyte more than now: pickle fills a memo up to whatever index a flipped bit makes."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as status:
        used = int(status.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("little_space")
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", SMALL)
def test_every_cut_and_every_bit_of_a_small_pickle(name: str, protocol: int) -> None:
    """Damaged anywhere, it gives pickle's value or is refused."""
    data = pickle.dumps(SMALL[name], protocol)
    for damaged in (*every_cut(data), *every_bit(data)):
        fuzz_differential.check(damaged)


def test_a_collection_while_an_unpickler_is_made() -> None:
    """An instance's dict is made before its fields are: the collector must find nothing there."""

    class Mine(picklist.Unpickler):
        pass

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(2_000):
            assert Mine(io.BytesIO(b"N.")).load() is None
            assert [{}]
    finally:
        gc.set_threshold(*before)


FOUND = {
    "a state that sets a key twice": (
        b"\x80\x05\x8c\x04uuid\x94\x8c\x04UUID\x94\x93\x94)\x81\x94}\x94(\x8c\x03int\x94K\x05"
        b"\x8c\x07is_safe\x94K\x00\x8c\x07is_safe\x94K\x00ub."
    ),
    "a SafeUUID that does not exist": b"cuuid\nSafeUUID\n(I7\ntR.",
    "a read-only view of bytes": b"C\x03abc\x98.",
    "a slice of a nan": b"cbuiltins\nslice\n(X\x01\x00\x00\x00aG\x7f\xf8\0\0\0\0\0\0NtR.",
}


@pytest.mark.parametrize("name", FOUND)
def test_what_the_fuzzer_found_stays_found(name: str) -> None:
    """Each input once broke a rule."""
    fuzz_differential.check(FOUND[name])
