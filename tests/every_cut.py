"""A model of subwords, and the probability of a beginning by every sequence of tokens that spells it, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import elman
from elman.text import Subwords


def subword_model(merges: Sequence[tuple[int, int]], quantised: bool) -> elman.Model:
    """A small network, whose weights are the same each time."""
    reading = elman.Reading(Subwords(merges))
    model = elman.LanguageModel(elman.GRU(len(reading), 5), reading)
    for number, array in enumerate(model.parameters()):
        array[...] = np.random.default_rng(number).normal(0, 0.7, array.shape)
    return elman.quantise(model, text="the he the é " * 20) if quantised else model


def probability(model: elman.Model, wanted: bytes) -> float:
    """That a text begins with `wanted`."""
    vocabulary = model.reading.vocabulary
    tokens = {id: vocabulary.decode_bytes(np.array([id])) for id in range(len(vocabulary))}

    def after(ids: list[int], left: bytes) -> float:
        decoder = model.decoder(1)
        decoder.read(np.array([[model.reading.start, *ids]], dtype=np.int64).T)
        likely = np.exp(decoder.logits[0].astype(np.float64))
        likely /= likely.sum()
        whole = (likely[id] for id, token in tokens.items() if token.startswith(left))
        parts = ((id, token) for id, token in tokens.items() if left.startswith(token) and token != left)
        return sum(whole) + sum(likely[id] * after([*ids, id], left[len(token) :]) for id, token in parts)

    return after([], wanted)
