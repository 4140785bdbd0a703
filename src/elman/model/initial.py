"""Initial weights as a function of a seed alone: the same bits on every machine, backend and version of torch.

What turns Philox's words into real numbers here are additions, multiplications, divisions and square roots in float64,
which IEEE 754 rounds alike everywhere. libm is never called.
"""

from __future__ import annotations

import numpy as np

from .. import philox

# Wichura's AS 241 (PPND16), the inverse of the normal distribution: numerators and denominators of three rational
# functions, lowest power first. Relative error about 1e-16.
_CENTRE = (
    (3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
     45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727),
    (1.0, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
     21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610),
)  # fmt: skip
_SHOULDER = (
    (1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
     1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833, 7.7454501427834140764e-4),
    (1.0, 2.05319162663775882187, 1.67638483018380384940, 0.68976733498510000455,
     0.14810397642748007459, 0.0151986665636164571966, 5.475938084995344946e-4, 1.05075007164441684324e-9),
)  # fmt: skip
_TAIL = (
    (6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.29656057182850489123,
     0.026532189526576123093, 0.0012426609473880784386, 2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 0.59983220655588793769, 0.13692988092273580531, 0.0148753612908506148525,
     7.868691311456132591e-4, 1.8463183175100546818e-5, 1.4215117583164458887e-7, 2.04426310338993978564e-15),
)  # fmt: skip


def uniform(seed: int, stream: int, count: int) -> np.ndarray:
    """float64 (count,) strictly inside (0, 1), 53 bits each. `stream` separates the uses of one seed."""
    return philox.unit(philox.words(seed, philox.INITIAL + stream, count)) + 2.0**-54


def normal(seed: int, stream: int, count: int) -> np.ndarray:
    """float64 (count,) from N(0, 1), by inversion. Source: Wichura, Algorithm AS 241 (1988)."""
    p = uniform(seed, stream, count)
    q = p - 0.5
    r = 0.180625 - q * q
    result = q * _ratio(_CENTRE, r)
    outside = np.abs(q) > 0.425
    r = np.sqrt(-_log(np.where(q < 0, p, 1.0 - p)[outside]))
    tails = np.where(r <= 5.0, _ratio(_SHOULDER, r - 1.6), _ratio(_TAIL, r - 5.0))
    result[outside] = np.where(q[outside] < 0, -tails, tails)
    return result


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: np.ndarray) -> np.ndarray:
    above, below = (np.zeros_like(x), np.zeros_like(x))
    for a, b in zip(reversed(coefficients[0]), reversed(coefficients[1]), strict=True):
        above = above * x + a
        below = below * x + b
    return above / below


def _log(x: np.ndarray) -> np.ndarray:
    """Natural logarithm of normal float64 > 0: x = m 2^e, m in [1/sqrt 2, sqrt 2), log m = 2 artanh((m-1)/(m+1))."""
    m, e = np.frexp(x)
    small = m < 0.70710678118654752
    m, e = np.where(small, m * 2.0, m), e - small
    s = (m - 1.0) / (m + 1.0)
    square, series = s * s, np.zeros_like(s)
    for k in range(23, 0, -2):  # |s| < 0.172: the next term is below 1e-19
        series = series * square + 1.0 / k
    return e * 0.69314718055994530942 + 2.0 * s * series
