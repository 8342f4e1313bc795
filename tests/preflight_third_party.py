"""Rows for libraries that people use; each needs its package, a test extra."""

from __future__ import annotations

import contextlib
import functools
import threading
from contextlib import ExitStack
from typing import Any

from preflight_kinds import kind

with contextlib.suppress(ImportError):  # the class that moves to module level needs it there
    import pydantic

# ---- Django


@functools.cache
def django() -> Any:
    """Django with one model and a database in memory."""
    import django.conf

    if not django.conf.settings.configured:
        django.conf.settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            INSTALLED_APPS=["django.contrib.contenttypes"],
            DEFAULT_AUTO_FIELD="django.db.models.AutoField",
            USE_TZ=True,
        )
        django.setup()
    return django


@functools.cache
def model() -> Any:
    """A model that Django brings."""
    django()
    from django.contrib.contenttypes.models import ContentType
    from django.db import connection

    with connection.schema_editor() as editor:
        editor.create_model(ContentType)
    return ContentType


def django_model(keep: ExitStack) -> Any:
    return model()(model="x")


def django_model_with_lock(keep: ExitStack) -> Any:
    made = django_model(keep)
    made.lock = threading.Lock()
    return made


def django_queryset(keep: ExitStack) -> Any:
    return model().objects.all()


def django_iterator(keep: ExitStack) -> Any:
    return model().objects.all().iterator()


def django_connection(keep: ExitStack) -> Any:
    django()
    from django.db import connections

    return connections["default"]


def django_cursor(keep: ExitStack) -> Any:
    return keep.enter_context(django_connection(keep).cursor())


kind("Django model", "ok", django_model, "django")
kind("Django model with a lock", "PKL120", django_model_with_lock, "django")
kind("Django queryset", "ok", django_queryset, "django")
kind("Django iterator", "PKL140", django_iterator, "django")
kind("Django connection", "PKL132", django_connection, "django")
kind("Django cursor", "PKL132", django_cursor, "django")

# ---- SQLAlchemy


def engine(keep: ExitStack) -> Any:
    import sqlalchemy

    made = sqlalchemy.create_engine("sqlite://")
    keep.callback(made.dispose)
    return made


def session(keep: ExitStack) -> Any:
    import sqlalchemy.orm

    return keep.enter_context(sqlalchemy.orm.Session(engine(keep)))


def result(keep: ExitStack) -> Any:
    import sqlalchemy

    made = session(keep).execute(sqlalchemy.text("select 1 as a"))
    keep.callback(made.close)
    return made


def sessionmaker(keep: ExitStack) -> Any:
    import sqlalchemy.orm

    return sqlalchemy.orm.sessionmaker(engine(keep))


kind("SQLAlchemy engine", "PKL132", engine, "sqlalchemy")
kind(
    "SQLAlchemy connection",
    "PKL132",
    lambda keep: keep.enter_context(engine(keep).connect()),
    "sqlalchemy",
)
kind("SQLAlchemy session", "PKL132", session, "sqlalchemy")
kind("SQLAlchemy sessionmaker", "PKL132", sessionmaker, "sqlalchemy")
kind("SQLAlchemy result", "PKL132", result, "sqlalchemy")
kind("SQLAlchemy row", "ok", lambda keep: result(keep).one(), "sqlalchemy")

# ---- HTTP clients


def requests_session(keep: ExitStack) -> Any:
    import requests

    return keep.enter_context(requests.Session())


def hooked_session(keep: ExitStack) -> Any:
    made = requests_session(keep)
    made.hooks["response"].append(lambda response: response)
    return made


def httpx_client(keep: ExitStack) -> Any:
    import httpx

    return keep.enter_context(httpx.Client())


def aiohttp_session(keep: ExitStack) -> Any:
    import asyncio

    import aiohttp

    async def make() -> Any:
        return aiohttp.ClientSession()

    running = asyncio.new_event_loop()
    keep.callback(running.close)
    made = running.run_until_complete(make())
    keep.callback(lambda: running.run_until_complete(made.close()))
    return made


def urllib3_pool(keep: ExitStack) -> Any:
    import urllib3

    made = urllib3.PoolManager()
    keep.callback(made.clear)
    return made


kind("requests Session", "ok", requests_session, "requests")
kind("requests Session with a hook", "PKL110", hooked_session, "requests")
kind("httpx Client", "PKL131", httpx_client, "httpx")
kind("aiohttp session", "PKL141", aiohttp_session, "aiohttp")
kind("urllib3 pool", "PKL131", urllib3_pool, "urllib3")

# ---- models


