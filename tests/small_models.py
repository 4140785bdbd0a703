"""A model of a few units, saved, for tests of commands."""

from __future__ import annotations

import elman

TEXT = "the traveller came down to the sea.\nand went home again.\n"


def save(path, text: str | bytes = TEXT, records=False, normalisation="none"):
    model = elman.build_model(
        elman.Corpus("t", text, normalisation, "here", records), cell="gru", hidden_size=8, init_std=None, seed=5
    )
    elman.save(model, path)
    return elman.load(path)
