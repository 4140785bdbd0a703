"""Text from a model."""

from __future__ import annotations

from .batch import Batch, complete
from .beam import Beam, beam_search
from .completion import Completion, Likely, Piece, Text, assembled, likely
from .loop import Row, Streams, generate_ids
from .new import new_records
from .prefixes import Prefixes
from .sampling import CHOICES, Sampling
from .text import generate, stop_strings, stream

__all__ = [
    "CHOICES",
    "Batch",
    "Beam",
    "Completion",
    "Likely",
    "Piece",
    "Prefixes",
    "Row",
    "Sampling",
    "Streams",
    "Text",
    "assembled",
    "beam_search",
    "complete",
    "generate",
    "generate_ids",
    "likely",
    "new_records",
    "stop_strings",
    "stream",
]
