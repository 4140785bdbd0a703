"""Runs: the folder of a training run, which training writes and others read. Imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import Checkpoint, read_checkpoint
    from .folder import RunFolder
    from .log import Epoch
    from .run import Run, Step
    from .summary import RunSummary, find_runs, read_run

_HOME = {
    "folder": ("RunFolder",),
    "log": ("Epoch",),
    "run": ("Run", "Step"),
    "checkpoint": ("Checkpoint", "read_checkpoint"),
    "summary": ("RunSummary", "find_runs", "read_run"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}
__all__ = [
    "Checkpoint", "Epoch", "Run", "RunFolder", "RunSummary", "Step", "find_runs", "read_checkpoint", "read_run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE[name]}", __name__), name)
