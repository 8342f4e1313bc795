"""Objects of the standard library without a stored form: running code, views, handlers, mocks."""

from __future__ import annotations

import _string
import asyncio
import bz2
import collections
import contextlib
import csv
import ctypes
import datetime
import hashlib
import hmac
import inspect
import io
import itertools
import json
import logging
import logging.handlers
import lzma
import os
import queue
import random
import re
import struct
import sys
import types
import unicodedata
import unittest.mock
import weakref
import xml.etree.ElementTree
import zlib
from contextlib import ExitStack
from typing import Any

from preflight_kinds.resources import temporary
from preflight_kinds.table import KEPT, Plain, answer, answers, kind, numbers, top_level

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

# ---- logging, mocks


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
