"""Runs: the folder of a training run, which training writes and others read. Imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import Checkpoint, read_checkpoint
    from .log import Epoch, Run, Step
    from .summary import find_runs, read_run

__all__ = ["Checkpoint", "Epoch", "Run", "Step", "find_runs", "read_checkpoint", "read_run"]
_HOME = {"Checkpoint": "checkpoint", "read_checkpoint": "checkpoint", "find_runs": "summary", "read_run": "summary"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME.get(name, 'log')}", __name__), name)
