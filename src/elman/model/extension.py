"""A model with more characters: those that another text has and its vocabulary lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..text import Vocabulary
from .language import Embedding, LanguageModel
from .layers import make_layer

_PER_TOKEN = {"output.weight": 0, "output.bias": 0}
_READING = ({"layer.weight_ih_l0": 1}, {"embedding.weight": 0})
"""The parameters that have a column or a row for each token, and along which axis; of those that read a token, the
first without an embedding, and the second with one."""


def extend(model: LanguageModel, vocabulary: Vocabulary) -> LanguageModel:
    """A copy of `model` whose vocabulary has the characters of `vocabulary` too, after its own and in their order.

    A new character starts with the weights of <unk>, which is how the model read it before. So what it computes of the
    other characters differs only by the share of probability that the new ones take.

    Raises:
        InputError: one is of characters and the other of bytes, or of other subwords.
    """
    own = model.reading.vocabulary
    grown = own.joined(vocabulary)
    arrays = {name: array.copy() for name, array in model.named_parameters().items()}
    for name, axis in (_PER_TOKEN | _READING[model.embedding is not None]).items():
        unknown = np.take(arrays[name], [0] * (len(grown) - len(own)), axis=axis)
        arrays[name] = np.ascontiguousarray(np.concatenate([arrays[name], unknown], axis=axis))
    of_layer = {name.removeprefix("layer."): array for name, array in arrays.items() if name.startswith("layer.")}
    l = model.layer  # noqa: E741
    size, embedding = model.embedding_size, None
    if size is not None:
        embedding = Embedding(len(grown), size, {"weight": arrays["embedding.weight"]})
    width = len(grown) if size is None else size
    layer = make_layer(l.cell, width, l.hidden_size, l.num_layers, l.dropout, l.bias, arrays=of_layer)
    output = {name: arrays[f"output.{name}"] for name in ("weight", "bias")}
    return LanguageModel(layer, replace(model.reading, vocabulary=grown), output, embedding)
