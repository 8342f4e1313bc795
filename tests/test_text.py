"""Text is read as the interpreter's decoder reads it, in the least width that holds it.

Two equal strings are equal to Python only if both are kept in the same width, so the size of each
is compared too.  What is read 16 bytes at a time is tried at every place of 16, and of 64.
"""

from __future__ import annotations

import itertools
import pickle
import random
import struct
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import picklist

#: First and last of one, two, three and four bytes of UTF-8, and of the widths of a str.
EDGES = [0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF, 0x100, 0x7FF, 0x800, 0xFFF, 0x1000, 0xCFFF, 0xD000]
EDGES += [0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF]
SURROGATES = [0xD800, 0xDBFF, 0xDC00, 0xDFFF]
SCRIPTS = ["abcdefgh .,", "éèêàâçñöü", "абвгдежзиклмн", "漢字仮名交文章例", "😀🎉🚀🥒"]
#: Where the bits of a byte of UTF-8 change their meaning.
BYTES = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xDF]
BYTES += [0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF]


def stream(utf8: bytes) -> bytes:
    """Return the pickle of a text."""
    return b"X" + struct.pack("<I", len(utf8)) + utf8 + b"."


def same(ours: str, theirs: str) -> None:
    """Assert that two strings are the same to the interpreter, and of the same width."""
    assert type(ours) is str
    assert ours == theirs
    assert hash(ours) == hash(theirs)
    assert len(ours) == len(theirs)
    assert sys.getsizeof(ours) == sys.getsizeof(theirs)


def check(utf8: bytes) -> None:
    """Assert that bytes are the same text to both, or the same fault."""
    data = stream(utf8)
    theirs: str | UnicodeDecodeError
    try:
        theirs = pickle.loads(data)
    except UnicodeDecodeError as error:
        theirs = error
    if isinstance(theirs, str):
        same(picklist.safe_loads(data), theirs)
        return
    with pytest.raises(UnicodeDecodeError) as caught:
        picklist.safe_loads(data)
    place = f"position {theirs.start}-{theirs.end - 1}: {theirs.reason}"
    assert place in str(caught.value), utf8


def check_all(texts: list[str]) -> None:
    """Assert that many texts come back; through one pickle, since most of the time goes there."""
    data = b"(" + b"".join(stream(text.encode("utf-8", "surrogatepass"))[:-1] for text in texts)
    for ours, theirs in zip(picklist.safe_loads(data + b"l."), texts, strict=True):
        # A str that has been encoded keeps the copy: compared is a new one.
        same(ours, "".join(list(theirs)))


@pytest.mark.parametrize("length", [*range(1, 36), 47, 48, 49, 63, 64, 65, 127, 128, 129, 200, 700])
def test_the_edges_of_every_width_at_every_place(length: int) -> None:
    places = range(length) if length < 80 else [0, 1, 15, 16, 62, 63, 64, length - 2, length - 1]
    texts = []
    for filler, edge in itertools.product("aéж漢😀", EDGES + SURROGATES):
        for at in places:
            texts.append(filler * at + chr(edge) + filler * (length - at - 1))
    check_all(texts)


@pytest.mark.parametrize("scripts", range(1, 2 ** len(SCRIPTS)))
def test_scripts_in_any_mixture(scripts: int) -> None:
    rng = random.Random(scripts)
    letters = "".join(script for at, script in enumerate(SCRIPTS) if scripts >> at & 1)
    texts = []
    for length in [*range(1, 80), 100, 200, 500, 1_000, 5_000]:
        texts.append("".join(rng.choices(letters, k=length)))
        # Mostly ASCII, in runs.
        texts.append("".join(rng.choice(letters) + "a" * rng.randrange(100) for _ in range(9)))
        texts.append("a" * length + rng.choice(letters))
        texts.append(rng.choice(letters) + "a" * length)
    check_all(texts)


def test_one_character() -> None:
    for point in [*range(0x300), *EDGES, *SURROGATES]:
        text = picklist.safe_loads(stream(chr(point).encode("utf-8", "surrogatepass")))
        same(text, chr(point))
        if point < 0x100:
            assert text is chr(point), "the interpreter keeps those"


def odd_bytes() -> Iterator[bytes]:
    """Yield short strings of bytes, most of which are no UTF-8."""
    rng = random.Random(3)
    yield from map(bytes, itertools.product(range(256), BYTES))
    yield from map(bytes, itertools.product(BYTES, repeat=3))
    for _ in range(10_000):
        yield bytes(rng.choices(BYTES, k=4))
    first, rest = range(0xE0, 0xF8), [0x7F, 0x80, 0xBF, 0xC0]
    yield from map(bytes, itertools.product(first, [*rest, 0x8F, 0x90, 0x9F, 0xA0], rest, rest))


def test_bytes_that_are_no_text_are_refused_where_pickle_refuses_them() -> None:
    rng = random.Random(4)
    fillers = ["a", "é", "漢", "😀"]
    for odd in odd_bytes():
        filler = rng.choice(fillers).encode()
        before, behind = rng.choice([0, rng.randrange(40), 61, 64]), rng.choice([0, 1, 30])
        check(filler * before + odd + filler * behind)


def test_text_that_is_cut_off() -> None:
    whole = "a€é😀漢".encode() * 30
    for length in range(len(whole)):
        check(whole[:length])
        check(b"a" * 64 + whole[:length] + b"a" * 64)


def test_one_wrong_bit() -> None:
    rng = random.Random(5)
    for script in [*SCRIPTS, "".join(SCRIPTS)]:
        for length in (3, 12, 20, 60, 200):
            text = bytearray("".join(rng.choices(script, k=length)).encode())
            for _ in range(60):
                at, bit = rng.randrange(len(text)), 1 << rng.randrange(8)
                text[at] ^= bit
                check(bytes(text))
                text[at] ^= bit


@given(st.text(st.characters(codec=None)))
def test_any_text(text: str) -> None:
    for protocol in (0, 2, 4):
        same(picklist.safe_loads(pickle.dumps(text, protocol)), "".join(list(text)))


@given(st.binary(max_size=80), st.integers(0, 80))
def test_any_bytes(odd: bytes, before: int) -> None:
    check(b"a" * before + odd)


def test_text_is_charged_by_its_width() -> None:
    for text, width in [("é" * 500, 1), ("ж" * 500, 2), ("a漢" * 250, 2), ("a😀" * 250, 4)]:
        data = pickle.dumps(text)
        with pytest.raises(picklist.LimitExceededError):
            picklist.safe_loads(data, limits=picklist.Limits(max_memory=500 * width))
        # Header, characters, and the slot of the memo.
        enough = picklist.Limits(max_memory=80 + 500 * width + 16)
        assert picklist.safe_loads(data, limits=enough) == text
