"""Coders: a model that two ends of a channel share, trained from samples of what will be sent."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .train import TrainedCoder, train_coder

__all__ = ["TrainedCoder", "train_coder"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".train", __name__), name)
