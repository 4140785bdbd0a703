"""Imports point one way: a room imports only rooms before it, and a file in it only files before it there."""

from __future__ import annotations

import ast
from pathlib import Path

import elman

PACKAGE = Path(elman.__file__).parent
ROOMS = {
    "text": ("visible", "vocabulary", "subwords", "records", "fields", "reading"),
    "corpora": ("files", "download", "named", "cached", "places", "tokens", "corpus", "mapped"),
    "batches": ("windows", "records"),
    "kernels": ("backend", "forced", "reference", "native", "integer"),
    "model": (
        "initial", "layers", "interface", "language", "extend", "integer", "quantise", "quantised", "named", "file",
    ),
    "generation": ("sampling", "choose", "loop", "writer", "text", "beam", "new"),
    "scoring": ("lines", "blocks", "ngrams", "adaptive", "score", "after", "words", "compare", "baselines"),
    "compression": (
        "predictor", "codec", "handle", "blocks", "archive", "parts", "layout", "store", "rivals", "trained",
    ),
    "inspection": ("units", "matching", "memorisation", "nearest"),
    "training": (
        "recipe", "choice", "build", "data", "run", "measure", "schedule", "budget", "origin", "checkpoint", "further",
        "optimiser", "saver", "interrupt", "lock", "events", "parallel", "shards", "svg", "curve", "live", "loop",
        "sizing", "coder", "records",
    ),
    "pages": ("page", "surprisal", "inspection"),
    "cli": (
        "console", "signals", "options", "workers", "training_text", "generate", "steps", "session", "info", "inspect",
        "quantise", "listing", "watch", "against", "score", "curve_file", "progress", "train", "runs", "samples",
        "filewise", "archives", "compress", "get",
    ),
    "torch": ("reference", "fused", "operators", "kernels", "layers", "module", "device"),
}  # fmt: skip
"""In the order in which the package is read; what is in a room, likewise."""
ORDER = list(ROOMS)
SHARED = ("errors", "files", "philox", "sources", "typed", "given")
"""What every room may use, and which imports none of them."""


def imported(path: Path) -> set[tuple[int, str]]:
    """(level, first name) of the relative imports of a file, other than for type checkers."""
    names = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            found = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            names |= {(node.level, name) for name in found}
    return names


def test_every_file_has_its_place():
    assert {p.parent.name for p in PACKAGE.glob("*/__init__.py")} == set(ORDER)
    assert {p.stem for p in PACKAGE.glob("*.py")} == {"__init__", "__main__", *SHARED}
    for room, files in ROOMS.items():
        found = {p.stem for p in (PACKAGE / room).glob("*.py")} - {"__init__", "__main__"}
        assert found == set(files), room


def test_rooms_import_those_before_them():
    for place, room in enumerate(ORDER):
        for file in (PACKAGE / room).glob("*.py"):
            later = {name for level, name in imported(file) if level == 2} & set(ORDER[place:])
            if (room, file.stem) == ("training", "loop"):
                later.discard("torch")  # where a user asks for a device that only it can serve
            assert not later, f"{room}/{file.name} imports {later}"


def test_what_is_shared_imports_no_room():
    for name in SHARED:
        assert not {found for level, found in imported(PACKAGE / f"{name}.py") if level == 1} - set(SHARED)


def test_files_import_those_before_them():
    for room, files in ROOMS.items():
        for place, name in enumerate(files if room != "cli" else ()):  # a session and its command know each other
            later = {n for level, n in imported(PACKAGE / room / f"{name}.py") if level == 1} & set(files[place:])
            assert not later, f"{room}/{name}.py imports {later}, which come after it"
