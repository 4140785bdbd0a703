"""Handles of the native kernel on weights, and arrays laid out as it reads them."""

from __future__ import annotations

import os
from weakref import WeakKeyDictionary

import numpy as np

from ..errors import InputError
from . import _cpu
from .backend import Array, Dropout, ModelWeights, State

CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
"""Cells of src/native; the reference serves another."""
_networks: WeakKeyDictionary[ModelWeights, _cpu.Network] = WeakKeyDictionary()


def about() -> str:
    """Describe the kernel that serves here.

    Raises:
        InputError: ELMAN_ISA, ELMAN_INTEGER_ISA or ELMAN_THREADS is not something that this machine can do.
    """
    threads = os.environ.get("ELMAN_THREADS")
    if threads and not (threads.isdecimal() and 1 <= int(threads) <= 1024):
        raise InputError(f"ELMAN_THREADS is {threads!r}; expected a whole number in 1..1024")
    try:
        isa = _cpu.isa()
        _cpu.integer_isa()
    except RuntimeError as error:
        raise InputError(str(error)) from None
    return f"{isa}, {_cpu.threads()} thread{'s' if _cpu.threads() > 1 else ''}"


def native_network(network: ModelWeights) -> _cpu.Network:
    """The handle of a model's weights, made once."""
    handle = _networks.get(network)
    if handle is None:
        handle = _cpu.Network(
            cell=network.cell.code,
            layers=list(network.layers),
            w_out=network.weight,
            b_out=network.bias,
            embedding=network.embedding,
        )
        _networks[network] = handle
    return handle


def floats(x: Array) -> Array:
    """float32, in one piece."""
    return np.ascontiguousarray(x, dtype=np.float32)


def int64s(x: Array) -> Array:
    """int64, in one piece."""
    return np.ascontiguousarray(x, dtype=np.int64)


def second(state: State) -> Array | None:
    """c of an LSTM; None for other cells."""
    return state[1] if len(state) > 1 else None


def own(state: State) -> State:
    """A copy that the kernel may write to."""
    return tuple(np.array(part, dtype=np.float32, order="C") for part in state)


def drops(dropout: Dropout | None) -> tuple[float, float, float, float, int, int]:
    """The form that the native calls take."""
    d = dropout or Dropout(0.0, 0, 0)
    return d.p, d.hidden, d.output, d.weights, d.seed, d.offset
