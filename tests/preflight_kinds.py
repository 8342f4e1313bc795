"""The table of kinds: objects that people hold, and what pickle makes of each.

A row is a name, the code that the report must give ("ok" where it pickles), and
a factory. Factories get an ExitStack for what has to be closed. Third-party rows
are in `preflight_third_party`.
"""

from __future__ import annotations

import _string
import array
import ast
import asyncio
import bz2
import codecs
import collections
import concurrent.futures
import contextlib
import contextvars
import csv
import ctypes
import datetime
import decimal
import enum
import fractions
import functools
import gzip
import hashlib
import hmac
import http.client
import importlib
import inspect
import io
import ipaddress
import itertools
import json
import logging
import logging.handlers
import lzma
import mmap
import multiprocessing
import multiprocessing.managers
import multiprocessing.pool
import multiprocessing.shared_memory
import operator
import os
import pathlib
import queue
import random
import re
import sched
import selectors
import shelve
import socket
import socketserver
import sqlite3
import ssl
import string
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import tracemalloc
import types
import typing
import unicodedata
import unittest.mock
import urllib.request
import uuid
import weakref
import xml.dom.minidom
import xml.etree.ElementTree
import zipfile
import zlib
import zoneinfo
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
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


# ---- functions and classes


def captured_lambda(size: int = 224) -> Any:
    return lambda x: x * size


def nested_function(size: int = 224) -> Any:
    def scale(x: int, factor: int = 2) -> int:
        return x * size * factor

    return scale


def local_class() -> Any:
    class Point:
        def __init__(self) -> None:
            self.x = 1

    return Point


def local_enum() -> Any:
    class Color(enum.Enum):
        RED = 1

    return Color.RED


def local_dataclass() -> Any:
    @dataclass
    class Point:
        x: int = 1

    return Point()


def local_namedtuple() -> Any:
    class Point(NamedTuple):
        x: int = 1

    return Point()


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def _shadowed() -> int:
    return 1


first_shadowed = _shadowed


def _shadowed() -> int:  # type: ignore[no-redef]
    return 2


def wrapped_inner(x: int) -> int:
    return x


wrapped_other = decorated(wrapped_inner)
Renamed = collections.namedtuple("Pt", "x y")  # type: ignore[name-match]
RenamedEnum = enum.Enum("Colour", "RED GREEN")  # type: ignore[misc]
MadeType = type("SomethingElse", (), {})
UserId = typing.NewType("UserIdentifier", int)  # type: ignore[name-match]
T_named = typing.TypeVar("T_other")  # type: ignore[misc]
renamed_lambda = lambda x: x + 1  # noqa: E731


def local_cache() -> Any:
    @functools.lru_cache
    def square(x: int) -> int:
        return x * x

    return square


def local_singledispatch() -> Any:
    @functools.singledispatch
    def show(x: object) -> str:
        return "object"

    return show


class Locked:
    """Its methods cannot travel."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def method(self) -> int:
        return 1


class Unimportable:
    """Says it is from elsewhere."""


Unimportable.__module__ = "a_module_that_nobody_installed"

kind("lambda", "PKL110", lambda keep: lambda x: x + 1)
kind("lambda with a closure", "PKL110", lambda keep: captured_lambda())
kind("lambda at module level", "PKL110", lambda keep: renamed_lambda)
kind("nested function", "PKL111", lambda keep: nested_function())
kind("class in a function", "PKL112", lambda keep: local_class())
kind("instance of a class in a function", "PKL112", lambda keep: local_class()())
kind("enum in a function", "PKL112", lambda keep: local_enum())
kind("dataclass in a function", "PKL112", lambda keep: local_dataclass())
kind("namedtuple in a function", "PKL112", lambda keep: local_namedtuple())
kind("redefined function", "PKL113", lambda keep: first_shadowed)
kind("function behind its wrapper", "PKL113", lambda keep: wrapped_other)
kind("namedtuple of another name", "PKL114", lambda keep: Renamed(1, 2))
kind("enum of another name", "PKL114", lambda keep: RenamedEnum.RED)  # type: ignore[attr-defined]
kind("type() of another name", "PKL114", lambda keep: MadeType())
kind("NewType of another name", "PKL114", lambda keep: UserId)
kind("TypeVar of another name", "PKL114", lambda keep: T_named)
kind("lru_cache in a function", "PKL115", lambda keep: local_cache())
kind("singledispatch in a function", "PKL115", lambda keep: local_singledispatch())
kind("property", "PKL115", lambda keep: property(top_level))
kind("classmethod object", "PKL115", lambda keep: classmethod(top_level))
kind("staticmethod object", "PKL115", lambda keep: staticmethod(top_level))
kind("partial of a lambda", "PKL110", lambda keep: functools.partial(lambda x: x, 1))
kind(
    "partial with a lock",
    "PKL120",
    lambda keep: functools.partial(top_level, threading.Lock()),
)
kind("bound method of a bad object", "PKL116", lambda keep: Locked().method)
kind("class from nowhere", "PKL117", lambda keep: Unimportable())
kind("slot wrapper", "ok", lambda keep: int.__add__)
kind("getset descriptor", "PKL115", lambda keep: type.__dict__["__dict__"])
kind("method of a generator", "PKL140", lambda keep: numbers().send)

# ---- threads


class Worker(threading.Thread):
    """A thread of the user's own."""


