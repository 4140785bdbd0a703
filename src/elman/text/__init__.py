"""Text to ids and back: normalisation, vocabularies, records, and the Reading that a model has."""

from __future__ import annotations

from .. import moved
from ..visible import CONTROLS, visible
from .fields import csv_field, field_lines, field_values, json_field, row_reader
from .reading import Reading
from .records import line_end, record_lines, record_parts, record_spans, without_blank_lines
from .subwords import Subwords, check_tokens, read_tokenizer, train_subwords
from .vocabulary import (
    NORMALISATIONS,
    UNKNOWN,
    Bytes,
    Characters,
    TextDecoder,
    Vocabulary,
    normalise,
    normalised_parts,
    word_border,
)

__all__ = [
    "CONTROLS",
    "NORMALISATIONS",
    "UNKNOWN",
    "Bytes",
    "Characters",
    "Reading",
    "Subwords",
    "TextDecoder",
    "Vocabulary",
    "check_tokens",
    "csv_field",
    "field_lines",
    "field_values",
    "json_field",
    "line_end",
    "normalise",
    "normalised_parts",
    "read_tokenizer",
    "record_lines",
    "record_parts",
    "record_spans",
    "row_reader",
    "train_subwords",
    "visible",
    "without_blank_lines",
    "word_border",
]
__getattr__ = moved.names(__name__)
