"""The model that a recipe describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import given
from ..corpora import Corpus
from ..model import Embedding, LanguageModel, make_layer
from ..recipes.recipe import Recipe
from ..text import Reading
from .choice import choose
from .ensemble import join, seeds

if TYPE_CHECKING:
    from typing import Unpack

    from ..recipes.settings import Settings


def build_model(
    corpus: Corpus, recipe: Recipe | str | Path | None = None, **settings: Unpack[Settings]
) -> LanguageModel:
    """The model that a recipe describes, for the corpus's vocabulary, with the initial weights of the recipe's seed.

    Args:
        recipe: one, or the name or file of one. None: as for `fit`.
        settings: changes to the recipe, for example hidden_size=512, cell="lstm".
    Raises:
        InputError: no corpus or no recipe, an unknown setting, or one out of range.
    """
    given.instance("corpus", corpus, Corpus, "a Corpus, as load_corpus gives it")
    given.instance("recipe", recipe, (Recipe, str, Path, type(None)), "a Recipe, the name or file of one, or None")
    recipe = choose(corpus, recipe, settings)
    reading = corpus.reading()
    if recipe.networks == 1:
        return _model(reading, recipe, 1).initialise(recipe.seed, recipe.init_std)
    alone = [_model(reading, recipe, 1) for _ in range(recipe.networks)]
    for model, seed in zip(alone, seeds(recipe.seed, recipe.networks), strict=True):
        model.initialise(seed, recipe.init_std)
    model = _model(reading, recipe, recipe.networks)
    for array in model.parameters():
        array[...] = 0.0
    join(model.network, [each.network for each in alone])
    return model


def _model(reading: Reading, recipe: Recipe, times: int) -> LanguageModel:
    """A model of the recipe's cell and layers, with so many times its units."""
    size = recipe.embedding_size and recipe.embedding_size * times
    embedding = None if size is None else Embedding(len(reading), size)
    layer = make_layer(recipe.cell, size or len(reading), recipe.hidden_size * times, recipe.num_layers, recipe.dropout)
    return LanguageModel(layer, reading, embedding=embedding)
