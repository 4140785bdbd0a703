"""Text to ids and back: normalisation, vocabularies, records, and the Reading that a model has."""

from __future__ import annotations

from .. import moved
from ..visible import CONTROLS, visible
from .characters import Bytes, Characters
from .decoding import TextDecoder
from .fields import csv_field, field_lines, field_values, json_field, row_reader
from .normalisation import NORMALISATIONS, normalise, normalised_parts, word_border
from .reading import Reading
from .records import line_end, record_lines, record_parts, record_spans, without_blank_lines
from .rows import Rows
from .subword_training import train_subwords
from .subwords import Subwords, check_tokens
from .tokenizer_file import read_tokenizer
from .vocabulary import UNKNOWN, Vocabulary

__all__ = [
    "CONTROLS",
    "NORMALISATIONS",
    "UNKNOWN",
    "Bytes",
    "Characters",
    "Reading",
    "Rows",
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
