"""How one id is chosen from logits and a draw: the definition in NumPy of what the kernel's loop does."""

from __future__ import annotations

import numpy as np

from .. import kernels, philox
from ..errors import InputError
from ..kernels import likelihood
from .sampling import Sampling


def weights(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """float64 (V,): what is drawn from, not normalised, the likeliest 1; 0 is impossible.

    Every operation is rounded as it is written, and sums run in one order, so the kernel can do the same.

    Args:
        logits: float32 (V,), bias and penalty applied; -inf stays impossible.
    """
    first = logits.argmax()  # ties: lowest id first
    if sampling.temperature == 0:
        w = np.zeros(len(logits))
        w[first] = 1.0
        return w
    with np.errstate(over="ignore", invalid="ignore"):  # a product may overflow to -inf, and -inf times 0 is masked
        scaled = (logits - logits[first]) * np.float32(sampling.exponent)
        w = kernels.exp(scaled).astype(np.float64)  # the one function here that IEEE 754 does not define
    w[np.isneginf(logits)] = 0.0
    if sampling.top_k is not None:
        w[_likeliest(logits)[sampling.top_k :]] = 0.0
    if sampling.top_p is not None:
        likeliest = _likeliest(logits)
        cumulative = np.cumsum(w[likeliest])
        before = np.concatenate(([0.0], cumulative[:-1]))
        w[likeliest[before >= sampling.top_p * cumulative[-1]]] = 0.0
    if sampling.min_p is not None:
        w[w < sampling.min_p] = 0.0
    return w


def integer_weights(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """int64 (V,): the same in 2^-30, in float32 operations that need no fused multiply-add; so their sum has no order.

    Args:
        logits: float32 (V,), bias and penalty applied; -inf stays impossible.
    """
    first = logits.argmax()
    if sampling.temperature == 0:
        w = np.zeros(len(logits), np.int64)
        w[first] = 1
        return w
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (logits - logits[first]) * np.float32(sampling.exponent)
        scaled[np.isneginf(logits)] = -np.inf
        w = likelihood.weights(scaled).astype(np.int64)
    if sampling.top_k is not None:
        w[_likeliest(logits)[sampling.top_k :]] = 0
    return w


def _likeliest(logits: np.ndarray) -> np.ndarray:
    """The ids, likeliest first; ties: lowest id first."""
    return np.argsort(-logits, kind="stable")


def choose_word(logits: np.ndarray, sampling: Sampling, word: int) -> int:
    """The id that a draw of 64 bits falls on, by `sampling.choice`.

    Raises:
        InputError: logits that are not numbers, as a diverged model's.
    """
    if sampling.choice == "floats":
        return choose(logits, sampling, float(philox.unit(np.array(word, np.uint64))))
    if np.isnan(logits).any() or np.isneginf(logits).all():
        raise InputError("the model's logits are not numbers; its training has diverged")
    cumulative = np.cumsum(integer_weights(logits, sampling))
    return int(np.searchsorted(cumulative, word * int(cumulative[-1]) >> 64, side="right"))


def choose(logits: np.ndarray, sampling: Sampling, u: float) -> int:
    """The id that a draw u in [0, 1) falls on, the ids lying side by side in their order with widths `weights`.

    Raises:
        InputError: widths that are not numbers, as a diverged model's.
    """
    cumulative = np.cumsum(weights(logits, sampling))
    if np.isnan(logits).any() or not cumulative[-1] > 0:
        raise InputError("the model's logits are not numbers; its training has diverged")
    return int(np.searchsorted(cumulative, u * cumulative[-1], side="right"))