@functools.cache
def pydantic_model() -> Any:
    import pydantic

    class Settings(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
        size: int = 1
        hook: Any = None

    Settings.__qualname__ = "Settings"
    globals()["Settings"] = Settings
    return Settings


@functools.cache
def attrs_class() -> Any:
    import attrs

    class Entry:
        size: int = 1
        hook: Any = None

    Entry.__qualname__ = "Entry"
    made = attrs.define(Entry)
    globals()["Entry"] = made
    return made


kind("pydantic model", "ok", lambda keep: pydantic_model()(), "pydantic")
kind(
    "pydantic model with a lambda",
    "PKL110",
    lambda keep: pydantic_model()(hook=lambda: 1),
    "pydantic",
)
kind("pydantic class in a function", "PKL112", lambda keep: local_model(), "pydantic")
kind("attrs class", "ok", lambda keep: attrs_class()(), "attrs")
kind(
    "attrs class with a lock",
    "PKL120",
    lambda keep: attrs_class()(hook=threading.Lock()),
    "attrs",
)


def local_model() -> Any:
    class Local(pydantic.BaseModel):
        size: int = 1

    return Local()


# ---- numbers


def frame_with(value: Any) -> Any:
    import pandas

    return pandas.DataFrame({"a": [1], "b": pandas.Series([value], dtype=object)})


def objects(value: Any) -> Any:
    import numpy

    made = numpy.empty(2, dtype=object)
    made[1] = value
    return made


def groupby(keep: ExitStack) -> Any:
    import pandas

    return pandas.DataFrame({"a": [1, 1]}).groupby(lambda index: 0)


def numpy_array(keep: ExitStack) -> Any:
    import numpy

    return numpy.arange(10)


def memory_mapped(keep: ExitStack) -> Any:
    import numpy

    return numpy.random.default_rng(1)


def vectorized(keep: ExitStack) -> Any:
    import numpy

    return numpy.vectorize(lambda x: x)


def flat(keep: ExitStack) -> Any:
    import numpy

    return numpy.arange(3).flat


def numpy_nditer(keep: ExitStack) -> Any:
    import numpy

    return numpy.nditer(numpy.arange(3))


kind("numpy array", "ok", numpy_array, "numpy")
kind("numpy generator", "ok", memory_mapped, "numpy")
kind("numpy objects", "PKL110", lambda keep: objects(lambda: 1), "numpy")
kind("numpy lock", "PKL120", lambda keep: objects(threading.Lock()), "numpy")
kind("numpy vectorize", "PKL110", vectorized, "numpy")
kind("numpy flat iterator", "PKL155", flat, "numpy")
kind("numpy nditer", "PKL155", numpy_nditer, "numpy")
kind("pandas DataFrame", "ok", lambda keep: frame_with(1), "pandas")
kind("pandas with a lambda", "PKL110", lambda keep: frame_with(lambda: 1), "pandas")
kind("pandas groupby by a lambda", "PKL110", groupby, "pandas")

# ---- command lines, logging, progress


def click_context(keep: ExitStack) -> Any:
    import click

    return keep.enter_context(click.Context(click.Command("run", callback=lambda: None)))


def loguru_logger(keep: ExitStack) -> Any:
    import loguru

    return loguru.logger


def structlog_logger(keep: ExitStack) -> Any:
    import structlog

    return structlog.PrintLogger()


def progress(keep: ExitStack) -> Any:
    import io

    import tqdm

    return keep.enter_context(tqdm.tqdm(range(3), file=io.StringIO()))


def rich_console(keep: ExitStack) -> Any:
    import rich.console

    return rich.console.Console()


kind("click context", "PKL163", click_context, "click")
kind("loguru logger", "PKL160", loguru_logger, "loguru")
kind("structlog print logger", "ok", structlog_logger, "structlog")
kind("tqdm", "PKL130", progress, "tqdm")
kind("rich console", "PKL160", rich_console, "rich")

# ---- services


def aws(keep: ExitStack) -> Any:
    import boto3

    made = boto3.client(
        "s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    keep.callback(made.close)
    return made


def grpc_channel(keep: ExitStack) -> Any:
    import grpc

    return keep.enter_context(grpc.insecure_channel("localhost:1"))


def redis_client(keep: ExitStack) -> Any:
    import redis

    made = redis.Redis()
    keep.callback(made.close)
    return made


def mongo(keep: ExitStack) -> Any:
    import pymongo

    made = pymongo.MongoClient(connect=False)
    keep.callback(made.close)
    return made


def duck(keep: ExitStack) -> Any:
    import duckdb

    return keep.enter_context(duckdb.connect())


def ssh(keep: ExitStack) -> Any:
    import paramiko

    made = paramiko.SSHClient()
    keep.callback(made.close)
    return made


def zmq_context(keep: ExitStack) -> Any:
    import zmq

    return keep.enter_context(zmq.Context())


def lxml_element(keep: ExitStack) -> Any:
    import lxml.etree

    return lxml.etree.fromstring("<a/>")


def figure(keep: ExitStack) -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    return Figure()


def hdf_file(keep: ExitStack) -> Any:
    import io

    import h5py

    return keep.enter_context(h5py.File(io.BytesIO(), "w"))


kind("boto3 client", "PKL131", aws, "boto3")
kind("grpc channel", "PKL131", grpc_channel, "grpc")
kind("redis client", "PKL132", redis_client, "redis")
kind("pymongo client", "PKL132", mongo, "pymongo")
kind("duckdb connection", "PKL132", duck, "duckdb")
kind("paramiko client", "ok", ssh, "paramiko")
kind("zmq context", "PKL131", zmq_context, "zmq")
kind("lxml element", "PKL155", lxml_element, "lxml")
kind("matplotlib figure", "ok", figure, "matplotlib")
kind("h5py file", "PKL130", hdf_file, "h5py")

# ---- pytest


def pytest_config(keep: ExitStack) -> Any:
    import pytest

    return keep.enter_context(pytest.MonkeyPatch.context())


kind("pytest monkeypatch", "ok", pytest_config, "pytest")
