"""QuantisedModel: a language model of integers, used like a LanguageModel, except for training.

    small = elman.quantise(model, bits=8)
    elman.generate(small, "the ")

It serves whatever takes a `Model`. `IntegerNetwork` has its numbers and does its arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import numpy as np

from .. import given, kernels, moved
from ..errors import InputError
from ..kernels import Array, _cpu, likelihood
from ..kernels.integer import IntegerState
from ..text import Reading
from .integer import IntegerNetwork
from .interface import Described
from .layers import ModelState, token_ids, token_logits

__getattr__ = moved.names(__name__)


class QuantisedModel(Described):
    """A language model of integers over the tokens of a vocabulary; `quantise` makes one, and `load` reads one.

    The same bits on every machine, with the native kernels and without. Nothing changes it, so threads may share it; a
    decoder is one thread's at a time.

    Args:
        network: its numbers.
        reading: how it reads text.
    Raises:
        InputError: the network has not an id for each token of the vocabulary.
    """

    network: IntegerNetwork

    def __init__(self, network: IntegerNetwork, reading: Reading) -> None:
        given.instance("network", network, IntegerNetwork, "an IntegerNetwork; elman.quantise makes a model")
        given.instance("reading", reading, Reading, "a Reading")
        if network.vocab_size != len(reading):
            raise InputError(f"the network has {network.vocab_size} ids but the vocabulary {len(reading)} entries")
        self.network, self.reading = network, reading

    @property
    def bits(self) -> int:
        """Bits of a weight in the file."""
        return self.network.bits

    @property
    def num_parameters(self) -> int:
        """Weights and biases; the scales of rows do not count."""
        n = self.network.network
        matrices = [m for layer in n.layers for m in layer[:2]] + [n.output] + ([n.embedding] if n.embedding else [])
        biases = [b for layer in n.layers for b in layer[2:]] + [n.output_bias]
        return sum(m.q.size for m in matrices) + sum(b.size for b in biases)

    def named_parameters(self) -> dict[str, Array]:
        """Name -> array, as the file has them."""
        return self.network.to_arrays()

    def begin_state(self, batch_size: int) -> ModelState:
        """Zeros for the start of a text: h int8 (L, B, H), or (h, c) with c int16 for the GRU and the LSTM."""
        return _pack(self.network.begin_state(given.whole("batch_size", batch_size, 0)))

    def __call__(self, ids: Array, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """
        Args:
            ids: integers (T, B). state: from an earlier call; zeros if None.
        Returns:
            logits: float32 (T, B, V). state: after ids[-1].
        Raises:
            InputError: an id outside the vocabulary, or a state of another shape.
        """
        ids = token_ids(ids, self.vocab_size, "token ids")
        logits, last = self.network.run(ids, self._unpack(state, ids.shape[1]))
        return logits, _pack(last)

    def loss(self, ids: Array, targets: Array, state: ModelState | None = None) -> tuple[float, Array, ModelState]:
        """The cost of `targets` after `ids`, both integers (T, B); a target of -1 does not count.

        Returns:
            mean: nats. nats: float64 (T, B), the cost of each target. state: after ids[-1].
        """
        ids = token_ids(ids, self.vocab_size, "token ids")
        targets = token_ids(targets, self.vocab_size, "targets", ids)
        nats, last = self.network.score(ids, np.maximum(targets, 0), self._unpack(state, ids.shape[1]))
        nats[targets < 0] = 0.0
        return math.fsum(nats.ravel()) / max(1, int((targets >= 0).sum())), nats, _pack(last)

    def log_softmax(self, logits: Array) -> Array:
        """float64 (..., V): ln p of every token; what `loss` gives for a target is its negative, to the bit.

        Raises:
            InputError: logits of another size.
        """
        return self.network.log_softmax(token_logits(logits, self.vocab_size))

    def softmax(self, logits: Array) -> Array:
        """float64 (..., V): p of every token, a quotient of integers."""
        weights = likelihood.weights(given.array("logits", logits, "f", "real numbers (..., V)").astype(np.float32))
        return weights / weights.sum(axis=-1, keepdims=True, dtype=np.int64)

    def activations(self, ids: Array, layer: int, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """Activations of the units of a layer after each of the ids (T, B): tanh(c) of an LSTM, else h.

        Returns:
            values: float32 (T, B, H); of a ReLU RNN in shares of each unit's range. state: after ids[-1].
        """
        ids, layer = token_ids(ids, self.vocab_size, "token ids"), given.whole("layer", layer, 0, self.num_layers)
        values, last = self.network.activations(ids, layer, self._unpack(state, ids.shape[1]))
        return values, _pack(last)

    def decoder(self, batch_size: int) -> kernels.Decoder:
        """Return a decoder, which reads and writes texts token by token, from zero states."""
        return self.network.decoder(self.network.begin_state(given.whole("batch_size", batch_size, 0)))

    def digest(self) -> str:
        """SHA-256 over names, types, shapes and bits of all arrays of its file: equal digests, equal weights."""
        digest = hashlib.sha256()
        for name, array in self.named_parameters().items():
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode() + little.tobytes())
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """SHA-256 of all that decides what the model computes from a text: its contract and cell, how it reads, and its
        weights."""
        rest = self.header() | {"reading": self.reading.of_texts(), "weights": self.digest()}
        return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()

    def header(self) -> dict[str, Any]:
        """The file's header without the reading: everything that the arrays do not say."""
        header = self.network.header()
        sizes = header.pop("sizes")
        return header | {_NAMES[key]: size for key, size in sizes.items()}

    @classmethod
    def from_file(cls, header: dict[str, Any], arrays: dict[str, Array]) -> QuantisedModel:
        """The model of a file's header and arrays. Raises InputError or KeyError where they do not make one."""
        sizes = {key: header[name] for key, name in _NAMES.items() if key != "embedding" or name in header}
        return cls(IntegerNetwork.from_arrays(header | {"sizes": sizes}, arrays), Reading.from_dict(header))

    def serving(self) -> tuple[str, str]:
        """Which backend computes, and with what."""
        backend, why = kernels.serving()
        if backend == "cpu":
            why = f"integers by {_cpu.integer_isa()}, {why.partition(', ')[2] or why}"
        return backend, why

    def __repr__(self) -> str:
        reading, shape = self.reading, f"{self.cell} {self.num_layers} x {self.hidden_size}"
        kind = f"{self.vocab_size} {reading.vocabulary.kind}, normalisation {reading.normalisation!r}"
        return (
            f"QuantisedModel({shape}, {self.bits} bits, {kind}{', records' if reading.records else ''}, "
            f"{self.num_parameters:,} parameters)"
        )

    def _unpack(self, state: ModelState | None, batch: int) -> IntegerState | None:
        if state is None:
            return None
        parts = tuple(state) if isinstance(state, tuple) else (state,)
        expected = [part for part in self.network.begin_state(batch) if part is not None]
        parts = tuple(given.array("state", part, "iuf", "what begin_state gives") for part in parts)
        if [(p.dtype, p.shape) for p in parts] != [(p.dtype, p.shape) for p in expected]:
            shapes = " and ".join(f"{p.dtype} {p.shape}" for p in expected)
            raise InputError(f"the state of this input is {shapes}; call begin_state({batch}) or pass None")
        return IntegerState(parts[0], parts[1] if len(parts) > 1 else None)


_NAMES = {"vocab": "vocab_size", "hidden": "hidden_size", "layers": "num_layers", "embedding": "embedding_size"}
"""Sizes of an IntegerNetwork, under the names that every model file has for them."""


def _pack(state: IntegerState) -> ModelState:
    return state.h if state.c is None else (state.h, state.c)