kind("Lock", "PKL120", lambda keep: threading.Lock())
kind("RLock", "PKL120", lambda keep: threading.RLock())
kind("Condition", "PKL120", lambda keep: threading.Condition())
kind("Event", "PKL120", lambda keep: threading.Event())
kind("Semaphore", "PKL120", lambda keep: threading.Semaphore())
kind("BoundedSemaphore", "PKL120", lambda keep: threading.BoundedSemaphore())
kind("Barrier", "PKL120", lambda keep: threading.Barrier(1))
kind("Queue", "PKL120", lambda keep: queue.Queue())
kind("LifoQueue", "PKL120", lambda keep: queue.LifoQueue())
kind("PriorityQueue", "PKL120", lambda keep: queue.PriorityQueue())
kind("SimpleQueue", "PKL120", lambda keep: queue.SimpleQueue())
kind("python RLock", "PKL120", lambda keep: threading._RLock())  # type: ignore[attr-defined]
kind("scheduler", "PKL120", lambda keep: sched.scheduler())
kind("Thread", "PKL121", lambda keep: threading.Thread(target=top_level))
kind("Timer", "PKL121", lambda keep: threading.Timer(60, top_level))
kind("subclass of Thread", "PKL121", lambda keep: Worker())
kind("Future", "PKL121", lambda keep: concurrent.futures.Future())
kind("threading.local", "PKL122", lambda keep: threading.local())
kind("ContextVar", "PKL122", lambda keep: contextvars.ContextVar("user", default=1))
kind("Context", "PKL122", lambda keep: contextvars.Context())
kind("Token", "PKL122", lambda keep: contextvars.ContextVar("token").set(1))
kind(
    "ThreadPoolExecutor",
    "PKL121",
    lambda keep: keep.enter_context(concurrent.futures.ThreadPoolExecutor(1)),
)
kind(
    "ProcessPoolExecutor",
    "PKL121",
    lambda keep: keep.enter_context(concurrent.futures.ProcessPoolExecutor(1)),
)
kind(
    "ThreadPool",
    "PKL121",
    lambda keep: keep.enter_context(multiprocessing.pool.ThreadPool(1)),
)

# ---- processes


def spawn() -> Any:
    return multiprocessing.get_context("spawn")


def closed_queue(keep: ExitStack) -> Any:
    made = spawn().Queue()
    keep.callback(made.join_thread)
    keep.callback(made.close)
    return made


