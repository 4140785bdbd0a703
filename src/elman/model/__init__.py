"""The model: recurrent layers, the language model on top, its initial weights and its file."""

from __future__ import annotations

from .file import FORMAT, ModelFileError, load, read_header, save, write_atomically
from .language import LanguageModel, ModelState, detach
from .layers import GRU, LSTM, RNN, make_layer

__all__ = [
    "FORMAT",
    "GRU",
    "LSTM",
    "RNN",
    "LanguageModel",
    "ModelFileError",
    "ModelState",
    "detach",
    "load",
    "make_layer",
    "read_header",
    "save",
    "write_atomically",
]
