"""The model that a recipe describes."""

from __future__ import annotations

from typing import Any

from ..corpora import Corpus
from ..model import LanguageModel, make_layer
from .recipe import Recipe


def build_model(corpus: Corpus, recipe: Recipe | None = None, **settings: Any) -> LanguageModel:
    """The model that a recipe describes, for the corpus's vocabulary, with the initial weights of the recipe's seed.

    Args:
        settings: changes to the recipe, for example hidden_size=512, cell="lstm".
    """
    recipe = (recipe or Recipe()).replace(**settings)
    vocabulary = corpus.vocabulary()
    layer = make_layer(recipe.cell, len(vocabulary), recipe.hidden_size, recipe.num_layers, recipe.dropout)
    model = LanguageModel(layer, len(vocabulary), vocabulary, corpus.normalisation, corpus.records)
    return model.initialise(recipe.seed, recipe.init_std)
