"""KenLM's calls over a recurrent model: change `import kenlm` to `from elman import kenlm`.

Scores are log10, as KenLM's. A model of characters has no list of words, so every word has a probability: the product
over its characters and the space before it. `nbest` rescores lists of hypotheses.
"""

from __future__ import annotations

from .model import LanguageModel, Model
from .nbest import Hypothesis, read_nbest, rescore
from .state import ARPALoadComplain, Config, FullScoreReturn, LoadMethod, State

__all__ = [
    "ARPALoadComplain",
    "Config",
    "FullScoreReturn",
    "Hypothesis",
    "LanguageModel",
    "LoadMethod",
    "Model",
    "State",
    "read_nbest",
    "rescore",
]
