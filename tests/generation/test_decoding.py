"""Decoding: the right sets and frequencies, the same text by every way of asking, and beams against brute force."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

import elman
from elman.generation import Batch, Sampling, Streams, Text, beam_search, generate_ids, stream
from elman.generation.choose import choose, weights
from elman.kernels.reference import log_softmax

TEXT = "abca bcab cabc aabb ccab. "


def make(cell="gru", text: str | bytes = TEXT, hidden=7, seed=3, scale=3.0) -> elman.LanguageModel:
    model = elman.build_model(elman.Corpus("t", text, "none", "here"), cell=cell, hidden_size=hidden, init_std=None)  # type: ignore
    model.initialise(seed, None)
    model.output.weight *= scale
    model.output.bias *= scale
    return model


def log_p(model: elman.LanguageModel, prompt: str, string: str) -> float:
    """ln p(string | prompt), by one call of the model over both, primed."""
    ids = model.reading.primed(model.reading.vocabulary.encode(prompt + string))[:, None]
    logp = log_softmax(model(ids[:-1])[0].astype(np.float64))
    steps = range(len(prompt), len(ids) - 1)
    return sum(float(logp[t, 0, ids[t + 1, 0]]) for t in steps)


@pytest.mark.parametrize("cell", ["rnn_tanh", "lstm"])
def test_a_wide_beam_finds_what_brute_force_finds(cell):
    model = make(cell)
    symbols = model.reading.vocabulary.symbols[1:]
    every = {"".join(s): log_p(model, "ca", "".join(s)) for s in itertools.product(symbols, repeat=4)}
    best = sorted(every, key=every.__getitem__, reverse=True)[:5]
    beams = beam_search(model, "ca", 4, width=len(symbols) ** 3)
    assert [b.text for b in beams[:5]] == best
    np.testing.assert_allclose([b.bits for b in beams[:5]], [-every[s] / math.log(2) for s in best], rtol=1e-5)
    assert len(beams) == len(symbols) ** 3


def test_a_beam_of_one_is_greedy_and_a_wider_one_is_no_worse():
    model = make("lstm", seed=8)
    greedy = elman.generate(model, "ab", 12, temperature=0)
    assert [b.text for b in beam_search(model, "ab", 12, width=1)] == [greedy]
    wide, narrow = (beam_search(model, "ab", 12, width=w)[0].bits for w in (20, 1))
    assert wide <= narrow + 1e-5
    assert [b.text for b in beam_search(model, "ab", 0)] == [""]
    assert len(beam_search(model, "", 1, width=3)) == 3
    for bad in ({"width": 0}, {"length": -1}):
        with pytest.raises(ValueError, match="must be at least"):
            beam_search(model, "ab", **bad)
    model.output.bias[2] = math.nan
    with pytest.raises(ValueError, match="has diverged"):
        beam_search(model, "ab", 3)


def test_a_beam_over_records_weighs_strings_that_end():
    model = make("gru", "ab\nba\nb\n", seed=2)
    model.reading = dataclasses.replace(model.reading, records=True)
    letters = [s for s in model.reading.vocabulary.symbols[1:] if s != "\n"]
    every = {}
    for n in range(4):
        for s in map("".join, itertools.product(letters, repeat=n)):
            every[s + "\n" if n < 3 else s] = log_p(model, "", s + "\n" if n < 3 else s)
    best = sorted(every, key=every.__getitem__, reverse=True)[:6]
    beams = beam_search(model, "", 3, width=64)
    assert [b.text for b in beams[:6]] == [s.removesuffix("\n") for s in best]


P = np.array([0.05, 0.4, 0.25, 0.2, 0.1])
LOGITS = np.log(P).astype(np.float32)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, {0, 1, 2, 3, 4}),
        ({"temperature": 0}, {1}),
        ({"top_k": 2}, {1, 2}),
        ({"top_k": 9}, {0, 1, 2, 3, 4}),
        ({"top_p": 0.399}, {1}),
        ({"top_p": 0.41}, {1, 2}),
        ({"top_p": 0.64}, {1, 2}),
        ({"top_p": 0.66}, {1, 2, 3}),
        ({"top_p": 1.0}, {0, 1, 2, 3, 4}),
        ({"top_k": 2, "top_p": 0.6}, {1}),  # of the two that are left, the first has 0.4 / 0.65
        ({"min_p": 0.51}, {1, 2}),
        ({"min_p": 0.49}, {1, 2, 3}),
        ({"min_p": 1.0}, {1}),
        ({"alpha": 2.0, "min_p": 0.3}, {1, 2}),  # (0.2 / 0.4)^2 = 0.25 is left out
        ({"temperature": 2.0, "min_p": 0.49}, {1, 2, 3, 4}),  # (0.1 / 0.4)^(1/2) = 0.5 is not
    ],
)
def test_exactly_the_right_sets_are_kept(settings, kept):
    w = weights(LOGITS, Sampling(**settings))
    assert set(np.flatnonzero(w)) == kept
    exponent = 1 if settings.get("temperature") == 0 else Sampling(**settings).exponent
    if settings.get("temperature") != 0:
        np.testing.assert_allclose(w[list(kept)], (P[list(kept)] / 0.4) ** exponent, rtol=1e-6)


def test_kept_sets_are_their_definitions():
    """top-p: the smallest set that has the share; min-p: all that are likely enough. Over every subset."""
    rng = np.random.default_rng(5)
    for _ in range(40):
        p = rng.dirichlet(np.full(6, 0.7))
        logits = np.log(p).astype(np.float32)
        share = float(rng.uniform(0.05, 0.99))
        enough = [s for n in range(1, 7) for s in itertools.combinations(range(6), n) if p[list(s)].sum() >= share]
        smallest = max((s for s in enough if len(s) == len(enough[0])), key=lambda s: p[list(s)].sum())
        assert tuple(np.flatnonzero(weights(logits, Sampling(top_p=share)))) == smallest
        kept = np.flatnonzero(weights(logits, Sampling(min_p=share)))
        assert list(kept) == [i for i in range(6) if p[i] >= share * p.max()]


def test_ties_keep_the_lowest_ids_and_impossible_stays_so():
    logits = np.array([-np.inf, 1, 1, 1, -np.inf], dtype=np.float32)
    assert set(np.flatnonzero(weights(logits, Sampling(top_k=2)))) == {1, 2}
    assert set(np.flatnonzero(weights(logits, Sampling(top_p=0.5)))) == {1, 2}
    assert {choose(logits, Sampling(alpha=1e-30), u) for u in (0.0, 0.4, 0.9, 1 - 2**-53)} == {1, 2, 3}
    assert set(np.flatnonzero(weights(logits, Sampling(alpha=1e-60)))) == {1, 2, 3}
    with pytest.raises(ValueError, match="has diverged"):
        choose(np.full(3, np.nan, dtype=np.float32), Sampling(), 0.5)


@pytest.mark.parametrize("settings", [{"alpha": 1.0}, {"alpha": 2.0}, {"alpha": 0.5}, {"temperature": 0.7}])
def test_frequencies_are_p_to_the_alpha(settings):
    model, count = make("lstm"), 4000
    ids = model.reading.vocabulary.encode("abc")
    logits = model(model.reading.primed(ids)[:, None])[0][-1, 0]
    p = np.exp(log_softmax(logits.astype(np.float64)))[1:]  # <unk> is never written
    expected = p ** Sampling(**settings).exponent
    expected = count * expected / expected.sum()
    drawn = generate_ids(model, ids, 1, Sampling(seed=1, **settings), num_samples=count)
    got = np.bincount(drawn[0], minlength=model.vocab_size)
    assert got[0] == 0
    statistic = float(((got[1:] - expected) ** 2 / expected).sum())
    # The 99.9% point of chi-squared with this many degrees of freedom, by Wilson and Hilferty.
    k = len(expected) - 1
    assert statistic < k * (1 - 2 / (9 * k) + 3.0902 * math.sqrt(2 / (9 * k))) ** 3


@pytest.mark.parametrize("cell", ["rnn_relu", "lstm"])
def test_a_sample_does_not_depend_on_the_batch_or_the_cutting(cell):
    model = make(cell)
    together = elman.generate(model, "ab", 30, num_samples=5, seed=9)
    assert together[0] == elman.generate(model, "ab", 30, seed=9)
    assert together[:2] == elman.generate(model, "ab", 30, num_samples=2, seed=9)
    assert len(set(together)) == 5
    streams = Streams(model, np.zeros((0, 3), dtype=np.int64), Sampling(seed=9), first=2)
    cut = np.concatenate([streams.advance(n) for n in (1, 4, 0, 2)])
    whole = generate_ids(model, np.zeros(0, dtype=np.int64), 7, Sampling(seed=9), num_samples=5)
    assert (cut == whole[:, 2:]).all()


def test_stop_strings():
    model = make()
    text = elman.generate(model, "ab", 200, seed=4)
    stop = text[90:93]
    first = text.find(stop)
    assert elman.generate(model, "ab", 200, seed=4, stop=stop) == text[:first]
    assert elman.generate(model, "ab", 200, seed=4, stop=["never comes", stop]) == text[:first]
    assert elman.generate(model, "ab", 200, seed=4, stop="never comes") == text
    assert elman.generate(model, "ab", 200, seed=4, stop=text[-3:] + "?") == text
    assert "".join(stream(model, "ab", 200, seed=4, stop=stop)) == text[:first]
    with pytest.raises(ValueError, match="stop string is empty"):
        elman.generate(model, "ab", 5, stop="")


def test_the_end_of_a_record_stops():
    model = make(text="ab\nba\nabba\n")
    model.reading = dataclasses.replace(model.reading, records=True)
    texts = elman.generate(model, "", 300, num_samples=20, seed=1)
    assert all("\n" not in t for t in texts)
    assert len({len(t) for t in texts}) > 1


def test_bytes_are_never_cut_inside_a_character():
    text = "né€𝄞 日本語 ü"
    model = make("lstm", text.encode(), hidden=3)
    model.output.weight[:] = 0.0
    model.output.bias[:] = 0.0
    model.output.bias[list(set(text.encode()))] = 6.0  # mostly the bytes of these, in any order
    text, batch = Text(model.reading.prompt("n"), 500, Sampling(seed=2)), Batch(model, seconds=1e-9)
    batch.join([text])
    pieces = []
    while not batch.idle:
        pieces += [piece.added for piece in batch.step()]
    whole = generate_ids(model, model.reading.vocabulary.encode("n"), 500, Sampling(seed=2))[:, 0]
    assert len(pieces) == 500, "a step for each byte"
    assert pieces.count("") > 20
    assert "".join(stream(model, "n", 500, seed=2)) == "".join(pieces)
    assert "".join(pieces) == model.reading.vocabulary.decode(whole) == elman.generate(model, "n", 500, seed=2)


def test_allowed_bias_and_penalty():
    model = make()
    assert set(elman.generate(model, "ab", 60, allowed="ac", seed=1)) == {"a", "c"}
    assert set(elman.generate(model, "ab", 20, logit_bias={"b": 100.0})) == {"b"}
    assert "b" not in elman.generate(model, "ab", 200, logit_bias={"b": -math.inf})
    # The penalty by hand: a logit above 0 is divided, one below multiplied, of what was seen.
    ids = model.reading.prompt("ab")[:, None]
    one = Streams(model, ids, Sampling(repetition_penalty=2.0))
    raw, got = one._decoder.logits[0], one._shape(0)
    for i in range(1, model.vocab_size):
        seen = i in ids
        assert got[i] == (raw[i] if not seen else raw[i] / 2 if raw[i] > 0 else raw[i] * 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature must be 0"),
        ({"temperature": math.nan}, "temperature must be 0"),
        ({"temperature": 1e-45}, "alpha` / `temperature` is"),
        ({"alpha": 0}, "alpha must be above 0"),
        ({"top_k": 0}, "top_k must be at least 1"),
        ({"top_p": 0}, r"top_p must be in \(0, 1\]"),
        ({"top_p": 1.5}, r"top_p must be in \(0, 1\]"),
        ({"min_p": -0.1}, r"min_p must be in \[0, 1\]"),
        ({"repetition_penalty": 0}, "repetition_penalty must be above 0"),
        ({"allowed": ""}, "allowed is empty"),
        ({"allowed": "aż"}, "allowed: the model has no character 'ż'"),
        ({"logit_bias": {"ab": 1.0}}, "single characters"),
        ({"logit_bias": {"a": math.nan}}, "below inf"),
        ({"allowed": "a", "logit_bias": {"a": -math.inf}}, "leave no character"),
        ({"seed": -1}, "seed must be in"),
        ({"num_samples": 0}, "num_samples must be at least 1"),
        ({"length": -1}, "length must be at least 0"),
    ],
)
def test_bad_settings_say_what_was_expected(settings, message):
    with pytest.raises(ValueError, match=message):
        elman.generate(make(), "ab", **settings)


def test_an_empty_prompt_and_an_empty_length():
    model = make()
    assert len(elman.generate(model, "", 5)) == 5
    assert elman.generate(model, "ab", 0) == ""
    assert elman.generate(model, "", 1, temperature=0) == elman.after(model, "", 1)[0][0]