kind("multiprocessing Process", "PKL121", lambda keep: spawn().Process(target=top_level))
kind("multiprocessing Lock", "PKL121", lambda keep: spawn().Lock())
kind("multiprocessing RLock", "PKL121", lambda keep: spawn().RLock())
kind("multiprocessing Semaphore", "PKL121", lambda keep: spawn().Semaphore())
kind("multiprocessing Condition", "PKL121", lambda keep: spawn().Condition())
kind("multiprocessing Event", "PKL121", lambda keep: spawn().Event())
kind("multiprocessing Barrier", "PKL121", lambda keep: spawn().Barrier(1))
kind("multiprocessing Queue", "PKL121", closed_queue)
kind(
    "multiprocessing SimpleQueue",
    "PKL121",
    lambda keep: keep_closed(keep, spawn().SimpleQueue()),
)
kind("multiprocessing Value", "PKL121", lambda keep: spawn().Value("i", 1))
kind("multiprocessing Array", "PKL121", lambda keep: spawn().Array("i", [1, 2]))
kind(
    "SyncManager",
    "PKL121",
    lambda keep: multiprocessing.managers.SyncManager(ctx=spawn()),
)


def keep_closed(keep: ExitStack, made: Any) -> Any:
    keep.callback(made.close)
    return made


# ---- files


def temporary(keep: ExitStack, name: str = "file") -> pathlib.Path:
    folder = keep.enter_context(tempfile.TemporaryDirectory())
    path = pathlib.Path(folder) / name
    path.write_bytes(b"text\n")
    return path


def zip_file(keep: ExitStack) -> Any:
    path = temporary(keep)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"x")
    return keep.enter_context(zipfile.ZipFile(path))


def tar_file(keep: ExitStack) -> Any:
    path = temporary(keep)
    with tarfile.open(path, "w"):
        pass
    return keep.enter_context(tarfile.open(path))


def mapped(keep: ExitStack) -> Any:
    return keep.enter_context(mmap.mmap(-1, 16))


def entry(keep: ExitStack) -> Any:
    path = temporary(keep)
    with os.scandir(path.parent) as entries:
        return next(entries)


def shelf(keep: ExitStack) -> Any:
    return shelve.Shelf({})


kind("text file", "PKL130", lambda keep: keep.enter_context(temporary(keep).open()))
kind("binary file", "PKL130", lambda keep: keep.enter_context(temporary(keep).open("rb")))
kind(
    "writable file",
    "PKL130",
    lambda keep: keep.enter_context(temporary(keep).open("wb")),
)
kind(
    "random access file",
    "PKL130",
    lambda keep: keep.enter_context(temporary(keep).open("r+b")),
)
kind(
    "raw file",
    "PKL130",
    lambda keep: keep.enter_context(temporary(keep).open("rb", buffering=0)),
)
kind("stdout", "PKL130", lambda keep: sys.__stdout__)
kind(
    "gzip file",
    "PKL130",
    lambda keep: keep.enter_context(gzip.open(temporary(keep, "g"), "wb")),  # noqa: SIM115
)
kind(
    "bz2 file",
    "PKL130",
    lambda keep: keep.enter_context(bz2.open(temporary(keep, "g"), "wb")),  # noqa: SIM115
)
kind(
    "xz file",
    "PKL130",
    lambda keep: keep.enter_context(lzma.open(temporary(keep, "g"), "wb")),  # noqa: SIM115
)
kind("ZipFile", "PKL130", zip_file)
kind("TarFile", "PKL130", tar_file)
kind(
    "member of a zip",
    "PKL130",
    lambda keep: keep.enter_context(zip_file(keep).open("a")),
)
kind(
    "temporary file",
    "PKL130",
    lambda keep: keep.enter_context(tempfile.NamedTemporaryFile()),  # noqa: SIM115
)
kind(
    "codecs stream",
    "PKL130",
    lambda keep: (
        keep.enter_context(codecs.open(temporary(keep), "r", "utf-8"))  # noqa: SIM115
        if sys.version_info < (3, 14)
        else codecs.StreamReader(io.BytesIO())
    ),
)
kind("DirEntry", "PKL154", entry)
kind(
    "scandir",
    "PKL151",
    lambda keep: keep.enter_context(os.scandir(temporary(keep).parent)),
)
kind("StringIO", "ok", lambda keep: io.StringIO("text"))
kind("BytesIO", "ok", lambda keep: io.BytesIO(b"text"))

# ---- connections


def sockets(keep: ExitStack) -> Any:
    left, right = socket.socketpair()
    keep.callback(left.close)
    keep.callback(right.close)
    return left


def popen(keep: ExitStack) -> Any:
    child = subprocess.Popen([sys.executable, "-c", ""])
    keep.callback(child.wait)
    return child


