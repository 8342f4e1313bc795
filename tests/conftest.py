"""Fixtures of the loader's tests: the proof that nothing ran, and hypothesis profiles."""

from __future__ import annotations

import copyreg
import gc
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import picklist  # noqa: E402
import picklist_canary  # noqa: E402

# What a shell runs in the background ignores Ctrl-C; the children that tests interrupt must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Keep what lives on after a file of tests, such as libraries, out of later collections.

    Some tests collect for every object that is made: over a whole run's heap that takes minutes.
    """
    if nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()


# Two profiles: a fixed one, and one that draws new examples every time (HYPOTHESIS_PROFILE=fresh);
# hypothesis prints the blob that reproduces a failure in both.
hypothesis.settings.register_profile(
    "ci", max_examples=150, deadline=None, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile(
    "fresh", max_examples=1500, deadline=None, derandomize=False, print_blob=True
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


class Watch:
    """Records audit events while armed.

    An audit hook cannot be removed, so one is installed for the whole run and listens only inside
    ``armed_for``.  Every event of the interpreter counts, but for the few in ``HARMLESS``.
    """

    HARMLESS = frozenset(
        {
            "array.__new__",  # an array of the result
            "pickle.find_class",  # a policy is asked; importing is an event of its own
            "sys._getframe",  # warnings and tracebacks
            "sys._getframemodulename",
            "sys.unraisablehook",
        }
    )

    def __init__(self) -> None:
        self.armed = False
        self.events: list[tuple[str, str]] = []
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        """Note one event; called by the interpreter for every one of them."""
        if self.armed and event not in self.HARMLESS:
            self.armed = False
            try:
                self.events.append((event, repr(args)[:200]))
            finally:
                self.armed = True

    @contextmanager
    def armed_for(self) -> Iterator[list[tuple[str, str]]]:
        """Listen inside the block; yields the list of what was heard."""
        self.events = []
        self.armed = True
        try:
            yield self.events
        finally:
            self.armed = False


WATCH = Watch()


class NothingRan:
    """Loads hostile pickles and proves that no code ran and nothing changed."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Fail where the block runs code, raises an audit event, imports or changes anything."""
        picklist_canary.reset()
        before = picklist_canary.fingerprint()
        modules = set(sys.modules)
        with WATCH.armed_for() as events:
            yield
        assert picklist_canary.CALLS == [], "code of the stream's choosing ran"
        assert picklist_canary.fingerprint() == before, "something outside the result changed"
        assert set(sys.modules) - modules == set(), "something was imported"
        assert events == [], "the interpreter reported a side effect"

    def refused(
        self,
        data: bytes,
        *mentions: str,
        at: int | None = None,
        remedy: bool = True,
        **options: Any,
    ) -> Any:
        """Load and return the refusal; every string in ``mentions`` must be in its message.

        Parameters
        ----------
        data : bytes
            The hostile pickle.
        mentions : str
            What the message must name: the global, the opcode, the limit.
        at : int, optional
            The byte offset that the error must give.
        remedy : bool
            The message must say what would allow it or what to do instead.
        options
            Passed to ``safe_loads``.
        """
        warm(options)
        caught: BaseException | None = None
        with self.guard():
            try:
                picklist.safe_loads(data, **options)
            except BaseException as error:  # any class: which one it is is judged below
                caught = error
        assert caught is not None, f"loaded: {data!r:.200}"
        assert isinstance(caught, picklist.UnsafePickleError), f"{type(caught).__name__}: {caught}"
        assert isinstance(caught, pickle.UnpicklingError)
        assert not isinstance(caught, (MemoryError, SystemError, RecursionError))
        message = str(caught)
        for mention in mentions:
            assert mention in message, f"{mention!r} is not in: {message}"
        assert isinstance(caught.offset, int)
        assert 0 <= caught.offset <= len(data)
        assert "byte" in message, f"no offset in: {message}"
        if at is not None:
            assert caught.offset == at, f"offset {caught.offset}, not {at}: {message}"
        if remedy:
            assert any(word in message for word in REMEDIES + REFUSED_FOR_GOOD), (
                f"no remedy in: {message}"
            )
        return caught


# A message ends in what to do: a line of policy, a preset, a limit, or why it is never needed.
REMEDIES = (
    "Policy(",
    "Allow(",
    "allow=",
    "preset",
    "Limits(",
    "ext=",
    "buffers=",
    "persistent_load",
)
REFUSED_FOR_GOOD = ("never", "only", "must", "cannot", "not allowed", "expected")


def warm(options: dict[str, Any]) -> None:
    """Load and refuse once, so that the hook hears only what the stream under test does."""
    picklist.safe_loads(pickle.dumps(None), **options)
    for data in (b"cpicklist_nowhere\nnothing\n.", b"}R.", b"N"):
        try:
            picklist.safe_loads(data, **options)
        except pickle.UnpicklingError:
            continue


@pytest.fixture(autouse=True)
def _pickle_as_it_came() -> Iterator[None]:
    """Take back after each test what importing dill or distributed teaches pickle.

    dill teaches pickle's Python pickler its types; distributed has tblib register all exceptions.
    """
    yield
    if "dill" in sys.modules:
        sys.modules["dill"].extend(use_dill=False)
    if "tblib" in sys.modules:
        for cls, reducer in list(copyreg.dispatch_table.items()):
            if reducer.__module__.startswith("tblib"):
                del copyreg.dispatch_table[cls]


@pytest.fixture
def nothing_ran() -> Iterator[NothingRan]:
    """Return the harness for hostile pickles."""
    yield NothingRan()
    picklist_canary.reset()


@pytest.fixture
def naive() -> Iterator[Any]:
    """Return a loader as people write it today: ``find_class`` with an exact allowlist.

    Tests use it to prove that a payload is a working attack before they ask that it be refused.
    """
    import io

    class Allowlisting(pickle.Unpickler):
        allowed: frozenset[tuple[str, str]] = frozenset()

        def find_class(self, module: str, name: str) -> Any:
            if (module, name) not in self.allowed:
                raise pickle.UnpicklingError(f"{module}.{name} is forbidden")
            return super().find_class(module, name)

    def load(data: bytes, *allowed: str) -> Any:
        picklist_canary.reset()
        unpickler = Allowlisting(io.BytesIO(data))
        unpickler.allowed = frozenset(
            (name.rpartition(".")[0], name.rpartition(".")[2]) for name in allowed
        )
        return unpickler.load()

    yield load
    picklist_canary.reset()
