"""What a model learnt: its hidden units over a text, and what it has memorised."""

from __future__ import annotations

from .matching import Matches, Overlap, expected_longest, longest_matches, ngram_text
from .memorisation import (
    Report,
    divided,
    memorisation,
    quotations,
    read_corpus,
    recorded_corpus,
    recorded_places,
    write,
)
from .units import MEASURED, Unit, activations, correlation_ratio, features, kind, units

__all__ = [
    "MEASURED",
    "Matches",
    "Overlap",
    "Report",
    "Unit",
    "activations",
    "correlation_ratio",
    "divided",
    "expected_longest",
    "features",
    "kind",
    "longest_matches",
    "memorisation",
    "ngram_text",
    "quotations",
    "read_corpus",
    "recorded_corpus",
    "recorded_places",
    "units",
    "write",
]
