"""`after` by a model of subwords: characters, summed over all ways to cut a text, against sums one by one."""

from __future__ import annotations

import numpy as np
import pytest
from every_cut import probability, subword_model

import elman

MERGES = [(104, 101), (256, 32), (116, 256), (32, 116), (195, 169), (257, 195), (195, 188)]


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("text", ["", "t", "the ", "thé h"])
def test_a_character_is_summed_over_all_subwords(text, quantised):
    model = subword_model(MERGES, quantised)
    found = dict(elman.after(model, text, 260))
    whole = probability(model, text.encode()) if text else 1.0
    for character in "the éü\n":
        expected = probability(model, (text + character).encode()) / whole
        if character in found:
            assert found[character] == pytest.approx(expected, rel=1e-4), character
        else:
            assert expected <= min(found.values()) * 1.0001
    assert len(set("the éü\n") & set(found)) >= 4
    likely = [p for _, p in elman.after(model, text, 260)]
    assert likely == sorted(likely, reverse=True)
    assert elman.after(model, text, 3) == list(found.items())[:3]


def test_all_characters_and_bytes_add_up_to_one():
    model = subword_model(MERGES, False)
    found = elman.after(model, "he th", 1 << 17)
    assert len(found) == len(model.reading.vocabulary)  # no more are given
    assert 0.9 < sum(p for _, p in found) <= 1 + 1e-6


def test_a_long_text_is_read_by_its_tokens():
    model, text = subword_model(MERGES, False), "the he the é " * 40
    near = dict(elman.after(model, text, 5))
    decoder = model.decoder(1)
    decoder.read(model.reading.primed(model.reading.prompt(text))[:, None])
    assert len(near) == 5
    assert sum(near.values()) < 1
    assert elman.after(model, text.encode(), 5) == list(near.items())


def test_a_model_that_diverged_says_no_number():
    model = subword_model(MERGES, False)
    model.parameters()[-1][...] = np.nan  # pyright: ignore
    assert all(np.isnan(p) for _, p in elman.after(model, "the", 3))
