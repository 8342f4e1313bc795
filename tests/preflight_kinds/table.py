"""The table itself, what a row is, and the plain objects that many rows hold."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

Factory = Callable[[ExitStack], Any]


class Kind(NamedTuple):
    """One row."""

    name: str
    code: str
    make: Factory
    package: str = ""


KINDS: list[Kind] = []


def kind(name: str, code: str, make: Factory, package: str = "") -> None:
    """Add a row."""
    KINDS.append(Kind(name, code, make, package))


def needs(package: str) -> Any:
    """Import a test extra, or skip visibly; in CI a missing one is a failure."""
    try:
        return importlib.import_module(package)
    except ImportError:
        text = f"{package} is not installed: pip install picklist[test-extra]"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)


class Holder:
    """What holds the culprit, under `value`."""

    def __init__(self, value: Any) -> None:
        self.name = "holder"
        self.value = value


class Plain:
    """A class as most are."""

    def __init__(self, x: int = 1) -> None:
        self.x = x

    def method(self) -> int:
        """A method."""
        return self.x


def top_level(x: int = 1) -> int:
    """A function as most are."""
    return x


def numbers() -> Any:
    """A generator."""
    yield 1
    yield 2


async def answer() -> int:
    """A coroutine."""
    return 42


async def answers() -> Any:
    """An async generator."""
    yield 42


KEPT = Plain()
