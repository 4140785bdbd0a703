"""The model: recurrent layers, the language model on top, in floats or integers, its initial weights and its file."""

from __future__ import annotations

from .container import FORMAT, model_path, read_header
from .extension import extend
from .file import load, save
from .interface import Model, take_rows
from .language import Embedding, LanguageModel
from .layers import GRU, LSTM, RNN, ModelState, make_layer, parameter_shapes
from .named import named_models
from .quantisation import quantise
from .quantised import QuantisedModel, trainable

__all__ = [
    "FORMAT",
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "LanguageModel",
    "Model",
    "ModelState",
    "QuantisedModel",
    "extend",
    "load",
    "make_layer",
    "model_path",
    "named_models",
    "parameter_shapes",
    "quantise",
    "read_header",
    "save",
    "take_rows",
    "trainable",
]
