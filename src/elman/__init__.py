"""Elman: recurrent language models, concise, fast, exact. This list is the whole public API.

A name is imported when it is first used, so a command waits only for what it needs; `__init__.pyi` tells type checkers
and editors what each one is. Only `elman.torch` imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from . import moved

_HOME = {
    "errors": (
        "CompressedError", "CorpusError", "ElmanError", "EmptyTextError", "InputError", "ModelFileError",
        "TrainingDiverged", "WorkerLost",
    ),
    "compression": ("Codec", "Store"),
    "corpora": ("Corpus", "load_corpus"),
    "text": ("Reading", "Vocabulary", "normalise"),
    "model": ("GRU", "LSTM", "RNN", "LanguageModel", "Model", "QuantisedModel", "load", "quantise", "save"),
    "recipes": ("Recipe", "load_recipe"),
    "runs": ("Run",),
    "training": ("build_model", "fit", "resume"),
    "generation": ("Beam", "Sampling", "beam_search", "generate", "stream"),
    "scoring": ("Score", "after", "score"),
    "typing": ("Typist",),
}  # fmt: skip
_MODULE = {name: module for module, names in _HOME.items() for name in names}
_ALIASES = {"normalize": "normalise", "quantize": "quantise"}

__all__ = [*sorted(_MODULE)]
__version__ = "0.1.0"
moved.install()


def __getattr__(name: str) -> Any:
    name = _ALIASES.get(name, name)
    if name not in _MODULE:
        raise AttributeError(f"module 'elman' has no attribute {name!r}")
    return getattr(import_module(f".{_MODULE[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, *_ALIASES]
