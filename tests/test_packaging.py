"""The package: what is installed, what it exports, and that it stands in for pickle."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import picklist
import picklist._picklist
import picklist.errors

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(picklist.__file__).parent


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


# The drop-in.


def test_every_public_name_of_pickle_is_here():
    assert set(pickle.__all__) <= set(picklist.__all__)


def test_all_is_honest():
    assert len(picklist.__all__) == len(set(picklist.__all__))
    for name in picklist.__all__:
        assert hasattr(picklist, name)


@pytest.mark.parametrize("name", sorted(name for name in pickle.__all__ if name.isupper()))
def test_constants_are_pickles_own(name):
    assert getattr(picklist, name) is getattr(pickle, name)


@pytest.mark.parametrize(
    "name", ["PickleError", "PicklingError", "UnpicklingError", "PickleBuffer"]
)
def test_types_that_programs_catch_or_test_for_are_pickles_own(name):
    assert getattr(picklist, name) is getattr(pickle, name)


@pytest.mark.parametrize("name", ["load", "loads", "Unpickler"])
def test_what_loads_is_never_pickles_own(name):
    assert getattr(picklist, name) is not getattr(pickle, name)


def test_nothing_that_loads_unchecked_leaks_through_the_module():
    unchecked = [pickle.loads, pickle.load, pickle.Unpickler, pickle._Unpickler, pickle._loads]
    for name, value in vars(picklist).items():
        assert not any(value is other for other in unchecked), name


def test_a_program_that_imports_picklist_as_pickle_runs():
    program = """
import picklist as pickle, io
value = {"a": [1, 2.5, None, True], "b": (b"x", "y")}
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    assert pickle.loads(pickle.dumps(value, protocol=protocol)) == value
file = io.BytesIO()
pickle.dump(value, file)
pickle.Pickler(file, 2).dump([1])
file.seek(0)
assert pickle.load(file) == value
assert pickle.Unpickler(file).load() == [1]
try:
    pickle.loads(b"")
except EOFError:
    pass
try:
    pickle.loads(pickle.GLOBAL + b"posix\\nsystem\\n" + pickle.STOP)
except pickle.UnpicklingError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("refused\n", "")


# The import.


def test_importing_picklist_imports_little():
    program = """
import pickle, sys
before = set(sys.modules)
import picklist
print(*set(sys.modules) - before)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert roots <= {"picklist", "__future__"} | set(sys.stdlib_module_names)
    heavy = {"asyncio", "multiprocessing", "json", "tomllib", "inspect", "dataclasses"}
    assert not roots & heavy


# The distribution.


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    crate = tomllib.loads(read("Cargo.toml"))["package"]["version"]
    assert picklist.__version__ == project == crate == importlib.metadata.version("picklist")


def test_types_are_shipped():
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_picklist.pyi").is_file()


def test_licences_are_shipped():
    meta = importlib.metadata.metadata("picklist")
    assert meta["License-Expression"] == "MIT OR Apache-2.0"
    assert {"LICENSE-MIT", "LICENSE-APACHE"} <= set(meta.get_all("License-File"))


def test_there_are_no_dependencies():
    required = importlib.metadata.requires("picklist") or []
    assert [line for line in required if "extra ==" not in line] == []


def test_extras_are_those_of_the_manual():
    extras = set(importlib.metadata.metadata("picklist").get_all("Provides-Extra"))
    assert {"cli", "dask", "test", "lint", "bench"} <= extras


# The stubs: stubtest compares names and signatures; here, what it cannot see.


def test_the_stub_lists_every_public_name_of_the_extension():
    tree = ast.parse((PACKAGE / "_picklist.pyi").read_text(encoding="utf-8"))
    stubbed = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    public = {name for name in vars(picklist._picklist) if not name.startswith("_")}
    assert public <= stubbed


@pytest.mark.parametrize("name", ["safe_loads", "safe_load", "loads", "load"])
def test_loading_functions_show_their_signature(name):
    parameters = inspect.signature(getattr(picklist, name)).parameters.values()
    first, *options = parameters
    assert first.kind is inspect.Parameter.POSITIONAL_ONLY
    assert {option.kind for option in options} == {inspect.Parameter.KEYWORD_ONLY}
    assert [option.name for option in options] == [
        "policy",
        "allow",
        "limits",
        "strict",
        "fix_imports",
        "encoding",
        "errors",
        "buffers",
        "persistent_load",
    ]


@pytest.mark.parametrize("name", sorted({*picklist.__all__} - {*pickle.__all__, "__version__"}))
def test_every_name_of_ours_has_a_docstring(name):
    assert inspect.getdoc(getattr(picklist, name))


# The house.


def test_the_rooms_without_python_do_not_mention_it():
    rooms = [path for room in ("stream", "policy", "machine", "inspect")
             for path in (ROOT / "src" / room).rglob("*.rs")]  # fmt: skip
    assert rooms
    for path in rooms:
        assert not re.search(r"\b(use|extern crate) pyo3\b|\bpyo3::", path.read_text("utf-8")), path


def test_unsafe_code_is_in_one_room():
    for path in (ROOT / "src").rglob("*.rs"):
        if path.parent != ROOT / "src" / "load" / "ffi":
            code = re.sub(r"//.*|\"unsafe\"|unsafe_\w+", "", path.read_text("utf-8"))
            assert not re.search(r"\bunsafe\b", code), path
