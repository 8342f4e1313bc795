"""Where things are defined: file and line, and the syntax tree, to write it anew."""

from __future__ import annotations

import ast
import copy
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from .catalogue import is_a, is_editable, module_of, namespace, qualname
from .paths import faithful


def source_of(value: object) -> str:
    """`file:line` of a function or class."""
    if type(value) is types.FunctionType:
        return f"{value.__code__.co_filename}:{value.__code__.co_firstlineno}"
    return class_source(value) if is_a(value, type) else ""


def class_source(cls: type) -> str:
    """`file:line` of a class written in Python, where its file can be told."""
    if not is_editable(cls):
        return ""
    node = class_definition(cls)
    filename = ""
    for member in namespace(cls).values():
        if type(member) is types.FunctionType:
            filename = member.__code__.co_filename
            break
    if node is None:
        return ""
    if not filename or filename.startswith("<"):
        import sys

        module = sys.modules.get(module_of(cls))
        filename = str(getattr(module, "__file__", "") or "")
    return f"{filename}:{node.lineno}" if filename else ""


def place(source: str) -> str:
    """`, train.py:41` from a source."""
    if not source:
        return ""
    return f", {Path(source).name}"


def definition(function: types.FunctionType) -> ast.Lambda | ast.FunctionDef | None:
    """Return the syntax tree of a function, from its source file; None if not sure."""
    code = function.__code__
    tree = parsed(code.co_filename)
    if tree is None:
        return None
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Lambda | ast.FunctionDef):
            continue
        first = node.lineno
        if isinstance(node, ast.FunctionDef):
            if node.name != code.co_name:
                continue
            first = min([first, *(line.lineno for line in node.decorator_list)])
        elif code.co_name != "<lambda>":
            continue
        if first == code.co_firstlineno and _parameters(node) == _code_parameters(code):
            found.append(node)
    if len(found) > 1:
        found = [node for node in found if _same_columns(node, code)]
    return found[0] if len(found) == 1 else None


def _parameters(node: ast.Lambda | ast.FunctionDef) -> list[str]:
    arguments = node.args
    names = [argument.arg for argument in arguments.posonlyargs + arguments.args]
    names += [argument.arg for argument in arguments.kwonlyargs]
    return names


def _code_parameters(code: types.CodeType) -> list[str]:
    return list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _same_columns(node: ast.Lambda | ast.FunctionDef, code: types.CodeType) -> bool:
    if not isinstance(node, ast.Lambda):
        return True
    body = node.body
    ends = {(line, column) for _, line, _, column in code.co_positions() if line and column}
    return (body.end_lineno, body.end_col_offset) in ends


# Trees by file and time of change; dropped all at once when there are many.
_TREES: dict[tuple[str, int], ast.Module | None] = {}
MAX_TREES = 64


def parsed(filename: str) -> ast.Module | None:
    """Return the syntax tree of a source file, or None."""
    import linecache

    try:
        changed = Path(filename).stat().st_mtime_ns
    except (OSError, ValueError):
        changed = 0  # a notebook's cell, or no file at all
    key = (filename, changed)
    if key not in _TREES:
        if len(_TREES) >= MAX_TREES:
            _TREES.clear()
        try:
            linecache.checkcache(filename)
            text = "".join(linecache.getlines(filename))
            _TREES[key] = ast.parse(text) if text else None
        except (SyntaxError, ValueError, RecursionError):
            _TREES[key] = None
    return _TREES[key]


def module_level(
    node: ast.Lambda | ast.FunctionDef,
    function: types.FunctionType,
    name: str,
    captured: list[str],
) -> str:
    """Source of the function under a name of its own; captured names become keywords."""
    parameters = copy.deepcopy(node.args)
    for argument in ast.walk(parameters):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    defaults = function.__defaults__ or ()
    for index, value in enumerate(defaults):
        parameters.defaults[index] = _literal(value, parameters.defaults[index])
    for parameter in captured:
        parameters.kwonlyargs.append(ast.arg(parameter))
        parameters.kw_defaults.append(None)
    if isinstance(node, ast.Lambda):
        body: list[ast.stmt] = [ast.Return(node.body)]
    else:
        body = node.body
    made = ast.FunctionDef(name=name, args=parameters, body=body, decorator_list=[])
    made.type_params = []  # type: ignore[attr-defined,unused-ignore]
    return ast.unparse(ast.fix_missing_locations(made)) + "\n"


def _literal(value: object, otherwise: ast.expr) -> ast.expr:
    text = faithful(value)
    return otherwise if text is None else ast.parse(text, mode="eval").body


def class_definition(cls: type) -> ast.ClassDef | None:
    """Return the syntax tree of a class, from the file of its first method."""
    for member in namespace(cls).values():
        code = getattr(member, "__code__", None) if type(member) is types.FunctionType else None
        if code is not None:
            candidates = _classes_in(code.co_filename, cls)
            inside = [
                node
                for node in candidates
                if node.lineno <= code.co_firstlineno <= (node.end_lineno or node.lineno)
            ]
            if len(inside) == 1:
                return inside[0]
    module = sys.modules.get(module_of(cls))
    filename = getattr(module, "__file__", None)
    candidates = _classes_in(filename, cls) if isinstance(filename, str) else []
    line = namespace(cls).get("__firstlineno__")
    if line is not None:
        candidates = [
            node
            for node in candidates
            if line in (node.lineno, *(item.lineno for item in node.decorator_list))
        ]
    return candidates[0] if len(candidates) == 1 else None


def _classes_in(filename: str, cls: type) -> list[ast.ClassDef]:
    """Class definitions of the file under the qualified name of `cls`."""
    tree = parsed(filename)
    if tree is None:
        return []
    parts = [part for part in qualname(cls).split(".") if part != "<locals>"]
    found: list[ast.AST] = [tree]
    for part in parts:
        found = [inner for scope in found for inner in _definitions_in(scope) if inner.name == part]
    return [node for node in found if isinstance(node, ast.ClassDef)]


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _definitions_in(scope: ast.AST) -> Iterator[Definition]:
    """Functions and classes of one scope, nested scopes left out."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, Definition):
            yield node
        elif not isinstance(node, ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
