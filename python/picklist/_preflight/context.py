"""What a start method of multiprocessing needs: the PKL4xx reasons.

A child that is spawned (or served by forkserver) imports the main file again,
under another name, and everything else by its module name.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .catalogue import (
    is_a,
    namespace,
)
from .classify import Places, reason
from .paths import faithful
from .report import Fix, Reason
from .source import parsed, place, source_of

CONTEXTS = ("spawn", "forkserver", "fork")
STARTING_MODULES = (
    "multiprocessing",
    "multiprocessing.pool",
    "concurrent.futures",
    "concurrent.futures.process",
    "torch.multiprocessing",
    "torch.utils.data",
    "joblib",
    "loky",
)
STARTERS = (
    "Pool",
    "Process",
    "ProcessPoolExecutor",
    "Parallel",
    "Manager",
    "DataLoader",
)
Found = Iterator[tuple[int, Reason]]


def validate(context: str | None) -> None:
    """Only start methods that exist."""
    if context is not None and context not in CONTEXTS:
        raise ValueError(f"context must be one of {', '.join(map(repr, CONTEXTS))}")


def context_reasons(places: Places, context: str) -> list[tuple[int, Reason]]:
    """Reasons of the start method, for everything that is stored by name."""
    if context == "fork":
        return []
    return [*_main_reasons(places), *_guard_reasons(places), *_fork_reasons(places)]


def main_file() -> str | None:
    """Return the file that a child would import as its main module, or None."""
    main = sys.modules.get("__main__")
    filename = getattr(main, "__file__", None)
    if not isinstance(filename, str) or not Path(filename).is_file():
        return None
    return filename


def _main_reasons(places: Places) -> Found:
    filename = main_file()
    tree = parsed(filename) if filename else None
    for node, value, module, qualname in places.walk.globals():
        if module not in ("__main__", "__mp_main__"):
            continue
        name = qualname.partition(".")[0]
        chain = places.chain(node)
        if tree is None:
            where = "a session without a main file (notebook, stdin or -c)"
            text = f"{qualname} is defined in {where}"
            fixes = [
                Fix(f"move {qualname} into a module:  from tasks import {name}"),
                Fix(f"in a notebook:  %%writefile tasks.py  then  from tasks import {name}"),
            ]
            yield node, reason("PKL410", places, chain, summary=text, fixes=fixes)
            continue
        top, guarded = defined_names(tree)
        if name in top:
            continue
        source = source_of(value)
        if name in guarded:
            text = f"{qualname} is defined under the __main__ guard{place(source)}"
            fixes = [
                Fix(f"move {name} above the guard, to module level"),
                Fix(f"move {name} into a module of its own"),
            ]
            made = reason("PKL411", places, chain, summary=text, fixes=fixes, source=source)
        else:
            text = f"{qualname} is in __main__ now, and not in {Path(filename or '').name}"
            fixes = [Fix(f"define {name} at module level of a file")]
            made = reason("PKL410", places, chain, summary=text, fixes=fixes)
        yield node, made


def is_guard(statement: ast.stmt) -> bool:
    """`if __name__ == "__main__":`."""
    if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.Compare):
        return False
    sides = [statement.test.left, *statement.test.comparators]
    named = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    main = any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)
    return named and main


def defined_names(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Names bound at module level, outside and under the guard."""
    top: set[str] = set()
    guarded: set[str] = set()
    for statement in tree.body:
        if is_guard(statement):
            for inner in ast.walk(statement):
                guarded.update(_bound(inner))
        elif isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for inner in ast.walk(statement):
                top.update(_bound(inner))
        else:
            top.update(_bound(statement))
    return top, guarded - top


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from (name.id for name in ast.walk(target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield (alias.asname or alias.name).partition(".")[0]


def unguarded_starts(tree: ast.Module) -> list[tuple[int, str]]:
    """`(line, name)` of calls at module level that start processes."""
    starters = _starters(tree)
    found = []
    for statement in tree.body:
        if is_guard(statement) or isinstance(
            statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            continue
        for node in _at_module_level(statement):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in starters or _of_a_context(node.func):
                    found.append((node.lineno, called))
    return found


def _starters(tree: ast.Module) -> set[str]:
    """Return the spellings, in this file, of what starts processes."""
    spellings: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in STARTING_MODULES:
                    spellings |= {f"{alias.asname or alias.name}.{name}" for name in STARTERS}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bound = alias.asname or alias.name
                if node.module in STARTING_MODULES and alias.name in STARTERS:
                    spellings.add(bound)
                elif f"{node.module}.{alias.name}" in STARTING_MODULES:
                    spellings |= {f"{bound}.{name}" for name in STARTERS}
    contexts = {name.replace(".Pool", ".get_context") for name in spellings} | {"get_context"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        if ast.unparse(node.value.func) in contexts:
            for target in node.targets:
                spellings |= {f"{ast.unparse(target)}.{name}" for name in STARTERS}
    return spellings


def _of_a_context(function: ast.expr) -> bool:
    """Tell `multiprocessing.get_context("spawn").Pool`."""
    if not isinstance(function, ast.Attribute) or function.attr not in STARTERS:
        return False
    made = function.value
    return isinstance(made, ast.Call) and ast.unparse(made.func).endswith("get_context")


def _at_module_level(statement: ast.stmt) -> Iterator[ast.AST]:
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _guard_reasons(places: Places) -> Found:
    filename = main_file()
    tree = parsed(filename) if filename else None
    if tree is None or filename is None:
        return
    starts = unguarded_starts(tree)
    if not starts:
        return
    line, name = starts[0]
    file = Path(filename).name
    text = f"{file}:{line} calls {name}(…) without a __main__ guard"
    fixes = [
        Fix(f"in {file}:  if __name__ == '__main__':  around line {line}"),
        Fix("put it into a function main(), called under the guard"),
    ]
    chain = places.chain(0)
    source = f"{filename}:{line}"
    yield 0, reason("PKL412", places, chain, summary=text, fixes=fixes, source=source)


def _fork_reasons(places: Places) -> Found:
    for node, value, _, _ in places.walk.globals():
        for function in _functions(value):
            changed = changed_globals(function)
            if not changed:
                continue
            names = ", ".join(changed)
            text = f"{function.__qualname__} reads {names}, set after import"
            fixes = [
                Fix(f"pass {names} as an argument"),
                Fix(f"set {names} in each worker: Pool(initializer=…, initargs=…)"),
            ]
            chain = places.chain(node)
            source = source_of(function)
            yield (
                node,
                reason("PKL413", places, chain, summary=text, fixes=fixes, source=source),
            )


def _functions(value: Any) -> Iterator[types.FunctionType]:
    if type(value) is types.FunctionType:
        yield value
    elif is_a(value, type):
        for member in namespace(value).values():
            if type(member) is types.FunctionType:
                yield member


def changed_globals(function: types.FunctionType) -> list[str]:
    """Return module variables that a function reads and that differ from the source."""
    filename = function.__code__.co_filename
    module = str(function.__globals__.get("__name__", ""))
    if module.partition(".")[0] in sys.stdlib_module_names and module != "__main__":
        return []
    tree = parsed(filename) if Path(filename).is_file() else None
    if tree is None:
        return []
    reassigned = {
        name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names
    }
    changed = []
    for name in function.__code__.co_names:
        if name not in function.__globals__:
            continue
        initial = _initial(tree, name)
        if initial is None:
            continue
        now = function.__globals__[name]
        same = faithful(now) is not None and (type(now), now) == (
            type(initial[0]),
            initial[0],
        )
        if not same and (name in reassigned or faithful(now) is not None):
            changed.append(name)
    return changed


def _initial(tree: ast.Module, name: str) -> tuple[object] | None:
    """Return the literal that the module's source gives to a variable; None if there is none."""
    value: tuple[object] | None = None
    for statement in tree.body:
        for target, expression in _assigned(statement):
            if target == name:
                try:
                    value = (ast.literal_eval(expression),)
                except (ValueError, SyntaxError):
                    return None
    return value


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.value
    elif (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.value is not None
    ):
        yield statement.target.id, statement.value
