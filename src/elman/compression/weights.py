"""Weights and alphabets of predictors: their checks, their digest, and what a pickle makes a predictor of again."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..text import Vocabulary

MARGINAL = 3
"""The contract of the coder beside a network of tokens of several bytes."""


class Names:
    """The names of the 256 bytes in a network's vocabulary: ids, or tokens of one or more bytes.

    Args:
        vocab_size: the network's ids.
        ids_of_bytes, unknown, first, tokens: as for `Predictor.from_arrays`.
    Raises:
        InputError: names that cannot represent bytes.
    """

    def __init__(
        self,
        vocab_size: int,
        ids_of_bytes: Sequence[int] | None,
        unknown: int,
        first: int | None,
        tokens: Sequence[bytes] | None,
    ) -> None:
        self.unknown, self.tokens = unknown, None if tokens is None else list(tokens)
        if self.tokens is None:
            self.ids, self.first = _alphabet(vocab_size, ids_of_bytes, unknown, first)
            return
        self.ids, self.first = None, 10 if first is None else first
        if ids_of_bytes is not None or not all(isinstance(token, bytes) for token in self.tokens):
            raise InputError("tokens must be bytes, without ids_of_bytes beside them")
        if len(self.tokens) != vocab_size or not 0 <= self.first < vocab_size:
            raise InputError(
                f"there are {len(self.tokens)} tokens, and {self.first} is read first; the model has {vocab_size} ids"
            )

    @property
    def native(self) -> dict[str, Any]:
        """Arguments of `_cpu.float_predictor` and `_cpu.integer_predictor`, and of what makes a predictor again."""
        return {"ids_of_bytes": self.ids, "unknown": self.unknown, "first": self.first, "tokens": self.tokens}


class Source:
    """Arguments of a predictor, from which a pickle makes it again. The arrays are the caller's, not copies."""

    def __init__(self, make: str, arguments: tuple, names: Names, start: bytes, hashed: list, **options: Any) -> None:
        self.make, self.arguments, self.options = make, arguments, names.native | options
        self.marginal = names.tokens is not None
        if names.tokens is not None:
            sizes = np.array([len(token) for token in names.tokens], np.uint32)
            hashed = [*hashed, sizes, np.frombuffer(b"".join(names.tokens), np.uint8)]
            start += struct.pack("<8sI", b"tokens", MARGINAL)
        self.digest_now = lambda: digest_of_arrays(start, hashed)
        self.digest = self.digest_now()


def tokens_of(vocabulary: Vocabulary) -> list[bytes]:
    """The bytes of each id of a vocabulary of longer tokens; none for an id that no text has."""
    tokens = [vocabulary.decode_bytes(np.array([id])) for id in range(len(vocabulary))]
    for id in vocabulary.never_written:
        tokens[id] = b""
    return tokens


def digest_of_arrays(start: bytes, arrays: Sequence[np.ndarray | None]) -> bytes:
    """SHA-256 of `start` and of these arrays, with their shapes."""
    hashed = hashlib.sha256(start)
    for array in arrays:
        shape = () if array is None else array.shape
        hashed.update(struct.pack(f"<I{len(shape)}I", len(shape), *shape))
        if array is not None:
            hashed.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return hashed.digest()[:16]


def floats(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, np.float32)


def _alphabet(
    vocab_size: int, ids_of_bytes: Sequence[int] | None, unknown: int, first: int | None
) -> tuple[np.ndarray | None, int]:
    """The ids of bytes as an array, or None, and the id that is read first."""
    if ids_of_bytes is None:
        if not 256 <= vocab_size <= 1024:
            raise InputError(
                f"the model has {vocab_size} ids; to code bytes it needs one for each byte (train with `tokens` bytes)",
                setting="tokens",
            )
        return None, 10 if first is None else first
    ids = np.ascontiguousarray(ids_of_bytes, np.int64)
    if ids.shape != (256,) or ids.min() < -1 or ids.max() >= vocab_size:
        raise InputError(f"ids_of_bytes must be 256 ids below {vocab_size}, or -1")
    return ids, max(int(ids[10]), unknown) if first is None else first
