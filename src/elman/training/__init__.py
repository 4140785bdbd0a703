"""Training: what an epoch sees, the loop, and how large a model suits a text. Imported when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import moved

if TYPE_CHECKING:
    from .build import build_model
    from .train import fit, resume

__all__ = ["build_model", "fit", "resume"]
__getattr__ = moved.names(__name__, {"build_model": ".build", "fit": ".train", "resume": ".train"})
