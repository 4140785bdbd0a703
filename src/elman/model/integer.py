"""The integer model: run, and turned into the arrays of its file and back. `quantise` makes one.

    model = quantise("gru", layers, (w_out, b_out), bits=8)
    nats, state = model.score(ids, targets)
    again = IntegerNetwork.from_arrays(model.header(), model.to_arrays())

The native kernels serve where they are built; else NumPy does, with the same bits (elman.kernels.integer).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..errors import InputError
from ..kernels import CELLS, _cpu, integer, likelihood
from ..kernels.integer import CONTRACT, IntegerState, IntegerWeights
from .integer_arrays import check, from_arrays, to_arrays

if TYPE_CHECKING:
    from ..kernels.native_decoder import NativeDecoder


class IntegerNetwork:
    """A network of integers, and what it does. Nothing changes it, so any number of threads may use it.

    Attributes:
        network: the numbers.
        bits: of each weight in the file.
    """

    def __init__(self, network: IntegerWeights, bits: int = 8) -> None:
        """Raises InputError where numbers are out of range, so a sum could overflow."""
        check(network)
        self.network, self.bits = network, bits
        self.cell = CELLS[network.cell]
        self.num_layers, self.hidden_size, self.vocab_size = network.sizes

    def begin_state(self, batch: int) -> IntegerState:
        """Zeros."""
        return integer.begin_state(self.network, batch)

    def run(self, ids: np.ndarray, state: IntegerState | None = None) -> tuple[np.ndarray, IntegerState]:
        """Read ids (T, B): logits float32 (T, B, V) after each, and the state after the last."""
        state, ids = self._given(ids, state)
        if self._native is None:
            return integer.run(self.network, ids, state)
        logits = np.empty((*ids.shape, self.vocab_size), np.float32)
        self._native.run(ids=ids, h=state.h, c=state.c, logits=logits)
        return logits, state

    def score(
        self, ids: np.ndarray, targets: np.ndarray, state: IntegerState | None = None
    ) -> tuple[np.ndarray, IntegerState]:
        """Read ids (T, B): the cost of targets (T, B) after each, float64 nats, and the state after the last."""
        state, ids = self._given(ids, state)
        if self._native is None:
            logits, state = integer.run(self.network, ids, state)
            return likelihood.nats(logits, targets), state
        nats = np.empty(ids.shape, np.float64)
        targets = np.ascontiguousarray(targets, np.int64)
        self._native.run(ids=ids, h=state.h, c=state.c, targets=targets, nats=nats)
        return nats, state

    def log_softmax(self, logits: np.ndarray) -> np.ndarray:
        """float64 (..., V): ln p of every id under logits float32 (..., V), V above 0."""
        if self._native is None:
            return likelihood.log_softmax(logits)
        rows = np.ascontiguousarray(logits, np.float32)
        if logits.ndim != 2:
            rows = rows.reshape(-1, logits.shape[-1])
        likely = np.empty(rows.shape)
        _cpu.integer_log_softmax(logits=rows, y=likely)
        return likely if logits.ndim == 2 else likely.reshape(logits.shape)

    def activations(
        self, ids: np.ndarray, layer: int, state: IntegerState | None = None
    ) -> tuple[np.ndarray, IntegerState]:
        """Activations of the units of a layer, 0 .. L-1, after each id: to look at, not to compute with.

        Returns:
            values: float32 (T, B, H): tanh(c) of an LSTM, else h; of a ReLU RNN in shares of each unit's range.
            state: after the last.
        """
        state, ids = self._given(ids, state)
        native = self._native
        inputs = None if native else integer.table(self.network)
        values = np.empty((*ids.shape, self.hidden_size), np.float32)
        for t in range(len(ids)):
            if inputs is not None:
                state = integer.step(self.network, inputs, ids[t], state)
            else:
                native.run(ids=ids[t : t + 1], h=state.h, c=state.c)  # updates them
            if state.c is None:
                values[t] = state.h[layer] * np.float32(1 / 127)
            else:
                kept = integer.tanh(state.c[layer]) if self.network.cell == "lstm" else state.c[layer]
                values[t] = kept * np.float32(2**-15)
        return values, state

    def decoder(self, state: IntegerState) -> ReferenceIntegerDecoder | NativeDecoder:
        """Rows that grow from `state`, which it takes over; with the native loop over characters where it serves."""
        if self._native is None:
            return ReferenceIntegerDecoder(self.network, state)
        from ..kernels.native_decoder import NativeDecoder

        native = self._native

        def over(state: tuple[np.ndarray, ...], logits: np.ndarray) -> Any:
            return _cpu.IntegerDecoder(native, h=state[0], c=state[1] if len(state) > 1 else None, logits=logits)

        logits = np.zeros((state.h.shape[1], self.vocab_size), np.float32)
        return NativeDecoder(over, (state.h,) if state.c is None else (state.h, state.c), logits)

    @property
    def _native(self) -> Any:
        """The native kernels, or None where NumPy computes."""
        return self.native if kernels.serving()[0] == "cpu" else None

    @cached_property
    def native(self) -> Any:
        """The native kernels with their own copy of the weights."""
        n, gru = self.network, self.network.cell == "gru"
        layers: list[Any] = [(None, None, *n.layers[0].w_hh, None, n.layers[0].bias_hn if gru else None)]
        layers += [(*y.w_ih, *y.w_hh, y.bias, y.bias_hn if gru else None) for y in n.layers[1:]]
        return _cpu.IntegerNetwork(
            cell=CELLS[n.cell].code,
            layers=layers,
            inputs=integer.table(n),
            w_out=n.output.q,
            scale_out=n.output.scale,
            b_out=n.output_bias,
            bits=4 if self.bits == 4 else 8,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without the native kernels, which are made again when they are first used."""
        return {name: value for name, value in self.__dict__.items() if name != "native"}

    def _given(self, ids: np.ndarray, state: IntegerState | None) -> tuple[IntegerState, np.ndarray]:
        """A state of the caller's own that may be written, and ids in one piece."""
        ids = np.ascontiguousarray(ids, np.int64)
        if state is None:
            return self.begin_state(ids.shape[1]), ids
        if state.h.shape[1] != ids.shape[1]:
            raise InputError(f"state has B={state.h.shape[1]} but ids has B={ids.shape[1]}; call begin_state")
        return IntegerState(state.h.copy(), None if state.c is None else state.c.copy()), ids

    def header(self) -> dict[str, Any]:
        """Everything that the arrays do not say, for JSON."""
        return {"contract": CONTRACT, "cell": self.cell.name, "bits": self.bits, "sizes": self._sizes()}

    def _sizes(self) -> dict[str, int]:
        sizes = {"vocab": self.vocab_size, "hidden": self.hidden_size, "layers": self.num_layers}
        return sizes if self.network.embedding is None else sizes | {"embedding": self.network.embedding.q.shape[1]}

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Names to arrays: int8 weights, or uint8 packed ones; float32 scales; int32 and float32 biases."""
        return to_arrays(self.network, self.bits)

    @classmethod
    def from_arrays(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> IntegerNetwork:
        """The model of `header` and `to_arrays`.

        Raises:
            InputError: another contract, arrays that do not fit the sizes, or numbers out of range.
        """
        return cls(*from_arrays(header, arrays))


class ReferenceIntegerDecoder:
    """A `kernels.Decoder` of integers: rows that grow together, by the definition."""

    def __init__(self, network: IntegerWeights, state: IntegerState) -> None:
        self._network, self._inputs, self._state = network, integer.table(network), state
        self.logits = np.zeros((state.h.shape[1], network.sizes[2]), np.float32)

    def read(self, ids: np.ndarray) -> None:
        """Read ids (T, B); `logits` are those after the last."""
        for row in ids:
            self._state = integer.step(self._network, self._inputs, row, self._state)
        if len(ids):
            self.logits = integer.logits(self._network, self._state.h[-1])

    @property
    def state(self) -> tuple[np.ndarray, ...]:
        """(h,) or (h, c), each (L, B, H)."""
        return tuple(part for part in self._state if part is not None)

    def like(self, state: tuple[np.ndarray, ...], logits: np.ndarray) -> ReferenceIntegerDecoder:
        """Other rows, which go on from copies of these."""
        begun = IntegerState(np.array(state[0]), np.array(state[1]) if len(state) > 1 else None)
        other = ReferenceIntegerDecoder(self._network, begun)
        other.logits = np.array(logits)
        return other
