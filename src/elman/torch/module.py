"""Module: a LanguageModel as a torch module in the same memory: an ordinary torch loop trains that very model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .. import given
from ..errors import InputError
from ..model import Embedding, LanguageModel, make_layer
from ..text import Reading
from . import kernels
from .layers import GRU, LSTM, RNN, Recurrent

ModelState = Tensor | tuple[Tensor, Tensor]
"""h (L, B, H), or (h, c) for the LSTM."""


def detach(state: ModelState) -> ModelState:
    """The state without its history, for truncated back-propagation: of a tensor, or of both of an LSTM's."""
    if isinstance(state, Tensor):
        return state.detach()
    return state[0].detach(), state[1].detach()


class Module(nn.Module):
    """A core model's embedding, layers and output as torch modules.

    The parameters are the model's own arrays: a step of an optimiser changes `model`, and what changes `model` is seen
    here. To another device, or in another type, go copies; `copy_back` brings their values to the model. A deep copy
    and a pickle have their own model. Any number of threads may call it at once, and one may train it.

    Raises:
        InputError: a model that is no LanguageModel, such as a quantised one.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        if not isinstance(model, LanguageModel):
            raise InputError(f"a {type(model).__name__} is no torch module; expected a LanguageModel")
        self.model = model
        size = model.embedding_size
        self.embedding = None if size is None else nn.Embedding(model.vocab_size, size, device="meta")
        self.layer = _torch_layer(model)
        self.output = nn.Linear(model.layer.hidden_size, model.vocab_size, device="meta")
        arrays = model.named_parameters()
        for name, _ in list(self.named_parameters()):
            owner, _, last = name.rpartition(".")
            setattr(self.get_submodule(owner), last, nn.Parameter(torch.from_numpy(arrays[name])))

    def begin_state(self, batch_size: int) -> ModelState:
        """Zeros for the start of a text: h (L, B, H), or (h, c) for the LSTM."""
        return self.layer.begin_state(batch_size)  # type: ignore[return-value]

    def forward(self, ids: Tensor, state: ModelState | None = None) -> tuple[Tensor, ModelState]:
        """Args: ids int64 (T, B); state from an earlier call, zeros if None. Returns: logits (T, B, V), state."""
        hidden, last = self._hidden(ids, state)
        return kernels.linear(hidden, self.output.weight, self.output.bias), last

    def loss(self, ids: Tensor, targets: Tensor, state: ModelState | None = None) -> tuple[Tensor, Tensor, ModelState]:
        """The cross-entropy of `targets` after `ids`, both int64 (T, B); a target of -1 does not count.

        Returns:
            mean: 0-d, nats, differentiable.
            nats: (T, B), the loss of each target, detached.
            state: after ids[-1].
        """
        hidden, last = self._hidden(ids, state)
        mean, nats = kernels.cross_entropy(hidden, self.output.weight, self.output.bias, targets)
        return mean, nats, last

    def _hidden(self, ids: Tensor, state: ModelState | None) -> tuple[Tensor, ModelState]:
        return self.layer(ids if self.embedding is None else self.embedding(ids), state)

    def _shared(self) -> list[str]:
        """The parameters that are still the model's own memory."""
        arrays = self.model.named_parameters()
        places = {name: p.data_ptr() for name, p in self.named_parameters() if p.device.type == "cpu"}
        return [name for name, place in places.items() if place == arrays[name].ctypes.data]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_shared_names": self._shared()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        names, arrays = state.pop("_shared_names"), state["model"].named_parameters()
        super().__setstate__(state)
        for name in names:
            self.get_parameter(name).data = torch.from_numpy(arrays[name])

    @torch.no_grad()
    def copy_back(self) -> None:
        """Bring the parameters' values to the model, where they are no longer its own memory."""
        for name, array in self.model.named_parameters().items():
            parameter = self.get_parameter(name)
            if parameter.device.type != "cpu" or parameter.data_ptr() != array.ctypes.data:
                torch.from_numpy(array).copy_(parameter)


def _torch_layer(model: LanguageModel) -> Recurrent:
    """A layer that shares a model's memory."""
    core = model.layer
    if core.cell in ("gru", "lstm"):
        kind = GRU if core.cell == "gru" else LSTM
        return kind(core.input_size, core.hidden_size, core.num_layers, core.bias, dropout=core.dropout, device="meta")
    return RNN(
        core.input_size,
        core.hidden_size,
        core.num_layers,
        core.cell.removeprefix("rnn_"),
        core.bias,
        dropout=core.dropout,
        device="meta",
    )


def from_torch(layer: Any, output: nn.Linear, reading: Reading, embedding: nn.Embedding | None = None) -> LanguageModel:
    """A core model with the weights of torch's layers, or of `elman.torch`'s, copied.

    Args:
        layer: RNN, GRU or LSTM with input_size V, or the embedding's size; one direction, no projection.
        output: from H to V.
        reading: what the ids mean.
        embedding: what the layer reads in their place; None: one-hot vectors.
    Raises:
        InputError: something that a LanguageModel does not have; says what.
    """
    mode = getattr(layer, "mode", type(layer).__name__)
    cell = {"GRU": "gru", "LSTM": "lstm", "RNN_TANH": "rnn_tanh", "RNN_RELU": "rnn_relu"}.get(mode)
    given.instance("output", output, nn.Linear, "a torch.nn.Linear")
    given.instance("reading", reading, Reading, "a Reading")
    if cell is None:
        raise InputError(f"the layer is {type(layer).__name__}; expected RNN, GRU or LSTM")
    if layer.bidirectional:
        raise InputError("a bidirectional layer sees the characters that it should predict; use bidirectional=False")
    if getattr(layer, "proj_size", 0):
        raise InputError("a layer with proj_size has no counterpart here; use proj_size=0")
    if output.in_features != layer.hidden_size or output.out_features != len(reading):
        raise InputError(
            f"the output goes from {output.in_features} to {output.out_features}; expected from {layer.hidden_size} "
            f"to {len(reading)}, the size of the vocabulary"
        )
    if output.bias is None:
        raise InputError("the output has no bias; give it one of zeros")
    core = make_layer(cell, layer.input_size, layer.hidden_size, layer.num_layers, layer.dropout, bool(layer.bias))
    core.load_state_dict(layer.state_dict())
    of_tokens = None
    if embedding is not None:
        of_tokens = Embedding(embedding.num_embeddings, embedding.embedding_dim)
        of_tokens.load_state_dict(embedding.state_dict())
    model = LanguageModel(core, reading, embedding=of_tokens)
    model.output.load_state_dict(output.state_dict())
    return model
