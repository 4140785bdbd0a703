"""Costs of logits by integers: the definition, in plain NumPy.

The weights of ids are integers, so their sum has no order and the bits need none.
"""

from __future__ import annotations

import numpy as np

_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LN2 = 0.6931471805599453


def weights(x: np.ndarray) -> np.ndarray:
    """int32 (..., V): exp(x - max x) in 2^-30, in float32 operations. Integers, so their sum has no order.

    Source of the polynomial: Moshier, Cephes, expf.c (1989).
    """
    f, point = np.float32, np.float32(12582912.0)  # 1.5 * 2^23: adding it rounds to a whole number
    d = np.maximum(x - x.max(axis=-1, keepdims=True), f(-30.0))
    n = (d * f(1.44269504088896341) + point) - point
    r = (d - n * f(0.693359375)) - n * f(-2.12194440e-4)
    p = np.full_like(r, f(_EXP[0]))
    for coefficient in _EXP[1:]:
        p = p * r + f(coefficient)
    e = ((r * r) * p + r) + f(1.0)
    return np.rint(np.ldexp(e, n.astype(np.int32) + 30)).astype(np.int32)


def log(total: np.ndarray) -> np.ndarray:
    """float64: ln(total 2^-30) of int64 totals above 0, in float64 operations: 2 artanh((m-1)/(m+1)) + e ln 2."""
    m, e = np.frexp(total.astype(np.float64))
    low = m < 0.7071067811865476
    m, e = np.where(low, m + m, m), e - low - 30
    s = (m - 1.0) / (m + 1.0)
    square, p = s * s, np.full_like(s, 1.0 / 23.0)
    for k in range(21, 0, -2):
        p = p * square + 1.0 / k
    return e * _LN2 + (s + s) * p


def ln(p: np.ndarray) -> np.ndarray:
    """float64: ln p of float64 p above 0, with the bits of `log`."""
    return log(p * 2.0**30)


def log_softmax(x: np.ndarray) -> np.ndarray:
    """float64 (..., V): ln p of every id under logits x (..., V); `nats` of it, negated, to the bit."""
    top = x.max(axis=-1, keepdims=True).astype(np.float64)
    return -(log(weights(x).sum(axis=-1, keepdims=True, dtype=np.int64)) + (top - x.astype(np.float64)))


def nats(x: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """float64 (...): -ln p(target) under logits x (..., V)."""
    top = x.max(axis=-1).astype(np.float64)
    chosen = np.take_along_axis(x, targets[..., None], axis=-1)[..., 0].astype(np.float64)
    return log(weights(x).sum(axis=-1, dtype=np.int64)) + (top - chosen)
