"""Primer: n-grams for a typist from the text that its model learned, and their weights from lines that it did not."""

from __future__ import annotations

from collections import Counter

import numpy as np

from .. import given
from ..errors import InputError, whole_number
from ..kernels import Array
from ..model import Model
from ..model.counts import levels, pruned, weights
from ..text import normalise
from .mixture import Mixture, fitted
from .primed import CLASSES, Primed
from .typist import Typist

LONGEST = 7
"""Symbols of the longest n-grams."""
_MOST_SYMBOLS = 255
_OTHER = "\ufffd"  # any symbol that is too rare to have a place
_FITTED = 25_000  # characters of the lines kept out on which weights are fitted
_EVEN = np.full((LONGEST, *CLASSES), 0.5)


def prime(model: Model, text: str, kept_out: str, *, most: int = 90_000) -> Primed:
    """n-grams of up to seven symbols of a training text, for `Typist(model, primed=...)` and libelman.

    Args:
        text: lines that the model was trained on.
        kept_out: lines of the same kind that it was not trained on, at least a few hundred. They decide the weights,
            and are counted in the end.
        most: n-grams that are kept: about three bytes of the file each.
    Raises:
        InputError: a text without lines, or kept_out without any.
    """
    most = whole_number("most", most, 1)
    for name, each in (("text", text), ("kept_out", kept_out)):
        given.instance(name, each, str, "a str")
        if each.count("\n") < 2:
            raise InputError(f"{name} has fewer than two lines; expected everyday sentences, one a line")
    text, kept_out = (normalise(each, model.reading.normalisation).rstrip("\n") + "\n" for each in (text, kept_out))
    common = [symbol for symbol, _ in Counter(text).most_common(_MOST_SYMBOLS - 1) if symbol != "\n"]
    symbols = "".join(["\n", *sorted(common), *([_OTHER] if _OTHER not in common else [])])
    number = {symbol: place for place, symbol in enumerate(symbols)}

    def numbers(text: str) -> Array:
        return np.array([number.get(symbol, number[_OTHER]) for symbol in text], dtype=np.int64)

    counted, all_ = numbers("\n" + text), numbers("\n" + text + kept_out)
    alternatives = len(symbols) + 1
    lower = weights(levels(all_, LONGEST, 0, len(counted)), len(counted), alternatives)
    before = Primed(symbols, 0, pruned(levels(counted, LONGEST, 0, len(counted)), lower, most, alternatives), _EVEN)
    mixing = _mixing(model, before, "".join(common) + "\n", kept_out[: kept_out.rfind("\n", 0, _FITTED) + 1 or None])
    return Primed(symbols, 0, pruned(levels(all_, LONGEST, 0, len(all_)), lower, most, alternatives), mixing)


def _mixing(model: Model, primed: Primed, alphabet: str, text: str) -> Array:
    """The weights of a mixture, from a text that neither has seen."""
    typist, mixture = Typist(model, alphabet, floor=0), Mixture(primed, alphabet)
    nodes, network, ngrams, kinds = primed.begin(), [], [], []
    for symbol in text:
        place = typist.alphabet.places.get(symbol, -1)
        if place >= 0:
            p = typist.probabilities()
            own, kind = mixture.parts(p, nodes)
            network.append(p[place])
            ngrams.append(own[place])
            kinds.append(kind)
        typist.enter(symbol)
        nodes = mixture.followed(nodes, symbol, place if place >= 0 else len(alphabet))
    return fitted(np.array(network), np.array(ngrams), np.array(kinds), primed.weights.shape)
