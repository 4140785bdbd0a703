"""Text to ids and back: normalisation, vocabularies, records, and the Reading that a model has."""

from __future__ import annotations

from .. import moved
from ..visible import CONTROLS, visible
from .characters import Bytes, Characters
from .decoding import TextDecoder
from .fields import csv_field, field_lines, field_values, json_field, row_reader
from .long_tokens import LongTokens
from .normalisation import NORMALISATIONS, normalise, normalised_parts, word_border
from .reading import Reading
from .records import line_end, record_lines, record_parts, record_spans, without_blank_lines
from .rows import Rows
from .setting import check_tokens
from .split import SPLIT, SplitTokens, compiled, find_tokens
from .subword_training import train_subwords
from .subwords import Subwords
from .tokenizer_file import read_tokenizer
from .vocabulary import UNKNOWN, Vocabulary

__all__ = [
    "CONTROLS",
    "NORMALISATIONS",
    "SPLIT",
    "UNKNOWN",
    "Bytes",
    "Characters",
    "LongTokens",
    "Reading",
    "Rows",
    "SplitTokens",
    "Subwords",
    "TextDecoder",
    "Vocabulary",
    "check_tokens",
    "compiled",
    "csv_field",
    "field_lines",
    "field_values",
    "find_tokens",
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
