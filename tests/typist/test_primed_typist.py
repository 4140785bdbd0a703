"""Primed n-grams: counts and shares by hand, their file, and what a typist gains by them."""

from __future__ import annotations

import gc
import math
import weakref
from collections import Counter

import numpy as np
import pytest

import elman
from elman.errors import InputError, ModelFileError
from elman.generation.paths import Path
from elman.model.counts import levels, pruned, weights
from elman.typing import Primed, Typist, prime
from elman.typing.primed import CLASSES
from elman.typing.primer import LONGEST

LINES = [f"{who} {what} {where}" for who in ("she", "he", "the cat") for what in ("sees", "eats") for where in
         ("the house", "a hat", "his tea", "the sea")]  # fmt: skip
TEXT, KEPT = "\n".join(LINES[::2]) + "\n", "\n".join(LINES[1::2]) + "\n"
SYMBOLS = "\n" + "".join(sorted({*TEXT} - {"\n"}))


def numbers(text: str) -> np.ndarray:
    return np.array([SYMBOLS.index(symbol) for symbol in text], dtype=np.int64)


def by_hand(share_of_lower: float) -> dict[str, dict[str, float]]:
    """context -> symbol -> share: with a line end before every line, and no context that reaches beyond it."""
    counts: dict[str, Counter[str]] = {}
    for line in TEXT.splitlines(keepends=True):
        for at in range(len(line)):
            before = ("\n" + line[:at])[1 - LONGEST :]
            for order in range(len(before) + 1):
                counts.setdefault(before[len(before) - order :], Counter())[line[at]] += 1
    counts[""]["\n"] += 1  # the one before the text
    return {
        context: {symbol: (1 - share_of_lower) * n / sum(of.values()) for symbol, n in of.items()}
        for context, of in counts.items()
    }


def test_counts_and_shares_are_those_by_hand():
    text = numbers("\n" + TEXT)
    kept = pruned(levels(text, LONGEST, 0, len(text)), np.full((LONGEST, 128), 0.25), 10**6, len(SYMBOLS) + 1)
    expected, paths = by_hand(0.25), [""]
    for level in kept:
        found = [paths[parent] + SYMBOLS[symbol] for parent, symbol in zip(level.parent, level.symbol, strict=True)]
        for path, share in zip(found, level.share, strict=True):
            assert share == pytest.approx(expected[path[:-1]][path[-1]]), path
        paths = found
    assert sum(len(level.parent) for level in kept) == sum(len(of) for of in expected.values())


def test_probabilities_are_interpolated():
    text = numbers("\n" + TEXT)
    kept = pruned(levels(text, LONGEST, 0, len(text)), np.full((LONGEST, 128), 0.25), 10**6, len(SYMBOLS) + 1)
    primed, expected = Primed(SYMBOLS, 0, kept, np.full((LONGEST, *CLASSES), 0.5)), by_hand(0.25)
    nodes = primed.begin()
    for at, symbol in enumerate(line := "she sees the hat"):
        p = np.full(len(SYMBOLS) + 1, 1 / (len(SYMBOLS) + 1))
        before = ("\n" + line[:at])[1 - LONGEST :]
        for order in range(len(before) + 1):
            of = expected.get(before[len(before) - order :], {})
            p *= 1 - sum(of.values())
            for each, share in of.items():
                p[SYMBOLS.index(each)] += share
        found = primed.probabilities(nodes)
        assert found.sum() == pytest.approx(1, abs=1e-9)
        np.testing.assert_allclose(found, p, atol=0.15)  # a share is rounded down to an eighth of an octave
        nodes = primed.followed(nodes, SYMBOLS.index(symbol))


def test_weights_are_learned_from_what_is_not_counted():
    text = numbers("\n" + TEXT + KEPT)
    counted = len(TEXT) + 1
    found = weights(levels(text, LONGEST, 0, counted), counted, len(SYMBOLS) + 1)
    assert ((found > 0) & (found < 1)).all()
    shuffled = "".join(np.random.default_rng(1).permutation([*KEPT]))
    strange = levels(numbers("\n" + TEXT + shuffled), LONGEST, 0, counted)
    strange = weights(strange, counted, len(SYMBOLS) + 1)
    assert strange[1:4].mean() > found[1:4].mean()  # counts of one to three symbols before say less of it


@pytest.fixture(scope="module")
def trained() -> elman.Model:
    corpus = elman.Corpus("t", TEXT, "none", "here", True)
    model = elman.build_model(corpus, cell="gru", hidden_size=16, init_std=None, seed=1)
    elman.fit(model, corpus, epochs=20, batch_size=4, seq_length=20, optimizer="adam", lr=0.01, val_fraction=0.0)
    return model


def bits(typist: Typist, text: str) -> float:
    reader, total = typist.copy(), 0.0
    for symbol in text:
        total -= math.log2(reader.distribution()[symbol])
        reader.enter(symbol)
    return total / len(text)


def test_a_typist_gains_by_them_and_by_learning(trained, tmp_path):
    primed = prime(trained, TEXT, KEPT[: len(KEPT) // 2], most=500)
    primed.save(tmp_path / "ngrams")
    unseen = KEPT[len(KEPT) // 2 :]
    plain = elman.Typist(trained, SYMBOLS)
    typist = elman.Typist(trained, SYMBOLS, primed=tmp_path / "ngrams", learned=tmp_path / "learned")
    before = bits(typist, unseen)
    assert before < bits(plain, unseen)
    for line in unseen.splitlines():
        typist.learn(line)
    after = bits(typist, unseen)
    assert after < before
    typist.save()
    again = elman.Typist(trained, SYMBOLS, primed=tmp_path / "ngrams", learned=tmp_path / "learned")
    assert bits(again, unseen) == after
    with pytest.raises(InputError, match="another primed"):
        elman.Typist(trained, SYMBOLS, primed=prime(trained, TEXT, KEPT, most=50), learned=tmp_path / "learned")
    again.forget()
    assert bits(again, unseen) == before


def test_the_file_is_read_as_it_was_written_or_refused(trained):
    primed = prime(trained, TEXT, KEPT, most=300)
    data = primed.to_bytes()
    again = Primed.from_bytes(data)
    assert again.to_bytes() == data
    nodes = primed.begin()
    np.testing.assert_array_equal(again.probabilities(nodes), primed.probabilities(nodes))
    for wrong in (b"", data[:8], data[:-1], data + b"x", b"x" + data, data[:8] + b"\x09" + data[9:]):
        with pytest.raises(ModelFileError):
            Primed.from_bytes(wrong)
    for at in range(8, len(data), 7):
        with pytest.raises(ModelFileError, match=r"version|damaged"):
            Primed.from_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])


def test_what_prime_refuses(trained, tmp_path):
    with pytest.raises(InputError, match="fewer than two lines"):
        prime(trained, TEXT, "one line")
    with pytest.raises(ModelFileError, match="No such file"):
        elman.Typist(trained, SYMBOLS, primed=tmp_path / "absent")


def test_lines_do_not_pile_up_in_memory(trained):
    """What was typed hangs on a typist's place, and is let go of with it."""
    typist, seen = elman.Typist(trained, SYMBOLS), []
    for line in LINES:
        for symbol in line + "\n":
            typist.enter(symbol)
            seen += [weakref.ref(path) for path in typist._paths[0]]
    gc.collect()
    alive = [path for each in seen if (path := each()) is not None]
    assert len({id(path) for path in alive}) <= 2
    assert all(isinstance(path, Path) for path in alive)
