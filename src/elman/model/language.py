"""LanguageModel: token ids and a state in, logits and a state out; a recurrent layer and a dense output."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor, nn

from .. import kernels
from ..errors import InputError
from ..text import Vocabulary
from . import initial
from .layers import _Recurrent

ModelState = Tensor | tuple[Tensor, Tensor]  # h (L, B, H), or (h, c)


class LanguageModel(nn.Module):
    """A language model over the tokens of a vocabulary.

    Args:
        layer: RNN, GRU or LSTM with input_size V, time-major, one direction.
        vocab_size: V.
        vocabulary: what the ids mean. `fit` sets it from the corpus if it is None.
        normalisation: what was done to the text before it was encoded ("book" or "none"); `generate` and `score` do the
            same to theirs.
        records: trained on records: a text is a sequence of lines, the state is reset at each, and a line is primed by
            the line end before it.
    Raises:
        TypeError: the layer is none of Elman's, but torch's, say.
        ValueError: the layer's or the vocabulary's size is not V, or the layer is bidirectional or batch_first.
    """

    def __init__(
        self,
        layer: _Recurrent,
        vocab_size: int,
        vocabulary: Vocabulary | None = None,
        normalisation: str = "none",
        records: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(layer, _Recurrent):
            kind = type(layer)
            raise TypeError(f"the layer is {kind.__module__}.{kind.__name__}; expected elman.RNN, GRU or LSTM")
        if layer.input_size != vocab_size:
            raise InputError(
                f"the layer's input_size is {layer.input_size} but vocab_size is {vocab_size}; make them equal"
            )
        if layer.bidirectional:
            raise InputError(
                "a bidirectional layer sees the characters that it should predict; use bidirectional=False"
            )
        if layer.batch_first:
            raise InputError("LanguageModel is time-major, (T, B); use a layer with batch_first=False")
        if vocabulary is not None and len(vocabulary) != vocab_size:
            raise InputError(f"the vocabulary has {len(vocabulary)} entries but vocab_size is {vocab_size}")
        self.layer = layer
        weight = next(layer.parameters())
        self.output = nn.Linear(layer.hidden_size, vocab_size, device=weight.device, dtype=weight.dtype)
        self.vocab_size, self.vocabulary, self.normalisation = vocab_size, vocabulary, normalisation
        self.records = records

    def begin_state(self, batch_size: int) -> ModelState:
        """Zeros for the start of a text: h (L, B, H), or (h, c) for the LSTM."""
        return self.layer.begin_state(batch_size)

    def forward(self, ids: Tensor, state: ModelState | None = None) -> tuple[Tensor, ModelState]:
        """Args: ids int64 (T, B); state from an earlier call, zeros if None. Returns: logits (T, B, V), state."""
        hidden, last = self.layer(ids, state)
        return kernels.linear(hidden, self.output.weight, self.output.bias), last

    def loss(self, ids: Tensor, targets: Tensor, state: ModelState | None = None) -> tuple[Tensor, Tensor, ModelState]:
        """The cross-entropy of `targets` after `ids`, both int64 (T, B).

        Returns:
            mean: 0-d, nats, differentiable.
            nats: (T, B), the loss of each target, detached.
            state: after ids[-1].
        """
        hidden, last = self.layer(ids, state)
        mean, nats = kernels.cross_entropy(hidden, self.output.weight, self.output.bias, targets)
        return mean, nats, last

    def loss_and_grads(self, ids: Tensor, targets: Tensor, state: ModelState) -> tuple[float, ModelState, list[Tensor]]:
        """A step of training without the update: faster than `loss` and `backward`, and the same bits.

        Args:
            ids, targets: int64 (T, B); a target of -1 does not count.
        Returns:
            mean: nats.
            state: after ids[-1]; no gradient flows through it.
            grads: of `parameters()`, in that order.
        """
        layer, drop = self.layer, None
        weights, output = layer.weights(), (self.output.weight, self.output.bias)
        used = [w for group in (*weights, output) for w in group if w is not None]
        if len({id(w) for w in used}) < len(used) or not all(type(w) is nn.Parameter for w in used):
            self.check_parameters()
        parts = (state,) if isinstance(state, Tensor) else state
        if layer.dropout and layer.training:
            drop = layer.draw_dropout([0] + [ids.numel() * layer.hidden_size] * (layer.num_layers - 1))
        mean, last, grads = kernels.loss_and_grads(
            layer.cell,
            ids,
            targets,
            list(zip(*(part.unbind(0) for part in parts), strict=True)),
            weights,
            output,
            drop,
        )
        parts = map(list, zip(*last, strict=True))  # one layer's is not copied: as in layers.stack
        packed = tuple(torch.stack(part) if len(part) > 1 else part[0][None] for part in parts)
        return mean, packed if layer.cell == "lstm" else packed[0], grads  # type: ignore[return-value]

    def check_parameters(self) -> None:
        """What `fit`, `loss_and_grads` and `save` work on: a layer's own parameters and the output's, and no others.

        Raises:
            InputError: some are shared, reparametrised (as by weight_norm or pruning), missing or more; names them.
        """
        expected = [f"layer.{name}" for name in self.layer._flat_weights_names] + ["output.weight", "output.bias"]
        names = [name for name, _ in self.named_parameters(remove_duplicate=False)]
        if set(names) != set(expected):
            more, less = sorted(set(names) - set(expected)), sorted(set(expected) - set(names))
            what = "; ".join(
                f"{word} {', '.join(some)}" for word, some in (("it also has", more), ("it lacks", less)) if some
            )
            raise InputError(
                f"the model's parameters are not a plain LanguageModel's: {what}; train it with an ordinary torch loop"
            )
        first: dict[int, str] = {}
        for name, parameter in self.named_parameters(remove_duplicate=False):
            if id(parameter) in first:
                raise InputError(
                    f"{name} is shared with {first[id(parameter)]}; train it with an ordinary torch loop, or give each "
                    "its own parameter"
                )
            first[id(parameter)] = name

    @torch.no_grad()
    def initialise(self, seed: int, std: float | None = 0.01) -> LanguageModel:
        """Set every parameter from `seed` alone, the same bits on any machine.

        Args:
            seed: 0 .. 2^64-1.
            std: weights from N(0, std) and biases zero, as in the book; None: all uniform in +-1/sqrt(H), as in torch.
        Returns:
            self
        """
        bound = 1.0 / math.sqrt(self.layer.hidden_size)
        for stream, (name, parameter) in enumerate(self.named_parameters()):
            if std is None:
                values = (initial.uniform(seed, stream, parameter.numel()) * 2.0 - 1.0) * bound
            elif "bias" in name:
                parameter.zero_()
                continue
            else:
                values = initial.normal(seed, stream, parameter.numel()) * std
            parameter.copy_(torch.from_numpy(values).view(parameter.shape))
        return self

    def digest(self) -> str:
        """SHA-256 over names, shapes and the float32 bits of all parameters: equal digests, equal models."""
        digest = hashlib.sha256()
        for name, parameter in self.named_parameters():
            values = parameter.detach().to("cpu", torch.float32).contiguous().numpy()
            digest.update(f"{name} {values.shape}\n".encode() + values.astype("<f4").tobytes())
        return digest.hexdigest()


def detach(state: ModelState) -> ModelState:
    """The state's values without the graph that made them: where truncated back-propagation is cut."""
    return state.detach() if isinstance(state, Tensor) else (state[0].detach(), state[1].detach())
