"""The only place where a step of a model is defined: one signature per operation, and the choice of who computes it.

Two backends: `cpu`, the native kernel (the same bits everywhere), and `reference`, plain NumPy that defines what it
must compute, and that serves where there is no compiler. ELMAN_BACKEND or `use` forces one.

Shapes, last axis fastest: T steps, B batch, V vocabulary, I input, H hidden, G gates (RNN 1, GRU 3, LSTM 4), L layers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

from .. import given, moved
from ..errors import InputError
from . import reference
from .backend import (
    CELLS,
    Array,
    Backend,
    Cell,
    Decoder,
    Dropout,
    LayerWeights,
    ModelWeights,
    State,
    Stepper,
    StepResult,
    Update,
)
from .forced import Forced

__all__ = [
    "CELLS", "Array", "Backend", "Cell", "Decoder", "Dropout", "LayerWeights", "ModelWeights", "State", "StepResult",
    "Stepper", "Update", "about", "apply", "average", "compute_alone", "cross_entropy", "decoder", "dropout", "exp",
    "grad_norm", "has_native", "linear", "log_softmax", "loss_and_grads", "recurrent", "run", "run_cells", "serving",
    "stepper", "tanh", "threads", "update", "use",
]  # fmt: skip


class _Absent:
    """Takes the place of the module `_cpu` where it was not built. What only it can do is one line then."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise InputError(
            "archives, stores and messages need the native kernel, and this installation has none: no C++ compiler was "
            "there when it was installed; install one (on Debian: apt install g++ python3-dev) and Elman once more"
        )


_backends: dict[str, Backend] = {"reference": cast(Backend, reference)}
_about = "built without the native kernel: no C++ compiler was there"
if importlib.util.find_spec("._cpu", __name__) is not None:  # one that is there and does not load is an error
    from . import handles, native

    _backends["cpu"], _about = cast(Backend, native), handles.about()
else:
    globals()["_cpu"] = _Absent()

__getattr__ = moved.names(__name__)
_forced = Forced(lambda name: _named(name))


def use(backend: str) -> AbstractContextManager[None]:
    """Serve every call inside the `with` from `backend`: "cpu" or "reference"."""
    given.instance("backend", backend, str, "cpu or reference")
    return _forced.use(backend)


def serving(cell: Cell | None = None) -> tuple[str, str]:
    """Which backend serves (this cell), and why: for example ("cpu", "avx2, 2 threads")."""
    if forced := _forced.backend():
        return forced
    if cell and has_native() and cell.name not in handles.CELLS:
        return "reference", f"the native kernel has no {cell.name}"
    return ("cpu" if has_native() else "reference"), about()


def about() -> str:
    """Describe the native kernel: its instruction set and threads, or why it is missing."""
    return _about


def has_native() -> bool:
    """Whether the native kernel is built."""
    return "cpu" in _backends


def threads() -> int:
    """Threads that compute together in the backend that serves."""
    return native.threads() if serving()[0] == "cpu" else 1


def compute_alone() -> None:
    """Compute in this thread alone from now on, for callers that are as many as there are threads."""
    if has_native():
        native.compute_alone()


def _named(name: str) -> Backend:
    if name not in ("cpu", "reference"):
        raise InputError(f"unknown backend {name!r} (ELMAN_BACKEND, kernels.use); expected cpu or reference")
    if name not in _backends:
        raise InputError(f"backend {name!r} cannot serve here: {about()}")
    return _backends[name]


def _serve(cell: Cell | None = None) -> Backend:
    return _named(serving(cell)[0])


def recurrent(cell: Cell, x: Array, state: State, weights: LayerWeights) -> tuple[Array, State]:
    """One recurrent layer over T steps.

    Args:
        x: token ids, integers (T, B) in 0..I-1, for which the product with w_ih is a look-up of its columns; or real
            numbers (T, B, I).
        state: (h,), or (h, c) for the LSTM, each (B, H).
    Returns:
        output: (T, B, H), h after every step.
        state: after the last step, as `state`.
    """
    return _serve(cell).recurrent(cell, x, state, weights)


def linear(x: Array, weight: Array, bias: Array | None) -> Array:
    """x (..., K) times weight (N, K) transposed, plus bias (N): (..., N)."""
    return _serve().linear(x, weight, bias)


