"""Imports point one way: a room imports only rooms before it, and a file only files before it in its room."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import elman

PACKAGE = Path(elman.__file__).parent
ROOMS = {
    "text": (
        "rows", "columns", "fields", "normalisation", "vocabulary", "characters", "decoding", "records", "reading",
        "long_tokens", "split", "setting", "subwords", "subword_training", "tokenizer_file",
    ),
    "corpora": ("files", "download", "named", "cached", "tokens", "corpus", "places", "mapped",),
    "batches": ("windows", "records",),
    "kernels": (
        "backend", "forced", "integer", "likelihood", "handles", "native_decoder", "native", "cell_steps", "masks",
        "optimisers", "reference",
    ),
    "model": (
        "initial", "integer_arrays", "integer", "parameters", "layers", "interface", "dense", "counts", "ngrams",
        "language", "extension", "named", "rounding", "quantised", "mixed", "alone", "quantisation", "tensors",
        "container", "file",
    ),
    "generation": (
        "sampling", "beam", "choose", "completion", "prefixes", "prompt", "loop", "new", "writer", "grown", "batch",
        "text", "tokens", "paths",
    ),
    "scoring": (
        "next_tokens", "blocks", "lines", "ngrams", "adaptive", "scores", "totals", "compressors", "stream",
        "comparison", "word_costs", "word_lists",
    ),
    "typing": ("alphabet", "primed", "mixture", "habits", "typist", "primer",),
    "kenlm": ("state", "model", "nbest",),
    "compression": (
        "handle", "weights", "predictor", "codec", "blocks", "archive", "layout", "past", "parts", "store", "trained",
    ),
    "recipes": ("recipe", "settings", "toml",),
    "runs": (
        "folder", "log", "run", "lock", "events", "svg", "curve", "origin", "checkpoint", "saver", "summary",
    ),
    "parallel": ("group", "alone", "launch", "tree", "shards", "slices", "blocks", "stepper",),
    "training": (
        "budget", "choice", "optimiser", "side_by_side", "ensemble", "build", "data", "interrupt", "live", "measure",
        "mixing", "schedule", "further", "loop", "attended", "train", "sizing",
    ),
    "coders": ("rivals", "samples", "network", "train",),
    "inspection": ("matching", "memorised", "neighbours", "hidden_units",),
    "pages": ("document", "inspection", "surprisal", "playground",),
    "serving": (
        "limits", "refusal", "fields", "served", "drawing", "searching", "protocol", "metrics", "batcher", "beside",
        "answers", "origins", "guard", "writing", "costs", "packing", "texts", "objects", "schema", "server",
    ),
    "export": ("c", "onnx", "plain", "html", "js", "lab",),
    "golden": ("inputs", "uses", "floats", "integers", "coder", "compare"),
    "cli/shared": (
        "streams", "inputs", "calibration", "rich_console", "console", "commands", "curve_file", "listing",
        "word_listing", "summary", "piecewise", "against", "whole", "options", "progress", "samples", "prompts",
        "file_options", "filewise",
        "archives", "stores", "connection", "server", "signals", "training_text", "training_source", "training_report",
        "workers",
    ),
    "cli/interactive": ("steps", "session", "watch", "rotated", "tail", "places", "gauges", "follow", "following",),
    "cli": (
        "tree", "calibrate", "completion", "compress", "decompress", "generate", "get", "info", "inspect", "manual",
        "message", "quantise", "rescore", "runs", "export", "score", "self_test", "serve", "store", "train",
        "train_coder",
    ),
    "torch": (
        "reference", "fused", "registry", "dense_operators", "recurrent_operator", "operators", "kernels", "device",
        "group", "launcher", "like_torch", "packed", "layers", "module",
    ),
}  # fmt: skip
"""In the order in which the package is read; the files of a room, likewise."""
SHARED = ("moved", "errors", "visible", "files", "locks", "philox", "sources", "typed", "given")
"""What every room may use, and which imports none of them."""
ALLOWED = {
    ("training/train", "torch/device"), ("cli/shared/workers", "torch/group"), ("cli/shared/workers", "torch/launcher"),
}  # fmt: skip
"""What only torch can serve, another device and several processes, imports its room when asked for."""
PLACE = {f"{room}/{file}": i for i, (room, file) in enumerate((r, f) for r, files in ROOMS.items() for f in files)}


def sources() -> Iterator[tuple[str, Path]]:
    """(room/file, path) of every file in a room."""
    for room in ROOMS:
        for path in sorted((PACKAGE / room).glob("*.py")):
            yield f"{room}/{path.stem}", path


def imported(path: Path) -> Iterator[str]:
    """The modules, as paths below the package, that a file imports, other than for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1]
            if node.module:
                base = base.joinpath(*node.module.split("."))
            for alias in node.names:
                found = base / alias.name
                if not (found.is_dir() or found.with_suffix(".py").exists()):
                    found = base
                yield found.relative_to(PACKAGE).as_posix()


def place(module: str) -> int | None:
    """Where a module stands in the order; a room as a whole where its last file does. None: it is shared."""
    if module in ROOMS:
        return max(PLACE[f"{module}/{file}"] for file in ROOMS[module])
    return PLACE.get(module)


def test_every_file_has_its_place():
    rooms = {path.parent.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("__init__.py")}
    assert rooms - {"."} == set(ROOMS)
    assert {p.stem for p in PACKAGE.glob("*.py")} == {"__init__", "__main__", *SHARED}
    for room, files in ROOMS.items():
        found = {p.stem for p in (PACKAGE / room).glob("*.py")} - {"__init__", "__main__"}
        assert found == set(files), room


def test_files_import_those_before_them():
    for name, path in sources():
        room, _, file = name.rpartition("/")
        here = place(room) if file in ("__init__", "__main__") else PLACE[name]
        for module in imported(path):
            there = place(module)
            if there is None or module == room or (name, module) in ALLOWED:
                continue
            own = file in ("__init__", "__main__") and module.startswith(f"{room}/")
            assert there < here or own, f"{name} imports {module}, which comes after it"  # type: ignore


def test_what_is_shared_imports_no_room():
    for name in SHARED:
        assert set(imported(PACKAGE / f"{name}.py")) <= set(SHARED)


def test_no_two_files_of_tests_share_a_name():
    """Pytest imports them by name alone, and refuses the second of two."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}
