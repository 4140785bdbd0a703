"""Networks of benchmarks/search.py that the engine lacks, in torch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from elman import torch as layers
from elman.kernels import Array

_BLOCK = 256  # steps of a text that is measured at once


class Torch:
    """A Net over torch's tensors, whose memory the optimiser changes.

    Args:
        kind: base; blocks: four GRUs of half the units side by side, with one output; mogrifier: one GRU whose input
            and state scale each other twice before each step (Melis et al., 2020), over an embedding; softmaxes: a
            mixture of two (Yang et al., 2018).
        size: V. dropped: share of the output's input, one mask for a batch.
    """

    def __init__(self, kind: str, size: int, seed: int, dropped: float, units: int) -> None:
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.kind, self.dropped, self.units = kind, dropped, units
        inputs, self.count, of_each = size, 1, units
        if kind == "blocks":
            self.count, of_each = 4, units // 2
        if kind == "mogrifier":
            self.embedding = nn.Parameter(torch.empty(size, units).uniform_(-0.1, 0.1))
            self.scales = nn.ParameterList([nn.Parameter(torch.zeros(units, units)) for _ in range(2)])
            inputs = units
        self.grus = nn.ModuleList([layers.GRU(inputs, of_each) for _ in range(self.count)])
        self.of_each, width = of_each, self.count * of_each
        if kind == "softmaxes":
            self.tops = nn.Linear(units, 2 * units)
            self.prior = nn.Linear(units, 2)
        self.output = nn.Linear(width, size)
        self.trained = self._trained()
        self.weights: list[Array] = [p.detach().numpy() for p, _ in self.trained]
        self.blocks = [blocks for _, blocks in self.trained]
        self.state: list[Tensor] = []

    def _trained(self) -> list[tuple[nn.Parameter, int]]:
        """Parameters, with Muon's blocks of each."""
        dense = self.kind == "mogrifier"
        found: list[tuple[nn.Parameter, int]] = []
        for gru in self.grus:
            w_ih, w_hh, *biases = gru.parameters()
            found += [(w_ih, 3 * dense), (w_hh, 3), *((bias, 0) for bias in biases)]
        if dense:
            found += [(self.embedding, 0), *((scale, 1) for scale in self.scales)]
        if self.kind == "softmaxes":
            found += [(self.tops.weight, 2), (self.tops.bias, 0), *((p, 0) for p in self.prior.parameters())]
        return [*found, *((p, 0) for p in self.output.parameters())]

    def _hidden(self, ids: Tensor, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """(T, B, H) and the states after it, (1, B, H) each; an empty list of states: zeros."""
        state = state or [torch.zeros(1, ids.shape[1], self.of_each) for gru in self.grus]
        if self.kind != "mogrifier":
            done = [gru(ids, before) for gru, before in zip(self.grus, state, strict=True)]
            return torch.cat([hidden for hidden, _ in done], -1), [after for _, after in done]
        w_ih, w_hh, b_ih, b_hh = self.grus[0].parameters()
        h, read, outputs = state[0][0], self.embedding[ids], []
        for x in read.unbind(0):
            x = 2 * torch.sigmoid(h @ self.scales[0].T) * x
            h = 2 * torch.sigmoid(x @ self.scales[1].T) * h
            h = torch.gru_cell(x, h, w_ih, w_hh, b_ih, b_hh)
            outputs.append(h)
        return torch.stack(outputs), [h[None]]

    def _nats(self, hidden: Tensor, targets: Tensor) -> Tensor:
        flat, targets = hidden.reshape(-1, hidden.shape[-1]), targets.reshape(-1)
        if self.kind != "softmaxes":
            return functional.cross_entropy(self.output(flat), targets, reduction="none")
        tops = torch.tanh(self.tops(flat)).reshape(-1, 2, self.units)
        chosen = -functional.cross_entropy(
            self.output(tops).transpose(1, 2), targets[:, None].expand(-1, 2), reduction="none"
        )
        return -torch.logsumexp(functional.log_softmax(self.prior(flat), -1) + chosen, -1)

    def grads(self, ids: Array, targets: Array, fresh: bool, step: int) -> list[Array]:
        before = [] if fresh else [part.detach() for part in self.state]
        hidden, self.state = self._hidden(torch.from_numpy(ids), before)
        mask = (torch.rand(hidden.shape[1:]) >= self.dropped) / (1 - self.dropped)
        loss = self._nats(hidden * mask, torch.from_numpy(targets)).mean()
        return [g.numpy() for g in torch.autograd.grad(loss, [p for p, _ in self.trained])]

    def nats(self, ids: Array, targets: Array) -> Array:
        costs, state = [], []
        with torch.no_grad():
            for first in range(0, len(ids), _BLOCK):
                block = slice(first, first + _BLOCK)
                hidden, state = self._hidden(torch.from_numpy(ids[block, None]), state)
                costs.append(self._nats(hidden, torch.from_numpy(targets[block])).numpy())
        return np.concatenate(costs).astype(np.float64)
