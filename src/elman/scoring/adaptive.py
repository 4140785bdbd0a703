"""Cost of sequences under a model that learns from them while it reads: never from a token before that token is scored.

Two things learn, one on top of the other. The network takes a step of training after every 20 tokens (dynamic
evaluation): RMSprop, which is Adam without momentum, and a little of the way back to its trained weights. And n-grams,
which know nothing at first, are mixed in. Such a cost is what a compressor that learns would spend; it does not compare
with the cost under a fixed model, and is labelled wherever it is shown.

The bits are the same on every machine, as in training.

Source: Krause et al., "Dynamic evaluation of neural sequence models" (2018).
"""

from __future__ import annotations

import copy

import numpy as np

from .. import kernels
from ..kernels import Array, ModelWeights, State, Update
from ..kernels.likelihood import ln
from ..model import Model, ModelState, NgramModel, trainable
from .ngrams import Ngrams

ADAPTIVE = "adaptive: learns from the text that it scores, as a compressor does"
"""How such scores are labelled."""
STEPS = 20
"""Tokens between two updates."""
# On which text these two were chosen was not recorded.
_LR = 4e-4
_DECAY = np.float32(1e-3)
"""Share of the way back to the trained weights that each update goes."""
_LEAST = np.float32(1e-30)
"""Smallest probability: exp of a float32 is 0 from about -104 down."""


def adaptive_nats(model: Model, ids: Array, starts: Array, lengths: Array) -> Array:
    """Like `sequence_nats`, with a copy of `model` that learns from each sequence and carries on to the next. The
    n-grams of a model's file do not change; those that are learned come on top of the mixture."""
    trainable(model)  # refuses a quantised one
    learner = copy.deepcopy(model)
    network, ngrams = Learning(trainable(learner).network), Ngrams(model.vocab_size)
    costs, at = np.empty(int(lengths.sum())), 0
    for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
        network.restart()
        state: ModelState | None = None  # of a model with n-grams
        ngrams.restart(int(ids[start]))
        for first in range(start, start + length, STEPS):
            tokens = np.asarray(ids[first : min(first + STEPS, start + length) + 1], dtype=np.int64)
            mixed = None
            if isinstance(learner, NgramModel):  # before its network learns from these tokens
                mixed, state = learner.chances(tokens[:-1, None], tokens[1:, None], state)
            likely = network.read(tokens)
            likely = likely if mixed is None else np.maximum(mixed[:, 0], _LEAST).tolist()
            costs[at : at + len(likely)] = [ngrams.mix(*pair) for pair in zip(tokens[1:].tolist(), likely, strict=True)]
            at += len(likely)
    return -ln(costs)


class Learning:
    """A network that learns from what it reads: its weights change."""

    def __init__(self, network: ModelWeights) -> None:
        self._network = network
        self._weights = self._network.weights()
        self._trained = [w.copy() for w in self._weights]
        self._square = [np.zeros(w.size, dtype=np.float32) for w in self._weights]
        self._mean = [np.zeros(w.size, dtype=np.float32) for w in self._weights]
        self._step, self._state = 0, self._network.begin_state(1)

    def restart(self) -> None:
        """Begin a sequence, from a zero state."""
        self._state: State = self._network.begin_state(1)

    def read(self, tokens: Array) -> list[float]:
        """The probabilities of tokens[1:], int64 (T + 1,), each after those before it; then learn from them."""
        network, inputs, targets = self._network, tokens[:-1, None], tokens[1:, None]
        nats = np.empty(targets.shape, dtype=np.float32)
        _, self._state, grads = kernels.loss_and_grads(network, inputs, targets, self._state, nats=nats)
        self._step += 1
        how = Update(_LR, None, self._mean, self._square, self._step, beta1=0.0)
        kernels.update(network, grads, how)
        for weight, trained in zip(self._weights, self._trained, strict=True):
            weight += (trained - weight) * _DECAY
        return np.maximum(kernels.exp(-nats[:, 0]), _LEAST).tolist()
