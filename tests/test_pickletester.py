"""CPython's own pickle tests, run against our loader under ``Policy.unrestricted()``.

``test.pickletester`` holds abstract classes that CPython wires to ``_pickle`` in
``Lib/test/test_pickle.py``; here the same classes are wired to picklist, in every way a program can
reach the loader: ``loads``, ``Unpickler`` over a file, subclasses with ``find_class`` and
``persistent_load``, and the module itself and a policy in the place of the pickle module.  Pickles
are written by pickle's C and Python picklers.

The cases are enumerated from CPython's abstract classes, not collected from ours, so a test that
CPython has and we do not run cannot exist: it is either run, once per wiring, or named in
``NOT_APPLICABLE`` with its reason.  A skip is a failure too, but for two conditions of CPython's
own (32-bit machines, numpy installed).
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import pickle
import struct
import sys
import unittest
from typing import Any
from unittest import mock

import pytest
from test import pickletester, test_pickle
from test.support.os_helper import TESTFN

import picklist

pytestmark = pytest.mark.filterwarnings("default")

POLICY = picklist.Policy.unrestricted()
HAS_PICKLING_ERRORS = sys.version_info >= (3, 13)


def abstract(name: str) -> Any:
    """Return a class of CPython's; one that is missing is an error, never a skip."""
    return getattr(pickletester, name, None) or getattr(test_pickle, name)


class Unrestricted(picklist.Unpickler):
    """Our Unpickler, taking the arguments that pickle's takes."""

    def __init__(self, file: Any, **options: Any) -> None:
        super().__init__(file, policy=POLICY, **options)


class Overriding(Unrestricted):
    """Our Unpickler with ``find_class`` overridden and handed on."""

    def find_class(self, module: str, name: str) -> Any:
        """Ask the base class."""
        return super().find_class(module, name)


def loads(data: bytes, **options: Any) -> Any:
    """Load under the unrestricted policy."""
    return picklist.loads(data, policy=POLICY, **options)


def dumps_with(pickler: Any) -> Any:
    """Return a ``dumps`` method that writes with the given pickler class."""

    def dumps(self: Any, arg: Any, proto: int | None = None, **options: Any) -> bytes:
        file = io.BytesIO()
        pickler(file, proto, **options).dump(arg)
        return file.getvalue()

    return dumps


class FromFile:
    """Loads through an Unpickler over a file, with the errors that the C pickle raises."""

    pickler: Any = pickle.Pickler
    unpickler: Any = Unrestricted
    bad_stack_errors: tuple[type[Exception], ...] = (pickle.UnpicklingError,)
    truncated_errors: tuple[type[Exception], ...] = (pickle.UnpicklingError,)
    truncated_data_error: tuple[Any, str] = (pickle.UnpicklingError, "truncated")
    size_overflow_error: tuple[Any, str] = (OverflowError, "exceeds system's maximum size")
    dumps = dumps_with(pickle.Pickler)

    def loads(self, data: bytes, **options: Any) -> Any:
        """Load one pickle."""
        return self.unpickler(io.BytesIO(data), **options).load()

    def test_unpickle_module_race(self) -> None:
        """Run CPython's race of two imports with our loads where it calls ``pickle.loads``."""
        with mock.patch.object(pickle, "loads", loads):
            super().test_unpickle_module_race()  # type: ignore[misc]


class FromBytes(FromFile):
    """Loads bytes, with the errors that CPython's in-memory tests accept."""

    truncated_errors = (
        pickle.UnpicklingError,
        EOFError,
        AttributeError,
        ValueError,
        struct.error,
        IndexError,
        ImportError,
    )
    truncated_data_error = ((pickle.UnpicklingError, EOFError), "")
    size_overflow_error = ((OverflowError, pickle.UnpicklingError), "")

    def loads(self, data: bytes, **options: Any) -> Any:
        """Load one pickle."""
        return loads(data, **options)


class Overridden:
    """Persistent ids by methods of subclasses."""

    pickler: Any = pickle.Pickler
    unpickler: Any = Unrestricted
    persistent_load_error = pickle.UnpicklingError

    def dumps(self, arg: Any, proto: int | None = None) -> bytes:
        """Pickle with our test's ``persistent_id``."""
        test = self

        class PersPickler(self.pickler):  # type: ignore[misc,name-defined]
            def persistent_id(self, obj: Any) -> Any:
                return test.persistent_id(obj)  # type: ignore[attr-defined]

        file = io.BytesIO()
        PersPickler(file, proto).dump(arg)
        return file.getvalue()

    def loads(self, data: bytes, **options: Any) -> Any:
        """Load with a subclass that overrides ``persistent_load``."""
        test = self

        class PersUnpickler(self.unpickler):  # type: ignore[misc,name-defined]
            def persistent_load(self, pid: Any) -> Any:
                return test.persistent_load(pid)  # type: ignore[attr-defined]

        return PersUnpickler(io.BytesIO(data), **options).load()


