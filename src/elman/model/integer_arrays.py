"""The numbers of an integer model as arrays of its file, packed below 8 bits, and back; and that no sum overflows."""

# ruff: noqa: E741 (l is a layer)
from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels import CELLS
from ..kernels.integer import CONTRACT, LIMIT, IntegerLayer, IntegerWeights, Matrix

BITS = (8, 6, 5, 4)
"""The numbers of an integer model as arrays of its file, packed below 8 bits, and back; and that no sum overflows."""


def to_arrays(network: IntegerWeights, bits: int) -> dict[str, np.ndarray]:
    """Names to arrays: int8 weights, or uint8 packed ones; float32 scales; int32 and float32 biases."""
    arrays = {}

    def put(name: str, matrix: Matrix) -> None:
        arrays[name] = matrix.q if bits == 8 else pack(matrix.q, bits)
        arrays[f"{name}.scale"] = matrix.scale

    if network.embedding is not None:
        put("embedding", network.embedding)
    for l, layer in enumerate(network.layers):
        put(f"layers.{l}.w_ih", layer.w_ih)
        put(f"layers.{l}.w_hh", layer.w_hh)
        arrays[f"layers.{l}.bias"] = layer.bias
        if layer.bias_hn.size:
            arrays[f"layers.{l}.bias_hn"] = layer.bias_hn
    put("output", network.output)
    arrays["output.bias"] = network.output_bias
    return arrays


def from_arrays(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> tuple[IntegerWeights, int]:
    """The numbers of a header and its arrays, and the bits of a weight in the file.

    Raises:
        InputError: another contract, or arrays that do not fit the sizes.
    """
    if header.get("contract") != CONTRACT:
        raise InputError(f"integer contract {header.get('contract')!r}; this version computes by contract {CONTRACT}")
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
    return IntegerWeights(cell, tuple(layers), output, bias, embedding), bits


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
