"""Inspection of a model: its hidden units over a text, and what it has memorised."""

from __future__ import annotations

from .. import moved
from .hidden_units import MEASURED, Unit, activations, correlation_ratio, features, kind, units
from .matching import Matches, Overlap, expected_longest, longest_matches, ngram_text
from .memorised import (
    Report,
    divided,
    memorisation,
    most_characters,
    quotations,
    read_corpus,
    recorded_corpus,
    recorded_places,
    sample,
)
from .neighbours import Nearest, RecordReport, nearest, records_report

__all__ = [
    "MEASURED",
    "Matches",
    "Nearest",
    "Overlap",
    "RecordReport",
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
    "most_characters",
    "nearest",
    "ngram_text",
    "quotations",
    "read_corpus",
    "recorded_corpus",
    "recorded_places",
    "records_report",
    "sample",
    "units",
]
__getattr__ = moved.names(__name__)
