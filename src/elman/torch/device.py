"""Training on another device: a Stepper that keeps a network's weights there and computes through torch's fused layers.

Rounding there is the device's: the bits are not those of the CPU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import InputError
from ..kernels import Array, Dropout, Network, StepResult, Update
from . import kernels
from .reference import Weights


def stepper(network: Network, device: str) -> DeviceStepper:
    """Raises InputError if torch does not have this device."""
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device!r}: {str(error).splitlines()[0]}") from None
    return DeviceStepper(network, torch.device(device))


class DeviceStepper:
    """See `kernels.Stepper`."""

    def __init__(self, network: Network, device: torch.device) -> None:
        self._network, self._device = network, device
        self._weights = [torch.tensor(w, device=device, requires_grad=True) for w in network.weights()]
        self._averages: tuple[list[Tensor], list[Tensor]] | None = None
        self._state: list[Tensor] = []

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
        per_layer = (len(grads) - (1 if self._network.bias is None else 2)) // len(self._network.layers)
        norms = [math.sqrt(sum(squares[i * per_layer : (i + 1) * per_layer])) for i in range(len(self._network.layers))]
        norms.append(math.sqrt(sum(squares[len(norms) * per_layer :])))
        result = StepResult(loss.item(), math.sqrt(sum(squares)), norms)
        if math.isfinite(result.loss) and math.isfinite(result.norm):
            scale = update.clip / result.norm if update.clip and result.norm > update.clip else 1.0
            self._update(update, [g * scale for g in grads])
        return result

    def _loss(self, ids: Tensor, targets: Tensor, state: list[Tensor], dropout: Dropout | None) -> Tensor:
        weights, x, last = iter(self._weights), ids, []
        for layer, of_layer in enumerate(self._network.layers):
            if layer and dropout:
                offset = dropout.offset + (layer - 1) * x.numel()
                x = kernels.dropout(x, dropout.p, dropout.seed, offset)
            mine: Weights = tuple(None if w is None else next(weights) for w in of_layer)  # type: ignore[assignment]
            before = tuple(part[layer].contiguous() for part in state)
            x, after = kernels.recurrent(self._network.cell.name, x, before, mine)
            last.append(after)
        self._state = [torch.stack([s.detach() for s in part]) for part in zip(*last, strict=True)]
        bias = None if self._network.bias is None else self._weights[-1]
        weight = self._weights[-1 if bias is None else -2]
        return kernels.cross_entropy(x, weight, bias, targets)[0]

    @torch.no_grad()
    def _update(self, u: Update, grads: list[Tensor]) -> None:
        if not u.exp_avg:
            for w, g in zip(self._weights, grads, strict=True):
                w -= g * u.lr
            return
        if self._averages is None:
            self._averages = tuple(  # type: ignore[assignment]
                [torch.from_numpy(a).to(self._device).view_as(w) for a, w in zip(part, self._weights, strict=True)]
                for part in (u.exp_avg, u.exp_avg_sq)
            )
        assert self._averages is not None
        correction1, correction2 = 1 - u.beta1**u.step, math.sqrt(1 - u.beta2**u.step)
        for w, g, m, v in zip(self._weights, grads, *self._averages, strict=True):
            m.mul_(u.beta1).add_(g * (1 - u.beta1))
            v.mul_(u.beta2).add_(g * g * (1 - u.beta2))
            w.mul_(1 - u.lr * u.weight_decay)
            w.sub_(m / (v.sqrt() / correction2 + u.eps) * (u.lr / correction1))

    @torch.no_grad()
    def sync(self) -> None:
        for array, weight in zip(self._network.weights(), self._weights, strict=True):
            torch.from_numpy(array).copy_(weight)