class Assigned(Overridden):
    """Persistent ids by an attribute of the instance."""

    def loads(self, data: bytes, **options: Any) -> Any:
        """Load with ``persistent_load`` assigned on the instance."""
        unpickler = self.unpickler(io.BytesIO(data), **options)
        unpickler.persistent_load = self.persistent_load  # type: ignore[attr-defined]
        return unpickler.load()


class Passed(Overridden):
    """Persistent ids by an argument of ``loads``."""

    def loads(self, data: bytes, **options: Any) -> Any:
        """Load with ``persistent_load=``."""
        return loads(data, persistent_load=self.persistent_load, **options)  # type: ignore[attr-defined]


class Objects:
    """Unpickler objects, used again and primed with a memo; wired to a class below."""

    pickler_class: Any = pickle.Pickler


class ModuleFace:
    """picklist in the place of the pickle module."""

    dump = staticmethod(picklist.dump)
    dumps = staticmethod(picklist.dumps)
    Pickler: Any = picklist.Pickler
    Unpickler: Any = Unrestricted

    @staticmethod
    def load(file: Any, **options: Any) -> Any:
        """Load from a file under the unrestricted policy."""
        return picklist.load(file, policy=POLICY, **options)

    @staticmethod
    def loads(data: Any, **options: Any) -> Any:
        """Load bytes under the unrestricted policy."""
        return loads(data, **options)


class PolicyFace:
    """A policy in the place of the pickle module."""

    dump = staticmethod(POLICY.dump)
    dumps = staticmethod(POLICY.dumps)
    load = staticmethod(POLICY.load)
    loads = staticmethod(POLICY.loads)
    Pickler: Any = POLICY.Pickler
    Unpickler: Any = POLICY.Unpickler


def wire(name: str, how: type, *bases: str, **attributes: Any) -> Any:
    """Return a TestCase of CPython's abstract classes with our way in front."""
    return type(
        name, (how, *map(abstract, bases), unittest.TestCase), {"CPYTHON": bases, **attributes}
    )


UNPICKLE, PICKLE = "AbstractUnpickleTests", "AbstractPickleTests"
PERSISTENT, IDENTITY = "AbstractPersistentPicklerTests", "PyIdPersPicklerTests"
PYTHON = {"pickler": pickle._Pickler, "dumps": dumps_with(pickle._Pickler)}  # type: ignore[attr-defined]

WIRED: tuple[Any, ...] = (
    wire("LoadsTests", FromBytes, PICKLE, UNPICKLE),
    wire("UnpicklerTests", FromFile, UNPICKLE),
    wire("PolicyUnpicklerTests", FromFile, UNPICKLE, unpickler=POLICY.Unpickler),
    wire("OverridingUnpicklerTests", FromFile, UNPICKLE, unpickler=Overriding),
    wire("PicklerTests", FromFile, PICKLE),
    wire("OverridingPicklerTests", FromFile, PICKLE, unpickler=Overriding),
    wire("PythonPicklerTests", FromFile, PICKLE, **PYTHON),
    wire("PythonPicklerLoadsTests", FromBytes, PICKLE, **PYTHON),
    wire("PersistentTests", Overridden, PERSISTENT),
    wire("AssignedPersistentTests", Assigned, PERSISTENT),
    wire("PassedPersistentTests", Passed, PERSISTENT),
    wire("PolicyPersistentTests", Overridden, PERSISTENT, unpickler=POLICY.Unpickler),
    wire("IdentityTests", Overridden, IDENTITY),
    wire("AssignedIdentityTests", Assigned, IDENTITY),
    wire("PassedIdentityTests", Passed, IDENTITY),
    wire("ObjectTests", Objects, "CPicklerUnpicklerObjectTests", unpickler_class=Unrestricted),
    wire(
        "OverridingObjectTests", Objects, "CPicklerUnpicklerObjectTests", unpickler_class=Overriding
    ),
    wire(
        "PolicyObjectTests",
        Objects,
        "CPicklerUnpicklerObjectTests",
        unpickler_class=POLICY.Unpickler,
    ),
    wire("ModuleTests", ModuleFace, "AbstractPickleModuleTests"),
    wire("PolicyModuleTests", PolicyFace, "AbstractPickleModuleTests"),
)

