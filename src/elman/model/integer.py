"""The integer model: run, and turned into the arrays of its file and back. `quantise` makes one.

    model = quantise("gru", layers, (w_out, b_out), bits=8)
    nats, state = model.score(ids, targets)
    again = IntegerNetwork.from_arrays(model.header(), model.to_arrays())

The native kernels serve where they are built; else NumPy does, with the same bits (elman.kernels.integer).
"""

# ruff: noqa: E741 (l is a layer, I the size of the input)
from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..errors import InputError
from ..kernels import CELLS, _cpu, integer
from ..kernels.integer import CONTRACT, LIMIT, IntegerLayer, IntegerState, IntegerWeights, Matrix

if TYPE_CHECKING:
    from ..kernels.native import NativeDecoder

BITS = (8, 6, 5, 4)
"""Bits of a weight; below 8 they are packed in the file."""


class IntegerNetwork:
    """A network of integers, and what it does. Nothing changes it, so any number of threads may use it.

    Attributes:
        network: the numbers.
        bits: of each weight in the file.
    """

    def __init__(self, network: IntegerWeights, bits: int = 8) -> None:
        """Raises InputError where numbers are out of range, so that a sum could overflow."""
        check(network)
        self.network, self.bits = network, bits
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
            return integer.nats(logits, targets), state
        nats = np.empty(ids.shape, np.float64)
        targets = np.ascontiguousarray(targets, np.int64)
        self._native.run(ids=ids, h=state.h, c=state.c, targets=targets, nats=nats)
        return nats, state

    def log_softmax(self, logits: np.ndarray) -> np.ndarray:
        """float64 (..., V): ln p of every id under logits float32 (..., V), V above 0."""
        if self._native is None:
            return integer.log_softmax(logits)
        rows = np.ascontiguousarray(logits, np.float32).reshape(-1, logits.shape[-1])
        likely = np.empty(rows.shape, np.float64)
        _cpu.integer_log_softmax(logits=rows, y=likely)
        return likely.reshape(logits.shape)

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
        from ..kernels.native import NativeDecoder

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

    # --- the file ---

    def header(self) -> dict[str, Any]:
        """Everything that the arrays do not say, for JSON."""
        return {"contract": CONTRACT, "cell": self.network.cell, "bits": self.bits, "sizes": self._sizes()}

    def _sizes(self) -> dict[str, int]:
        sizes = {"vocab": self.vocab_size, "hidden": self.hidden_size, "layers": self.num_layers}
        return sizes if self.network.embedding is None else sizes | {"embedding": self.network.embedding.q.shape[1]}

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Names to arrays: int8 weights, or uint8 packed ones; float32 scales; int32 and float32 biases."""
        arrays = {}

        def put(name: str, matrix: Matrix) -> None:
            arrays[name] = matrix.q if self.bits == 8 else pack(matrix.q, self.bits)
            arrays[f"{name}.scale"] = matrix.scale

        if self.network.embedding is not None:
            put("embedding", self.network.embedding)
        for l, layer in enumerate(self.network.layers):
            put(f"layers.{l}.w_ih", layer.w_ih)
            put(f"layers.{l}.w_hh", layer.w_hh)
            arrays[f"layers.{l}.bias"] = layer.bias
            if layer.bias_hn.size:
                arrays[f"layers.{l}.bias_hn"] = layer.bias_hn
        put("output", self.network.output)
        arrays["output.bias"] = self.network.output_bias
        return arrays

    @classmethod
    def from_arrays(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> IntegerNetwork:
        """The model of `header` and `to_arrays`.

        Raises:
            InputError: another contract, arrays that do not fit the sizes, or numbers out of range.
        """
        if header.get("contract") != CONTRACT:
            raise InputError(
                f"integer contract {header.get('contract')!r}; this version computes by contract {CONTRACT}"
            )
        cell, bits, sizes = header.get("cell"), header.get("bits"), header.get("sizes")
        if cell not in CELLS or bits not in BITS or not isinstance(sizes, dict):
            raise InputError(f"cell {cell!r} with {bits!r} bits: not an integer model's header")
        counts: list[Any] = [sizes.get(key) for key in ("vocab", "hidden", "layers")]
        E = sizes.get("embedding")
        for size in (*counts, *([] if E is None else [E])):
            if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < 2**31:
                raise InputError(f"a size is {size!r}; expected a whole number above 0")
        V, H, L = counts
        left = dict(arrays)
        if len(left) < L:
            raise InputError(f"{len(left)} arrays are too few for {L} layers")

        def get(name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
            array = left.pop(name, None)
            if array is None or array.shape != shape or array.dtype != dtype:
                got = "missing" if array is None else f"{array.dtype} {array.shape}"
                raise InputError(f"{name} is {got}; expected {np.dtype(dtype)} {shape}")
            return np.ascontiguousarray(array)

        def matrix(name: str, N: int, K: int) -> Matrix:
            if bits == 8:
                q = get(name, (N, K), np.int8)
            else:
                q = unpack(get(name, ((N * K * bits + 7) // 8,), np.uint8), bits, N, K)
            return Matrix(q, get(f"{name}.scale", (N,), np.float32))

        embedding = None if E is None else matrix("embedding", V, E)
        layers = []
        for l in range(L):
            N, base = CELLS[cell].gates * H, f"layers.{l}"
            w_ih, w_hh = matrix(f"{base}.w_ih", N, H if l else E or V), matrix(f"{base}.w_hh", N, H)
            bias = get(f"{base}.bias", (N,), np.int32)
            bias_hn = get(f"{base}.bias_hn", (H,), np.int32) if cell == "gru" else np.zeros(0, np.int32)
            layers.append(IntegerLayer(w_ih, w_hh, bias, bias_hn))
        output, bias = matrix("output", V, H), get("output.bias", (V,), np.float32)
        if left:
            raise InputError(f"unknown arrays: {', '.join(sorted(left))}")
        return cls(IntegerWeights(cell, tuple(layers), output, bias, embedding), bits)


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


# --- bits ---


def pack(q: np.ndarray, bits: int) -> np.ndarray:
    """uint8: the weights, offset to begin at 0, `bits` of each, highest first, without gaps; the last byte filled up
    with zeros."""
    offset = (q.astype(np.int16) + 2 ** (bits - 1)).astype(np.uint8).reshape(-1, 1)
    return np.packbits(np.unpackbits(offset, axis=1)[:, 8 - bits :].reshape(-1))


def unpack(packed: np.ndarray, bits: int, N: int, K: int) -> np.ndarray:
    """int8 (N, K) of what `pack` made."""
    each = np.unpackbits(packed, count=N * K * bits).reshape(-1, bits)
    wide = np.zeros((N * K, 8), np.uint8)
    wide[:, 8 - bits :] = each
    return (np.packbits(wide, axis=1).astype(np.int16) - 2 ** (bits - 1)).astype(np.int8).reshape(N, K)


def check(network: IntegerWeights) -> None:
    """Raises InputError where a sum could overflow, or a number is none: after this the arithmetic cannot go wrong."""
    matrices = [m for layer in network.layers for m in layer[:2]] + [network.output]
    if network.embedding is not None:
        matrices.append(network.embedding)
    for matrix in matrices:
        if (matrix.q == -128).any() or not (np.isfinite(matrix.scale) & (matrix.scale >= 0)).all():
            raise InputError("a weight is -128, or a scale is below zero or not a number: not an integer model")
    if not np.isfinite(network.output_bias).all():
        raise InputError("a bias of the output is not a number")

    def reach(matrix: Matrix, largest: float) -> np.ndarray:
        return np.abs(matrix.q.astype(np.int64)).sum(axis=1) * largest * matrix.scale

    for l, layer in enumerate(network.layers):
        bias = layer.bias.astype(np.float64)
        bounds = {"w_hh": reach(layer.w_hh, 127.0), "bias": bias, "bias_hn": layer.bias_hn.astype(np.float64)}
        if l:
            bounds["w_ih"] = reach(layer.w_ih, 127.0)
        elif network.embedding is None:
            bounds["w_ih"] = np.abs(layer.w_ih.q.astype(np.int64)).max(axis=1) * layer.w_ih.scale + np.abs(bias)
        else:
            largest = 127.0 * float(network.embedding.scale.max())
            bounds["w_ih"] = reach(layer.w_ih, largest) + np.abs(bias)
        for what, bound in bounds.items():
            if not (np.abs(bound) < LIMIT).all():
                raise InputError(f"layer {l}: {what} is too large for the integer model")
