"""Elman: recurrent language models, concise, fast, exact. This list is the whole public API.

Names are imported when they are first used, so that a command waits for what it needs alone. None needs torch, which
only `elman.torch` imports.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compression import Codec, Store
    from .corpora import Corpus, load_corpus
    from .errors import CorpusError, ElmanError, InputError, ModelFileError, TrainingDiverged
    from .generation import Beam, Sampling, beam_search, generate, stream
    from .model import GRU, LSTM, RNN, LanguageModel, QuantisedModel, load, save
    from .model.quantised import quantise
    from .recipes import Recipe, load_recipe
    from .runs import Run
    from .scoring import Score, after, score
    from .text import Reading, Vocabulary, normalise
    from .training import build_model, fit, resume

_HOME = {
    "errors": ("CorpusError", "ElmanError", "InputError", "ModelFileError", "TrainingDiverged"),
    "compression": ("Codec", "Store"),
    "corpora": ("Corpus", "load_corpus"),
    "text": ("Reading", "Vocabulary", "normalise"),
    "model": ("GRU", "LSTM", "RNN", "LanguageModel", "QuantisedModel", "load", "save"),
    "model.quantised": ("quantise",),
    "recipes": ("Recipe", "load_recipe"),
    "runs": ("Run",),
    "training": ("build_model", "fit", "resume"),
    "generation": ("Beam", "Sampling", "beam_search", "generate", "stream"),
    "scoring": ("Score", "after", "score"),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = [*sorted(_MODULE)]  # pyright: ignore[reportUnsupportedDunderAll]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
