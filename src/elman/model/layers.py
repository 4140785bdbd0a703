"""RNN, GRU and LSTM over NumPy arrays, under torch's names and layout, computed by `elman.kernels`.

They hold torch's parameters and load its state_dict, and take token ids in place of one-hot vectors. The GRU applies
its reset gate after the matrix product, as torch and cuDNN do. Layers for torch's autograd are in `elman.torch`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import given, kernels
from ..errors import InputError
from ..kernels import CELLS, Array, LayerWeights, State
from . import initial
from .parameters import PARTS, Parameters, parameter_shapes

ModelState = Array | tuple[Array, ...]
"""h (L, B, H), or (h, c) for the LSTM; of a model with n-grams their contexts too, (1, B, N) at the end."""


class Recurrent(Parameters):
    """Base of the three layers. Shapes: T steps, B batch, I input, H hidden, L layers."""

    cell: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        *,
        arrays: Mapping[str, Array] | None = None,
    ) -> None:
        """
        Args:
            dropout: share of each layer's output that `fit` drops on its way to the next layer; a call drops nothing.
            arrays: the parameters' memory, float32 and C-contiguous, under torch's names. None: new ones, uniform in
                +-1/sqrt(H), always the same; see LanguageModel.initialise.
        Raises:
            InputError: a size below 1, or a dropout outside [0, 1).
        """
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {given.shown(value)}")
            given.whole(name, value, 1, 2**16 if name == "num_layers" else 2**31)
        given.share("dropout", dropout)
        given.instance("bias", bias, (bool, np.bool_), "True or False")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.dropout = bias, dropout
        if arrays is None:
            shapes = parameter_shapes(self.cell, input_size, hidden_size, num_layers, bias)
            arrays = {name: uniform(stream, shape, hidden_size) for stream, (name, shape) in enumerate(shapes.items())}
        self._arrays = dict(arrays)

    def weights(self) -> tuple[LayerWeights, ...]:
        """(w_ih, w_hh, b_ih, b_hh) of every layer."""
        return tuple(
            tuple(self._arrays.get(f"{part}_l{layer}") for part in PARTS)  # type: ignore[misc]
            for layer in range(self.num_layers)
        )

    def begin_state(self, batch_size: int) -> ModelState:
        """Zeros for the start of a text: h (L, B, H), or (h, c) for the LSTM."""
        batch_size = given.whole("batch_size", batch_size, 0)
        shape = (self.num_layers, batch_size, self.hidden_size)
        return pack_state(tuple(np.zeros(shape, dtype=np.float32) for _ in range(CELLS[self.cell].states)))

    def __call__(self, input: Array, state: ModelState | None = None) -> tuple[Array, ModelState]:
        """Run the layers over a sequence.

        Args:
            input: real numbers (T, B, I), or token ids, integers (T, B), values in 0..I-1.
            state: h (L, B, H), or (h, c) for the LSTM; zeros if None.
        Returns:
            output: float32 (T, B, H), h of the last layer at every step.
            state: as given, after the last step.
        Raises:
            InputError: a shape that does not fit, or an id out of range; says which was expected.
        """
        x = given.array("input", input, "iuf", f"(T, B, {self.input_size}) real numbers, or (T, B) token ids")
        if x.dtype.kind not in "iuf" or x.ndim != (2 if x.dtype.kind in "iu" else 3):
            raise InputError(
                f"input is {x.dtype} {x.shape}; expected (T, B, {self.input_size}) real numbers, or (T, B) token ids"
            )
        if x.dtype.kind == "f" and x.shape[2] != self.input_size:
            raise InputError(f"input is {x.shape}; expected (T, B, {self.input_size})")
        if x.dtype.kind != "f":
            check_ids(x, self.input_size, "token ids")
        parts, last = unpack_state(self.begin_state(x.shape[1]) if state is None else state, self, x.shape[1]), []
        for layer, weights in enumerate(self.weights()):
            x, after = kernels.recurrent(CELLS[self.cell], x, tuple(part[layer] for part in parts), weights)
            last.append(after)
        return x, pack_state(tuple(np.stack(part) for part in zip(*last, strict=True)))

    def __repr__(self) -> str:
        parts = [str(self.input_size), str(self.hidden_size)]
        defaults = {"num_layers": 1, "nonlinearity": "tanh", "bias": True, "dropout": 0.0}
        shown = {name: getattr(self, name) for name in defaults if hasattr(self, name)}
        parts += [f"{name}={value!r}" for name, value in shown.items() if value != defaults[name]]
        return f"{type(self).__name__}({', '.join(parts)})"


def check_ids(ids: Array, size: int, what: str, lowest: int = 0) -> None:
    """Raises InputError if one of `ids` is outside lowest .. size-1; names the first one and its position."""
    wrong = (ids < lowest) | (ids >= size)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InputError(f"{what} must be in {lowest}..{size - 1}, got {ids[at]} at {at}")


def token_ids(ids: Any, vocab_size: int, what: str, like: Any = None) -> Array:
    """int64 (T, B). Raises InputError for anything else, or an id outside the vocabulary; with `like`, also for another
    shape than its own, and -1 is then allowed."""
    ids = given.array(what, ids, "iu", "integers (T, B)")
    if ids.dtype.kind not in "iu" or ids.ndim != 2:
        raise InputError(f"{what} are {ids.dtype} {ids.shape}; expected integers (T, B)")
    if like is not None and ids.shape != np.shape(like):
        raise InputError(f"{what} are {ids.shape} but the ids are {np.shape(like)}; expected one for each")
    check_ids(ids, vocab_size, what, 0 if like is None else -1)
    return ids.astype(np.int64, copy=False)


def token_logits(logits: Any, vocab_size: int) -> Array:
    """Real numbers (..., V). Raises InputError for anything else."""
    logits = given.array("logits", logits, "f", "real numbers (..., V)")
    if not logits.ndim or logits.shape[-1] != vocab_size:
        raise InputError(f"logits are {logits.shape}; expected (..., {vocab_size})")
    return logits


def uniform(stream: int, shape: tuple[int, ...], hidden_size: int, seed: int = 0) -> Array:
    """float32, uniform in +-1/sqrt(H), as torch begins its layers."""
    values = (initial.uniform(seed, stream, math.prod(shape)) * 2.0 - 1.0) * (1.0 / math.sqrt(hidden_size))
    return values.astype(np.float32).reshape(shape)


def pack_state(state: State) -> ModelState:
    """(h,) or (h, c) as a user sees it."""
    return state[0] if len(state) == 1 else tuple(state)


def unpack_state(state: ModelState, layer: Recurrent, batch_size: int) -> State:
    """(h,) or (h, c), each (L, B, H). Raises InputError for another shape or the other cell's."""
    is_pair = isinstance(state, (tuple, list))
    if is_pair != (layer.cell == "lstm") or (is_pair and len(state) != 2):
        raise InputError(f"the state of {type(layer).__name__} is {'(h, c)' if layer.cell == 'lstm' else 'one array'}")
    parts = tuple(given.array("state", part, "f", "real numbers") for part in (state if is_pair else [state]))
    expected = (layer.num_layers, batch_size, layer.hidden_size)
    for part in parts:
        if part.shape != expected:
            raise InputError(
                f"state is {part.shape} but this input needs {expected}; call begin_state({batch_size}) or pass None"
            )
    return parts


