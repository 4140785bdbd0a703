"""LanguageModel: token ids and a state in, logits and a state out; a recurrent layer and a dense output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from .. import given, kernels
from ..errors import InputError
from ..kernels import CELLS, Array, Dropout, ModelWeights
from ..text import Reading
from . import initial
from .dense import Dense, Embedding
from .interface import Described
from .layers import (
    ModelState,
    Parameters,
    Recurrent,
    make_layer,
    pack_state,
    parameter_shapes,
    token_ids,
    token_logits,
    uniform,
    unpack_state,
)


class LanguageModel(Parameters, Described):
    """A language model over the tokens of a vocabulary.

    Any number of threads may compute with one model while nobody trains it or writes to its arrays; one at a time may
    train it. A decoder is one thread's at a time. A deep copy and a pickle have their own weights.

    Args:
        layer: RNN, GRU or LSTM with input_size V, of which a token selects a column; or E, with an embedding.
        reading: how the model reads text; as `Corpus.reading` gives it.
        output: the memory of the dense layer, "weight" (V, H) and "bias" (V); None: new.
        embedding: what the layer reads in a token's place; None: nothing, tokens are one-hot.
    Raises:
        InputError: a layer that is none of the core's, but torch's, say; or sizes of the layer, the vocabulary and the
            embedding that do not fit.
    """

    network: ModelWeights
    """The weights as `elman.kernels` takes them."""

    def __init__(
        self,
        layer: Recurrent,
        reading: Reading,
        output: Mapping[str, Array] | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        if not isinstance(layer, Recurrent):
            kind = type(layer)
            raise InputError(
                f"the layer is {kind.__module__}.{kind.__name__}; expected elman.RNN, GRU or LSTM "
                "(elman.torch.from_torch copies torch's)"
            )
        given.instance("reading", reading, Reading, "a Reading, such as corpus.reading()")
        if embedding is not None:
            given.instance("embedding", embedding, Embedding, "an Embedding or None")
        if output is not None:
            given.instance("output", output, Mapping, "weight and bias, or None")
            shapes = {name: np.shape(output.get(name, 0.0)) for name in ("weight", "bias")}
            expected = {"weight": (len(reading), layer.hidden_size), "bias": (len(reading),)}
            if set(output) != set(expected) or shapes != expected:
                raise InputError(f"the output has {shapes}; expected {expected}")
        if embedding is None and layer.input_size != len(reading):
            raise InputError(
                f"the layer's input_size is {layer.input_size} but the vocabulary has {len(reading)} entries; "
                "make them equal"
            )
        if embedding is not None and embedding.weight.shape != (len(reading), layer.input_size):
            raise InputError(
                f"the embedding is {embedding.weight.shape}; expected ({len(reading)}, {layer.input_size}), a vector "
                "of the layer's input_size for each entry of the vocabulary"
            )
        self.layer, self.reading, self.embedding = layer, reading, embedding
        self.output = Dense(layer.hidden_size, len(reading), output)
        parts: dict[str, Parameters] = {"layer": layer, "output": self.output}
        if embedding is not None:
            parts = {"embedding": embedding, **parts}
        self._arrays = {
            f"{part}.{name}": array for part, of in parts.items() for name, array in of.named_parameters().items()
        }
        of_tokens = None if embedding is None else embedding.weight
        self.network = ModelWeights(CELLS[layer.cell], layer.weights(), self.output.weight, self.output.bias, of_tokens)

    @property
    def embedding_size(self) -> int | None:
        """E; None where tokens are one-hot."""
        return None if self.embedding is None else self.embedding.embedding_size

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return sum(array.size for array in self.parameters())

    def begin_state(self, batch_size: int) -> ModelState:
        """Zeros for the start of a text: h (L, B, H), or (h, c) for the LSTM."""
        return self.layer.begin_state(batch_size)

    def __call__(self, ids: Array, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """
        Args:
            ids: integers (T, B). state: from an earlier call; zeros if None.
        Returns:
            logits: float32 (T, B, V). state: after ids[-1].
        Raises:
            InputError: an id outside the vocabulary, or a state of another shape.
        """
        hidden, last = self.hidden(ids, state)
        return kernels.linear(hidden, self.output.weight, self.output.bias), last

    def hidden(self, ids: Array, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """Compute what a call does, with the last layer's output, (T, B, H), instead of logits."""
        ids = self._ids(ids, "token ids")
        parts = unpack_state(self.begin_state(ids.shape[1]) if state is None else state, self.layer, ids.shape[1])
        hidden, last = kernels.run(self.network, ids, parts)
        return hidden, pack_state(last)

    def loss(self, ids: Array, targets: Array, state: ModelState | None = None) -> tuple[float, Array, ModelState]:
        """The cross-entropy of `targets` after `ids`, both integers (T, B); a target of -1 does not count.

        Returns:
            mean: nats. nats: (T, B), the loss of each target. state: after ids[-1].
        """
        hidden, last = self.hidden(ids, state)
        targets = self._ids(targets, "targets", ids)
        return *kernels.cross_entropy(hidden, self.output.weight, self.output.bias, targets), last

    def log_softmax(self, logits: Array) -> Array:
        """float32 (..., V): ln p of every token.

        Raises:
            InputError: logits of another size.
        """
        return kernels.log_softmax(token_logits(logits, self.vocab_size))

    def softmax(self, logits: Array) -> Array:
        """float64 (..., V): p of every token, exp of what `log_softmax` gives."""
        return kernels.exp(self.log_softmax(logits)).astype(np.float64)

    def activations(self, ids: Array, layer: int, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """Activations of the units of a layer, 0 .. L-1, after each of the ids (T, B): tanh(c) of an LSTM, as in
        Karpathy's pictures, else h.

        Returns:
            values: float32 (T, B, H). state: of the layers up to this one, for another such call.
        """
        layer = given.whole("layer", layer, 0, self.num_layers)
        first, ids = self._first_layers(layer + 1), self._ids(ids, "token ids")
        parts = first.layer.begin_state(ids.shape[1]) if state is None else state
        parts = unpack_state(parts, first.layer, ids.shape[1])
        if self.cell == "lstm":
            _, cells, last = kernels.run_cells(first.network, ids, parts)
            return kernels.tanh(cells), pack_state(last)
        hidden, last = kernels.run(first.network, ids, parts)
        return hidden, pack_state(last)

    def _first_layers(self, count: int) -> LanguageModel:
        """The model with its first layers only, whose memory it shares."""
        l = self.layer  # noqa: E741
        if count == l.num_layers:
            return self
        shapes = parameter_shapes(l.cell, l.input_size, l.hidden_size, count, l.bias)
        arrays = {name: array for name, array in l.named_parameters().items() if name in shapes}
        first = make_layer(l.cell, l.input_size, l.hidden_size, count, bias=l.bias, arrays=arrays)
        return LanguageModel(first, self.reading, self.output.named_parameters(), self.embedding)

    def decoder(self, batch_size: int) -> kernels.Decoder:
        """Return a decoder, which reads and writes texts token by token, from zero states."""
        batch_size = given.whole("batch_size", batch_size, 0)
        return kernels.decoder(self.network, batch_size)

    def loss_and_grads(
        self, ids: Array, targets: Array, state: ModelState | None = None, dropout: Dropout | None = None
    ) -> tuple[float, ModelState, list[Array]]:
        """A step of training without the update.

        Args:
            ids, targets: integers (T, B); a target of -1 does not count.
            dropout: what to drop between layers; None: nothing.
        Returns:
            mean: nats.
            state: after ids[-1]; no gradient flows through it.
            grads: of `parameters()`, in that order.
        """
        ids = self._ids(ids, "token ids")
        targets = self._ids(targets, "targets", ids)
        if dropout is not None:
            given.instance("dropout", dropout, Dropout, "a kernels.Dropout or None")
        parts = unpack_state(self.begin_state(ids.shape[1]) if state is None else state, self.layer, ids.shape[1])
        mean, last, grads = kernels.loss_and_grads(self.network, ids, targets, parts, dropout)
        return mean, pack_state(last), grads

    def _ids(self, ids: Array, what: str, like: Array | None = None) -> Array:
        return token_ids(ids, self.vocab_size, what, like)

    def initialise(self, seed: int, std: float | None = 0.01) -> LanguageModel:
        """Set every parameter from `seed` alone, the same bits on any machine.

        Args:
            seed: 0 .. 2^64-1.
            std: weights from N(0, std) and biases zero, as in the book; None: all uniform in +-1/sqrt(H), as in torch.
        Returns:
            self
        """
        seed = given.whole("seed", seed, 0, 2**64)
        if std is not None:
            given.instance("std", std, (int, float, np.number), "a number or None")
        for stream, (name, array) in enumerate(self.named_parameters().items()):
            if std is None:
                array[...] = uniform(stream, array.shape, self.layer.hidden_size, seed)
            elif "bias" in name:
                array[...] = 0.0
            else:
                array[...] = (initial.normal(seed, stream, array.size) * std).reshape(array.shape)
        return self

    def digest(self) -> str:
        """SHA-256 over names, shapes and bits of all parameters: equal digests, equal weights."""
        digest = hashlib.sha256()
        for name, array in self.named_parameters().items():
            digest.update(f"{name} {array.shape}\n".encode() + array.astype("<f4").tobytes())
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """SHA-256 of all that decides what the model computes from a text: its cell, how it reads, and its weights."""
        rest = {"cell": self.layer.cell, "reading": self.reading.of_texts(), "weights": self.digest()}
        return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()

    def serving(self) -> tuple[str, str]:
        """Which backend computes, and with what."""
        return kernels.serving(self.network.cell)

    def __repr__(self) -> str:
        reading = self.reading
        kind = f"{self.vocab_size} {reading.vocabulary.kind}, normalisation {reading.normalisation!r}"
        kind += ", records" if reading.records else ""
        embedding = "" if self.embedding is None else f"embedding of {self.embedding_size}, "
        return f"LanguageModel({embedding}{self.layer!r}, {kind}, {self.num_parameters:,} parameters)"
