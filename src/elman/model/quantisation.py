"""Quantisation of a LanguageModel, with a sample of text on which its ranges are measured."""

from __future__ import annotations

from typing import overload

import numpy as np

from .. import given
from ..errors import InputError
from ..kernels import Array
from ..text import Reading, record_spans
from .interface import Model
from .language import LanguageModel
from .mixed import NgramModel
from .quantised import QuantisedModel
from .rounding import to_integers

ROWS, STEPS = 32, 256
"""The most tokens on which `quantise` measures: so many rows of so many steps."""


@overload
def quantise(model: LanguageModel, bits: int = 8, text: str | bytes | None = None) -> QuantisedModel: ...
@overload
def quantise(model: NgramModel, bits: int = 8, text: str | bytes | None = None) -> NgramModel: ...
@overload
def quantise(model: Model, bits: int = 8, text: str | bytes | None = None) -> QuantisedModel | NgramModel: ...
def quantise(model: Model, bits: int = 8, text: str | bytes | None = None) -> QuantisedModel | NgramModel:
    """The integer model nearest to `model`: a quarter of its bytes at 8 bits, and the same bits on every machine.

    Args:
        model: a LanguageModel with any cell; or one with n-grams, which the integer model has too.
        bits: of a weight: 8, 6, 5 or 4.
        text: of the kind that the model reads. A ReLU RNN needs it: how far its units go is measured on up to 8,192
            tokens of it. Others cost less with it below 8 bits.
    Raises:
        InputError: a model that is quantised already, weights that are not finite, or a ReLU RNN without a text.
    """
    if isinstance(model, NgramModel):
        return NgramModel(_quantised(model.alone, bits, text), model.ngrams)
    return _quantised(model, bits, text)


def _quantised(model: Model, bits: int, text: str | bytes | None) -> QuantisedModel:
    if isinstance(model, QuantisedModel):
        raise InputError(
            f"the model is quantised already, to {model.bits} bits; quantise the one that it was made from"
        )
    if not isinstance(model, LanguageModel):
        raise InputError(f"the model is {given.shown(model)}; expected a LanguageModel")
    if isinstance(bits, bool) or not isinstance(bits, int):
        raise InputError(f"bits is {given.shown(bits)}; expected 8, 6, 5 or 4")
    ids = None if text is None else model.reading.vocabulary.encode(model.reading.prepare(text))
    n, measured = model.network, calibration_rows(model.reading, ids) if ids is not None and len(ids) else None
    network = to_integers(n.cell.name, n.layers, (n.weight, n.bias), bits=bits, embedding=n.embedding, ids=measured)
    return QuantisedModel(network, model.reading)


def takes_text(model: Model, bits: int) -> bool:
    """Whether `quantise` chooses better with a text."""
    return bits < 8 or model.cell == "rnn_relu"


def calibration_rows(reading: Reading, ids: Array) -> Array:
    """int64 (T, B): evenly spaced pieces of a text of ids (N,), each primed; pieces of records begin with a record."""
    ids = reading.primed(ids)
    starts = record_spans(ids, reading.line_end)[0] if reading.records else np.arange(len(ids))
    steps = min(STEPS, len(ids))
    starts = starts[starts <= len(ids) - steps]
    rows = min(ROWS, max(1, len(ids) // steps), len(starts))
    begins = starts[np.arange(rows) * len(starts) // rows]
    pieces = ids[begins + np.arange(steps)[:, None]].astype(np.int64)
    pieces[:1] = reading.start
    return pieces
