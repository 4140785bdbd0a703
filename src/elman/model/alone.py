"""The network of a model alone, for what trains, exports or compresses."""

from __future__ import annotations

from typing import Any

from .. import given
from ..errors import InputError
from .interface import Model
from .language import LanguageModel
from .mixed import NgramModel
from .quantised import QuantisedModel


def without_ngrams(model: Model) -> Any:
    """The network of a model that has n-grams; another model unchanged."""
    return model.alone if isinstance(model, NgramModel) else model


def refuse_ngrams(model: Model, what: str) -> None:
    """Raises InputError for a model with n-grams, which `what` cannot mix."""
    if isinstance(model, NgramModel):
        raise InputError(
            f"{what} has no n-grams, and this model is mixed with some; `network_alone` leaves them out, "
            "as model.alone does in Python",
            setting="network_alone",
        )


def trainable(model: Model) -> LanguageModel:
    """The network of `model`, if it can learn. Raises InputError for one of integers."""
    network = without_ngrams(model)
    if isinstance(network, LanguageModel):
        return network
    given.instance("model", network, QuantisedModel, "a LanguageModel")
    raise InputError("a quantised model cannot be trained; train the one that it was made from, and quantise that")
