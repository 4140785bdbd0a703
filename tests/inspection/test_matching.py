"""Longest matches against a search of every place; drawn texts against what they must share with the corpus."""

from __future__ import annotations

import math

import numpy as np
import pytest

from elman.inspection import Matches, Overlap, expected_longest, longest_matches, ngram_text


def slow(text, corpus):
    """Every length at every place."""
    found = []
    for i in range(len(text)):
        length = 0
        while i + length < len(text) and text[i : i + length + 1] in corpus:
            length += 1
        found.append(length)
    return found


def check(texts: list[bytes], corpus: bytes):
    arrays = [np.frombuffer(t, np.uint8) for t in texts]
    for text, got in zip(texts, longest_matches(arrays, np.frombuffer(corpus, np.uint8)), strict=True):
        assert list(got.lengths) == slow(text, corpus)
        for i, (length, place) in enumerate(zip(got.lengths, got.places, strict=True)):
            assert corpus[place : place + length] == text[i : i + length]


@pytest.mark.parametrize("letters", [1, 2, 4, 200])
def test_longest_matches_are_those_of_a_search(letters):
    rng = np.random.default_rng(letters)
    for _ in range(40):
        corpus = rng.integers(0, letters, rng.integers(1, 60), dtype=np.uint8).tobytes()
        texts = [rng.integers(0, letters, n, dtype=np.uint8).tobytes() for n in rng.integers(1, 40, 3)]
        check(texts, corpus)


def test_copies_repeats_and_ends():
    corpus = b"it was the best of times, it was the worst of times" * 3
    check([corpus, corpus[7:91], b"the worst of times" + corpus[:20], b"times?", b"xyz", b"s", b"aaaa" * 30], corpus)
    check([b"a" * 500], b"a" * 300)
    check([b"abab" * 40], b"ab" * 33)


def test_many_symbols():
    corpus = np.random.default_rng(0).permutation(70_000).astype(np.uint32)
    (got,) = longest_matches([np.concatenate((corpus[100:130], corpus[:5]))], corpus)
    assert list(got.lengths) == [*range(30, 0, -1), 5, 4, 3, 2, 1]
    assert list(got.places[[0, 30]]) == [100, 0]


def test_the_longest_do_not_share_a_character():
    text, corpus = b"_abcdefg_cdefgh_abc_", b"abcdefgh"
    (got,) = longest_matches([np.frombuffer(text, np.uint8)], np.frombuffer(corpus, np.uint8))
    assert got.longest(9) == [Overlap(1, 0, 7), Overlap(9, 2, 6), Overlap(16, 0, 3)]
    assert got.longest(1) == [Overlap(1, 0, 7)]
    assert got.covered(7) == 7 / 20
    assert got.covered(6) == 13 / 20
    assert got.covered(0) == 16 / 20
    share = got.at_least()
    assert share[0] == 1
    assert share[7] == 1 / 20
    assert list(share[1:] * 20) == [(got.lengths >= n).sum() for n in range(1, 8)]
    assert Matches(np.zeros(3, np.int64), np.zeros(3, np.int64)).longest(2) == []


def test_the_n_gram_text_has_only_n_grams_of_the_corpus():
    corpus = np.frombuffer(b"the cat sat on the mat and the rat ran after the cat " * 2, np.uint8)
    ring = corpus.tobytes() * 2
    for order in (1, 2, 4):
        text = ngram_text(corpus, 400, order, 3)
        assert len(text) == 400
        assert all(text[i : i + order].tobytes() in ring for i in range(400 - order))
        assert not np.array_equal(text, ngram_text(corpus, 400, order, 4))
    follows = ngram_text(corpus, 20_000, 2, 0).tobytes()
    share = follows.count(b"ca") / follows.count(b"c")
    assert share == 1
    assert follows.count(b"th") / follows.count(b"t") == pytest.approx(8 / 20, abs=0.02)


def test_the_expected_longest_is_that_of_random_strings():
    rng = np.random.default_rng(0)
    found, expected = [], 0.0
    for _ in range(20):
        corpus, text = (
            rng.choice(5, 3000, p=[0.4, 0.3, 0.1, 0.1, 0.1]),
            rng.choice(5, 2000, p=[0.4, 0.3, 0.1, 0.1, 0.1]),
        )
        found.append(longest_matches([text], corpus)[0].lengths.max())
        expected = expected_longest(corpus, 2000)
    assert np.mean(found) == pytest.approx(expected, abs=1.5)
    assert expected_longest(np.zeros(5, np.int64), 9) == math.inf
