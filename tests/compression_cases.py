"""Predictors and inputs that the tests of compression share; weights by arithmetic, so that no generator decides."""

from __future__ import annotations

import random

import numpy as np

from elman.compression import Predictor
from elman.model.rounding import to_integers

IDS = (np.arange(320) * 7919 % 256).reshape(20, 16)
"""Of a text on which a ReLU's range is measured."""


def weights(stream: int, *shape: int, scale: float = 0.3) -> np.ndarray:
    """Float32 in +-scale, from a linear congruence: the same bits everywhere."""
    count = int(np.prod(shape))
    x = (np.arange(count, dtype=np.uint64) + np.uint64(stream) * np.uint64(1 << 32)) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    whole = (x >> np.uint64(40)).astype(np.int64) - (1 << 23)  # 24 bits
    return (whole.astype(np.float32) * np.float32(scale / (1 << 23))).reshape(shape)


def float_weights(cell: str, H: int, L: int, V: int):
    """The layers, and the output's weight and bias."""
    gates = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 3, "lstm": 4}[cell]
    layers = []
    for layer in range(L):
        width = H if layer else V
        parts = [(gates * H, width), (gates * H, H), (gates * H,), (gates * H,)]
        layers.append(tuple(weights(10 * layer + i, *shape) for i, shape in enumerate(parts)))
    return layers, (weights(90, V, H, scale=1.0), weights(91, V))


def predictor(cell: str = "gru", H: int = 24, L: int = 1, V: int = 256, **options) -> Predictor:
    layers, output = float_weights(cell, H, L, V)
    return Predictor.from_arrays(cell, layers, *output, **options)


WORDS = (
    "the", "of", "and", "a", "to", "in", "he", "that", "was", "it", "his", "on", "with", "at", "by", "I",
    "this", "had", "not", "are", "but", "from", "or", "have", "an", "they",
)  # fmt: skip


def english(size: int, seed: int = 0) -> bytes:
    """Something that repeats itself like a text, without being one."""
    draw = random.Random(seed)
    text = " ".join(draw.choice(WORDS) + draw.choice(["", "", "s", "ing", ".", ",\n"]) for _ in range(size // 4 + 1))
    return text.encode()[:size]


def inputs() -> dict[str, bytes]:
    draw = random.Random(7)
    return {
        "empty": b"",
        "one byte": b"x",
        "a line": b"hello, hello, hello\n",
        "text": english(8_000),
        "a run": b"\xff" * 30_000,
        "noise": draw.randbytes(2_000),
        "all bytes": bytes(range(256)) * 4,
        "utf-8": "Größe, naïve, 語彙, Ω. ".encode() * 80,
    }


def integers(cell: str = "gru", H: int = 24, L: int = 1, V: int = 256, **options) -> Predictor:
    """An integer network of the same weights."""
    return Predictor.from_integers(to_integers(cell, *float_weights(cell, H, L, V), ids=IDS), **options)


TOKENS = [
    *(bytes([byte]) for byte in range(256)),
    b"th", b"he", b" the", b"the", b"in", b"ing", b" of", b" a", b" an", b"nd", b" and", b"er", b"on", b" o", b" wa",
    b"s.", b".,", b"", "\u00f6\u00df".encode(), b"\xff\xff\xff", b" t",
]  # fmt: skip
"""Names of 277 ids: tokens that begin alike, one that no text has, one of two characters, and one that is no UTF-8."""


def subwords(make, cell: str = "gru", H: int = 24, L: int = 1) -> Predictor:
    """A network of longer tokens, made by `predictor` or `integers`."""
    return make(cell, H, L, len(TOKENS), tokens=TOKENS)
