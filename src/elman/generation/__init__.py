"""Text from a model."""

from __future__ import annotations

from .beam import Beam, beam_search
from .loop import Streams, generate_ids
from .new import new_records
from .sampling import Sampling
from .text import generate, stream

__all__ = [
    "Beam",
    "Sampling",
    "Streams",
    "beam_search",
    "generate",
    "generate_ids",
    "new_records",
    "stream",
]
