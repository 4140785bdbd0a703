"""ShardedStepper: a step of training that several processes share, with the bits of one process.

Each process computes its shards and adds them up the tree. It sends to every other process the slices of the sums that
this one owns, and receives and adds its own slices. Then it updates what it owns, and all exchange their slices of the
new weights. So a process sends about 2 P numbers a step, however many processes there are.

Where Muon updates some of the weights, their part goes first, and its blocks are collected while the rest is sent. The
rest of the new weights is sent while the blocks are updated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TypeVar

import numpy as np

from .. import kernels
from ..errors import InputError
from ..kernels import Array, Dropout, ModelWeights, State, StepResult, Update
from .blocks import Blocks, joined, write
from .group import Group
from .shards import Batch, Sum, rows_of, share_of
from .slices import Piece, Slices
from .tree import Node, nodes, total

_Sum = TypeVar("_Sum")


class ShardedStepper:
    """A Stepper. What `Update` brings belongs to what this process owns: to `owned.updated`, and to `owned.slice`.

    Args:
        muon: which weights Muon updates.
    Raises:
        InputError: more processes than shards.
    """

    concurrent: bool = False

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
        self._blocks = Blocks(group, self.slices, self._weights)
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
        batch = Batch(self._network, self._shards, within, ids, targets, self._own, dropout, self.slices.order)
        mine = batch.sums(within, self._root)
        self._own = batch.state
        counted = [[node for node in of_rank if batch.counts(node)] for of_rank in self._nodes]
        sums = [found for _, found in mine if found]
        of_muon, rest = (self._send_sums(sums, counted, which) for which in (0, 1))
        first = of_muon()
        blocks = self._blocks.collect(first)
        grads = first, rest()
        loss, norm, layer_norms = self._agreed([found.loss for found in sums], counted, grads)
        of_blocks = blocks()
        if math.isfinite(loss) and math.isfinite(norm):
            scale = float(np.float32(update.clip / norm)) if update.clip and norm > update.clip else 1.0
            self._update(grads[1], of_blocks, update, scale)
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
        parts = self._group.exchange([flat] * size, [each * (b - a) for a, b in edges])()
        for (a, b), part in zip(edges, parts, strict=True):
            for whole, own in zip(like, np.split(part, len(like)), strict=True):
                whole[:, a:b] = own.reshape(whole[:, a:b].shape)
        return like

    def _send_sums(self, mine: list[Sum], counted: list[list[Node]], which: int) -> Callable[[], Array]:
        """Begin to exchange one slice's sums. The function that it returns waits for them and adds them up the tree."""
        spans = [owned.spans[which] for owned in self.slices.owned]
        parts = [joined([found.grads[slice(*span)] for found in mine]) for span in spans]
        size = self.owned.lengths[which]
        received = self._group.exchange(parts, [size * len(of_rank) for of_rank in counted])

        def added() -> Array:
            of_nodes = [np.split(part, max(1, len(of_rank))) for of_rank, part in zip(counted, received(), strict=True)]
            grads = self._up_the_tree(counted, of_nodes, _add)
            return np.zeros(size, dtype=np.float32) if grads is None else grads

        return added

    def _agreed(
        self, losses: list[float], counted: list[list[Node]], grads: Sequence[Array]
    ) -> tuple[float, float, list[float]]:
        """The loss, the norm and the norms of the layers, from what every process knows of them."""
        mine, slices, of_nodes = list(losses), self.slices, list[list[float]]()
        for span, of_span in zip(self.owned.spans, grads, strict=True):
            for a, b in slices.chunks_of(span):
                norm = kernels.grad_norm([of_span[a - span[0] : b - span[0]]])
                mine.append(norm * norm)
        of_all = self._group.gather(np.array(mine).tobytes())
        squares = np.empty(len(slices.chunks) - 1)
        for data, of_rank, owned in zip(of_all, counted, slices.owned, strict=True):
            values = np.frombuffer(data)
            at = len(of_rank)
            of_nodes.append(values[:at].tolist())
            for span in owned.spans:
                a, b = np.searchsorted(slices.chunks, span)
                squares[a:b] = values[at : at + b - a]
                at += b - a
        loss = self._up_the_tree(counted, of_nodes, float.__add__)
        of_weights = [slices.squares_of(squares, weight) for weight in range(len(self._weights))]
        layers = [math.sqrt(math.fsum(chain(*group))) for group in self._network.groups(of_weights)]
        return math.nan if loss is None else loss, math.sqrt(math.fsum(squares)), layers

    def _up_the_tree(
        self, counted: list[list[Node]], values: Sequence[Sequence[_Sum]], add: Callable[[_Sum, _Sum], _Sum]
    ) -> _Sum | None:
        """The sum over all nodes, from a value for each that counts, process by process; None: none counts."""
        known: dict[Node, Callable[[], _Sum | None]] = dict.fromkeys(chain(*self._nodes), _nothing)
        for of_rank, of_nodes in zip(counted, values, strict=True):
            for node, value in zip(of_rank, of_nodes, strict=False):  # one process without a node has an empty part
                known[node] = lambda value=value: value
        return total(self._root, known, add)

    def _update(self, grads: Array, of_blocks: list[Array], how: Update, scale: float) -> None:
        """Update what this process owns, and get the rest."""
        elements, blocks = self.owned.slices[1], self.owned.of_blocks
        begin = self.owned.spans[1][0]
        of_pieces = []
        for piece in elements:
            at = self.slices.starts[piece.weight] - begin
            of_pieces.append(grads[at + piece.start : at + piece.stop])
        self._apply(elements, of_pieces, how, scale, 0)
        rest = self._send_weights(1)
        blocks_of = [found.reshape(-1, piece.columns) for found, piece in zip(of_blocks, blocks, strict=True)]
        self._apply(blocks, blocks_of, how, scale, len(elements))
        self._blocks.scatter()
        of_muon = self._send_weights(0)
        own = [piece.of(self._weights) for piece in self.owned.slice]
        if how.average and own:
            kernels.average(own, how.average, how.average_keep)
        rest()
        of_muon()

    def _apply(self, pieces: Sequence[Piece], grads: list[Array], how: Update, scale: float, first: int) -> None:
        """Update some of the owned pieces, which have their state from the `first` on."""
        these = slice(first, first + len(pieces))
        muon = [piece.columns > 0 for piece in pieces] if how.muon else ()
        how = replace(how, exp_avg=how.exp_avg[these], exp_avg_sq=how.exp_avg_sq[these], muon=muon)
        if pieces:
            kernels.apply([piece.of(self._weights) for piece in pieces], grads, how, scale)

    def _send_weights(self, which: int) -> Callable[[], None]:
        """Give all processes the new weights of one of this one's slices; what it returns waits for theirs."""
        mine = joined([piece.of(self._weights) for piece in self.owned.slices[which]])
        lengths = [owned.lengths[which] for owned in self.slices.owned]
        received = self._group.exchange([mine] * self._group.size, lengths)

        def written() -> None:
            for rank, (owned, part) in enumerate(zip(self.slices.owned, received(), strict=True)):
                if rank != self._group.rank:
                    write(self.slices, self._weights, owned.spans[which], part)

        return written


def _add(a: Array, b: Array) -> Array:
    return np.add(a, b, out=a)


def _nothing() -> None:
    return None