def cross_entropy(hidden: Array, weight: Array, bias: Array | None, targets: Array) -> tuple[float, Array]:
    """Dense output, softmax and cross-entropy in one operation.

    Args:
        hidden: (T, B, H). weight: (V, H). bias: (V) or None.
        targets: int64 (T, B), values in 0..V-1; -1: not counted.
    Returns:
        mean: over the targets that count, in nats.
        nats: (T, B), the loss of each target, 0 where it does not count.
    """
    return _serve().cross_entropy(hidden, weight, bias, targets)


def run(network: ModelWeights, ids: Array, state: State) -> tuple[Array, State]:
    """All layers over ids, int64 (T, B): the last one's output (T, B, H), and the state (L, B, H) after ids[-1]."""
    return _serve(network.cell).run(network, ids, state)


def run_cells(network: ModelWeights, ids: Array, state: State) -> tuple[Array, Array, State]:
    """`run` of an LSTM, and between its output and state the last layer's c after every step, (T, B, H)."""
    return _serve(network.cell).run_cells(network, ids, state)


def loss_and_grads(
    network: ModelWeights,
    ids: Array,
    targets: Array,
    state: State,
    dropout: Dropout | None = None,
    nats: Array | None = None,
) -> tuple[float, State, list[Array]]:
    """Forward and backward through a whole model: a step of training, without the update.

    Args:
        ids, targets: int64 (T, B); a target of -1 does not count.
        state: (L, B, H) each; no gradient goes to it.
        nats: float32 (T, B), which is overwritten with the loss of each token; None: not wanted.
    Returns:
        mean: in nats, as `cross_entropy`.
        state: after the last step.
        grads: of `network.weights()`, in that order.
    """
    return _serve(network.cell).loss_and_grads(network, ids, targets, state, dropout, nats)


def update(network: ModelWeights, grads: Sequence[Array], how: Update, sound: bool = True) -> tuple[float, list[float]]:
    """Clip and apply gradients of `network.weights()`, unless they are not finite or `sound` is false.

    Returns:
        norm, layer_norms: as in StepResult. A Stepper with these gradients gives the same bits.
    """
    return _serve(network.cell).update(network, grads, how, sound)


def apply(weights: Sequence[Array], grads: Sequence[Array], how: Update, scale: float = 1.0, blocks: int = 1) -> None:
    """Apply gradients to weights, or to contiguous parts of them, in place; without clipping and without the average.

    Args:
        weights, grads: float32, of any shape; Muon's (blocks * rows, columns). how: its `exp_avg`, `exp_avg_sq` and
            `muon` are of these weights. scale: by which every gradient is multiplied.
    """
    _serve().apply(weights, grads, how, scale, blocks)


def average(weights: Sequence[Array], averages: Sequence[Array], keep: float) -> None:
    """Add weights to their averages, float32 (size,) each, in place. keep: the share of an average that stays."""
    _serve().average(weights, averages, keep)


def stepper(network: ModelWeights) -> Stepper:
    """Return the trainer of this network."""
    return _serve(network.cell).stepper(network)


def decoder(network: ModelWeights, batch_size: int) -> Decoder:
    """Return a decoder, which reads and writes texts token by token from zero states; bits as of `run` and `linear`."""
    return _serve(network.cell).decoder(network, batch_size)


def dropout(x: Array, p: float, seed: int, offset: int) -> Array:
    """Zero a share p of x and scale the rest by 1/(1-p). Element i is kept iff word offset+i of Philox4x32-10 under the
    64-bit key `seed` is at least p 2^32: the mask depends on nothing else, so it is the same on every backend."""
    return _serve().dropout(x, p, seed, offset)


def exp(x: Array) -> Array:
    """e^x, float32: the same bits everywhere where the native kernel serves, as sampling needs them."""
    return _serve().exp(x)


def tanh(x: Array) -> Array:
    """Float32; exact as `exp`."""
    return _serve().tanh(x)


def log_softmax(x: Array) -> Array:
    """ln of the softmax of each row of x (..., V), float32; exact as `exp`."""
    return _serve().log_softmax(x)


def grad_norm(arrays: Sequence[Array]) -> float:
    """The Euclidean norm of all of them together."""
    return _serve().grad_norm(arrays)