class Handler(socketserver.BaseRequestHandler):
    """A handler."""


kind("socket", "PKL131", sockets)
kind("ssl context", "PKL131", lambda keep: ssl.create_default_context())
kind("ssl memory", "PKL131", lambda keep: ssl.MemoryBIO())
kind("Popen", "PKL131", popen)
kind("selector", "PKL131", lambda keep: keep.enter_context(selectors.DefaultSelector()))
kind("mmap", "PKL131", mapped)
kind(
    "socket server",
    "PKL131",
    lambda keep: keep.enter_context(socketserver.TCPServer(("127.0.0.1", 0), Handler)),
)
kind("HTTPConnection", "ok", lambda keep: http.client.HTTPConnection("localhost"))
kind("HTTPSConnection", "PKL131", lambda keep: http.client.HTTPSConnection("localhost"))
kind("Request", "ok", lambda keep: urllib.request.Request("http://localhost/"))

# ---- databases


def database(keep: ExitStack) -> Any:
    connection = sqlite3.connect(":memory:")
    keep.callback(connection.close)
    return connection


def row(keep: ExitStack) -> Any:
    connection = database(keep)
    connection.row_factory = sqlite3.Row
    return connection.execute("select 1 as a").fetchone()


kind("sqlite connection", "PKL132", database)
kind("sqlite cursor", "PKL132", lambda keep: database(keep).execute("select 1"))
kind("sqlite row", "PKL132", row)
kind("sqlite tuple", "ok", lambda keep: database(keep).execute("select 1").fetchone())

# ---- running code


def coroutine(keep: ExitStack) -> Any:
    made = answer()
    keep.callback(made.close)
    return made


def traceback_of_error(keep: ExitStack) -> Any:
    try:
        raise ValueError
    except ValueError as error:
        return error.__traceback__


@contextlib.contextmanager
def managed() -> Any:
    """A context manager."""
    yield


def loop(keep: ExitStack) -> Any:
    made = asyncio.new_event_loop()
    keep.callback(made.close)
    return made


def task(keep: ExitStack) -> Any:
    running = loop(keep)
    made = running.create_task(answer())
    keep.callback(lambda: running.run_until_complete(made))
    return made


kind("generator", "PKL140", lambda keep: numbers())
kind("generator expression", "PKL140", lambda keep: (x for x in [1]))
kind("coroutine", "PKL140", coroutine)
kind("async generator", "PKL140", lambda keep: answers())
kind("frame", "PKL140", lambda keep: inspect.currentframe())
kind("traceback", "PKL140", traceback_of_error)
kind("contextmanager", "PKL140", lambda keep: managed())
kind("ExitStack", "ok", lambda keep: contextlib.ExitStack())
kind("event loop", "PKL141", loop)
kind("asyncio task", "PKL141", task)
kind("asyncio future", "PKL141", lambda keep: loop(keep).create_future())

# ---- values without a stored form

