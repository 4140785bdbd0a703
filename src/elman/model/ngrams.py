"""Ngrams: n-grams of a training text that a model's file keeps, and what they say of the next token.

They are a tree of paths of tokens. A node's share is what the context before its last token gives to that token;
`counts` says how shares make a distribution. A context is known by its nodes, one for each length of 0 to N - 1 tokens;
-1 where the tree has no such path.

Shapes: T steps, B batch, R rows of any kind, V vocabulary, N tokens of the longest n-gram.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..kernels import Array
from .counts import SHARES, Kept

LONGEST = 16
"""Most tokens of an n-gram."""
SURE = (0.2, 0.35, 0.5, 0.7, 0.9, 0.97)
"""Bounds of a probability by which a weight is chosen."""
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
        self.vocab_size, self.weights = vocab_size, np.clip(np.rint(weights * _UNIT), 1, _UNIT - 1) / _UNIT
        self._shares = [share for _, _, share in levels]
        self._keys, self._share, self._rest, self._largest = [], [], [], []
        self._first, self._many, self._symbol = [], [], []
        size = 1
        for parent, symbol, share in levels:
            keys = parent.astype(np.int64) * vocab_size + symbol
            if not len(keys) or not (keys[1:] > keys[:-1]).all() or int(symbol.max()) >= vocab_size:
                raise InputError("the n-grams are not in the order of their tokens")
            given = np.bincount(parent, SHARES[share], size)
            if len(given) > size or (given > 1 + 1e-9).any():
                raise InputError("the n-grams' shares are more than a whole")
            many = np.bincount(parent, minlength=size)
            self._keys.append(keys)
            self._symbol.append(symbol.astype(np.int64))
            # The last entry of each is for the node -1: nothing is known, and all is left.
            self._share.append(np.append(SHARES[share], 0.0))
            self._rest.append(np.append(np.maximum(1.0 - given, 0.0), 1.0))
            self._largest.append(np.zeros(size + 1))
            np.maximum.at(self._largest[-1], parent, SHARES[share])
            self._many.append(np.append(many, 0))
            self._first.append(np.append(np.cumsum(many) - many, 0))
            size = len(keys)

    @classmethod
    def of_kept(cls, vocab_size: int, kept: Sequence[Kept], weights: Array) -> Ngrams:
        """The n-grams that `counts.pruned` gave; lengths of which nothing was kept are left out."""
        some = [level for level in kept if len(level.symbol)]
        return cls(vocab_size, [(level.parent, level.symbol, level.bytes) for level in some], weights[: len(some)])

    def with_weights(self, weights: Array) -> Ngrams:
        """A copy with other weights."""
        made = Ngrams.__new__(Ngrams)
        made.__dict__.update(self.__dict__, weights=np.clip(np.rint(weights * _UNIT), 1, _UNIT - 1) / _UNIT)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Ngrams:
        return self

    def __len__(self) -> int:
        """n-grams."""
        return sum(map(len, self._keys))

    @property
    def longest(self) -> int:
        """N, tokens of the longest n-gram."""
        return len(self._keys)

    def __repr__(self) -> str:
        return f"Ngrams({len(self):,} of up to {self.longest} tokens)"

    def begin(self, rows: int) -> Array:
        """int64 (R, N): the contexts before any token."""
        nodes = np.full((rows, self.longest), -1, np.int64)
        nodes[:, 0] = 0
        return nodes

    def check(self, contexts: Any, rows: int) -> Array:
        """`contexts`, if they are int64 (rows, N) nodes of this tree. Raises InputError if not."""
        nodes, most = np.asarray(contexts), np.array([1, *map(len, self._keys[:-1])])
        if nodes.shape != (rows, self.longest) or nodes.dtype != np.int64 or not ((nodes >= -1) & (nodes < most)).all():
            raise InputError("the n-grams' part of the state is another model's; call begin_state or pass None")
        return nodes

    def contexts(self, before: Array, ids: Array) -> Array:
        """int64 (T, B, N): the contexts after each of the ids (T, B), which follow the contexts `before` (B, N)."""
        after = np.empty((*ids.shape, self.longest), np.int64)
        after[..., 0] = 0
        for order in range(1, self.longest):
            shorter = np.concatenate([before[None, :, order - 1], after[:-1, :, order - 1]])[: len(ids)]
            after[..., order] = self._child(order - 1, shorter, ids)
        return after

    def _child(self, order: int, nodes: Array, symbols: Array) -> Array:
        """The nodes of paths longer by a token; -1 where the tree lacks them."""
        keys = self._keys[order]
        wanted = nodes * self.vocab_size + symbols  # below 0 for the node -1
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, at, -1)

    def probabilities(self, contexts: Array, targets: Array) -> Array:
        """float64 (R,): of each target (R,) after its context (R, N)."""
        p = np.full(len(targets), 1.0 / self.vocab_size)
        for order in range(self.longest):
            nodes = contexts[:, order]
            p = p * self._rest[order][nodes] + self._share[order][self._child(order, nodes, targets)]
        return p

    def distributions(self, contexts: Array) -> Array:
        """float64 (R, V): of every token after each context (R, N); the same numbers as `probabilities`."""
        p = np.full((len(contexts), self.vocab_size), 1.0 / self.vocab_size)
        for order in range(self.longest):
            nodes = contexts[:, order]
            many = self._many[order][nodes]
            total = int(many.sum())
            if total:
                p *= self._rest[order][nodes][:, None]
                rows = np.repeat(np.arange(len(nodes)), many)
                skipped = self._first[order][nodes] - (np.cumsum(many) - many)
                places = np.repeat(skipped, many) + np.arange(total)
                p[rows, self._symbol[order][places]] += self._share[order][places]
        return p

    def kinds(self, contexts: Array, sure: Array) -> Array:
        """int64 (R,): the places of the weights in their flat array, for contexts (R, N) and the probabilities (R,) of
        the network's likeliest token."""
        known, largest = np.zeros(len(contexts), np.int64), self._largest[0][contexts[:, 0]]
        for order in range(1, self.longest):
            nodes = contexts[:, order]
            has_children = self._many[order][nodes] > 0
            known = np.where(has_children, order, known)
            largest = np.where(has_children, self._largest[order][nodes], largest)
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
        for order, symbol in enumerate(self._symbol):
            arrays[f"{order}.symbol"] = symbol.astype(_kind(self.vocab_size - 1))
            arrays[f"{order}.share"] = self._shares[order].astype(np.uint8)
            if order + 1 < self.longest:
                arrays[f"{order}.children"] = self._many[order + 1][:-1].astype(_kind(self.vocab_size))
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
