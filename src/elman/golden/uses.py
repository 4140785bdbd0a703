"""Golden results of a trained model: likeliest texts, scores, adaptive scores, and integers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..corpora import load_corpus
from ..generation import beam_search, generate
from ..kernels.integer import DEFINED
from ..model import LanguageModel, quantise
from ..scoring import ngram_bits, score, words
from .inputs import digest


def results(name: str, model: LanguageModel) -> Iterator[tuple[str, str]]:
    """The name of each result, as in floats.json, and its value. name: the training's."""
    read = str(load_corpus("traveller", max_chars=12_000).text)
    text, short = read[-1_000:], read[-120:]
    best = beam_search(model, "the traveller", 20, 4)[0]
    yield f"beams/{name}", f"{best.bits.hex()} {best.text}"
    whole = score(model, text)
    yield f"scores/{name}", f"{whole.bits.hex()} {digest([whole.costs])}"
    yield f"adaptive/{name}", score(model, short, adaptive=True).bits.hex()
    ids = model.reading.vocabulary.encode(text)
    yield f"words/{name}", digest([np.array([(word.bits, word.entropy) for word in words(model, whole)])])
    if model.cell in DEFINED:
        small = quantise(model, 8, text)
        written = generate(small, "the traveller", 80, temperature=0.8, seed=3)
        yield f"integers/{name}", f"{small.digest()} {score(small, text).bits.hex()} {written}"
    yield f"n-grams/{name}", digest([ngram_bits(ids, model.vocab_size)])