kind("module", "PKL150", lambda keep: json)
kind("dict keys", "PKL151", lambda keep: {"a": 1}.keys())
kind("dict values", "PKL151", lambda keep: {"a": 1}.values())
kind("dict items", "PKL151", lambda keep: {"a": 1}.items())
kind("OrderedDict keys", "PKL151", lambda keep: collections.OrderedDict(a=1).keys())
kind("mappingproxy", "PKL151", lambda keep: types.MappingProxyType({"a": 1}))
kind("memoryview", "PKL151", lambda keep: memoryview(b"x"))
kind(
    "map over a lambda",
    "PKL110" if sys.version_info < (3, 14) else "PKL151",
    lambda keep: map(lambda x: x, [1]),  # noqa: C417
)
kind(
    "map",
    "ok" if sys.version_info < (3, 14) else "PKL151",
    lambda keep: map(top_level, [1]),
)
kind(
    "filter",
    "ok" if sys.version_info < (3, 14) else "PKL151",
    lambda keep: filter(None, [1]),
)
kind("zip", "ok" if sys.version_info < (3, 14) else "PKL151", lambda keep: zip([1], [2]))  # noqa: B905
kind("itertools.tee", "PKL140", lambda keep: itertools.chain(numbers()))
kind("weakref", "PKL152", lambda keep: weakref.ref(Plain))
kind("weakref proxy", "PKL152", lambda keep: weakref.proxy(Plain))
kind("WeakMethod", "PKL152", lambda keep: weakref.WeakMethod(KEPT.method))
kind("WeakKeyDictionary", "PKL152", lambda keep: weakref.WeakKeyDictionary())
kind("WeakValueDictionary", "PKL152", lambda keep: weakref.WeakValueDictionary())
kind("WeakSet", "PKL152", lambda keep: weakref.WeakSet())
kind("code", "PKL153", lambda keep: top_level.__code__)
kind("cell", "PKL153", lambda keep: types.CellType(1))
kind("ctypes pointer", "PKL153", lambda keep: ctypes.pointer(ctypes.c_int(1)))
kind("ctypes string pointer", "PKL153", lambda keep: ctypes.c_char_p(b"x"))
kind("CDLL", "PKL153", lambda keep: ctypes.CDLL(None))
kind("ctypes int", "ok", lambda keep: ctypes.c_int(1))
kind("sha256", "PKL153", lambda keep: hashlib.sha256())
kind("blake2b", "PKL153", lambda keep: hashlib.blake2b())
kind("sha3", "PKL153", lambda keep: hashlib.sha3_256())
kind("md5", "PKL153", lambda keep: hashlib.md5(usedforsecurity=False))
kind("hmac", "PKL153", lambda keep: hmac.new(b"k", b"m", "sha256"))
kind("zlib compressor", "PKL153", lambda keep: zlib.compressobj())
kind("bz2 compressor", "PKL153", lambda keep: bz2.BZ2Compressor())
kind("lzma decompressor", "PKL153", lambda keep: lzma.LZMADecompressor())
kind("PyCapsule", "PKL153", lambda keep: datetime.datetime_CAPI)  # type: ignore[attr-defined]
kind("unicode database", "PKL153", lambda keep: unicodedata.ucd_3_2_0)
kind("re.Match", "PKL154", lambda keep: re.match("(?P<a>x)", "x"))
kind("re scanner", "PKL154", lambda keep: re.compile("x").scanner("x"))
kind("csv reader", "PKL154", lambda keep: csv.reader(["a,b"]))
kind("csv writer", "PKL154", lambda keep: csv.writer(io.StringIO()))
kind("csv DictReader", "PKL154", lambda keep: csv.DictReader(["a,b", "1,2"]))
kind("csv DictWriter", "PKL154", lambda keep: csv.DictWriter(io.StringIO(), ["a"]))
kind("SystemRandom", "PKL154", lambda keep: random.SystemRandom())
kind("os.environ", "PKL154", lambda keep: os.environ)
kind("Struct", "PKL154", lambda keep: struct.Struct("i"))
kind("super", "PKL154", lambda keep: super(Plain, KEPT))
kind("JSONDecoder", "PKL155", lambda keep: json.JSONDecoder())
kind("XML parser", "PKL154", lambda keep: xml.etree.ElementTree.XMLParser())
kind("format parser", "PKL155", lambda keep: _string.formatter_parser("{}"))
kind("iterator with a sentinel", "PKL110", lambda keep: iter(lambda: 1, 2))
KEPT = Plain()

# ---- logging


class ListHandler(logging.Handler):
    """A handler of the user's own."""


class LoggerHandler(logging.handlers.MemoryHandler):
    """A handler that keeps records."""


def closed(keep: ExitStack, handler: Any) -> Any:
    keep.callback(handler.close)
    return handler


kind("StreamHandler", "PKL160", lambda keep: closed(keep, logging.StreamHandler()))
kind(
    "FileHandler",
    "PKL160",
    lambda keep: closed(keep, logging.FileHandler(temporary(keep))),
)
kind("NullHandler", "ok", lambda keep: closed(keep, logging.NullHandler()))
kind(
    "QueueHandler",
    "PKL160",
    lambda keep: closed(keep, logging.handlers.QueueHandler(queue.Queue())),
)
kind("own handler", "PKL160", lambda keep: closed(keep, ListHandler()))
kind("MemoryHandler", "PKL160", lambda keep: closed(keep, LoggerHandler(1)))
kind("Logger", "ok", lambda keep: logging.getLogger("preflight"))
kind(
    "LoggerAdapter",
    "ok",
    lambda keep: logging.LoggerAdapter(logging.getLogger("preflight"), {}),
)
kind("Formatter", "ok", lambda keep: logging.Formatter("%(message)s"))
kind("Mock", "PKL113", lambda keep: unittest.mock.Mock())
kind("MagicMock", "PKL113", lambda keep: unittest.mock.MagicMock())
kind("sentinel of mock", "ok", lambda keep: unittest.mock.sentinel.A)

