"""Shards: a batch in S parts, each summed by itself and added in order, by one process or by several: the same bits.

S is a setting of the recipe, since it decides in which order numbers are added; how many processes share the work is
not.
"""

from __future__ import annotations

import math

import numpy as np

from .. import kernels
from ..errors import InputError
from ..kernels import Array, Dropout, ModelWeights, StepResult, Update
from .ranks import Ranks


def bounds(rows: int, shards: int) -> list[tuple[int, int]]:
    """Which rows of a batch each shard has; one may have none."""
    return [(rows * s // shards, rows * (s + 1) // shards) for s in range(shards)]


def mask_words(dropout: Dropout, network: ModelWeights, steps: int, rows: int, shards: int) -> list[int]:
    """How many words of dropout's stream each shard of a batch uses, one after the other."""
    return [sum(dropout.words(network, steps, b - a).values()) for a, b in bounds(rows, shards)]


class ShardedStepper:
    """A Stepper. Its gradient of shard s counts as the share of targets that s has, in float32; so does its loss.

    Raises:
        InputError: more processes than shards.
    """

    def __init__(self, network: ModelWeights, shards: int, ranks: Ranks) -> None:
        if ranks.size > shards:
            raise InputError(
                f"{ranks.size} processes but {shards} shards: one would have nothing to do; raise --shards"
            )
        self._network, self._shards, self._ranks = network, shards, ranks
        self.state = network.begin_state(0)
        self._sizes = [w.size for w in network.weights()]

    def step(self, ids: Array, targets: Array, fresh: bool, dropout: Dropout | None, update: Update) -> StepResult:
        rows, network = ids.shape[1], self._network
        if fresh:
            self.state = network.begin_state(rows)
        state = tuple(part[:, :rows] for part in self.state)
        counts = [int(np.count_nonzero(targets[:, a:b] >= 0)) for a, b in bounds(rows, self._shards)]
        mine = []
        for s, (a, b) in enumerate(bounds(rows, self._shards)):
            if s % self._ranks.size == self._ranks.rank:
                mine.append(self._shard(s, ids, targets, state, dropout, a, b))
        parts = self._ranks.gather(b"".join(mine))
        total = None if parts is None else self._add(parts, counts, rows)
        loss, grads, self.state = self._unpack(self._ranks.broadcast(total), rows)
        norm, layer_norms = kernels.update(network, grads, update, math.isfinite(loss))
        return StepResult(loss, norm, layer_norms)

    def sync(self) -> None: ...

    def _shard(
        self, s: int, ids: Array, targets: Array, state: kernels.State, dropout: Dropout | None, a: int, b: int
    ) -> bytes:
        """Its loss, gradients and state, as bytes."""
        if dropout:
            before = sum(mask_words(dropout, self._network, len(ids), ids.shape[1], self._shards)[:s])
            shares = (dropout.hidden, dropout.output, dropout.weights)
            dropout = Dropout(dropout.p, dropout.seed, dropout.offset + before, *shares)
        of_shard = tuple(np.ascontiguousarray(part[:, a:b]) for part in state)
        cut = (np.ascontiguousarray(ids[:, a:b]), np.ascontiguousarray(targets[:, a:b]))
        loss, after, grads = kernels.loss_and_grads(self._network, *cut, of_shard, dropout)
        floats = [*(g.reshape(-1) for g in grads), *(part.reshape(-1) for part in after)]
        return np.float64(loss).tobytes() + np.concatenate(floats).astype(np.float32, copy=False).tobytes()

    def _add(self, parts: list[bytes], counts: list[int], rows: int) -> bytes:
        """The shards of all processes, added in order."""
        views, places = [memoryview(part) for part in parts], [0] * len(parts)
        size, states, total = sum(self._sizes), self._network.cell.states, sum(counts)
        loss, grads = 0.0, np.zeros(size, dtype=np.float32)
        state = self._network.begin_state(rows)
        added = False
        for s, (a, b) in enumerate(bounds(rows, self._shards)):
            of_state = len(self._network.layers) * (b - a) * self._network.hidden_size
            rank, length = s % len(parts), 8 + 4 * (size + states * of_state)
            data = views[rank][places[rank] : places[rank] + length]
            places[rank] += length
            floats = np.frombuffer(data, dtype=np.float32, offset=8)
            for part, values in zip(state, np.split(floats[size:], states), strict=True):
                part[:, a:b] = values.reshape(part[:, a:b].shape)
            if not counts[s]:
                continue
            share = counts[s] / total
            loss += float(np.frombuffer(data, dtype=np.float64, count=1)[0]) * share
            scaled = floats[:size] * np.float32(share)
            grads = grads + scaled if added else scaled
            added = True
        flat = np.concatenate([grads, *(part.reshape(-1) for part in state)])
        return np.float64(loss if added else math.nan).tobytes() + flat.tobytes()

    def _unpack(self, data: bytes, rows: int) -> tuple[float, list[Array], kernels.State]:
        floats, at, grads = np.frombuffer(data, dtype=np.float32, offset=8).copy(), 0, []
        for weight in self._network.weights():
            grads.append(floats[at : at + weight.size].reshape(weight.shape))
            at += weight.size
        like = self._network.begin_state(rows)
        parts = np.split(floats[at:], len(like))
        state = tuple(np.ascontiguousarray(p.reshape(zeros.shape)) for p, zeros in zip(parts, like, strict=True))
        return float(np.frombuffer(data, dtype=np.float64, count=1)[0]), grads, state
