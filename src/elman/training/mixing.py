"""Mixing: the n-grams of a training text, and how much is given to them, chosen on the part that is held out.

They are counted once, on what the network trains on, and a model that is saved in the end is mixed with them. What the
mixture costs is measured crosswise: each half of the held-out part with the weights that the other half chose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels import Array
from ..kernels.likelihood import ln
from ..model import LanguageModel, NgramModel, Ngrams, QuantisedModel
from ..model.counts import levels, pruned, weights
from ..model.mixed import LEAST
from ..model.ngrams import CLASSES
from ..recipes.recipe import Recipe
from ..scoring import perplexity, walk
from ..text import Reading
from .data import SHORTEST, Records, Text

COUNTED = 4_000_000
"""Tokens of a training text in which n-grams are counted, the last ones: they take some 120 bytes each meanwhile."""
_FEWEST = 100  # held-out tokens
_FIRST = 0.75  # the network's share of a mixture about which nothing is known; not tuned
_PRIOR = 30.0  # places for which that counts; not tuned
_ROUNDS = 40  # of expectation-maximisation
_FOLDS = 8  # parts of a held-out text at least, which fall to the two halves in turn


@dataclass(frozen=True)
class Mixed:
    """A model with n-grams, and what was measured of it on the held-out part."""

    model: NgramModel
    perplexity: float
    """Perplexity, crosswise; `alone` is the network's."""
    bits_per_char: float
    """Mean bits of a character, crosswise."""
    alone: float

    def summary(self) -> dict[str, Any]:
        """Facts for the file's summary of the training."""
        return {
            "val_perplexity": self.perplexity,
            "val_perplexity_alone": self.alone,
            "val_bits_per_char": self.bits_per_char,
        }


class Mixing:
    """Makes models with n-grams out of the models of a training.

    Args:
        data: what is trained on and held out.
        recipe: says how long n-grams are, and how many are kept.
    Raises:
        InputError: too little is held out to choose weights on.
    """

    def __init__(self, data: Text | Records, reading: Reading, recipe: Recipe) -> None:
        if data.held_out < _FEWEST:
            raise InputError(
                f"n-grams need a held-out part of at least {_FEWEST} tokens, on which their share is chosen; it has "
                f"{data.held_out}; raise val_fraction, or leave out ngrams",
                setting="ngrams",
            )
        self._data, self._reading, self._recipe = data, reading, recipe

    @cached_property
    def ngrams(self) -> Ngrams:
        """The n-grams, with equal weights everywhere."""
        reading, (ids, starts, lengths) = self._reading, self._data.held_out_sequences(self._reading)
        train = self._data.training_ids(COUNTED).astype(np.int64)
        held_out = np.concatenate([ids[a + 1 : a + n + 1] for a, n in zip(starts, lengths, strict=True)])
        text = np.concatenate([[reading.start], train, held_out.astype(np.int64)])
        counted, V = 1 + len(train), len(reading)
        made = levels(text, self._recipe.ngrams or 0, reading.line_end if reading.records else -1, counted)
        lower = weights(made, counted, V)
        kept = pruned(made, lower, self._recipe.ngrams_kept, V, whole=True)
        return Ngrams.of_kept(V, kept, np.full((len(kept), CLASSES, CLASSES), _FIRST))

    def __call__(self, alone: LanguageModel | QuantisedModel) -> Mixed:
        """The model with n-grams, whose weights are chosen on all that is held out."""
        mixed = NgramModel(alone, self.ngrams)
        own, theirs, kinds = self._parts(mixed)
        size, place = mixed.ngrams.weights.size, np.arange(len(own))
        half = place // max(1, min(SHORTEST, len(own) // _FOLDS)) % 2
        nats = np.empty(len(own))
        for fold in (0, 1):
            there, here = half != fold, half == fold
            w = fitted(kinds[there], own[there], theirs[there], size)[kinds[here]]
            nats[here] = -ln(w * own[here] + (1 - w) * theirs[here])
        chosen = fitted(kinds, own, theirs, size).reshape(-1, CLASSES, CLASSES)
        bits, alone_bits = (math.fsum(each) / math.log(2) for each in (nats, -ln(own)))
        characters = self._data.held_out_characters(self._reading.vocabulary)
        return Mixed(
            NgramModel(alone, mixed.ngrams.with_weights(chosen)),
            perplexity(bits / len(own)),
            bits / characters,
            perplexity(alone_bits / len(own)),
        )

    def _parts(self, mixed: NgramModel) -> tuple[Array, Array, Array]:
        """float64 (R,) probabilities of the held-out tokens by the network and by the n-grams, and which weight serves
        them, int64 (R,)."""
        ids, starts, lengths = self._data.held_out_sequences(self._reading)
        found, offsets = np.empty((int(lengths.sum()), 3)), np.cumsum(lengths) - lengths

        def read(ids: Array, following: Array, state: Any) -> tuple[Array, Any]:
            p, contexts, sure, after = mixed.parts(ids, following, state)
            return np.stack([*p, mixed.ngrams.kinds(contexts, sure)], -1).reshape(*ids.shape, 3), after

        for block in walk(mixed, ids, starts, lengths, read):
            found[block.places(offsets)] = block.values[block.counted]
        own, theirs, kinds = np.ascontiguousarray(found.T)
        return np.maximum(own, LEAST), theirs, kinds.astype(np.int64)


def fitted(kinds: Array, own: Array, theirs: Array, size: int) -> Array:
    """float64 (size,): the network's shares under which a mixture gives the tokens the most probability.

    Args:
        kinds: int64 (R,), which share serves each token.
        own, theirs: float64 (R,), its probabilities by the network and by the n-grams.
    """
    first = np.array([_FIRST])
    one, of_all = np.zeros(len(kinds), np.int64), first
    for _ in range(_ROUNDS):
        of_all = _step(of_all, one, own, theirs, first)
    shares = np.repeat(of_all, size)
    for _ in range(_ROUNDS):
        shares = _step(shares, kinds, own, theirs, of_all)
    return shares


def _step(shares: Array, kinds: Array, own: Array, theirs: Array, before: Array) -> Array:
    """A step of expectation-maximisation."""
    w = shares[kinds]
    mine = w * own
    owed = np.bincount(kinds, mine / (mine + (1 - w) * theirs), len(shares))
    return (owed + before * _PRIOR) / (np.bincount(kinds, minlength=len(shares)) + _PRIOR)
