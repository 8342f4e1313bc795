"""Explanations where pickling fails out of sight: pools, executors, queues.

`explain_errors` adds a note to the exceptions of multiprocessing,
concurrent.futures, joblib and DataLoader; `guard_queue` makes a queue raise in
the caller instead of losing the item in its feeder thread.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
import types
from collections.abc import Iterator
from typing import Any

from picklist.errors import NotPicklableError

from .catalogue import instance_dict, is_a
from .check import attach, explain

# Functions that pickle one of their local variables, by module and name.
PICKLING_FRAMES: dict[tuple[str, str], str] = {
    ("multiprocessing.reduction", "dumps"): "obj",
    ("multiprocessing.reduction", "dump"): "obj",
    ("multiprocessing.connection", "send"): "obj",
    ("multiprocessing.queues", "_feed"): "obj",
    ("multiprocessing.queues", "put"): "obj",
    ("multiprocessing.pool", "worker"): "result",
    ("joblib.externals.loky.backend.reduction", "dumps"): "obj",
    ("joblib.externals.loky.backend.reduction", "dump"): "obj",
    ("joblib.externals.cloudpickle.cloudpickle", "dump"): "obj",
    ("joblib.externals.loky.backend.queues", "_feed"): "obj",
    ("cloudpickle.cloudpickle", "dump"): "obj",
    ("cloudpickle.cloudpickle", "dumps"): "obj",
    ("picklist._dumping", "dumps"): "obj",
    ("picklist._dumping", "dump"): "obj",
}
BROKEN = (
    "picklist: a worker died. A result or an exception that does not come back from pickling "
    "ends like this, with no cause shown: run picklist.check_picklable on what the task returns "
    "and raises (PKL210 is the usual reason)"
)


@contextlib.contextmanager
def explain_errors() -> Iterator[None]:
    """Add the explanation to exceptions that come from pickling.

    Works for `pickle` itself, multiprocessing (Process, Pool, Queue),
    concurrent.futures, joblib and torch's DataLoader. The exception keeps its
    class and its traceback; the explanation is a note on it.
    """
    with _loky_feeder() as lost:
        try:
            yield
        except Exception as error:
            if not explain_exception(error) and lost:
                attach(error, lost[-1], name="task", target="cloudpickle")
            raise


@contextlib.contextmanager
def _loky_feeder() -> Iterator[list[Any]]:
    """Collect what loky's feeder thread could not pickle: its exception does not hold it."""
    lost: list[Any] = []
    module: Any = sys.modules.get("joblib.externals.loky.process_executor")
    queue = getattr(module, "_SafeQueue", None)
    if queue is None:
        yield lost
        return
    stock = queue._on_queue_feeder_error

    def remember(self: Any, error: BaseException, obj: Any) -> Any:
        batch = instance_dict((instance_dict(obj) or {}).get("fn")) or {}
        lost.append(batch.get("items", obj))
        return stock(self, error, obj)

    queue._on_queue_feeder_error = remember
    try:
        yield lost
    finally:
        queue._on_queue_feeder_error = stock


def explain_exception(error: BaseException) -> bool:
    """Add the note, if `error` comes from pickling; say whether it was added."""
    seen: set[int] = set()
    here: BaseException | None = error
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        found = pickled_object(here.__traceback__)
        if found is not None:
            for name, value in _parts(found[0]):
                attach(error, value, name=name)
            return bool(getattr(error, "__notes__", ()))
        here = here.__cause__ or here.__context__
    if type(error).__name__ == "BrokenProcessPool":
        error.add_note(BROKEN)
        return True
    return False


def _parts(value: Any) -> list[tuple[str, Any]]:
    """Return what is sent: of a Process that starts, its target and arguments."""
    from multiprocessing.process import BaseProcess

    if not is_a(value, BaseProcess):
        return [("obj", value)]
    attributes = instance_dict(value) or {}
    names = ("target", "args", "kwargs")
    return [(name, attributes.get(f"_{name}")) for name in names]


def pickled_object(tb: types.TracebackType | None) -> tuple[Any] | None:
    """Return the object that was being pickled when the traceback was made."""
    found: tuple[Any] | None = None
    caller: types.TracebackType | None = None
    while tb is not None:
        frame = tb.tb_frame
        key = (str(frame.f_globals.get("__name__", "")), frame.f_code.co_name)
        name = PICKLING_FRAMES.get(key)
        if name is not None and found is None and name in frame.f_locals:
            found = (frame.f_locals[name],)
        caller = tb
        tb = tb.tb_next
    if found is None and caller is not None:
        found = _called_directly(caller)
    return found


def _called_directly(tb: types.TracebackType) -> tuple[Any] | None:
    """Return the argument of a `pickle.dumps(name)` on the failing line."""
    import ast
    import linecache

    frame = tb.tb_frame
    line = linecache.getline(frame.f_code.co_filename, tb.tb_lineno).strip()
    try:
        tree = ast.parse(line)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        function, argument = node.func, node.args[0]
        name = function.attr if isinstance(function, ast.Attribute) else ""
        if name in ("dumps", "dump") and isinstance(argument, ast.Name):
            for names in (frame.f_locals, frame.f_globals):
                if argument.id in names:
                    return (names[argument.id],)
    return None


def guard_queue(queue: Any) -> Any:
    """Make `queue.put` raise in the caller what its feeder thread would swallow.

    Parameters
    ----------
    queue : multiprocessing.Queue
        The queue; the same object is returned, with `put` and `put_nowait`
        guarded in this process.

    Raises
    ------
    NotPicklableError
        From `put`, with the explanation.
    """
    from multiprocessing.reduction import ForkingPickler

    put = queue.put

    def guarded_put(obj: Any, block: bool = True, timeout: float | None = None) -> None:
        try:
            ForkingPickler.dumps(obj)
        except Exception as error:
            report = explain(obj, name="item", target=ForkingPickler, roundtrip=False)
            if report.ok:
                raise pickle.PicklingError(str(error)) from error
            raise NotPicklableError(str(report), report=report) from error
        put(obj, block, timeout)

    def guarded_put_nowait(obj: Any) -> None:
        guarded_put(obj, False)

    queue.put = guarded_put
    queue.put_nowait = guarded_put_nowait
    return queue
