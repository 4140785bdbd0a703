"""The dense layers of a language model: its output, and the embedding of its tokens."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InputError
from ..kernels import Array
from .layers import (
    Parameters,
    uniform,
)


class Dense(Parameters):
    """A dense layer: y = W x + b. `weight` (V, H), `bias` (V)."""

    def __init__(self, hidden_size: int, vocab_size: int, arrays: Mapping[str, Array] | None = None) -> None:
        if arrays is None:
            shapes = {"weight": (vocab_size, hidden_size), "bias": (vocab_size,)}
            arrays = {n: uniform(2**31 + i, shape, hidden_size) for i, (n, shape) in enumerate(shapes.items())}
        self._arrays = dict(arrays)


class Embedding(Parameters):
    """A vector for each token: `weight` (V, E)."""

    def __init__(self, vocab_size: int, embedding_size: int, arrays: Mapping[str, Array] | None = None) -> None:
        """Raises InputError for a size below 1."""
        if not isinstance(embedding_size, int) or isinstance(embedding_size, bool) or embedding_size < 1:
            raise InputError(f"embedding_size must be a whole number of at least 1, got {embedding_size!r}")
        if arrays is None:
            arrays = {"weight": uniform(2**31 + 2, (vocab_size, embedding_size), embedding_size)}
        self._arrays = dict(arrays)

    @property
    def embedding_size(self) -> int:
        """E."""
        return self.weight.shape[1]