class RNN(Recurrent):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU.

    Args:
        nonlinearity: "tanh", as in torch, or "relu", the default of Gluon and so of the book; the others as
            `Recurrent` says.
    Raises:
        InputError: another `nonlinearity`, or what `Recurrent` refuses.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        *,
        arrays: Mapping[str, Array] | None = None,
    ) -> None:
        if not isinstance(nonlinearity, str) or nonlinearity not in ("tanh", "relu"):
            raise InputError(f"nonlinearity must be 'tanh' or 'relu', got {given.shown(nonlinearity)}")
        self.nonlinearity, self.cell = nonlinearity, f"rnn_{nonlinearity}"
        super().__init__(input_size, hidden_size, num_layers, bias, dropout, arrays=arrays)


class GRU(Recurrent):
    """Gates r, z, n: n = tanh(x_n + r * (W_hn h + b_hn)), h' = n + z * (h - n).

    Source: Cho et al. (2014), in cuDNN's variant.
    """

    cell = "gru"


class LSTM(Recurrent):
    """Gates i, f, g, o: c' = f * c + i * g, h' = o * tanh(c').

    Source: Hochreiter and Schmidhuber (1997); Gers et al. (2000).
    """

    cell = "lstm"


def make_layer(
    cell: str,
    input_size: int,
    hidden_size: int,
    num_layers: int = 1,
    dropout: float = 0.0,
    bias: bool = True,
    arrays: Mapping[str, Array] | None = None,
) -> Recurrent:
    """The layer of a cell named as in `elman.kernels.CELLS`.

    Raises:
        InputError: an unknown cell; lists the known ones.
    """
    if cell in ("rnn_relu", "rnn_tanh"):
        nonlinearity = cell.removeprefix("rnn_")
        return RNN(input_size, hidden_size, num_layers, nonlinearity, bias, dropout, arrays=arrays)
    for layer in (GRU, LSTM):
        if layer.cell == cell:
            return layer(input_size, hidden_size, num_layers, bias, dropout, arrays=arrays)
    raise InputError(f"unknown cell {cell!r}; expected one of {', '.join(CELLS)}")
