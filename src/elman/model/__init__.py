"""The model: recurrent layers, the language model on top, in floats or integers, its initial weights and its file."""

from __future__ import annotations

from .alone import refuse_ngrams, trainable, without_ngrams
from .container import FORMAT, model_path, read_header
from .extension import extend
from .file import load, save
from .interface import Model, take_rows
from .language import Embedding, LanguageModel
from .layers import GRU, LSTM, RNN, ModelState, make_layer, parameter_shapes
from .mixed import NgramModel
from .named import named_models
from .ngrams import Ngrams
from .quantisation import quantise
from .quantised import QuantisedModel

__all__ = [
    "FORMAT",
    "GRU",
    "LSTM",
    "RNN",
    "Embedding",
    "LanguageModel",
    "Model",
    "ModelState",
    "NgramModel",
    "Ngrams",
    "QuantisedModel",
    "extend",
    "load",
    "make_layer",
    "model_path",
    "named_models",
    "parameter_shapes",
    "quantise",
    "read_header",
    "refuse_ngrams",
    "save",
    "take_rows",
    "trainable",
    "without_ngrams",
]
