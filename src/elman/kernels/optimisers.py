"""Updates of the weights in plain NumPy: SGD, AdamW and Muon."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .backend import Array, Update


def apply(weights: Sequence[Array], grads: Sequence[Array], how: Update, scale: float, blocks: int) -> None:
    """SGD; or Muon for its weights, and for the others AdamW with decoupled weight decay, of which 0 makes it Adam.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (2019).
    """
    u, grads = how, [g * np.float32(scale) for g in grads]
    if not u.exp_avg:
        for w, g in zip(weights, grads, strict=True):
            w -= g * np.float32(u.lr)
        return
    correction1, correction2 = 1 - u.beta1**u.step, math.sqrt(1 - u.beta2**u.step)
    by_muon = u.muon or [False] * len(weights)
    for w, grad, m, v, muon_s in zip(weights, grads, u.exp_avg, u.exp_avg_sq, by_muon, strict=True):
        if muon_s:
            muon(w, grad, m, blocks, u.lr, u.momentum, u.weight_decay)
            continue
        g = grad.reshape(-1)
        m[:] = m * np.float32(u.beta1) + g * np.float32(1 - u.beta1)
        v[:] = v * np.float32(u.beta2) + g * g * np.float32(1 - u.beta2)
        below = np.sqrt(v) / np.float32(correction2) + np.float32(u.eps)
        w *= np.float32(1 - u.lr * u.weight_decay)
        w -= (m / below).reshape(w.shape) * np.float32(u.lr / correction1)


def average(weights: Sequence[Array], averages: Sequence[Array], keep: float) -> None:
    """Move each average to its weight, whose share is 1 - keep."""
    for w, mean in zip(weights, averages, strict=False):
        mean += (w.reshape(-1) - mean) * np.float32(1 - keep)


def muon(w: Array, g: Array, m: Array, blocks: int, lr: float, momentum: float, weight_decay: float) -> None:
    """One update by Muon, in place; see src/native/float/muon.h.

    Args:
        w, g: (blocks * rows, columns), a block for each gate. m: the momentum, (w.size,).
    """
    m[:] = m * np.float32(momentum) + g.reshape(-1)
    ahead = (g.reshape(-1) + m * np.float32(momentum)).reshape(blocks, -1, w.shape[1])
    larger = max(ahead.shape[1:])
    step = np.concatenate([_orthogonal(u) for u in ahead])
    w *= np.float32(1 - lr * weight_decay)
    w -= step * np.float32(lr * 0.2 * math.sqrt(larger))


def _orthogonal(u: Array) -> Array:
    """Five Newton-Schulz steps from u (rows, columns) / |u| bring its singular values near 1."""
    x = u.T if u.shape[0] > u.shape[1] else u
    x = x * np.float32(1 / (math.sqrt(float(np.square(x, dtype=np.float64).sum())) + 1e-7))
    for _ in range(5):
        a = x @ x.T
        x = np.float32(3.4445) * x + (np.float32(-4.7750) * a + np.float32(2.0315) * (a @ a)) @ x
    return x.T if u.shape[0] > u.shape[1] else x
