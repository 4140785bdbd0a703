"""The Python of README and the pages passes mypy --strict and pyright, and imports from `elman` or one of its rooms."""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GIVEN = {
    "corpus": 'corpus: elman.Corpus = elman.load_corpus("traveller")',
    "model": 'model = elman.load("english")',
    "old_messages": "old_messages: list[bytes] = []",
}
"""What a page's prose gives its first block."""
FOREIGN = ("datatrove", "nemo_curator", "pandas")
"""Packages of other tools, which pages use and these tests do not install."""

pytestmark = pytest.mark.skipif(not PAGES[0].exists(), reason="the pages are not here")


def blocks() -> list[tuple[str, str]]:
    """(name, program) of every block: after it the earlier ones of its page that it needs, and what its prose gives."""
    found = []
    for page in PAGES:
        if "_build" in page.parts or "generated" in page.parts:
            continue
        text, before = page.read_text(encoding="utf-8"), []
        for match in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S):
            code = match[1]
            if any(re.search(rf"^(from|import) {name}\b", code, re.M) for name in FOREIGN if find_spec(name) is None):
                continue
            whole = "".join(before) + code if _missing(code) - set(GIVEN) or _missing(code) & _made(before) else code
            given = [GIVEN[name] for name in GIVEN if name in _missing(whole)]
            whole = "\n".join((["import elman", *given] if given else []) + [whole])
            line = text.count("\n", 0, match.start()) + 1
            found.append(
                (f"{page.relative_to(ROOT).with_suffix('')}_{line}".replace("/", "_").replace("-", "_"), whole)
            )
            before.append(code)
    return found


def _made(codes: list[str]) -> set[str]:
    return {
        node.id
        for code in codes
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _missing(code: str) -> set[str]:
    """Names that a program reads and does not make."""
    tree, made, read = ast.parse(code), set(dir(builtins)) | {"__name__"}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler):
            made.add(node.name or "")
        elif isinstance(node, ast.arg):
            made.add(node.arg)
    return read - made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    for name, code in blocks():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    assert len(list(folder.glob("*.py"))) >= 10
    return folder


@pytest.mark.slow
def test_mypy_strict(folder):
    pytest.importorskip("mypy")
    options = ["--strict", "--ignore-missing-imports", "--allow-untyped-calls", "--no-pretty"]
    files = sorted(str(path) for path in folder.glob("*.py"))
    command = [sys.executable, "-m", "mypy", *options, "--cache-dir", str(ROOT / ".mypy_cache"), *files]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_pyright(folder):
    pytest.importorskip("pyright")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode not in (0, 1):
        pytest.skip(f"pyright does not run here: {done.stderr.strip().splitlines()[-1:]}")
    assert done.returncode == 0, done.stdout


def test_what_the_pages_import():
    """`elman`, or one room of it: its files may move."""
    found = set()
    for name, code in blocks():
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("elman"):
                found.add(node.module)
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names if alias.name.startswith("elman")}
        assert all(module.count(".") <= 1 for module in found), name
    assert "elman" in found
