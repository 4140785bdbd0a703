# Made by tests/kernels/test_stub.py.
"""
The native kernel. Arrays are C-contiguous; shapes and contracts are in src/native/kernels.h.
"""

from collections.abc import Sequence

import numpy
import numpy.typing

def isa() -> str:
    """The instruction set that serves."""

def best_isa() -> str:
    """The one chosen without ELMAN_ISA."""

def set_isa(name: str) -> None: ...
def threads() -> int: ...
def set_threads(n: int) -> None: ...
def fma_peak(rounds: int) -> float:
    """
    Independent fused multiply-adds on all threads; returns how many operations that was.
    """

def recurrent(
    *,
    cell: int,
    ids: numpy.typing.NDArray[numpy.int64] | None = None,
    x: numpy.typing.NDArray[numpy.float32] | None = None,
    h0: numpy.typing.NDArray[numpy.float32],
    c0: numpy.typing.NDArray[numpy.float32] | None,
    w_ih: numpy.typing.NDArray[numpy.float32],
    w_hh: numpy.typing.NDArray[numpy.float32],
    b_ih: numpy.typing.NDArray[numpy.float32] | None,
    b_hh: numpy.typing.NDArray[numpy.float32] | None,
    out: numpy.typing.NDArray[numpy.float32],
    hn: numpy.typing.NDArray[numpy.float32],
    cn: numpy.typing.NDArray[numpy.float32] | None,
    gates: numpy.typing.NDArray[numpy.float32] | None = None,
    cells: numpy.typing.NDArray[numpy.float32] | None = None,
) -> None: ...
def recurrent_backward(
    *,
    cell: int,
    ids: numpy.typing.NDArray[numpy.int64] | None = None,
    x: numpy.typing.NDArray[numpy.float32] | None = None,
    h0: numpy.typing.NDArray[numpy.float32],
    c0: numpy.typing.NDArray[numpy.float32] | None,
    w_ih: numpy.typing.NDArray[numpy.float32],
    w_hh: numpy.typing.NDArray[numpy.float32],
    out: numpy.typing.NDArray[numpy.float32],
    gates: numpy.typing.NDArray[numpy.float32] | None,
    cells: numpy.typing.NDArray[numpy.float32] | None,
    d_out: numpy.typing.NDArray[numpy.float32] | None,
    d_hn: numpy.typing.NDArray[numpy.float32] | None,
    d_cn: numpy.typing.NDArray[numpy.float32] | None,
    d_x: numpy.typing.NDArray[numpy.float32] | None,
    d_h0: numpy.typing.NDArray[numpy.float32] | None,
    d_c0: numpy.typing.NDArray[numpy.float32] | None,
    d_w_ih: numpy.typing.NDArray[numpy.float32] | None,
    d_w_hh: numpy.typing.NDArray[numpy.float32] | None,
    d_b_ih: numpy.typing.NDArray[numpy.float32] | None,
    d_b_hh: numpy.typing.NDArray[numpy.float32] | None,
    accumulate: bool = False,
) -> None: ...
def linear(
    *,
    x: numpy.typing.NDArray[numpy.float32],
    w: numpy.typing.NDArray[numpy.float32],
    b: numpy.typing.NDArray[numpy.float32] | None,
    y: numpy.typing.NDArray[numpy.float32],
) -> None: ...
def linear_backward(
    *,
    x: numpy.typing.NDArray[numpy.float32],
    w: numpy.typing.NDArray[numpy.float32],
    d_y: numpy.typing.NDArray[numpy.float32],
    d_x: numpy.typing.NDArray[numpy.float32] | None,
    d_w: numpy.typing.NDArray[numpy.float32] | None,
    d_b: numpy.typing.NDArray[numpy.float32] | None,
    accumulate: bool = False,
) -> None: ...
def cross_entropy(
    *,
    hidden: numpy.typing.NDArray[numpy.float32],
    w: numpy.typing.NDArray[numpy.float32],
    b: numpy.typing.NDArray[numpy.float32] | None,
    targets: numpy.typing.NDArray[numpy.int64],
    nats: numpy.typing.NDArray[numpy.float32],
    saved: numpy.typing.NDArray[numpy.float32] | None = None,
) -> float: ...
def cross_entropy_backward(
    *,
    hidden: numpy.typing.NDArray[numpy.float32],
    w: numpy.typing.NDArray[numpy.float32],
    b: numpy.typing.NDArray[numpy.float32] | None,
    targets: numpy.typing.NDArray[numpy.int64],
    saved: numpy.typing.NDArray[numpy.float32] | None,
    d_mean: float,
    d_hidden: numpy.typing.NDArray[numpy.float32] | None,
    d_w: numpy.typing.NDArray[numpy.float32] | None,
    d_b: numpy.typing.NDArray[numpy.float32] | None,
    accumulate: bool = False,
) -> None: ...
def grad_norm(grads: Sequence[numpy.typing.NDArray[numpy.float32]]) -> float: ...
def sgd(
    *,
    params: Sequence[numpy.typing.NDArray[numpy.float32]],
    grads: Sequence[numpy.typing.NDArray[numpy.float32]],
    lr: float,
    scale: float,
) -> None: ...
def adamw(
    *,
    params: Sequence[numpy.typing.NDArray[numpy.float32]],
    grads: Sequence[numpy.typing.NDArray[numpy.float32]],
    exp_avg: Sequence[numpy.typing.NDArray[numpy.float32]],
    exp_avg_sq: Sequence[numpy.typing.NDArray[numpy.float32]],
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    scale: float,
) -> None: ...
def dropout(
    *, x: numpy.typing.NDArray[numpy.float32], y: numpy.typing.NDArray[numpy.float32], p: float, seed: int, offset: int
) -> None: ...
def philox(*, words: numpy.typing.NDArray[numpy.uint32], seed: int, offset: int) -> None: ...
def exp(*, x: numpy.typing.NDArray[numpy.float32], y: numpy.typing.NDArray[numpy.float32]) -> None: ...
def log(*, x: numpy.typing.NDArray[numpy.float32], y: numpy.typing.NDArray[numpy.float32]) -> None: ...
def tanh(*, x: numpy.typing.NDArray[numpy.float32], y: numpy.typing.NDArray[numpy.float32]) -> None: ...
def sigmoid(*, x: numpy.typing.NDArray[numpy.float32], y: numpy.typing.NDArray[numpy.float32]) -> None: ...
def log_softmax(*, x: numpy.typing.NDArray[numpy.float32], y: numpy.typing.NDArray[numpy.float32]) -> None: ...

