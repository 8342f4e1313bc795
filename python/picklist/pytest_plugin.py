"""The pytest plugin: fixtures for pickling, loaded by the entry point `picklist`.

Nothing of picklist is imported until a fixture or an option is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

STARTUP_SECONDS = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and ini values."""
    group = parser.getgroup("picklist", "pickling")
    group.addoption(
        "--picklist-explain",
        action="store_true",
        help="add a 'pickle' section to failures caused by pickling",
    )
    group.addoption(
        "--picklist-guard",
        nargs="?",
        const="std",
        default=None,
        metavar="POLICY",
        help="pickle.loads in tests fails outside of this policy (a preset; default std)",
    )
    parser.addini("picklist_allow", "names that the tests' policy allows", type="linelist")
    parser.addini("picklist_base", "presets of the tests' policy", type="args", default=["std"])
    parser.addini("picklist_context", "start method that values must survive", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "picklable(protocols=None, context=None): every value of the test's parameters must "
        "pickle and come back, in these protocols and for this start method",
    )


@pytest.fixture
def check_picklable(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`picklist.check_picklable`: raises with the whole explanation."""
    import picklist

    context = request.config.getini("picklist_context") or None

    def check(obj: object, /, **options: Any) -> Any:
        __tracebackhide__ = True
        options.setdefault("context", context)
        return picklist.check_picklable(obj, **options)

    return check


@pytest.fixture
def assert_picklable() -> Callable[..., Any]:
    """`assert_picklable(obj, *, equal=True)`: round trip in every protocol; returns the clone."""
    return _assert_picklable


def _assert_picklable(
    obj: object, /, *, equal: bool = True, protocols: Any = None, name: str = "obj"
) -> Any:
    __tracebackhide__ = True
    import pickle

    import picklist

    clone: Any = None
    for protocol in protocols or range(pickle.HIGHEST_PROTOCOL + 1):
        try:
            clone = pickle.loads(pickle.dumps(obj, protocol))
        except Exception as error:
            report = picklist.explain(obj, name=name, protocol=protocol)
            if report.ok:
                raise
            text = f"protocol {protocol}: {report}"
            raise AssertionError(text) from error
        if equal and type(clone) is not type(obj):
            raise AssertionError(
                f"protocol {protocol}: {name} comes back as {type(clone).__name__}, "
                f"not {type(obj).__name__}"
            )
        if equal and not _same(clone, obj):
            raise AssertionError(
                f"protocol {protocol}: {name} comes back different "
                f"({type(obj).__name__} compares unequal to its clone; equal=False if it has no "
                "__eq__)"
            )
    return clone


def _same(clone: Any, obj: Any) -> bool:
    result = clone == obj
    if isinstance(result, bool):
        return result
    every = getattr(result, "all", None)
    while callable(every):
        result = every()
        every = getattr(result, "all", None) if getattr(result, "ndim", 0) else None
    return bool(result)


@pytest.fixture
def assert_spawnable() -> Callable[..., None]:
    """`assert_spawnable(obj)`: a real child, started with spawn, receives the object."""
    return _assert_spawnable


def _receive(data: bytes, answers: Any) -> None:
    """Run in the child: load, and say what came of it."""
    import pickle

    try:
        value = pickle.loads(data)
        answers.send((True, type(value).__qualname__))
    except BaseException as error:  # noqa: BLE001
        answers.send((False, f"{type(error).__name__}: {error}"))
    finally:
        answers.close()


def _assert_spawnable(
    obj: object, /, *, name: str = "obj", timeout: float = STARTUP_SECONDS
) -> None:
    __tracebackhide__ = True
    import multiprocessing
    from multiprocessing.reduction import ForkingPickler

    import picklist

    try:
        data = bytes(ForkingPickler.dumps(obj))
    except Exception as error:
        report = picklist.explain(obj, name=name, target=ForkingPickler, roundtrip=False)
        raise AssertionError(str(error) if report.ok else str(report)) from error
    context = multiprocessing.get_context("spawn")
    answers, answer = context.Pipe(duplex=False)
    child = context.Process(target=_receive, args=(data, answer), daemon=True)
    child.start()
    answer.close()
    try:
        if not answers.poll(timeout):
            raise AssertionError(f"{name}: the spawned child did not answer in {timeout} s")
        try:
            loaded, text = answers.recv()
        except EOFError:
            child.join(timeout)
            raise AssertionError(
                f"{name}: the spawned child died with exit code {child.exitcode}"
            ) from None
    finally:
        answers.close()
        if child.is_alive():
            child.join(5)
        if child.is_alive():
            child.kill()
            child.join()
    if not loaded:
        raise AssertionError(
            f"{name} does not load in a spawned child: {text}{_context_text(obj, name)}"
        )


def _context_text(obj: object, name: str) -> str:
    import picklist

    report = picklist.explain(obj, name=name, context="spawn", roundtrip=False)
    return "" if report.ok else f"\n{report}"


@pytest.fixture
def picklist_policy(request: pytest.FixtureRequest) -> Any:
    """Return the policy of the ini values picklist_base and picklist_allow."""
    return _policy(request.config)


def _policy(config: pytest.Config, base: str | None = None) -> Any:
    import picklist

    policy: Any = picklist.Policy
    presets = [base] if base else list(config.getini("picklist_base"))
    return policy(list(config.getini("picklist_allow")), base=presets)


@pytest.fixture
def safe_loads(picklist_policy: Any) -> Callable[..., Any]:
    """`picklist.safe_loads` under the tests' policy."""
    import picklist

    load: Any = picklist.safe_loads

    def loads(data: Any, /, **options: Any) -> Any:
        __tracebackhide__ = True
        options.setdefault("policy", picklist_policy)
        return load(data, **options)

    return loads


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Check marked values first; guard while the test runs."""
    marker = item.get_closest_marker("picklable")
    if marker is not None:
        _check_marked(item, marker)
    with _guard(item.config):
        return (yield)


def _check_marked(item: pytest.Item, marker: pytest.Mark) -> None:
    __tracebackhide__ = True
    import picklist

    parameters = getattr(getattr(item, "callspec", None), "params", {})
    context = marker.kwargs.get("context") or item.config.getini("picklist_context") or None
    for name, value in parameters.items():
        _assert_picklable(value, equal=False, protocols=marker.kwargs.get("protocols"), name=name)
        if context is not None:
            report = picklist.explain(value, name=name, context=context)
            if not report.ok:
                raise AssertionError(str(report))


@contextlib.contextmanager
def _guard(config: pytest.Config) -> Iterator[None]:
    preset = config.getoption("--picklist-guard")
    if preset is None:
        yield
        return
    import pickle

    policy = _policy(config, preset)
    patch = pytest.MonkeyPatch()
    patch.setattr(pickle, "loads", policy.loads)
    patch.setattr(pickle, "load", policy.load)
    try:
        yield
    finally:
        patch.undo()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """With --picklist-explain, a 'pickle' section on failures caused by pickling."""
    report = yield
    if call.excinfo is not None and item.config.getoption("--picklist-explain"):
        from picklist._preflight.explained import explain_exception

        error = call.excinfo.value
        if explain_exception(error):
            notes = "\n".join(getattr(error, "__notes__", ()))
            report.sections.append(("pickle", notes))
    return report
