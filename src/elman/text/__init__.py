"""Text to ids and back: normalisation, vocabularies, records, and the Reading that a model has."""

from __future__ import annotations

from .fields import csv_field, json_field
from .reading import Reading
from .records import line_end, record_lines, record_spans, without_blank_lines
from .visible import CONTROLS, visible
from .vocabulary import NORMALISATIONS, UNKNOWN, Vocabulary, normalise, normalised_parts, word_border

__all__ = [
    "CONTROLS",
    "NORMALISATIONS",
    "UNKNOWN",
    "Reading",
    "Vocabulary",
    "csv_field",
    "json_field",
    "line_end",
    "normalise",
    "normalised_parts",
    "record_lines",
    "record_spans",
    "visible",
    "without_blank_lines",
    "word_border",
]
