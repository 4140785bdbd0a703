"""What texts cost under a model, in bits, and what others make of them."""

from __future__ import annotations

from .after import after, token_name
from .baselines import baselines, ngram_bits
from .blocks import Block, alternatives, record_bits, sequence_nats, text_bits, walk
from .lines import BURST, Lines
from .score import Score, perplexity, score, score_many, widths

__all__ = [
    "BURST",
    "Block",
    "Lines",
    "Score",
    "after",
    "alternatives",
    "baselines",
    "ngram_bits",
    "perplexity",
    "record_bits",
    "score",
    "score_many",
    "sequence_nats",
    "text_bits",
    "token_name",
    "walk",
    "widths",
]
