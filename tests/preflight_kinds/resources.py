"""Files, connections and databases: what the operating system holds for a process."""

from __future__ import annotations

import bz2
import codecs
import gzip
import http.client
import io
import lzma
import mmap
import os
import pathlib
import selectors
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from contextlib import ExitStack
from typing import Any

from preflight_kinds.table import kind

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
