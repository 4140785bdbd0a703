"""A public function whose own body raises one of Elman's errors names it, or a kind of error above it, in its docs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import elman
from elman import errors
from elman.errors import ElmanError

SOURCES = Path(elman.__file__).parent
KINDS = {
    name: [each.__name__ for each in kind.__mro__ if issubclass(each, ElmanError)]
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, ElmanError)
}
"""Names of each kind of error and of those above it."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


def within(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What a function's body has, without the functions and classes inside."""
    todo: list[ast.AST] = list(body)
    while todo:
        node = todo.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            todo.extend(ast.iter_child_nodes(node))


def name_of(node: ast.AST | None) -> str:
    """The last name of `a.b.C(...)`."""
    if isinstance(node, ast.Call | ast.Subscript):
        return name_of(node.func if isinstance(node, ast.Call) else node.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def raised(function: Function) -> set[str]:
    return {name_of(node.exc) for node in within(function.body) if isinstance(node, ast.Raise)} & set(KINDS)


def functions(node: ast.Module | ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Iterator[tuple[str, Function, str]]:
    """Name, node and docs of each public function and method. A method may leave them to the one that it overrides, a
    constructor or an operator to its class, a `__getattr__` to its module."""
    for inner in node.body:
        if isinstance(inner, ast.ClassDef) and not inner.name.startswith("_"):
            for name, function, docs in functions(inner, classes):
                yield f"{inner.name}.{name}", function, docs
        elif isinstance(inner, Function):
            special = inner.name.startswith("__") and inner.name.endswith("__")
            if special or not inner.name.startswith("_"):
                docs = [ast.get_docstring(inner) or ""]
                if special:
                    docs.append(ast.get_docstring(node) or "")
                elif isinstance(node, ast.ClassDef):
                    docs += overridden(node, inner.name, classes)
                yield inner.name, inner, "\n".join(docs)


def overridden(of: ast.ClassDef, name: str, classes: dict[str, ast.ClassDef]) -> list[str]:
    """Docs of the method `name` in the classes above."""
    found: list[str] = []
    for base in map(name_of, of.bases):
        if base in classes and base != of.name:
            methods = [each for each in classes[base].body if isinstance(each, Function) and each.name == name]
            found += [ast.get_docstring(method) or "" for method in methods]
            found += overridden(classes[base], name, classes)
    return found


def silent(modules: dict[str, ast.Module]) -> list[str]:
    """What raises an error without a word of it."""
    classes = {
        node.name: node for module in modules.values() for node in ast.walk(module) if isinstance(node, ast.ClassDef)
    }
    return [
        f"{where}:{function.lineno}: {name} raises {kind}"
        for where, module in modules.items()
        for name, function, docs in functions(module, classes)
        for kind in sorted(raised(function))
        if not any(each in docs for each in KINDS[kind])
    ]


def test_public_functions_name_the_errors_that_they_raise():
    modules = {
        str(path.relative_to(SOURCES)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCES.rglob("*.py"))
        if "cli" not in path.relative_to(SOURCES).parts
    }
    assert len(modules) > 100
    assert not silent(modules)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f():\n raise InputError('x')", ["m:1: f raises InputError"]),
        ("def f():\n '''Raises InputError.'''\n raise errors.CorpusError('x')", []),
        ("def f():\n '''Raises CorpusError.'''\n raise InputError", ["m:1: f raises InputError"]),
        ("def _f():\n raise InputError\ndef g():\n def h():\n  raise InputError", []),
        ("class A:\n '''InputError: x.'''\n def __init__(self):\n  raise InputError", []),
        ("class A:\n '''InputError: x.'''\n def f(self):\n  raise InputError", ["m:3: A.f raises InputError"]),
        ("class A:\n def f(self): 'InputError'\nclass B(A[int]):\n def f(self):\n  raise InputError", []),
        ("class A:\n if 1:\n  def f(self): 0\n async def f(self):\n  raise WorkerLost", ["m:4: A.f raises WorkerLost"]),
    ],
)
def test_a_silent_function_is_found(source, expected):
    assert silent({"m": ast.parse(source)}) == expected
