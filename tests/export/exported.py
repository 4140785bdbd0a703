"""Small models of every shape, for tests of exports."""

from __future__ import annotations

from typing import Any

import elman

TEXT = str(elman.load_corpus("traveller", max_chars=4_000).text)


def model(cell: Any, layers: int = 1, embedding: int | None = None, tokens: str = "chars", hidden: int = 21):
    """An untrained one whose units are far from zero."""
    settings: dict[str, Any] = {} if embedding is None else {"embedding_size": embedding}
    corpus = elman.Corpus("t", TEXT.encode() if tokens == "bytes" else TEXT, "none", "here", False)
    if tokens not in ("chars", "bytes"):
        corpus = corpus.cut_into(tokens)
    return elman.build_model(
        corpus, cell=cell, hidden_size=hidden, num_layers=layers, init_std=None, seed=5, **settings
    )


def small(cell: Any, layers: int = 1, bits: int = 8, embedding: int | None = None, tokens: str = "chars"):
    """The same, quantised."""
    return elman.quantise(model(cell, layers, embedding, tokens), bits=bits, text=TEXT)
