"""Small payloads: what a request handles, and the five that pyperformance times pickle with."""

from __future__ import annotations

import datetime
import random
import string
from typing import Any

from .row import row, sentence, words


@row("tiny", protocols=(5, 2), fixed=True)
def tiny(size: float) -> Any:
    """One key, one value."""
    del size
    return {"a": 1}


def session_of(rng: random.Random) -> dict[str, Any]:
    """Return what a web framework keeps in a session."""
    return {
        "_auth_user_id": "4711",
        "_auth_user_backend": "auth.backends.ModelBackend",
        "_auth_user_hash": "".join(rng.choices("0123456789abcdef", k=64)),
        "csrf_token": "".join(rng.choices(string.ascii_letters, k=64)),
        "language": "en",
        "is_staff": False,
        "last_seen": 1_700_000_000.25,
        "cart": [
            {"sku": word, "quantity": rng.randint(1, 9), "price": rng.randint(99, 9999) / 100}
            for word in words(rng, 10)
        ],
        "flags": {word: rng.random() < 0.5 for word in words(rng, 12)},
        "messages": [sentence(rng, 6) for _ in range(4)],
    }


@row("session 1 kB", protocols=(5, 4, 2), fixed=True)
def session(size: float) -> Any:
    """A session."""
    del size
    return session_of(random.Random(1))


# The five payloads that pyperformance times pickle with, in shape.


def profile(rng: random.Random) -> dict[str, Any]:
    """Return a flat record of the kind that pyperformance pickles."""
    record: dict[str, Any] = {f"{word}_count": rng.randint(0, 99) for word in words(rng, 16)}
    record |= {word: sentence(rng, 2) for word in words(rng, 8)}
    record["birthday"] = datetime.date(1980, 5, 7)
    record["tags"] = {word: [] for word in words(rng, 3)}
    return record


@row("pyperf dict", protocols=(5, 2), fixed=True)
def pyperf_dict(size: float) -> Any:
    """One flat record."""
    del size
    return profile(random.Random(2))


@row("pyperf tuple", fixed=True)
def pyperf_tuple(size: float) -> Any:
    """Big numbers in a tuple."""
    del size
    rng = random.Random(3)
    return [rng.randint(10**8, 10**9) for _ in range(18)], 60


@row("pyperf dict group", fixed=True)
def pyperf_dict_group(size: float) -> Any:
    """Three records."""
    del size
    rng = random.Random(4)
    return [profile(rng) for _ in range(3)]


@row("pyperf list", fixed=True)
def pyperf_list(size: float) -> Any:
    """Small lists in lists."""
    del size
    return [[list(range(10)), list(range(10))] for _ in range(10)]


@row("pyperf micro dict", fixed=True)
def pyperf_micro_dict(size: float) -> Any:
    """A hundred small dicts with int keys."""
    del size
    return {key: dict.fromkeys(range(10)) for key in range(100)}
