"""Model: what generation, scoring, inspection and pages use of a model, whatever its numbers are.

`LanguageModel` computes in floats and can be trained; `QuantisedModel` computes in integers.

Shapes, last axis fastest: T steps, B batch, V vocabulary, H hidden, L layers.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..kernels import Array, Decoder
from ..text import Reading
from .layers import ModelState


class Model(Protocol):
    """A language model over the tokens of a vocabulary."""

    @property
    def reading(self) -> Reading:
        """The way from text to ids and back."""
        ...

    @property
    def cell(self) -> str:
        """Name of the cell, one of `kernels.CELLS`."""
        ...

    @property
    def num_layers(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        ...

    def begin_state(self, batch_size: int) -> ModelState:
        """The state at the start of a text: h (L, B, H), or (h, c)."""
        ...

    def __call__(self, ids: Array, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """Logits, float32 (T, B, V), after each of the ids (T, B), and the state after the last."""
        ...

    def loss(self, ids: Array, targets: Array, state: ModelState | None = None) -> tuple[float, Array, ModelState]:
        """Cost of `targets` (T, B) after `ids` (T, B): its mean and (T, B), in nats; and the state after the last."""
        ...

    def log_softmax(self, logits: Array) -> Array:
        """(..., V): ln p of every token; what `loss` gives for a target is its negative, up to rounding."""
        ...

    def softmax(self, logits: Array) -> Array:
        """float64 (..., V): p of every token."""
        ...

    def activations(self, ids: Array, layer: int, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """Activations of a layer's units after each of the ids (T, B), float32 (T, B, H): tanh(c) of an LSTM, else h.
        The state is for another such call with the same layer."""
        ...

    def decoder(self, batch_size: int) -> Decoder:
        """Return a decoder, which reads and writes texts token by token, from the start, with the bits of a call."""
        ...

    def digest(self) -> str:
        """Equal digests, equal weights."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 of all that decides what the model computes from a text."""
        ...

    def serving(self) -> tuple[str, str]:
        """Which backend computes, and with what: for example ("cpu", "avx2, 2 threads")."""
        ...


class Described:
    """The sizes that a model has from the network with which it computes."""

    network: Any

    @property
    def cell(self) -> str:
        """Name of the cell, one of `kernels.CELLS`."""
        return self.network.cell.name

    @property
    def num_layers(self) -> int:
        """L."""
        return self.network.num_layers

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.network.hidden_size

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.network.vocab_size


def take_rows(state: ModelState, rows: Any) -> ModelState:
    """The state of these rows of the batch."""
    if isinstance(state, tuple):
        return tuple(part[:, rows] for part in state)
    return state[:, rows]
