"""The likeliest tokens after a text."""

from __future__ import annotations

import numpy as np

from .. import kernels
from ..errors import whole_number
from ..model import Model


def after(model: Model, text: str | bytes = "", count: int = 5) -> list[tuple[str, float]]:
    """The likeliest characters after `text`, likeliest first, each with its probability.

    Args:
        text: as in `generate`: normalised as the model's corpus was. It begins a text, or a record. Empty: what a text
            begins with.
        count: how many, at most the vocabulary's size.
    Returns:
        (character, probability). "<unk>" is all that the vocabulary lacks. A model of bytes gives bytes: one
        that is no ASCII character as "b'\\xc3'".
    Raises:
        InputError: a count below 1.
    """
    vocabulary, count = model.reading.vocabulary, min(whole_number("count", count, 1), model.vocab_size)
    ids = model.reading.primed(model.reading.prompt(text))
    decoder = model.decoder(1)
    decoder.read(ids[:, None])
    likely = model.log_softmax(decoder.logits)[0].astype(np.float32)
    order = np.argsort(-likely, kind="stable")[:count]  # ties: lowest id first
    return [(vocabulary.name(int(t)), p) for t, p in zip(order, kernels.exp(likely[order]).tolist(), strict=True)]