# CPython itself sets these to None in InMemoryPickleTests.
NOT_APPLICABLE = {
    "LoadsTests": {
        "test_framed_write_sizes_with_delayed_writer": "needs a file; run in PicklerTests",
        "test_find_class": "needs an Unpickler; run in UnpicklerTests",
        "test_custom_find_class": "needs an Unpickler; run in UnpicklerTests",
    },
}

# CPython's own conditions: what it skips itself on the machine at hand.
SKIPPED_BY_CPYTHON = {
    "test_large_32b_binbytes8": sys.maxsize > 2**32,
    "test_large_32b_binunicode8": sys.maxsize > 2**32,
    "test_large_32b_bytearray8": sys.maxsize > 2**32,
    "test_negative_32b_binbytes": sys.maxsize > 2**32,
    "test_negative_32b_binput": sys.maxsize > 2**32,
    "test_negative_32b_binunicode": sys.maxsize > 2**32,
    "test_buffers_numpy": importlib.util.find_spec("numpy") is None,
    "test_deep_nested_struct_frozendict": not hasattr(builtins, "frozendict"),
    "test_fast_save_enter_frozendict": not hasattr(builtins, "frozendict"),
}
REQUIRED = {
    "AbstractUnpickleTests": 30,
    "AbstractPickleTests": 90,
    "AbstractPersistentPicklerTests": 1,
    "AbstractIdentityPersistentPicklerTests": 2,
    "AbstractPicklerUnpicklerObjectTests": 8,
    "AbstractPickleModuleTests": 10,  # 11 in later patches of 3.11
}


def names_of(cls: Any) -> list[str]:
    """Return the test methods of one of CPython's classes."""
    return sorted(
        name for name in dir(cls) if name.startswith("test") and callable(getattr(cls, name))
    )


def wanted(cls: Any) -> list[str]:
    """Return every test that CPython's classes ask of a wired class."""
    names = sorted({name for base in cls.CPYTHON for name in names_of(abstract(base))})
    return [name for name in names if name not in NOT_APPLICABLE.get(cls.__name__, {})]


CASES = [
    pytest.param(cls, name, id=f"{cls.__name__}-{name}") for cls in WIRED for name in wanted(cls)
]


@pytest.mark.parametrize(("cls", "name"), CASES)
def test_cpython(cls: Any, name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One test of CPython's holds for one way into the loader."""
    monkeypatch.chdir(tmp_path)
    sys.path_importer_cache.pop(
        TESTFN, None
    )  # a relative path: the finder of another directory is cached under it
    result = unittest.TestResult()
    cls(name).run(result)
    assert result.testsRun == 1 or result.skipped  # 3.12.1 does not count what is skipped
    # From 3.14 on each locale that a float is written under is a part of its own.
    skipped = [why for _, why in result.skipped if not why.startswith("no locale")]
    assert bool(skipped) == SKIPPED_BY_CPYTHON.get(name, False), f"skipped: {skipped}"
    troubles = [trace for _, trace in result.errors + result.failures]
    assert not troubles, "\n".join(troubles)


@pytest.mark.parametrize("name", REQUIRED)
def test_every_abstract_class_is_wired_whole(name: str) -> None:
    """Each class that CPython has is wired, and each of its tests is a case of every wiring."""
    tests = names_of(abstract(name))
    assert len(tests) >= REQUIRED[name], "CPython's class has shrunk; look at what it has become"
    wirings = [cls for cls in WIRED if issubclass(cls, abstract(name))]
    assert wirings
    for cls in wirings:
        run = [case.values[1] for case in CASES if case.values[0] is cls]
        missing = set(tests) - set(run) - set(NOT_APPLICABLE.get(cls.__name__, {}))
        assert missing == set()
        assert len(run) == len(set(run))


def test_what_does_not_apply_is_run_elsewhere() -> None:
    """A test that is left out of one wiring runs in another."""
    for cls_name, left_out in NOT_APPLICABLE.items():
        for name in left_out:
            runs = [
                case
                for case in CASES
                if case.values[1] == name and case.values[0].__name__ != cls_name
            ]
            exists = any(hasattr(abstract(base), name) for base in REQUIRED)
            assert bool(runs) == exists


@pytest.mark.skipif(
    not HAS_PICKLING_ERRORS, reason="CPython has AbstractPicklingErrorTests from 3.13 on"
)
def test_the_pickler_is_the_pickle_modules() -> None:
    """What CPython tests about pickling errors holds, because the pickler is pickle's."""
    assert issubclass(picklist.Pickler, pickle.Pickler)
