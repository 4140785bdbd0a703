"""Definition of a backend: the cells, a model's weights as arrays, and the protocols.

Shapes, last axis fastest: T steps, B batch, V vocabulary, E embedding, I input, H hidden,
G gates (RNN 1, GRU 3, LSTM 4), L layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray
State = tuple[Array, ...]
"""(h,), or (h, c) for the LSTM: (B, H) of one layer, (L, B, H) of all."""
LayerWeights = tuple[Array, Array, Array | None, Array | None]
"""Weights of one layer: w_ih (GH, I), w_hh (GH, H), and b_ih, b_hh (GH) or None, in torch's layout and gate order."""


@dataclass(frozen=True)
class Cell:
    """Properties of a cell, beside its arithmetic."""

    name: str
    code: int
    """Its number in the native kernel."""
    gates: int
    states: int
    """1: h; 2: h and c."""
    saved: int
    """Numbers per row and unit that the forward pass keeps for the backward one."""


CELLS = {
    cell.name: cell
    for cell in (
        Cell("rnn_relu", 0, gates=1, states=1, saved=0),
        Cell("rnn_tanh", 1, gates=1, states=1, saved=0),
        Cell("gru", 2, gates=3, states=1, saved=4),
        Cell("lstm", 3, gates=4, states=2, saved=4),
    )
}


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """The weights of a whole model: float32, C-contiguous, the model's own memory, which is never moved."""

    cell: Cell
    layers: tuple[LayerWeights, ...]
    weight: Array
    """(V, H), of the dense output."""
    bias: Array | None
    """(V,)."""
    embedding: Array | None = None
    """(V, E), whose rows are the first layer's input; None: a token selects a column of its w_ih, (GH, V)."""

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    @property
    def vocab_size(self) -> int:
        return self.weight.shape[0]

    @property
    def hidden_size(self) -> int:
        return self.weight.shape[1]

    def groups(self, of_weights: Sequence[Any]) -> list[Sequence[Any]]:
        """Divide a list like `weights()` into the parts of each layer, the lowest first and the embedding with it, and
        of the output."""
        each = 4 if self.layers[0][2] is not None else 2
        first = 0 if self.embedding is None else 1
        cuts = [0, *(first + i * each for i in range(1, len(self.layers) + 1))]
        return [of_weights[a:b] for a, b in zip(cuts, [*cuts[1:], len(of_weights)], strict=True)]

    def weights(self) -> list[Array]:
        """All of them: the embedding; layer by layer w_ih, w_hh, b_ih, b_hh; then the output's."""
        groups = ((self.embedding,), *self.layers, (self.weight, self.bias))
        return [w for group in groups for w in group if w is not None]

    def matrices(self) -> list[bool]:
        """Which of `weights()` are matrices between hidden units: not a look-up of tokens, the output or a bias."""
        look_up = self.layers[0][0] if self.embedding is None else self.embedding
        return [w.ndim == 2 and w is not look_up and w is not self.weight for w in self.weights()]

    def begin_state(self, batch_size: int) -> State:
        """Zeros (L, B, H), for the start of a text."""
        shape = (self.num_layers, batch_size, self.hidden_size)
        return tuple(np.zeros(shape, dtype=np.float32) for _ in range(self.cell.states))


@dataclass(frozen=True)
class Dropout:
    """Dropout in a step of training: shares, 0 for none. Their masks follow each other in the stream of `seed` from
    word `offset` on, in the order of `words`."""

    p: float
    """Share of each upper layer's input, (T, B, H)."""
    seed: int
    offset: int
    hidden: float = 0.0
    """Share of that input, with one mask (B, H) for all T steps."""
    output: float = 0.0
    """Share of the last layer's output, with one mask (B, H) for all T steps."""
    weights: float = 0.0
    """Share of every layer's w_hh, (GH, H)."""

    def words(self, network: ModelWeights, steps: int, rows: int) -> dict[str, int]:
        """How many words the masks of each kind take, for a batch of (steps, rows); in their order."""
        state, layers = rows * network.hidden_size, len(network.layers)
        weights = network.cell.gates * network.hidden_size**2
        counts = {"p": (layers - 1) * steps * state, "hidden": (layers - 1) * state, "output": state}
        counts["weights"] = layers * weights
        return {kind: count if getattr(self, kind) else 0 for kind, count in counts.items()}

    def begins(self, network: ModelWeights, steps: int, rows: int) -> dict[str, int]:
        """The word at which the masks of each kind begin."""
        begins, at = {}, self.offset
        for kind, count in self.words(network, steps, rows).items():
            begins[kind], at = at, at + count
        return begins


