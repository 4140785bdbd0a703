"""ShardedStepper: a step of training that several processes share, with the bits of one process.

Each process computes its shards and adds them up the tree. It sends to every other process the slice of the sums that
this one owns, and receives and adds its own slice. Then it updates what it owns, and all exchange their slices of the
new weights. So a process sends about 2 P numbers a step, however many processes there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np

from .. import kernels
from ..errors import InputError
from ..kernels import Array, Dropout, ModelWeights, State, StepResult, Update
from .group import Group
from .shards import Batch, Sum, rows_of, share_of
from .slices import Owned, Slices, Span, overlap
from .tree import Node, nodes, total


class ShardedStepper:
    """A Stepper. What `Update` brings belongs to what this process owns: to `owned.updated`, and to `owned.slice`.

    Args:
        muon: which weights Muon updates.
    Raises:
        InputError: more processes than shards.
    """

    def __init__(self, network: ModelWeights, shards: int, group: Group, muon: Sequence[bool] = ()) -> None:
        if group.size > shards:
            raise InputError(
                f"{group.size} processes but {shards} shards: one would have nothing to do; raise `shards`",
                setting="shards",
            )
        self._network, self._shards, self._group = network, shards, group
        self.slices = Slices(network, muon or [False] * len(network.weights()), group.size)
        self.owned = self.slices.owned[group.rank]
        self._weights, self._root = network.weights(), (0, shards)
        self._nodes = [nodes(share_of(rank, group.size, shards), self._root) for rank in range(group.size)]
        self.state = network.begin_state(0)

    @property
    def state(self) -> State:
        """(L, B, H) each, of all rows, as the last `sync` brought it together."""
        return self._state

    @state.setter
    def state(self, value: State) -> None:
        self._state, self._rows = value, value[0].shape[1]
        a, b = self._own_rows(self._rows)
        self._own = tuple(part[:, a:b] for part in value)

    def step(self, ids: Array, targets: Array, fresh: bool, dropout: Dropout | None, update: Update) -> StepResult:
        self._go_on(ids.shape[1], fresh)
        within = share_of(self._group.rank, self._group.size, self._shards)
        batch = Batch(self._network, self._shards, within, ids, targets, self._own, dropout)
        mine = batch.sums(within, self._root)
        self._own = batch.state
        counted = [[node for node in of_rank if batch.counts(node)] for of_rank in self._nodes]
        grads = self._added([found for _, found in mine if found], counted)
        loss, norm, layer_norms = self._agreed([found.loss for _, found in mine if found], counted, grads)
        if math.isfinite(loss) and math.isfinite(norm):
            scale = float(np.float32(update.clip / norm)) if update.clip and norm > update.clip else 1.0
            self._update(grads, update, scale)
        return StepResult(loss, norm, layer_norms)

    def sync(self) -> None:
        """Bring the carried state together. Called by all processes."""
        self.state = self._whole_state()

    def _own_rows(self, rows: int) -> tuple[int, int]:
        return rows_of(self._group.rank, self._group.size, self._shards, rows)

    def _go_on(self, rows: int, fresh: bool) -> None:
        """The state of this process's rows: zeros, or the state of the first `rows` of the batch before."""
        if fresh:
            self.state = self._network.begin_state(rows)
        elif rows != self._rows:
            self.state = tuple(part[:, :rows] for part in self._whole_state())

    def _whole_state(self) -> State:
        like, size = self._network.begin_state(self._rows), self._group.size
        edges = [rows_of(rank, size, self._shards, self._rows) for rank in range(size)]
        flat = np.concatenate([part.reshape(-1) for part in self._own])
        each = sum(part[:, :1].size for part in like) if self._rows else 0
        for (a, b), part in zip(edges, self._to_all(flat, [each * (b - a) for a, b in edges]), strict=True):
            for whole, own in zip(like, np.split(part, len(like)), strict=True):
                whole[:, a:b] = own.reshape(whole[:, a:b].shape)
        return like

    def _to_all(self, part: Array, lengths: Sequence[int]) -> list[Array]:
        return self._group.exchange([part] * self._group.size, lengths)

    def _added(self, mine: list[Sum], counted: list[list[Node]]) -> Array:
        """This process's slice of the gradient of the whole batch, (n,): the sums of all nodes, added up the tree."""
        parts = [_joined([found.grads[slice(*owned.span)] for found in mine]) for owned in self.slices.owned]
        length = self.owned.length
        got = self._group.exchange(parts, [length * len(of_rank) for of_rank in counted])
        known = {}
        for of_rank, part in zip(counted, got, strict=True):
            for node, values in zip(of_rank, np.split(part, max(1, len(of_rank))), strict=False):
                known[node] = lambda values=values: values
        uncounted = dict.fromkeys(chain(*self._nodes), _nothing)
        grads = total(self._root, uncounted | known, _add)
        return np.zeros(length, dtype=np.float32) if grads is None else grads

    def _agreed(self, losses: list[float], counted: list[list[Node]], grads: Array) -> tuple[float, float, list[float]]:
        """The loss, the norm and the norms of the layers, from what every process knows of them."""
        begin, squares = self.owned.span[0], list[float]()
        for a, b in self.slices.chunks_of(self.owned.span):
            norm = kernels.grad_norm([grads[a - begin : b - begin]])
            squares.append(norm * norm)
        of_all, known, squares_of_all = self._group.gather(np.array(losses + squares).tobytes()), {}, list[float]()
        for data, of_rank in zip(of_all, counted, strict=True):
            values = np.frombuffer(data).tolist()
            for node, loss in zip(of_rank, values, strict=False):
                known[node] = lambda loss=loss: loss
            squares_of_all += values[len(of_rank) :]
        uncounted = dict.fromkeys(chain(*self._nodes), _nothing)
        loss = total(self._root, uncounted | known, float.__add__)
        chunks, starts = self.slices.chunks[:-1], self.slices.starts
        cuts = np.searchsorted(chunks, starts).tolist()
        each = [squares_of_all[a:b] for a, b in pairwise(cuts)]
        layers = [math.sqrt(math.fsum(chain(*group))) for group in self._network.groups(each)]
        return math.nan if loss is None else loss, math.sqrt(math.fsum(squares_of_all)), layers

    def _update(self, grads: Array, how: Update, scale: float) -> None:
        """Update what this process owns, and get the rest."""
        owned, begin = self.owned, self.owned.span[0]
        collected = self._collected(grads)
        of_pieces = []
        for piece in owned.updated:
            if piece.columns:
                of_pieces.append(collected.pop(0).reshape(-1, piece.columns))
            else:
                at = self.slices.starts[piece.weight] - begin
                of_pieces.append(grads[at + piece.start : at + piece.stop])
        views = [piece.of(self._weights) for piece in owned.updated]
        if how.muon:
            how = replace(how, muon=[piece.columns > 0 for piece in owned.updated])
        if views:
            kernels.apply(views, of_pieces, how, scale)
        self._scatter()
        own = [piece.of(self._weights) for piece in owned.slice]
        if how.average and own:
            kernels.average(own, how.average, how.average_keep)
        if self._group.size == 1:
            return
        parts = self._to_all(_joined(own), [o.length for o in self.slices.owned])
        for rank, part in enumerate(parts):
            if rank != self._group.rank:
                self._write(self.slices.owned[rank].span, part)

    def _collected(self, grads: Array) -> list[Array]:
        """The gradients of this process's blocks, (n,) each, from those that added them."""
        rank, begin = self._group.rank, self.owned.span[0]
        if not any(owned.blocks for owned in self.slices.owned):
            return []
        parts = [
            _joined([grads[a - begin : b - begin] for _, (a, b) in _shared(self.owned.span, owned)])
            for owned in self.slices.owned
        ]
        lengths = [_length(_shared(owned.span, self.owned)) for owned in self.slices.owned]
        blocks = [np.empty(b - a, dtype=np.float32) for a, b in self.owned.blocks]
        for owned, part in zip(self.slices.owned, self._group.exchange(parts, lengths), strict=True):
            at = 0
            for block, (a, b) in _shared(owned.span, self.slices.owned[rank]):
                start = self.owned.blocks[block][0]
                blocks[block][a - start : b - start] = part[at : at + b - a]
                at += b - a
        return blocks

    def _scatter(self) -> None:
        """Give the new weights of this process's blocks to those that own the slices, and get this one's."""
        if not any(owned.blocks for owned in self.slices.owned):
            return
        parts = [
            _joined([self._read(span) for _, span in _shared(owned.span, self.owned)]) for owned in self.slices.owned
        ]
        lengths = [_length(_shared(self.owned.span, owned)) for owned in self.slices.owned]
        got = self._group.exchange(parts, lengths)
        for rank, (owned, part) in enumerate(zip(self.slices.owned, got, strict=True)):
            at = 0
            for _, (a, b) in _shared(self.owned.span, owned) if rank != self._group.rank else ():
                self._write((a, b), part[at : at + b - a])
                at += b - a

    def _read(self, span: Span) -> Array:
        return _joined([piece.of(self._weights) for piece in self.slices.pieces(span)])

    def _write(self, span: Span, values: Array) -> None:
        at = 0
        for piece in self.slices.pieces(span):
            piece.of(self._weights)[...] = values[at : at + piece.size]
            at += piece.size


def _shared(span: Span, owned: Owned) -> list[tuple[int, Span]]:
    """Which part of each of a process's blocks is in a slice: (the block's number, the part), where there is one."""
    parts = [(number, overlap(span, block)) for number, block in enumerate(owned.blocks)]
    return [(number, part) for number, part in parts if part[0] < part[1]]


def _length(parts: list[tuple[int, Span]]) -> int:
    return sum(b - a for _, (a, b) in parts)


def _joined(parts: list[Array]) -> Array:
    """One after the other, float32 (n,), and without a copy where there is one."""
    if len(parts) == 1:
        return parts[0].reshape(-1)
    return np.concatenate([part.reshape(-1) for part in parts]) if parts else np.zeros(0, dtype=np.float32)


def _add(a: Array, b: Array) -> Array:
    return np.add(a, b, out=a)


def _nothing() -> None:
    return None
