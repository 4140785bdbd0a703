"""torch.nn's own recurrent layers behind the signatures of `kernels`: what serves GPUs, float64 and CPUs without the
native kernel. Everything that torch does not fuse is the reference's."""

from __future__ import annotations

import torch
from torch import Tensor

from .reference import LayerWeights, State, cross_entropy, dropout, linear

__all__ = ["cross_entropy", "dropout", "linear", "recurrent"]

CELLS = {
    "rnn_relu": torch.rnn_relu,
    "rnn_tanh": torch.rnn_tanh,
    "gru": torch.gru,
    "lstm": torch.lstm,
}


def recurrent(cell: str, x: Tensor, state: State, weights: LayerWeights) -> tuple[Tensor, State]:
    """One recurrent layer over T steps; see `kernels.recurrent` for the shapes."""
    w_ih, w_hh, b_ih, b_hh = weights
    if x.shape[0] == 0 or x.shape[1] == 0:
        return w_hh.new_zeros((*x.shape[:2], w_hh.shape[1])), state
    if not x.is_floating_point():
        x = torch.nn.functional.one_hot(x, w_ih.shape[1]).to(w_ih.dtype)  # torch takes no token ids
    params = [w_ih, w_hh] if b_ih is None or b_hh is None else [w_ih, w_hh, b_ih, b_hh]
    batched = tuple(s.unsqueeze(0) for s in state)
    hx = batched if cell == "lstm" else batched[0]
    # (input, state, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    output, *last = CELLS[cell](x, hx, params, len(params) == 4, 1, 0.0, False, False, False)
    return output, tuple(s.squeeze(0) for s in last)
