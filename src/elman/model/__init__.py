"""The model: recurrent layers, the language model on top, its initial weights and its file."""

from __future__ import annotations

from .file import FORMAT, load, read_header, save
from .language import LanguageModel, ModelState, detach
from .layers import GRU, LSTM, RNN, evaluating, make_layer

__all__ = [
    "FORMAT",
    "GRU",
    "LSTM",
    "RNN",
    "LanguageModel",
    "ModelState",
    "detach",
    "evaluating",
    "load",
    "make_layer",
    "read_header",
    "save",
]