# ---- the object's own methods


class ReducesToInt:
    def __reduce__(self) -> Any:
        return 1


class ReducesToShort:
    def __reduce__(self) -> Any:
        return (Plain,)


class ReducesToList:
    def __init__(self, x: int = 1) -> None:
        self.x = x

    def __reduce__(self) -> Any:
        return Plain, [1]


class ReducesToUncallable:
    def __reduce__(self) -> Any:
        return "Plain", ()


class ReducesToItems:
    def __reduce__(self) -> Any:
        return Plain, (), None, [1, 2]


class ReducesToSetter:
    def __reduce__(self) -> Any:
        return Plain, (), {}, None, None, 5


class RaisesInReduce:
    def __reduce__(self) -> Any:
        raise RuntimeError("no")


class RaisesInGetstate:
    def __getstate__(self) -> Any:
        return {"title": self.title}  # type: ignore[attr-defined]


class RaisesInNewargs:
    def __reduce__(self) -> Any:
        raise TypeError("this class does not pickle")


class Recurses:
    def __reduce__(self) -> Any:
        return self.__reduce__()


class NeedsItself:
    def __reduce__(self) -> Any:
        return NeedsItself, (self,)


class StateWithLambda:
    def __getstate__(self) -> Any:
        return {"function": MADE}


MADE = lambda: 1  # noqa: E731


def deep(levels: int) -> Any:
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made


kind("reduce returns an int", "PKL170", lambda keep: ReducesToInt())
kind("reduce returns one element", "PKL170", lambda keep: ReducesToShort())
kind("reduce returns a list of arguments", "PKL170", lambda keep: ReducesToList())
kind("reduce returns an uncallable", "PKL170", lambda keep: ReducesToUncallable())
kind("reduce returns no iterator", "PKL170", lambda keep: ReducesToItems())
kind("reduce returns no setter", "PKL170", lambda keep: ReducesToSetter())
kind("reduce raises", "PKL171", lambda keep: RaisesInReduce())
kind("getstate raises", "PKL171", lambda keep: RaisesInGetstate())
kind("refuses on purpose", "PKL171", lambda keep: RaisesInNewargs())
kind("reduce recurses", "PKL171", lambda keep: Recurses())
kind("reduce needs itself", "PKL172", lambda keep: NeedsItself())
kind("too deep", "PKL172", lambda keep: deep(100_000))
kind("lambda in a state", "PKL110", lambda keep: StateWithLambda())

# ---- load stage


class ApiError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class KeywordError(Exception):
    def __init__(self, *, code: int) -> None:
        super().__init__()
        self.code = code


class Money:
    def __new__(cls, amount: int) -> Any:
        self = super().__new__(cls)
        self.amount = amount
        return self


class Proxy:
    def __init__(self, target: Any) -> None:
        self.target = target

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


@dataclass(frozen=True)
class FrozenSlots:
    __slots__ = ("x",)
    x: int


class LoggingDict(dict):  # type: ignore[type-arg]
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def __setitem__(self, key: Any, value: Any) -> None:
        self.seen.append(key)
        super().__setitem__(key, value)


class LoggingList(list):  # type: ignore[type-arg]
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def append(self, value: Any) -> None:
        self.seen.append(value)
        super().append(value)

    def extend(self, values: Any) -> None:
        for value in values:
            self.append(value)


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.friends: set[Any] = set()

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self.name == other.name


class Gone:
    def __reduce__(self) -> Any:
        return importlib.import_module, ("a_module_that_nobody_installed",)


