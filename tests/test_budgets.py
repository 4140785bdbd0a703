"""How large a file and a function of the package may be, as CONTRIBUTING says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import elman

PACKAGE = Path(elman.__file__).parent
LINES, BODY = 250, 60


def sources() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")


def long_functions() -> set[str]:
    """Path and name of every function whose body, without signature and docstring, is over the budget."""
    found = set()
    for name, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :]
                if body and (node.end_lineno or 0) - body[0].lineno + 1 > BODY:
                    found.add(f"{name} {node.name}")
    return found


def test_files_fit():
    long = {name for name, text in sources() if len(text.splitlines()) > LINES}
    assert not long, f"over {LINES} lines: divide by idea"


def test_native_files_fit():
    native = Path(__file__).parents[1] / "src" / "native"
    files = [path for ending in ("*.h", "*.cpp") for path in native.rglob(ending)]
    assert len(files) > 50
    long = {path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > LINES}
    assert not long, f"over {LINES} lines: divide by idea"


def test_functions_fit():
    assert not long_functions(), f"over {BODY} lines without signature and docstring"
