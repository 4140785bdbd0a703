"""Imports point one way: a module imports only those before it in the order in which the package is read."""

from __future__ import annotations

import ast
from pathlib import Path

import elman

ORDER = [
    *("text", "initial", "records", "corpora", "batches", "kernels", "layers", "model", "modelfile", "recipe"),
    *(
        "baselines",
        "generation",
        "beam",
        "scoring",
        "matching",
        "memorisation",
        "inspection",
        "epochs",
        "training",
        "plots",
        "pages",
        "sections",
        "cli",
    ),
]
PACKAGE = Path(elman.__file__).parent


def imported(path: Path) -> set[str]:
    """The modules of this package that a file imports, other than for type checkers."""
    names = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
    return names


def test_every_module_has_its_place():
    modules = {p.stem for p in PACKAGE.glob("*.py")} | {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert modules - {"__init__"} == set(ORDER)


def test_imports_point_one_way():
    for place, name in enumerate(ORDER):
        file = PACKAGE / f"{name}.py"
        if file.exists():
            later = imported(file) & set(ORDER[place:])
            assert not later, f"{name}.py imports {later}, which come after it"


def test_kernels_import_nothing_of_the_package():
    own = {p.stem for p in (PACKAGE / "kernels").glob("*.py")} | {"_cpu"}
    for file in (PACKAGE / "kernels").glob("*.py"):
        assert imported(file) <= own, file.name