class NeedsProtocol5:
    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol < 5:
            raise TypeError("protocol 5, please")
        return NeedsProtocol5, ()


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__qualname__", "__name__"):
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class WithoutName(metaclass=Nameless):
    pass


class Box:
    def __getstate__(self) -> Any:
        return [1]

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)


def filled(container: Any) -> Any:
    if isinstance(container, dict):
        container["a"] = 1
    else:
        container.append(1)
    return container


def cycle() -> Any:
    node = Node("a")
    node.friends.add(node)
    return node


kind("exception with two arguments", "PKL210", lambda keep: ApiError(404, "not found"))
kind("exception with keywords", "PKL210", lambda keep: KeywordError(code=1))
kind("new with arguments", "PKL211", lambda keep: Money(3))
kind("getattr without end", "PKL212", lambda keep: Proxy(1))
kind("frozen slots", "PKL213", lambda keep: FrozenSlots(1))
kind("dict that logs", "PKL214", lambda keep: filled(LoggingDict()))
kind("list that logs", "PKL214", lambda keep: filled(LoggingList()))
kind("hash in a cycle", "PKL215", lambda keep: cycle())
kind("module that is gone", "PKL216", lambda keep: Gone())
kind("protocol 5 only", "PKL171", lambda keep: NeedsProtocol5())
kind("class without a name", "PKL156", lambda keep: WithoutName())
kind("setstate raises", "PKL217", lambda keep: Box())

# ---- what pickles


class Status(enum.Enum):
    NEW = 1


class Bits(enum.Flag):
    A = 1
    B = 2


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self) -> None:
        self.x = 1


class Words(list):  # type: ignore[type-arg]
    """A list of the user's own."""


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


@dataclass
class Record:
    """A dataclass."""

    x: int
    tags: list[str]


class Outer:
    """A class with one inside."""

    class Inner:
        """Found by its dotted name."""


for _name, _value in {
    "None": None,
    "ellipsis": ...,
    "NotImplemented": NotImplemented,
    "big int": 1 << 200,
    "complex": 1j,
    "bytearray": bytearray(b"x"),
    "range": range(3),
    "slice": slice(1, 2),
    "frozenset": frozenset({1}),
    "deque": collections.deque([1], 3),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "Counter": collections.Counter("aab"),
    "OrderedDict": collections.OrderedDict(a=1),
    "ChainMap": collections.ChainMap({"a": 1}),
    "datetime": datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC),
    "timedelta": datetime.timedelta(1),
    "Decimal": decimal.Decimal("1.5"),
    "Fraction": fractions.Fraction(1, 3),
    "UUID": uuid.UUID(int=5),
    "path": pathlib.Path("/tmp/x"),
    "IPv4Address": ipaddress.ip_address("127.0.0.1"),
    "array": array.array("i", [1]),
    "ZoneInfo": None,
    "enum member": Status.NEW,
    "flag": Bits.A | Bits.B,
    "slots": Slotted(),
    "list subclass": Words([1]),
    "NamedTuple": Point(1, 2),
    "dataclass": Record(1, ["a"]),
    "nested class": Outer.Inner(),
    "class": Plain,
    "function": top_level,
    "bound method": KEPT.method,
    "builtin function": len,
    "bound builtin": [].append,
    "partial": functools.partial(top_level, 1),
    "itemgetter": operator.itemgetter(1),
    "pattern": re.compile("x"),
    "exception": ValueError("x"),
    "SimpleNamespace": types.SimpleNamespace(a=1),
    "generic alias": list[int],
    "union": int | str,
    "syntax tree": ast.parse("x = 1"),
    "Random": random.Random(1),
    "Template": string.Template("$x"),
    "struct_time": __import__("time").gmtime(0),
    "Signature": inspect.signature(top_level),
    "DOM": xml.dom.minidom.parseString("<a/>"),
    "Element": xml.etree.ElementTree.Element("a"),
    "count": itertools.count(3) if sys.version_info < (3, 14) else 1,
    "stat": os.stat("/"),
    "tracemalloc filter": tracemalloc.Filter(True, "x"),
}.items():
    kind(_name, "ok", functools.partial(lambda keep, value: value, value=_value))
kind("ZoneInfo of a key", "ok", lambda keep: zoneinfo.ZoneInfo("UTC"))
