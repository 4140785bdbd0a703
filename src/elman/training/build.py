"""The model that a recipe describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .. import given
from ..corpora import Corpus
from ..model import Embedding, LanguageModel, make_layer
from ..recipes.recipe import Recipe
from .choice import choose

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
    size = recipe.embedding_size
    embedding = None if size is None else Embedding(len(reading), size)
    layer = make_layer(recipe.cell, size or len(reading), recipe.hidden_size, recipe.num_layers, recipe.dropout)
    return LanguageModel(layer, reading, embedding=embedding).initialise(recipe.seed, recipe.init_std)
