"""Big buffers, in the stream and beside it, and many small arrays.

There is nothing to win on a buffer that must be copied, so nothing may be lost.  The names that
numpy's pickles use are allowed one by one, each with the contract that those pickles keep to.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from picklist import Allow

from .row import count, module, row


def array_names(*dtypes: str) -> list[Any]:
    """Return what a policy must allow for arrays of these dtypes, in every protocol."""
    numpy = module("numpy")
    # Before numpy 2 the package was called core; a policy knows the rename.
    return [
        Allow(numpy.ndarray, state="setstate"),
        Allow(numpy.dtype, call="(str, bool, bool)", state="setstate"),
        # dtype(...) returns an instance of a class of its own for each kind of item.
        *(Allow(kind, state="setstate") for kind in {type(numpy.dtype(name)) for name in dtypes}),
        Allow("numpy._core.numeric._frombuffer", call="(any, instance, tuple[int], str, any?)"),
        Allow(
            "numpy._core.multiarray._reconstruct",
            call="(type, tuple[int], bytes)",
            state="setstate",
        ),
    ]


def floats() -> Sequence[Any]:
    """Return what arrays of floats need."""
    return array_names("f8")


def same_array(left: Any, right: Any) -> bool:
    """Compare two arrays."""
    return left.dtype == right.dtype and bool(module("numpy").array_equal(left, right))


def same_arrays(left: Any, right: Any) -> bool:
    """Compare two lists of arrays."""
    return len(left) == len(right) and all(map(same_array, left, right))


@row("bytes 80 MB")
def big_bytes(size: float) -> Any:
    """One buffer in the stream."""
    return bytes(bytearray(count(size, 80_000_000)))


def big_array(size: float) -> Any:
    """One array of floats."""
    return module("numpy").random.default_rng(17).random(count(size, 10_000_000))


row(
    "numpy 80 MB in-band",
    protocols=(5, 4),
    allow=floats,
    equal=same_array,
    needs=("numpy",),
)(big_array)
row(
    "numpy 80 MB out-of-band",
    allow=floats,
    equal=same_array,
    needs=("numpy",),
    out_of_band=True,
)(big_array)


@row(
    "small numpy arrays 10k",
    protocols=(5, 4, 2),
    allow=floats,
    equal=same_arrays,
    needs=("numpy",),
)
def small_arrays(size: float) -> Any:
    """Arrays of three to ten floats."""
    rng = random.Random(18)
    generator = module("numpy").random.default_rng(18)
    return [generator.random(rng.randint(3, 10)) for _ in range(count(size, 10_000))]
