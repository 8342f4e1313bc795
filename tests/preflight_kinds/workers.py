"""Threads and processes, and what synchronises them."""

from __future__ import annotations

import concurrent.futures
import contextvars
import multiprocessing
import multiprocessing.managers
import multiprocessing.pool
import multiprocessing.shared_memory
import queue
import sched
import threading
from contextlib import ExitStack
from typing import Any

from preflight_kinds.table import kind, top_level

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
