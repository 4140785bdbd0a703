"""RNN, GRU and LSTM as torch modules: drop-in for torch.nn's, with `begin_state`, autograd, and the kernel's bits.

They take torch's arguments, hold torch's parameters under torch's names, and load its state_dict. Beyond torch they
take token ids in place of one-hot vectors. The GRU applies its reset gate after the matrix product, as torch and cuDNN
do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from .. import given
from ..errors import InputError
from . import kernels
from .like_torch import LikeTorch, parameter_shapes
from .packed import Direction, backward, packed_backward, packed_forward, stack


class Recurrent(LikeTorch):
    """Base of the three layers. Shapes: T steps, B batch, I input, H hidden, L layers, D directions (1 or 2)."""

    cell: str
    proj_size = 0

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        nn.Module.__init__(self)
        for name, value in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            given.whole(name, value, 1)
        given.share("dropout", dropout)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = (
            bias,
            batch_first,
            dropout,
            bidirectional,
        )
        self.dropout_seed: int | None = None  # None: each call draws one from torch's generator
        self.dropout_offset = 0  # words of that seed's stream already used
        shapes = parameter_shapes(self.cell, input_size, hidden_size, num_layers, bias, bidirectional)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self._flat_weights_names = list(shapes)  # torch's name for it
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw uniformly from +-1/sqrt(H) with torch's generator, as torch; `LanguageModel.initialise` is exact."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def begin_state(self, batch_size: int) -> Tensor | tuple[Tensor, Tensor]:
        """Zeros for the start of a text: h (L*D, B, H), or (h, c) for the LSTM."""
        like = next(self.parameters())
        layers = self.num_layers * (2 if self.bidirectional else 1)
        h = torch.zeros((layers, batch_size, self.hidden_size), device=like.device, dtype=like.dtype)
        return (h, torch.zeros_like(h)) if self.cell == "lstm" else h

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, Tensor | tuple[Tensor, Tensor]]:
        """Run the layers over a sequence.

        Args:
            input: (T, B, I), or token ids, int64 (T, B), values in 0..I-1. (B, T, ...) with batch_first. Without the
                batch's axis, one sequence. Or a packed sequence, as from torch.nn.utils.rnn.pack_sequence.
            hx: h (L*D, B, H), or (h, c) for the LSTM; zeros if None.
        Returns:
            output: (T, B, D*H), h of the last layer at every step; packed if the input is.
            state: as `hx`, after the last step.
        Raises:
            TypeError: something that is neither a tensor nor a packed sequence.
            InputError: a shape that does not fit; says which was expected.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if not isinstance(input, Tensor):
            raise TypeError(f"input is a {type(input).__name__}; expected a tensor or a packed sequence")
        token_ids = not input.is_floating_point()
        unbatched = input.dim() == (1 if token_ids else 2)
        x = input.unsqueeze(0 if self.batch_first else 1) if unbatched else input
        if x.dim() != (2 if token_ids else 3) or (not token_ids and x.shape[-1] != self.input_size):
            raise InputError(
                f"input is {tuple(input.shape)} of {input.dtype}; expected (T, B, {self.input_size}) real numbers, or "
                "(T, B) token ids" + (", with B first" if self.batch_first else "")
            )
        if self.batch_first:
            x = x.transpose(0, 1)
        states = self._unpack_state(hx, x.shape[1], unbatched)
        x, packed = self._run(x, states, kernels.recurrent, backward)
        if self.batch_first:
            x = x.transpose(0, 1)
        if unbatched:
            x = x.squeeze(0 if self.batch_first else 1)
            packed = tuple(part.squeeze(1) for part in packed)
        return x, packed if self.cell == "lstm" else packed[0]  # type: ignore[return-value]

    def _run(
        self, x: Tensor, states: Sequence[kernels.State], ahead: Direction, back: Direction
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Every layer, in one direction or both: the last one's output, and h (L*D, B, H), or h and c."""
        directions, weights, last = (ahead, back) if self.bidirectional else (ahead,), iter(self.weights()), []
        before = iter(states)
        for layer in range(self.num_layers):
            if layer and self._drops():
                x = self._drop(x)
            outputs = []
            for direction in directions:
                out, state = direction(self.cell, x, next(before), next(weights))
                outputs.append(out)
                last.append(state)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
        if len(directions) == 1:
            x = kernels.own(x)
        return x, tuple(stack(part) for part in zip(*last, strict=True))

    def _forward_packed(
        self, packed: PackedSequence, hx: Tensor | tuple[Tensor, Tensor] | None
    ) -> tuple[PackedSequence, Tensor | tuple[Tensor, Tensor]]:
        """Run sequences of different lengths, as torch does: longest first, each with the state after its last step."""
        x, sizes, order, back = packed
        runs, counts = torch.unique_consecutive(sizes, return_counts=True)
        runs = list(zip(runs.tolist(), counts.tolist(), strict=True))
        if hx is not None and order is not None:
            hx = hx[:, order] if isinstance(hx, Tensor) else (hx[0][:, order], hx[1][:, order])
        states = self._unpack_state(hx, runs[0][0], False)
        x, ends = self._run(x, states, partial(packed_forward, runs), partial(packed_backward, runs))
        if back is not None:
            ends = tuple(part[:, back] for part in ends)
        return PackedSequence(x, sizes, order, back), ends if self.cell == "lstm" else ends[0]  # type: ignore[return-value]

    def _unpack_state(
        self, hx: Tensor | tuple[Tensor, Tensor] | None, batch_size: int, unbatched: bool
    ) -> list[kernels.State]:
        """Per layer and direction, (h,) or (h, c), each (B, H)."""
        if hx is None:
            hx = self.begin_state(batch_size)
        elif isinstance(hx, Tensor) == (self.cell == "lstm") or (len(hx) != 2 and not isinstance(hx, Tensor)):
            raise InputError(
                f"the state of {type(self).__name__} is {'(h, c)' if self.cell == 'lstm' else 'one tensor'}"
            )
        elif unbatched:
            hx = hx.unsqueeze(1) if isinstance(hx, Tensor) else (hx[0].unsqueeze(1), hx[1].unsqueeze(1))
        parts = (hx,) if isinstance(hx, Tensor) else hx
        expected = (self.num_layers * (2 if self.bidirectional else 1), batch_size, self.hidden_size)
        for part in parts:
            if tuple(part.shape) != expected:
                raise InputError(
                    f"state is {tuple(part.shape)} but this input needs {expected}; "
                    f"call begin_state({batch_size}) or pass None"
                )
        return list(zip(*(part.unbind(0) for part in parts), strict=True))

    def _drops(self) -> bool:
        return bool(self.dropout) and self.training

    def draw_dropout(self, sizes: Sequence[int]) -> tuple[float, int, list[int]]:
        """p, the seed, and the offset of one mask of each of these sizes: the next ones of the seed's stream."""
        if self.dropout_seed is None:
            seed, first = int(torch.randint(2**62, ())), 0
        else:
            seed, first = self.dropout_seed, self.dropout_offset
            self.dropout_offset += sum(sizes)
        return self.dropout, seed, list(accumulate(sizes[:-1], initial=first))

    def _drop(self, x: Tensor) -> Tensor:
        p, seed, offsets = self.draw_dropout([x.numel()])
        return kernels.dropout(x, p, seed, offsets[0])

    def extra_repr(self) -> str:
        """Settings that are not the default, as torch shows them."""
        parts = [str(self.input_size), str(self.hidden_size)]
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        return ", ".join(parts + [f"{k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v])


class RNN(Recurrent):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU.

    Args: as torch.nn.RNN. `nonlinearity` is "tanh", as in torch, or "relu", the default of Gluon and so of the book.
    Raises:
        InputError: another `nonlinearity`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise InputError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        self.nonlinearity, self.cell = nonlinearity, f"rnn_{nonlinearity}"
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)


class GRU(Recurrent):
    """Gates r, z, n: n = tanh(x_n + r * (W_hn h + b_hn)), h' = n + z * (h - n).

    Args: as torch.nn.GRU. Source: Cho et al. (2014), in cuDNN's variant.
    """

    cell = "gru"


class LSTM(Recurrent):
    """Gates i, f, g, o: c' = f * c + i * g, h' = o * tanh(c').

    Args: as torch.nn.LSTM, without proj_size. Source: Hochreiter and Schmidhuber (1997); Gers et al. (2000).
    """

    cell = "lstm"
