"""Training: what an epoch sees, the loop, and how large a model suits a text. Imported when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .build import build_model
    from .loop import fit, resume

__all__ = ["build_model", "fit", "resume"]
_MOVED = {name: "recipes" for name in ("Recipe", "load_recipe", "recipe_names")}
_MOVED |= {name: "runs" for name in ("Checkpoint", "Epoch", "Run", "Step", "read_checkpoint")}
_MOVED |= {name: "coders" for name in ("TrainedCoder", "train_coder")}
"""Names that were here until version 0.1, and where they are."""


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(".build" if name == "build_model" else ".loop", __name__), name)
    if name in _MOVED:
        import warnings

        place = f"elman.{_MOVED[name]}"
        warnings.warn(f"elman.training.{name} has moved to {place}", DeprecationWarning, stacklevel=2)
        return getattr(import_module(place), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
