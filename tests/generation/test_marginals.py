"""The next byte under a model of subwords, against sums over all ways to cut a text into tokens."""

from __future__ import annotations

import numpy as np
import pytest
from every_cut import probability, subword_model

from elman.generation.paths import Paths
from elman.generation.tokens import EVERY_BYTE, Tokens

MERGES = [(104, 101), (256, 32), (116, 256), (32, 116), (195, 169), (257, 195)]


@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("begun", [b"", b"t", b"the ", "thé".encode(), b"\xff he"])
def test_bytes_are_summed_over_all_tokens(begun, quantised):
    model = subword_model(MERGES, quantised)
    ways = Paths(model, Tokens(model.reading, EVERY_BYTE), most=None)
    paths, product = ways.begin(), 1.0
    for byte in begun:
        p = ways.masses(paths)
        assert p.sum() == pytest.approx(1, abs=1e-5)  # of what is left: float32 sums of all tokens
        product *= p[byte]
        paths = ways.enter(paths, bytes([byte]))
    whole = probability(model, begun) if begun else 1.0
    assert product == pytest.approx(whole, rel=1e-4)
    masses = ways.masses(paths)
    for byte in (104, 116, 32, 195, 169, 0):
        assert masses[byte] == pytest.approx(probability(model, begun + bytes([byte])) / whole, rel=1e-4)


def test_few_paths_are_near_all():
    model = subword_model(MERGES, False)
    near, exact = (Paths(model, Tokens(model.reading, EVERY_BYTE), most) for most in (8, None))
    a, b = near.begin(), exact.begin()
    for byte in b"the the he":
        np.testing.assert_allclose(near.masses(a), exact.masses(b), atol=2e-3)
        a, b = near.enter(a, bytes([byte])), exact.enter(b, bytes([byte]))
