"""Text to ids and back: normalisation, vocabularies, records, and the Reading that a model has."""

from __future__ import annotations

from .reading import Reading
from .records import json_field, line_end, record_lines, record_spans, without_blank_lines
from .visible import CONTROLS, visible
from .vocabulary import NORMALISATIONS, UNKNOWN, Vocabulary, normalise, normalised_parts

__all__ = [
    "CONTROLS",
    "NORMALISATIONS",
    "UNKNOWN",
    "Reading",
    "Vocabulary",
    "json_field",
    "line_end",
    "normalise",
    "normalised_parts",
    "record_lines",
    "record_spans",
    "visible",
    "without_blank_lines",
]
