"""Training on another device: a Stepper that keeps a network's weights there and computes through torch's fused layers.

Rounding there is the device's: its bits differ from the CPU's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError
from ..kernels import Array, Dropout, ModelWeights, State, StepResult, Update
from . import kernels
from .reference import LayerWeights


def stepper(network: ModelWeights, device: str) -> DeviceStepper:
    """Raises InputError if torch does not have this device."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r}: {str(error).splitlines()[0]}") from None
    return DeviceStepper(network, torch.device(device))


class DeviceStepper:
    """See `kernels.Stepper`."""

    concurrent: bool = False

    def __init__(self, network: ModelWeights, device: torch.device) -> None:
        self._network, self._device = network, device
        self._weights = [torch.tensor(w, device=device, requires_grad=True) for w in network.weights()]
        self._kept: dict[str, list[tuple[Array, Tensor]]] = {}
        """State of the updates: the arrays that they gave, and where their values are."""
        self._state = [torch.from_numpy(part).to(device) for part in network.begin_state(0)]

    @property
    def state(self) -> State:
        return tuple(part.cpu().numpy().copy() for part in self._state)

    @state.setter
    def state(self, value: State) -> None:
        self._state = [torch.from_numpy(part).to(self._device) for part in value]

    def step(self, ids: Array, targets: Array, fresh: bool, dropout: Dropout | None, update: Update) -> StepResult:
        rows = ids.shape[1]
        if fresh:
            self._state = [torch.from_numpy(part).to(self._device) for part in self._network.begin_state(rows)]
        loss = self._loss(
            torch.from_numpy(ids).to(self._device),
            torch.from_numpy(targets).to(self._device),
            [part[:, :rows] for part in self._state],
            dropout,
        )
        grads = torch.autograd.grad(loss, self._weights)
        squares = torch.stack([g.double().square().sum() for g in grads]).tolist()
        norms = [math.sqrt(sum(part)) for part in self._network.groups(squares)]
        result = StepResult(loss.item(), math.sqrt(sum(squares)), norms)
        if math.isfinite(result.loss) and math.isfinite(result.norm):
            scale = update.clip / result.norm if update.clip and result.norm > update.clip else 1.0
            self._update(update, [g * scale for g in grads])
        return result

    def _loss(self, ids: Tensor, targets: Tensor, state: list[Tensor], dropout: Dropout | None) -> Tensor:
        weights, x, last = iter(self._weights), ids, []
        if self._network.embedding is not None:
            x = torch.nn.functional.embedding(ids, next(weights))
        d = dropout or Dropout(0.0, 0, 0)
        begins = d.begins(self._network, *ids.shape)

        def mask(kind: str, index: int, like: Tensor) -> Tensor:
            """Mask of the shape of `like`: what remains is 1 / (1 - share)."""
            share, begin = getattr(d, kind), begins[kind] + index * like.numel()
            return kernels.dropout(torch.ones_like(like), share, d.seed, begin) if share else torch.ones_like(like)

        for layer, of_layer in enumerate(self._network.layers):
            if layer and d.p:
                x = x * mask("p", layer - 1, x.detach())
            if layer and d.hidden:
                x = x * mask("hidden", layer - 1, x[0].detach())
            mine: LayerWeights = tuple(None if w is None else next(weights) for w in of_layer)  # type: ignore[assignment]
            if d.weights:
                mine = (mine[0], mine[1] * mask("weights", layer, mine[1].detach()), *mine[2:])
            before = tuple(part[layer].contiguous() for part in state)
            x, after = kernels.recurrent(self._network.cell.name, x, before, mine)
            last.append(after)
        self._state = [torch.stack([s.detach() for s in part]) for part in zip(*last, strict=True)]
        if d.output:
            x = x * mask("output", 0, x[0].detach())
        bias = None if self._network.bias is None else self._weights[-1]
        weight = self._weights[-1 if bias is None else -2]
        return kernels.cross_entropy(x, weight, bias, targets)[0]

    @torch.no_grad()
    def _update(self, u: Update, grads: list[Tensor]) -> None:
        self._step(u, grads)
        for w, average in zip(self._weights, self._of("average", u.average), strict=False):
            average.lerp_(w.reshape(-1), 1 - u.average_keep)

    def _of(self, name: str, arrays: Sequence[Array]) -> list[Tensor]:
        """Tensors of these arrays' values on the device."""
        if name not in self._kept:
            self._kept[name] = [(array, torch.tensor(array, device=self._device)) for array in arrays]
        return [tensor for _, tensor in self._kept[name]]

    def _step(self, u: Update, grads: list[Tensor]) -> None:
        if not u.exp_avg:
            for w, g in zip(self._weights, grads, strict=True):
                w -= g * u.lr
            return
        correction1, correction2 = 1 - u.beta1**u.step, math.sqrt(1 - u.beta2**u.step)
        means, squares = self._of("exp_avg", u.exp_avg), self._of("exp_avg_sq", u.exp_avg_sq)
        by_muon = u.muon or [False] * len(grads)
        for w, g, m, v, muon in zip(self._weights, grads, means, squares, by_muon, strict=True):
            m = m.view_as(w)
            if muon:
                m.mul_(u.momentum).add_(g)
                blocks = (g + m * u.momentum).view(self._network.cell.gates, -1, w.shape[1])
                step = torch.cat([_orthogonal(block) for block in blocks])
                w.mul_(1 - u.lr * u.weight_decay)
                w.sub_(step * (u.lr * 0.2 * math.sqrt(max(blocks.shape[1:]))))
                continue
            v = v.view_as(w)
            m.mul_(u.beta1).add_(g * (1 - u.beta1))
            v.mul_(u.beta2).add_(g * g * (1 - u.beta2))
            w.mul_(1 - u.lr * u.weight_decay)
            w.sub_(m / (v.sqrt() / correction2 + u.eps) * (u.lr / correction1))

    @torch.no_grad()
    def sync(self) -> None:
        for array, weight in zip(self._network.weights(), self._weights, strict=True):
            torch.from_numpy(array).copy_(weight)
        for pairs in self._kept.values():
            for array, tensor in pairs:
                torch.from_numpy(array).copy_(tensor)


def _orthogonal(u: Tensor) -> Tensor:
    """See `kernels.reference`."""
    x = u.T if u.shape[0] > u.shape[1] else u
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.T if u.shape[0] > u.shape[1] else x
