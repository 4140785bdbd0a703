"""Scores that learn from the text: `score(adaptive=True)`, its n-grams against plain counting, and what it promises."""

from __future__ import annotations

import copy
import hashlib
import json
import os

import numpy as np
import pytest
from command_line import refused, run

import elman
from elman import kernels
from elman.scoring import ADAPTIVE
from elman.scoring.ngrams import ORDER, Ngrams

TEXT = "the cat sat on the mat; the dog sat on the log.\n" * 4
GOLDEN = "b7de15b4857988a8d4384deb7f001efae015b00371676d1a4ffb4a298eac77e5"
"""SHA-256 of the bits of `TEXT` under an LSTM that has not been trained."""
LINES = "anna\nbob\nanna bob\nbob anna\n" * 5


def model_of(text, *, records=False, cell="gru"):
    corpus = elman.Corpus("test", text, "none", "a test", records)
    return elman.build_model(corpus, hidden_size=24, cell=cell, init_std=None)  # type: ignore


def counted(past, token, p, weights):
    """`Ngrams.mix` by counting through all of the past, whatever it costs."""
    for order in range(min(ORDER, len(past)) + 1):
        context = past[len(past) - order :]
        after = [past[i] for i in range(order, len(past)) if past[i - order : i] == context and i > 0]
        if not after:
            continue
        total, distinct = len(after), len(set(after))
        weight = weights.setdefault(
            (order, total if total < 4 else 2 + total.bit_length(), min(distinct, 4)), [3.8, 4.0]
        )
        share = weight[0] / weight[1]
        mixed = share * p + (1 - share) * after.count(token) / total
        weight[:] = weight[0] + share * p / mixed, weight[1] + 1
        p = mixed
    return p


def test_ngrams_are_shares_of_what_was_counted():
    draw = np.random.default_rng(0)
    tokens = (draw.integers(0, 3, 90) + draw.integers(0, 2, 90)).tolist()
    said = draw.uniform(0.01, 0.6, 90).tolist()
    ngrams, weights = Ngrams(4), {}
    ngrams.restart(tokens[0])
    for t in range(1, len(tokens)):
        assert ngrams.mix(tokens[t], said[t]) == pytest.approx(
            counted(tokens[:t], tokens[t], said[t], weights), rel=1e-12
        )


def test_mixed_probabilities_add_up_to_one():
    ngrams, draw = Ngrams(5), np.random.default_rng(1)
    ngrams.restart(0)
    for token in draw.integers(0, 5, 300).tolist():
        said = draw.dirichlet(np.ones(5)).tolist()
        assert sum(copy.deepcopy(ngrams).mix(t, said[t]) for t in range(5)) == pytest.approx(1, rel=1e-12)
        ngrams.mix(token, said[token])


def test_a_weight_forgets():
    ngrams = Ngrams(2)
    ngrams.restart(0)
    for _ in range(3000):
        ngrams.mix(0, 0.5)
    assert ngrams.mix(0, 0.5) > 0.99
    surprised = [ngrams.mix(t, 0.5) for t in (1, 0) * 200]
    assert min(surprised) > 0
    assert np.mean(surprised[-20:]) > 0.9


@pytest.mark.parametrize(("text", "records"), [(TEXT, False), (LINES, True)])
def test_no_symbol_is_scored_after_it_was_learned_from(text, records):
    model = model_of(text, records=records)
    digest, whole = model.digest(), elman.score(model, text, adaptive=True)
    assert model.digest() == digest
    for place in (1, 19, 20, 21, 60, len(text) - 2):
        if records and text[place] == "\n":
            continue
        other = text[:place] + "b" + text[place + 1 :]
        bits = elman.score(model, other, adaptive=True).surprisal
        assert np.array_equal(bits[:place], whole.surprisal[:place]), place
        assert other == text or not np.array_equal(bits, whole.surprisal)


@pytest.mark.parametrize("cell", ["rnn_relu", "lstm"])
def test_it_learns_what_the_model_never_saw(cell):
    model = model_of(TEXT, cell=cell)
    plain, adaptive = (elman.score(model, TEXT, adaptive=how) for how in (False, True))
    assert adaptive.surprisal[0] == pytest.approx(plain.surprisal[0], rel=1e-6)  # the n-grams know nothing yet
    assert adaptive.bits < 0.5 * plain.bits
    assert (plain.adaptive, adaptive.adaptive) == (False, True)
    assert repr(adaptive).endswith("bits/char, adaptive)")


def test_every_text_begins_with_the_trained_model():
    model = model_of(TEXT)
    one, other = elman.score(model, [TEXT, "the mat"], adaptive=True)
    assert np.array_equal(one.surprisal, elman.score(model, TEXT, adaptive=True).surprisal)
    assert np.array_equal(other.surprisal, elman.score(model, "the mat", adaptive=True).surprisal)


def test_what_a_model_thinks_impossible_has_a_cost():
    model = model_of("ab")
    model.output.bias[...] = [0, 0, -400]
    bits = elman.score(model, "abb", adaptive=True).surprisal
    assert np.isfinite(bits).all()
    assert 90 < bits[1] < 110


@pytest.mark.skipif(not kernels.has_native(), reason="the bits are those of the native kernel")
def test_its_bits_are_pinned():
    with kernels.use("cpu"):
        bits = elman.score(model_of(TEXT, cell="lstm"), TEXT, adaptive=True).surprisal
    assert hashlib.sha256(bits.astype("<f8").tobytes()).hexdigest() == GOLDEN


def test_the_command_labels_it(tmp_path, command):
    elman.save(model_of(TEXT), tmp_path / "m")
    (tmp_path / "t").write_text(TEXT)
    row = json.loads(command("score", tmp_path / "m", tmp_path / "t", "--adaptive", "--json"))
    score = elman.score(elman.load(tmp_path / "m"), TEXT, adaptive=True)
    assert (row["adaptive"], row["bits"]) == (True, score.bits)
    assert json.loads(command("score", tmp_path / "m", tmp_path / "t", "--json"))["adaptive"] is False
    shown = command("score", tmp_path / "m", tmp_path / "t", "--adaptive")
    assert f"{score.bits_per_char:.4f}" in shown
    assert f"the model's, {ADAPTIVE}" in shown
    command("score", tmp_path / "m", tmp_path / "t", "--adaptive", "--html", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert ADAPTIVE in page
    assert "<title>Surprisal, adaptive:" in page
    listed = run("score", tmp_path / "m", tmp_path / "t", "--adaptive", "--chars")
    assert listed.stdout.splitlines()[-1] == f"'\\n'\t{score.surprisal[-1]:.3f}"
    assert ADAPTIVE in listed.stderr
    for how in ({"ELMAN_THREADS": "1"}, {"ELMAN_THREADS": "3"}, {"ELMAN_ISA": "portable"}):
        done = run(
            "score", tmp_path / "m", tmp_path / "t", "--adaptive", "--json", env={**os.environ, **how}, fresh=True
        )
        assert json.loads(done.stdout) == row


@pytest.mark.parametrize("with_", ["--lines", "--words", "--top=3", "--above=9"])
def test_what_it_is_not_for(tmp_path, with_):
    elman.save(model_of(LINES, records=True), tmp_path / "m")
    (tmp_path / "t").write_text(LINES)
    refused(run("score", tmp_path / "m", tmp_path / "t", "--adaptive", with_), "--adaptive scores whole texts")