class Network:
    def __init__(
        self,
        *,
        cell: int,
        layers: Sequence[
            tuple[
                numpy.typing.NDArray[numpy.float32],
                numpy.typing.NDArray[numpy.float32],
                numpy.typing.NDArray[numpy.float32] | None,
                numpy.typing.NDArray[numpy.float32] | None,
            ]
        ],
        w_out: numpy.typing.NDArray[numpy.float32],
        b_out: numpy.typing.NDArray[numpy.float32] | None,
    ) -> None: ...
    def run(
        self,
        *,
        ids: numpy.typing.NDArray[numpy.int64],
        h: numpy.typing.NDArray[numpy.float32],
        c: numpy.typing.NDArray[numpy.float32] | None,
        hidden: numpy.typing.NDArray[numpy.float32],
        cells: numpy.typing.NDArray[numpy.float32] | None = None,
    ) -> None: ...
    def loss_and_grads(
        self,
        *,
        ids: numpy.typing.NDArray[numpy.int64],
        targets: numpy.typing.NDArray[numpy.int64],
        h: numpy.typing.NDArray[numpy.float32],
        c: numpy.typing.NDArray[numpy.float32] | None,
        p: float,
        seed: int,
        offset: int,
        grads: Sequence[numpy.typing.NDArray[numpy.float32]],
    ) -> float: ...
    def step(
        self,
        *,
        ids: numpy.typing.NDArray[numpy.int64],
        targets: numpy.typing.NDArray[numpy.int64],
        h: numpy.typing.NDArray[numpy.float32],
        c: numpy.typing.NDArray[numpy.float32] | None,
        p: float,
        seed: int,
        offset: int,
        lr: float,
        clip: float,
        exp_avg: Sequence[numpy.typing.NDArray[numpy.float32]],
        exp_avg_sq: Sequence[numpy.typing.NDArray[numpy.float32]],
        step: int,
        weight_decay: float,
        beta1: float,
        beta2: float,
        eps: float,
    ) -> tuple[float, float, list[float]]: ...
    def fingerprint(self) -> int: ...

class Packed:
    def __init__(self, network: Network) -> None: ...

class Decoder:
    def __init__(
        self,
        packed: Packed,
        *,
        h: numpy.typing.NDArray[numpy.float32],
        c: numpy.typing.NDArray[numpy.float32] | None,
        logits: numpy.typing.NDArray[numpy.float32],
    ) -> None: ...
    def read(self, ids: numpy.typing.NDArray[numpy.int64]) -> None: ...
    def generate(
        self,
        *,
        ids: numpy.typing.NDArray[numpy.int64],
        bias: numpy.typing.NDArray[numpy.float32] | None,
        exponent: float,
        draws: numpy.typing.NDArray[numpy.float64] | None,
        top_k: int = 0,
        top_p: float = -1.0,
        min_p: float = -1.0,
        penalty: float = 1.0,
        seen: numpy.typing.NDArray[numpy.uint8] | None = None,
    ) -> bool: ...
