"""Settings that nobody gave: a recipe by the kind of text, and epochs and batch by its size."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..corpora import Corpus
from ..recipes import Recipe, load_recipe

_TOKENS = ((500_000, "bpe:2000"), (200_000, "bpe:1000"), (0, "chars"))
"""Characters of a text, at least, and its tokens; docs/how-to/training.md has what was measured."""
_LONG = 2.0  # characters of a subword on the mean, at least
_SAMPLE = 100_000  # characters of a text from which such a mean is found
_CHARACTERS = 20_000_000  # to train on, over all epochs: some minutes on two cores
_STEPS = 20  # in an epoch at least: fewer of them teach a small text's model little in any number of epochs
_SMALLEST = 4  # rows of a batch
_HELD_OUT = (10_000, 200_000)  # characters to measure on: enough of a small text, no more than needed of a large one
_SHARE = 0.02  # of a text between
_IN_MEMORY = 16_000_000  # characters of a text out of which blocks are cut; of a longer one its end is little
_LEAST = 200  # steps in all, of which the best held-out model is kept
_PASSES = 6  # of each network, at least, where there is time for several: after so many another one teaches more
_UNITS = 768  # of all networks together, at most: a model's time to read and write grows with their square
BY_TIME = ("networks", "output_dropout")
"""Settings that `for_passes` chooses by the time."""
_DROPPED = 5  # epochs from which on the recipe's output dropout is taken, of which fewer have a share


def recipe_name(of_the_book: bool, records: bool, subwords: bool = False) -> str:
    """The recipe for records, for one of the named corpora, and for any other text, in subwords or in characters."""
    return "records" if records else "book" if of_the_book else "subwords" if subwords else "modern"


def tokens_for(text: Corpus) -> str:
    """The tokens in which a text of characters is learned best, by its size; chars where its words are too short for
    subwords, as in Chinese."""
    chosen = next(tokens for least, tokens in _TOKENS if len(text) >= least)
    if chosen == "chars" or text.records or text.is_bytes:
        return "chars"
    sample = text.beginning(_SAMPLE).cut_into(chosen)
    return chosen if characters_per_token(sample) >= _LONG else "chars"


def characters_per_token(text: Corpus) -> float:
    """About how many characters of a text make a token."""
    if text.own is None:  # its tokens are its characters, or bytes
        return 1.0
    part, vocabulary = text.beginning(_SAMPLE), text.vocabulary()
    return max(1, len(part)) / max(1, len(part.ids(vocabulary)))  # an empty text is refused where it is divided


def characters_learned(text: Corpus, recipe: Recipe) -> int:
    """About how many characters of a text the recipe trains on; at least 1."""
    last = len(text) if recipe.last_tokens is None else int(recipe.last_tokens * characters_per_token(text))
    return max(1, min(last, len(text)))


def choose(corpus: Corpus, recipe: Recipe | str | Path | None, settings: Mapping[str, Any]) -> Recipe:
    """The recipe, or the one of this name or file, with these settings. None: the one for the corpus, by its size, as
    `elman train` chooses."""
    if isinstance(recipe, Recipe):
        return recipe.replace(**settings)
    subwords = corpus.own is not None and corpus.own.kind == "bpe"
    name = recipe or recipe_name(corpus.is_the_books, corpus.records, subwords)
    chosen = load_recipe(name)
    if corpus.own is not None and name == "subwords":
        chosen = chosen.replace(tokens=corpus.own.setting)
    chosen = chosen.replace(**settings)
    return chosen if recipe or name == "book" else for_size(chosen, corpus, settings)


def for_size(recipe: Recipe, text: Corpus, given: Mapping[str, Any]) -> Recipe:
    """The recipe, with fewer epochs of a large text, more of a small one, a smaller batch, and networks, dropout and a
    share to hold out that suit it; not what is `given`."""
    size = characters_learned(text, recipe)
    if not text.records:
        recipe = _held_out(recipe, size, given)
    if text.records:
        rows = text.num_records * size // max(1, len(text))
    else:
        rows = int(size / characters_per_token(text)) // recipe.seq_length
    if "batch_size" not in given:
        recipe = recipe.replace(batch_size=max(_SMALLEST, min(recipe.batch_size, rows // _STEPS)))
    passes = _CHARACTERS / size
    if "networks" not in given:
        recipe = recipe.replace(networks=max(1, min(recipe.networks, int(passes / _PASSES))))
    if "epochs" not in given:
        steps, most = max(_STEPS, rows // recipe.batch_size), round(passes / recipe.networks)  # steps: in an epoch
        epochs = max(1, min(max(recipe.epochs, _LEAST // steps), most))
        if "output_dropout" not in given and epochs < recipe.epochs:
            recipe = recipe.replace(output_dropout=_dropped(recipe, epochs))
        recipe = recipe.replace(epochs=epochs)
    return recipe


def for_passes(recipe: Recipe, passes: float, given: Collection[str]) -> Recipe:
    """The recipe for as much time as one of its networks needs for so many passes over the text: more networks rather
    than many epochs of one, and the more dropout the more epochs; not what is `given`.

    docs/how-to/training.md says what was measured.
    """
    if "networks" not in given:
        recipe = recipe.replace(networks=max(1, min(int(passes / _PASSES), _UNITS // recipe.hidden_size)))
    epochs = passes / recipe.networks
    if "output_dropout" not in given:
        recipe = recipe.replace(output_dropout=_dropped(recipe, epochs))
    return recipe.replace(epochs=max(1, int(epochs)))


def _dropped(recipe: Recipe, epochs: float) -> float:
    """The output dropout that suits so many epochs, where the recipe's suits many."""
    return float(f"{min(1.0, epochs / _DROPPED) * recipe.output_dropout:.2g}")


def _held_out(recipe: Recipe, size: int, given: Mapping[str, Any]) -> Recipe:
    """The recipe, with a part to hold out that suits a text of `size` characters."""
    if recipe.val_fraction and "val_fraction" not in given:
        share = min(recipe.val_fraction, max(_SHARE, _HELD_OUT[0] / size), _HELD_OUT[1] / size)
        recipe = recipe.replace(val_fraction=float(f"{share:.2g}"))
    return recipe.replace(val_blocks=1) if size > _IN_MEMORY and "val_blocks" not in given else recipe
