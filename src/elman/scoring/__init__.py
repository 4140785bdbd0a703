"""Cost of texts under a model, in bits, beside compressors and an n-gram model."""

from __future__ import annotations

from .adaptive import ADAPTIVE, adaptive_nats
from .blocks import (
    Block,
    alternatives,
    record_bits,
    sequence_entropies,
    sequence_nats,
    text_bits,
    text_nats,
    walk,
)
from .comparison import Comparison, compare
from .compressors import Baselines, baselines, ngram_bits
from .lines import BURST, Lines, mask
from .next_tokens import after
from .scores import Score, perplexity, score, score_many, widths
from .stream import Span, spans
from .totals import Totals
from .word_costs import Word, word_bits, word_counts, words, words_of
from .word_lists import is_word_table, word_table

__all__ = [
    "ADAPTIVE",
    "BURST",
    "Baselines",
    "Block",
    "Comparison",
    "Lines",
    "Score",
    "Span",
    "Totals",
    "Word",
    "adaptive_nats",
    "after",
    "alternatives",
    "baselines",
    "compare",
    "is_word_table",
    "mask",
    "ngram_bits",
    "perplexity",
    "record_bits",
    "score",
    "score_many",
    "sequence_entropies",
    "sequence_nats",
    "spans",
    "text_bits",
    "text_nats",
    "walk",
    "widths",
    "word_bits",
    "word_counts",
    "word_table",
    "words",
    "words_of",
]