@dataclass(frozen=True, eq=False)
class Update:
    """How a step changes the weights.

    exp_avg, exp_avg_sq: Adam's averages, float32 (size,) of each weight, updated; empty for SGD.
    """

    lr: float
    clip: float | None = None
    """Largest norm of all gradients together."""
    exp_avg: Sequence[Array] = ()
    exp_avg_sq: Sequence[Array] = ()
    step: int = 1
    """Number of the step, from 1."""
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    muon: Sequence[bool] = ()
    """Which weights Muon updates, with their momentum in `exp_avg`, and no `exp_avg_sq`; empty: none."""
    momentum: float = 0.95
    """Muon's."""
    average: Sequence[Array] = ()
    """An average of each weight over the steps, float32 (size,); empty: none is kept."""
    average_keep: float = 0.0
    """Share that a step keeps; the rest comes from the new weights."""


@dataclass(frozen=True)
class StepResult:
    """Result of a step of training. Where loss or norm are not finite, the weights stayed as they were."""

    loss: float
    """The mean over the targets that count, in nats."""
    norm: float
    """Euclidean, of all gradients together, before clipping."""
    layer_norms: list[float]
    """Norm of each layer's gradients, the lowest first, and of the dense output's."""


class Stepper(Protocol):
    """Trains one network, batch after batch."""

    concurrent: bool
    """Whether its steps may run while another thread makes a step of another network."""

    @property
    def state(self) -> State:
        """(L, B, H) each, after the last batch: what the next one goes on from unless it is fresh."""
        ...

    @state.setter
    def state(self, value: State) -> None: ...

    def step(self, ids: Array, targets: Array, fresh: bool, dropout: Dropout | None, update: Update) -> StepResult:
        """Forward, loss, backward, clip and update.

        Args:
            ids, targets: int64 (T, B); a target of -1 does not count.
            fresh: begin from a zero state. Else the rows go on from the first B of the batch before.
        """
        ...

    def sync(self) -> None:
        """Bring the weights, and what the updates keep, to their arrays, where they have been elsewhere."""
        ...


class Decoder(Protocol):
    """B texts that grow side by side. `logits` (B, V) are those after the last id read, zeros at first."""

    logits: Array

    @property
    def state(self) -> State:
        """(L, B, H) each."""
        ...

    def read(self, ids: Array) -> None:
        """ids: int64 (T, B)."""
        ...

    def like(self, state: State, logits: Array) -> Decoder:
        """A decoder with the same weights for other rows, which go on from copies of `state` and `logits`."""
        ...


class Backend(Protocol):
    """One signature an operation; `elman.kernels` says what each computes."""

    def recurrent(self, cell: Cell, x: Array, state: State, weights: LayerWeights) -> tuple[Array, State]: ...
    def linear(self, x: Array, weight: Array, bias: Array | None) -> Array: ...
    def cross_entropy(
        self, hidden: Array, weight: Array, bias: Array | None, targets: Array
    ) -> tuple[float, Array]: ...
    def run(self, network: ModelWeights, ids: Array, state: State) -> tuple[Array, State]: ...
    def run_cells(self, network: ModelWeights, ids: Array, state: State) -> tuple[Array, Array, State]: ...
    def loss_and_grads(
        self,
        network: ModelWeights,
        ids: Array,
        targets: Array,
        state: State,
        dropout: Dropout | None,
        nats: Array | None = None,
    ) -> tuple[float, State, list[Array]]: ...
    def update(
        self, network: ModelWeights, grads: Sequence[Array], how: Update, sound: bool
    ) -> tuple[float, list[float]]: ...
    def apply(
        self, weights: Sequence[Array], grads: Sequence[Array], how: Update, scale: float, blocks: int
    ) -> None: ...
    def average(self, weights: Sequence[Array], averages: Sequence[Array], keep: float) -> None: ...
    def stepper(self, network: ModelWeights) -> Stepper: ...
    def decoder(self, network: ModelWeights, batch_size: int) -> Decoder: ...
    def dropout(self, x: Array, p: float, seed: int, offset: int) -> Array: ...
    def exp(self, x: Array) -> Array: ...
    def tanh(self, x: Array) -> Array: ...
    def log_softmax(self, x: Array) -> Array: ...
    def grad_norm(self, arrays: Sequence[Array]) -> float: ...
