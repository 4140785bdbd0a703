"""Ngrams: n-grams of a training text that a model's file keeps, and what they say of the next token.

They are a tree of paths of tokens. A node's share is what the context before its last token gives to that token;
`counts` says how shares make a distribution. A context is known by its nodes, one for each length of 0 to N - 1 tokens;
-1 where the tree has no such path.

Shapes: T steps, B batch, R rows of any kind, V vocabulary, N tokens of the longest n-gram.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels import Array
from .counts import SHARES, Kept

LONGEST = 16
"""Most tokens of an n-gram."""
SURE = (0.2, 0.35, 0.5, 0.7, 0.9, 0.97)
"""Bounds of a probability by which a weight is chosen: by order and both sureness classes was better than by fewer of
them on tiny Shakespeare, the first 81 % counted and the next 9 % measured."""
CLASSES = len(SURE) + 1
_UNIT = 65536.0  # of weights in a file


class Ngrams:
    """n-grams over a vocabulary, and the weights that mix them with a network. Nothing changes it.

    Args:
        vocab_size: V.
        levels: of the n-grams of each length their parents, numbers in the level before; their last tokens; and
            uint8 shares, in `counts.SHARES`. In the order of parent and token.
        weights: float64 (N, CLASSES, CLASSES): the network's share, by the length of the longest context that has
            children, by the largest share of these, and by the probability of the network's likeliest token. They are
            rounded to multiples of 2^-16 above 0.
    Raises:
        InputError: what is no such tree.
    """

    def __init__(self, vocab_size: int, levels: Sequence[tuple[Array, Array, Array]], weights: Array) -> None:
        if not 1 <= len(levels) <= LONGEST:
            raise InputError(f"n-grams of up to {len(levels)} tokens; expected 1 .. {LONGEST}")
        if weights.shape != (len(levels), CLASSES, CLASSES) or not ((weights > 0) & (weights <= 1)).all():
            raise InputError(f"the n-grams' weights are no {len(levels)} x {CLASSES} x {CLASSES} shares above 0")
        self.vocab_size, self.weights = vocab_size, _rounded(weights)
        sizes = [len(symbol) for _, symbol, _ in levels]
        # Nodes are numbered through all levels, the root 0: then children are numbered as keys are, less one.
        self._ends = np.cumsum([1, *sizes])
        starts = [0, *self._ends[:-2].tolist()]
        parent = np.concatenate([p.astype(np.int64) + start for (p, _, _), start in zip(levels, starts, strict=True)])
        self._symbol = np.concatenate([symbol.astype(np.int64) for _, symbol, _ in levels])
        self._bytes = np.concatenate([share for _, _, share in levels]).astype(np.uint8)
        self._keys, nodes = parent * vocab_size + self._symbol, int(self._ends[-1])
        if 0 in sizes or not (np.diff(self._keys) > 0).all() or int(self._symbol.max()) >= vocab_size:
            raise InputError("the n-grams are not in the order of their tokens")
        given = np.bincount(parent, SHARES[self._bytes], nodes)
        if (given > 1 + 1e-9).any():
            raise InputError("the n-grams' shares are more than a whole")
        # The last entry of each is for the node -1: nothing is known, and all is left.
        many = np.bincount(parent, minlength=nodes)
        self._many = np.append(many, 0)
        self._first = np.append(np.cumsum(many) - many, 0)
        self._share = np.concatenate([[0.0], SHARES[self._bytes], [0.0]])
        self._rest = np.append(np.maximum(1.0 - given, 0.0), 1.0)
        self._largest = np.zeros(nodes + 1)
        np.maximum.at(self._largest, parent, SHARES[self._bytes])

    @classmethod
    def of_kept(cls, vocab_size: int, kept: Sequence[Kept], weights: Array) -> Ngrams:
        """The n-grams that `counts.pruned` gave; lengths of which nothing was kept are left out."""
        some = [level for level in kept if len(level.symbol)]
        return cls(vocab_size, [(level.parent, level.symbol, level.bytes) for level in some], weights[: len(some)])

    def with_weights(self, weights: Array) -> Ngrams:
        """A copy with other weights."""
        made = Ngrams.__new__(Ngrams)
        made.__dict__.update(self.__dict__, weights=_rounded(weights))
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Ngrams:
        return self

    def __len__(self) -> int:
        """n-grams."""
        return len(self._keys)

    @property
    def longest(self) -> int:
        """N, tokens of the longest n-gram."""
        return len(self._ends) - 1

    def __repr__(self) -> str:
        return f"Ngrams({len(self):,} of up to {self.longest} tokens)"

    def begin(self, rows: int) -> Array:
        """int64 (R, N): the contexts before any token."""
        nodes = np.full((rows, self.longest), -1, np.int64)
        nodes[:, 0] = 0
        return nodes

    def check(self, contexts: Any, rows: int) -> Array:
        """`contexts`, if they are int64 (rows, N) nodes of this tree. Raises InputError if not."""
        nodes, ends = np.asarray(contexts), self._ends[:-1]
        fits = nodes.shape == (rows, self.longest) and nodes.dtype == np.int64
        if not fits or not ((nodes == -1) | ((nodes >= [0, *ends[:-1]]) & (nodes < ends))).all():
            raise InputError("the n-grams' part of the state is another model's; call begin_state or pass None")
        return nodes

    def contexts(self, before: Array, ids: Array) -> Array:
        """int64 (T, B, N): the contexts after each of the ids (T, B), which follow the contexts `before` (B, N)."""
        after = np.empty((*ids.shape, self.longest), np.int64)
        after[..., 0] = 0
        if len(ids) <= self.longest:
            for t, symbols in enumerate(ids):
                after[t, :, 1:] = self._child(before[:, :-1], symbols[:, None])
                before = after[t]
            return after
        for order in range(1, self.longest):
            shorter = np.concatenate([before[None, :, order - 1], after[:-1, :, order - 1]])
            after[..., order] = self._child(shorter, ids)
        return after

    def _child(self, nodes: Array, symbols: Array) -> Array:
        """The nodes of paths longer by a token; -1 where the tree lacks them."""
        wanted = nodes * self.vocab_size + symbols  # below 0 for the node -1
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        return np.where(self._keys[at] == wanted, at + 1, -1)

    def _left(self, contexts: Array) -> tuple[Array, Array]:
        """float64 (R, N) and (R,): what longer contexts leave to each one's shares, and all of them to each token."""
        left = np.cumprod(self._rest[contexts[:, ::-1]], axis=1)[:, ::-1]  # the longest first
        return np.concatenate([left[:, 1:], np.ones((len(left), 1))], axis=1), left[:, 0] / self.vocab_size

    def probabilities(self, contexts: Array, targets: Array) -> Array:
        """float64 (R,): of each target (R,) after its context (R, N)."""
        left, equal = self._left(contexts)
        shares, p = self._share[self._child(contexts, targets[:, None])] * left, np.zeros(len(targets))
        for order in range(self.longest):
            p += shares[:, order]
        return p + equal

    def distributions(self, contexts: Array) -> Array:
        """float64 (R, V): of every token after each context (R, N); the same numbers as `probabilities`."""
        left, equal = self._left(contexts)
        many, V = self._many[contexts].ravel(), self.vocab_size
        skipped = self._first[contexts].ravel() - (np.cumsum(many) - many)
        children = np.repeat(skipped, many) + np.arange(int(many.sum()))
        cells = np.repeat(np.repeat(np.arange(len(contexts)) * V, self.longest), many) + self._symbol[children]
        shares = self._share[children + 1] * np.repeat(left.ravel(), many)
        return np.bincount(cells, shares, len(contexts) * V).reshape(-1, V) + equal[:, None]

    def kinds(self, contexts: Array, sure: Array) -> Array:
        """int64 (R,): the places of the weights in their flat array, for contexts (R, N) and the probabilities (R,) of
        the network's likeliest token."""
        has_children = self._many[contexts] > 0
        known = self.longest - 1 - has_children[:, ::-1].argmax(axis=1)  # the root has children
        largest = self._largest[contexts[np.arange(len(contexts)), known]]
        own, theirs = np.searchsorted(SURE, largest, "right"), np.searchsorted(SURE, sure, "right")
        return (known * CLASSES + own) * CLASSES + theirs

    def shares(self, contexts: Array, sure: Array) -> Array:
        """float64 (R,): the network's share of the mixture."""
        return self.weights.ravel()[self.kinds(contexts, sure)]

    def digest(self) -> str:
        """SHA-256 over the arrays of the file."""
        digest = hashlib.sha256()
        for name, array in self.to_arrays().items():
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode() + little.tobytes())
        return digest.hexdigest()

    def to_arrays(self) -> dict[str, Array]:
        """Names to arrays, as the file has them: docs/reference/model-file.md."""
        arrays: dict[str, Array] = {"weights": np.rint(self.weights * _UNIT).astype(np.uint16)}
        for order, (start, end) in enumerate(pairwise(self._ends.tolist())):
            arrays[f"{order}.symbol"] = self._symbol[start - 1 : end - 1].astype(_kind(self.vocab_size - 1))
            arrays[f"{order}.share"] = self._bytes[start - 1 : end - 1]
            if order + 1 < self.longest:
                arrays[f"{order}.children"] = self._many[start:end].astype(_kind(self.vocab_size))
        return arrays

    @classmethod
    def from_arrays(cls, vocab_size: int, longest: int, arrays: Mapping[str, Array]) -> Ngrams:
        """The n-grams of `to_arrays`.

        Raises:
            InputError: arrays that are no such tree, before memory is taken for more than they have.
        """
        if isinstance(longest, bool) or not isinstance(longest, int) or not 1 <= longest <= LONGEST:
            raise InputError(f"n-grams of up to {longest!r} tokens; expected 1 .. {LONGEST}")
        if len(arrays) != 3 * longest:
            raise InputError(f"{len(arrays)} arrays of n-grams of up to {longest} tokens; expected {3 * longest}")
        weights = _expected(arrays, "weights", np.uint16, (longest, CLASSES, CLASSES))
        levels, parent = [], None
        for order in range(longest):
            symbol = _expected(arrays, f"{order}.symbol", _kind(vocab_size - 1))
            share = _expected(arrays, f"{order}.share", np.uint8, symbol.shape)
            parent = np.zeros(len(symbol), np.int64) if parent is None else parent
            if len(parent) != len(symbol):
                raise InputError(f"{len(symbol):,} n-grams of {order + 1} tokens; those before have {len(parent):,}")
            levels.append((parent, symbol, share))
            if order + 1 < longest:
                children = _expected(arrays, f"{order}.children", _kind(vocab_size), symbol.shape)
                total, longer = int(children.sum(dtype=np.int64)), f"{order + 1}.symbol"
                if total != len(_expected(arrays, longer, _kind(vocab_size - 1))):  # before memory is taken for them
                    raise InputError(f"{total:,} n-grams of {order + 2} tokens are told of, and there are others")
                parent = np.repeat(np.arange(len(symbol)), children)
        return cls(vocab_size, levels, weights / _UNIT)


def _rounded(weights: Array) -> Array:
    """Weights as a file has them: multiples of 2^-16, none 0 or 1."""
    return np.clip(np.rint(weights * _UNIT), 1, _UNIT - 1) / _UNIT


def _kind(largest: int) -> type[np.unsignedinteger]:
    """The smallest type of a file that holds this number."""
    return np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.uint32


def _expected(arrays: Mapping[str, Array], name: str, kind: Any, shape: tuple[int, ...] | None = None) -> Array:
    array = arrays.get(name)
    if array is None:
        raise InputError(f"ngrams.{name} is missing")
    if array.dtype != kind or array.ndim != (1 if shape is None else len(shape)) or shape not in (None, array.shape):
        expected = f"{np.dtype(kind)} {'(n,)' if shape is None else shape}"
        raise InputError(f"ngrams.{name} is {array.dtype} {array.shape}; expected {expected}")
    return array
