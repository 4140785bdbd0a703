"""Plain PyTorch loops, differentiable any number of times, on any device and dtype. Slow; what the others are compared
with, and what serves inside torch.func.

Shapes, last axis fastest: T steps, B batch, V vocabulary, I input, H hidden, G gates (RNN 1, GRU 3, LSTM 4).
Parameters have torch's layout and gate order: GRU (r, z, n) with the reset gate applied after the matrix product, as in
torch and cuDNN; LSTM (i, f, g, o).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

State = tuple[Tensor, ...]  # (h,) or (h, c), each (B, H)
LayerWeights = tuple[Tensor, Tensor, Tensor | None, Tensor | None]  # w_ih (GH, I), w_hh (GH, H), b_ih (GH), b_hh (GH)


def recurrent(cell: str, x: Tensor, state: State, weights: LayerWeights) -> tuple[Tensor, State]:
    """One recurrent layer over T steps; see `kernels.recurrent` for the shapes."""
    w_ih, w_hh, b_ih, b_hh = weights
    projected = project(x, w_ih, b_ih)
    output = []
    for t in range(x.shape[0]):
        state = step(cell, projected[t], state, w_hh, b_hh)
        output.append(state[0])
    if not output:
        return projected[..., : w_hh.shape[1]], state
    return torch.stack(output), state


def project(x: Tensor, w_ih: Tensor, b_ih: Tensor | None) -> Tensor:
    """The input's share of the pre-activations, (T, B, GH). Token ids select columns: one-hot without the zeros."""
    if x.is_floating_point():
        return F.linear(x, w_ih, b_ih)
    columns = F.embedding(x, w_ih.t())
    return columns if b_ih is None else columns + b_ih


def step(cell: str, projected: Tensor, state: State, w_hh: Tensor, b_hh: Tensor | None) -> State:
    """One step of `cell`: projected (B, GH) and state -> state."""
    h = state[0]
    recurrent_part = F.linear(h, w_hh, b_hh)
    if cell == "rnn_relu":
        return (torch.relu(projected + recurrent_part),)
    if cell == "rnn_tanh":
        return (torch.tanh(projected + recurrent_part),)
    if cell == "gru":
        xr, xz, xn = projected.chunk(3, -1)
        hr, hz, hn = recurrent_part.chunk(3, -1)
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        n = torch.tanh(xn + r * hn)
        return (n + z * (h - n),)
    assert cell == "lstm", cell
    i, f, g, o = (projected + recurrent_part).chunk(4, -1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return (torch.sigmoid(o) * torch.tanh(c), c)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return F.linear(x, weight, bias)


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> tuple[Tensor, Tensor]:
    logits, flat = F.linear(hidden, weight, bias).flatten(0, -2), targets.reshape(-1)
    nats = F.cross_entropy(logits, flat, ignore_index=-1, reduction="none")
    return nats.sum() / (flat >= 0).sum(), nats.detach().view(targets.shape)


def dropout(x: Tensor, p: float, seed: int, offset: int) -> Tensor:
    first, skip = divmod(offset, 4)
    blocks = (skip + x.numel() + 3) // 4
    words = philox(seed, first, blocks, x.device).reshape(-1)[skip : skip + x.numel()]
    keep = words >= round(p * 2**32)
    return torch.where(keep.view(x.shape), x * (1.0 / (1.0 - p)), torch.zeros((), dtype=x.dtype, device=x.device))


def philox(seed: int, first: int, blocks: int, device: torch.device | str = "cpu") -> Tensor:
    """Philox4x32-10: int64 (blocks, 4) of 32-bit words, for counters first .. first+blocks-1 and a 64-bit key.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
    """
    low = 0xFFFFFFFF
    counter = torch.arange(first, first + blocks, dtype=torch.int64, device=device)
    a, b, c, d = counter & low, counter >> 32, torch.zeros_like(counter), torch.zeros_like(counter)
    k0, k1 = seed & low, (seed >> 32) & low
    for _ in range(10):
        # int64 products wrap but keep their 64 bits; the mask undoes the arithmetic shift's sign.
        p0, p1 = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = ((p1 >> 32) & low) ^ b ^ k0, p1 & low, ((p0 >> 32) & low) ^ d ^ k1, p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return torch.stack((a, b, c, d), -1)
