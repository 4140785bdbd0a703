"""What a model learnt: its hidden units over a text, and what it has memorised."""

from __future__ import annotations

from .matching import Matches, Overlap, expected_longest, longest_matches, ngram_text
from .memorisation import Report, memorisation, quotations, read_corpus, recorded_corpus, write
from .units import MEASURED, Unit, activations, after, correlation_ratio, features, kind, units

__all__ = [
    "MEASURED",
    "Matches",
    "Overlap",
    "Report",
    "Unit",
    "activations",
    "after",
    "correlation_ratio",
    "expected_longest",
    "features",
    "kind",
    "longest_matches",
    "memorisation",
    "ngram_text",
    "quotations",
    "read_corpus",
    "recorded_corpus",
    "units",
    "write",
]
