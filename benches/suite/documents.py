"""Documents: what a JSON parser would have given, at the sizes of files and in their shapes."""

from __future__ import annotations

import random
import string
from typing import Any

from .row import count, row, sentence, words


def document(rng: random.Random, n: int) -> list[dict[str, Any]]:
    """Return n records as a JSON service sends them, about 300 bytes each when pickled."""
    return [
        {
            "id": i,
            "guid": "".join(rng.choices("0123456789abcdef", k=32)),
            "active": rng.random() < 0.5,
            "balance": rng.random() * 10_000,
            "name": sentence(rng, 2),
            "email": None if i % 7 == 0 else f"user{i}@example.org",
            "tags": list(words(rng, 4)),
            "address": {"street": sentence(rng, 3), "city": sentence(rng, 1), "zip": i % 99_999},
            "scores": [rng.randint(0, 1000) for _ in range(8)],
        }
        for i in range(n)
    ]


@row("JSON 3 MB", protocols=(5, 4, 2))
def json_3mb(size: float) -> Any:
    """A list of records."""
    return document(random.Random(5), count(size, 13_000))


@row("JSON 15 MB")
def json_15mb(size: float) -> Any:
    """The same, beyond the caches."""
    return document(random.Random(6), count(size, 65_000))


@row("twitter-like", protocols=(5, 2))
def twitter(size: float) -> Any:
    """Short texts in several scripts under repeated keys, users shared between them."""
    rng = random.Random(7)
    scripts = [string.ascii_lowercase, "あいうえおかきくけこ", "абвгдежзик", "éèêàâçñöü"]
    users = [
        {
            "id": rng.randint(10**8, 10**10),
            "screen_name": sentence(rng, 1),
            "description": sentence(rng, 8, rng.choice(scripts)),
            "verified": False,
            "url": None,
        }
        for _ in range(100)
    ]
    return {
        "statuses": [
            {
                "created_at": "Sun Aug 31 00:29:15 +0000 2014",
                "id": rng.randint(10**17, 10**18),
                "text": sentence(rng, 15, rng.choice(scripts)),
                "user": rng.choice(users),
                "retweet_count": rng.randint(0, 500),
                "entities": {"hashtags": [], "urls": [], "user_mentions": list(words(rng, 2))},
                "lang": "ja",
            }
            for _ in range(count(size, 2_000))
        ]
    }


@row("canada-like", protocols=(5, 2))
def canada(size: float) -> Any:
    """Coordinates: floats in short lists in long lists."""
    rng = random.Random(8)
    rings = [
        [[rng.uniform(-140, -50), rng.uniform(40, 80)] for _ in range(230)]
        for _ in range(count(size, 480))
    ]
    return {"type": "Polygon", "coordinates": rings}


@row("citm-like")
def citm(size: float) -> Any:
    """Many small objects with the same keys, ints and None."""
    rng = random.Random(9)
    areas: list[dict[str, Any]] = [
        {"areaId": rng.randint(10**8, 10**9), "blockIds": [], "price": None} for _ in range(50)
    ]
    return {
        "events": {str(i): {"id": i, "name": sentence(rng, 3), "logo": None} for i in range(200)},
        "performances": [
            {
                "id": 337_000_000 + i,
                "eventId": rng.randint(0, 200),
                "start": 1_372_701_600_000 + i,
                "prices": [
                    {"amount": 90_250, "audienceSubCategoryId": 337100890, "seatCategoryId": j}
                    for j in range(4)
                ],
                "seatCategories": [
                    {"areas": rng.sample(areas, 5), "seatCategoryId": j} for j in range(4)
                ],
                "seatMapImage": None,
            }
            for i in range(count(size, 1_500))
        ],
    }
