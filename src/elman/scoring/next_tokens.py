"""The likeliest characters after a text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import islice

import numpy as np

from .. import kernels
from ..errors import whole_number
from ..generation.paths import Path, Paths
from ..generation.tokens import EVERY_BYTE, Tokens
from ..model import Model

_TAIL = 64  # bytes at a text's end, which may be cut into longer tokens in other ways than the vocabulary's
_WAYS, _LEAST = 64, 1e-9  # that are followed


def after(model: Model, text: str | bytes = "", count: int = 5) -> list[tuple[str, float]]:
    """The likeliest characters after `text`, likeliest first, each with its probability.

    Args:
        text: as in `generate`: normalised as the model's corpus was. It begins a text, or a record. Empty: what a text
            begins with.
        count: how many, at most the vocabulary's size.
    Returns:
        (character, probability). "<unk>" is all that the vocabulary lacks. A model of bytes gives bytes: one
        that is no ASCII character as "b'\\xc3'". A model of subwords gives characters: the probability of each is
        summed over all subwords that go on with it, and over the ways to cut the last bytes of the text.
    Raises:
        InputError: a count below 1.
    """
    vocabulary, count = model.reading.vocabulary, min(whole_number("count", count, 1), model.vocab_size)
    if vocabulary.unit == "token":
        return list(islice(_characters(model, model.reading.prompt(text)), count))
    ids = model.reading.primed(model.reading.prompt(text))
    decoder = model.decoder(1)
    decoder.read(ids[:, None])
    likely = model.log_softmax(decoder.logits)[0].astype(np.float32)
    order = np.argsort(-likely, kind="stable")[:count]  # ties: lowest id first
    return [(vocabulary.name(int(t)), p) for t, p in zip(order, kernels.exp(likely[order]).tolist(), strict=True)]


def _characters(model: Model, ids: np.ndarray) -> Iterator[tuple[str, float]]:
    """Every character after a text of longer tokens, likeliest first; ties: lowest bytes first."""
    vocabulary = model.reading.vocabulary
    ways = Paths(model, Tokens(model.reading, EVERY_BYTE), _WAYS, _LEAST)
    widths = vocabulary.widths(ids)
    assert widths is not None
    whole = int(np.searchsorted(np.cumsum(widths[::-1]), _TAIL, "right"))  # tokens of the tail
    paths = ways.read(ids[: len(ids) - whole])
    for byte in vocabulary.decode_bytes(ids[len(ids) - whole :]):
        paths = ways.enter(paths, bytes([byte]))
    paths = paths or ways.read(ids)  # a byte that has no probability at all
    open_: list[tuple[float, bytes]] = []
    after: dict[bytes, tuple[Path, ...]] = {b"": paths}

    def grow(begun: bytes, share: float) -> None:
        masses = ways.masses(after[begun])
        total = masses.sum()
        shares = masses * (share / total) if total > 0 else np.full(256, np.nan)  # of a model that diverged
        for byte, mass in enumerate(shares.tolist()):
            heappush(open_, (-mass, begun + bytes([byte])))

    grow(b"", 1.0)
    while open_:
        mass, bytes_ = heappop(open_)
        try:
            character = codecs.getincrementaldecoder("utf-8")().decode(bytes_)
        except UnicodeDecodeError:
            character = str(bytes_)
        if character:
            yield character, -mass
        elif mass:
            after[bytes_] = ways.enter(after[bytes_[:-1]], bytes_[-1:])
            grow(bytes_, -mass)
