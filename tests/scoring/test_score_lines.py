"""Scores: equal to fit's evaluation, to a sum by hand, and to themselves however they are cut; lines; baselines."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math

import numpy as np
import pytest

import elman
from elman import kernels
from elman.kernels.reference import log_softmax
from elman.recipes import load_recipe
from elman.scoring import BURST, alternatives, baselines, blocks, ngram_bits, score_many, sequence_nats

TEXT = "the traveller came down to the sea.\nand went home again.\n\nétait-il là?\n" * 6


def make(cell="gru", text: str | bytes = TEXT, **settings) -> elman.LanguageModel:
    return elman.build_model(
        elman.Corpus("t", text, "none", "here"),
        cell=cell,  # type: ignore
        hidden_size=9,
        init_std=None,
        **settings,  # type: ignore
    )


@pytest.mark.parametrize("cell", ["rnn_relu", "lstm"])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_score_is_the_sum_by_hand(cell, num_layers):
    model = make(cell, num_layers=num_layers)
    ids = model.reading.vocabulary.encode("\n" + TEXT)
    logp = log_softmax(model(ids[:-1, None])[0].astype(np.float64))[:, 0]
    by_hand = -logp[np.arange(len(ids) - 1), ids[1:]] / math.log(2)
    got = elman.score(model, TEXT)
    np.testing.assert_allclose(got.surprisal, by_hand, rtol=1e-5)
    assert got.bits == math.fsum(got.surprisal)
    assert got.perplexity == 2 ** (got.bits / len(TEXT))


def test_score_equals_fits_evaluation_to_the_last_bit():
    corpus = elman.Corpus("t", TEXT, "none", "here")
    model = make("lstm")
    run = elman.fit(model, corpus, epochs=2, batch_size=3, seq_length=7, lr=0.1, val_fraction=0.3, prompts=())
    held_out = TEXT[len(TEXT) - int(len(TEXT) * 0.3) :]
    assert elman.score(model, held_out).perplexity == run.log[-1].val_perplexity
    assert elman.score(model, held_out).bits_per_char == run.log[-1].val_bits_per_char


@pytest.mark.parametrize("cell", ["rnn_tanh", "gru", "lstm"])
def test_a_long_text_equals_its_chunks_and_any_batch(cell, monkeypatch):
    model = make(cell)
    texts = [TEXT, TEXT[5:41], "t", TEXT[3:300]]
    whole = score_many(model, texts)
    exact = kernels.serving()[0] == "cpu"
    same = np.testing.assert_array_equal if exact else lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5)
    for text, one in zip(texts, whole, strict=True):
        same(elman.score(model, text).surprisal, one.surprisal)
    for steps, tokens, rows in ((1, 1, 1), (7, 10**6, 2), (10**6, 50, 3)):
        monkeypatch.setattr(blocks, "_STEPS", steps)
        monkeypatch.setattr(blocks, "_TOKENS", tokens)
        monkeypatch.setattr(blocks, "_STATE", rows * model.layer.hidden_size)
        for a, b in zip(score_many(model, texts), whole, strict=True):
            same(a.surprisal, b.surprisal)


def test_records_are_scored_one_by_one():
    model = make()
    lines = [*TEXT.split("\n")[:-1], "sea"]
    got = elman.score(model, "\n".join(lines), records=True)
    assert got.text == "\n".join(lines) + "\n"
    by_line = got.lines()
    assert [by_line.text(i) for i in range(len(by_line))] == lines
    assert list(by_line.lengths) == [len(line) + 1 for line in lines]
    for line, bits in list(zip(lines, by_line.bits, strict=True))[:5]:
        assert bits == pytest.approx(elman.score(model, line + "\n").bits, rel=1e-5)
    assert math.fsum(by_line.bits) == pytest.approx(got.bits)


def test_a_burst_is_the_dearest_window_of_a_line():
    for text in (TEXT, "a\nab\n\nabc\nthe sea"):
        got = elman.score(make(), text)
        lines, expected = got.lines(), []
        for start, length in zip(lines.starts, lines.lengths, strict=True):
            line = got.surprisal[start : start + length]
            expected.append(max(line[i : i + BURST].sum() for i in range(max(1, length - BURST + 1))))
        np.testing.assert_allclose(lines.bursts, expected, rtol=1e-12)
        filled = [i for i in range(len(lines)) if lines.text(i)]
        assert list(lines.top(3)) == sorted(filled, key=lambda i: -lines.bursts[i])[:3]


def test_the_top_finds_odd_lines_in_a_log():
    rng = np.random.default_rng(5)
    verbs, places, codes = ("GET", "PUT"), ("users", "images", "orders", "static"), (200, 304)
    log = [f"{rng.choice(verbs)} /{rng.choice(places)}/{rng.integers(100)} {rng.choice(codes)}" for _ in range(4000)]
    odd = [
        "GET /users/../etc 200",
        "DROP /orders/17 200",
        "GET /imgaes/5 304",
        "PUT /static/12 500",
        "Segmentation fault",
    ]
    corpus = elman.Corpus("log", "\n".join(log[:3000]) + "\n", "none", "here", True)
    settings = load_recipe("records").replace(hidden_size=32, epochs=2, val_fraction=0.0)
    model = elman.build_model(corpus, settings)
    elman.fit(model, corpus, settings)
    today = [*log[3000:3500], *odd, *log[3500:]]
    lines = elman.score(model, "\n".join(today), records=True).lines()
    assert {lines.text(i) for i in lines.top(len(odd))} == set(odd)


def test_records_need_a_line_end():
    model = make(text="no line end")
    with pytest.raises(ValueError, match="has never seen a line end"):
        elman.score(model, "no", records=True)


def test_lines_of_a_carried_score():
    got = elman.score(make(), "the sea\n\nand")
    assert list(got.lines().lengths) == [8, 1, 3]
    assert got.lines().text(2) == "and"
    assert got.lines().bits[0] == pytest.approx(math.fsum(got.surprisal[:8]))


def test_bytes_are_added_up_to_characters():
    data = "é日\U0001d11ea".encode() + b"\xff\x80b"
    got = elman.score(make(text=data), data)
    text, bits = got.characters()
    assert text == "é日\U0001d11ea\ufffd\ufffdb"
    np.testing.assert_allclose(bits[:3], [got.surprisal[:2].sum(), got.surprisal[2:5].sum(), got.surprisal[5:9].sum()])
    assert bits.sum() == pytest.approx(got.bits)
    assert len(elman.score(make(text=data), "é日").surprisal) == 5


def test_alternatives_are_the_likeliest():
    model = make("lstm")
    ids = model.reading.vocabulary.encode(TEXT)
    span = np.array([0]), np.array([len(ids) - 1])
    tokens, bits = alternatives(model, ids, *span)
    assert tokens.shape == bits.shape == (len(ids) - 1, 5)
    assert (np.diff(bits, axis=1) >= 0).all()
    costs = sequence_nats(model, ids, *span) / math.log(2)
    for place in range(len(costs)):
        if ids[place + 1] in tokens[place]:
            at = list(tokens[place]).index(ids[place + 1])
            assert bits[place, at] == pytest.approx(costs[place], rel=1e-4)


def test_nothing_to_score():
    with pytest.raises(ValueError, match="nothing to score"):
        elman.score(make(), "")
    assert score_many(make(), []) == []
    with pytest.raises(ValueError, match=r"b\.txt: nothing to score"):
        score_many(make(), ["a", ""], names=["a.txt", "b.txt"])


def slow_ngram(ids, vocab_size, order):
    """The definition, one character at a time."""
    costs = []
    for t, c in enumerate(ids):
        p = 1 / vocab_size
        for k in range(1, min(order, t + 1) + 1):
            h = tuple(ids[t - k + 1 : t])
            followers = [ids[i] for i in range(k - 1, t) if tuple(ids[i - k + 1 : i]) == h]
            d = len(set(followers))
            if followers:
                p = (followers.count(c) + d * p) / (len(followers) + d)
        costs.append(-math.log2(p))
    return costs


@pytest.mark.parametrize("text", ["abracadabra abracadabra", "a", "", "aaaaaaaaaa", "to be or not to be, that is"])
@pytest.mark.parametrize("order", [1, 3, 6])
@pytest.mark.parametrize("piece", [1, 4, 1 << 15])
def test_the_n_gram_model_is_its_definition(monkeypatch, text, order, piece):
    monkeypatch.setattr("elman.scoring.compressors._PIECE", piece)
    ids = np.array([ord(c) % 29 for c in text], dtype=np.uint8)
    np.testing.assert_allclose(ngram_bits(ids, 29, order), slow_ngram(list(ids), 29, order))


def test_the_n_gram_model_is_a_distribution():
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 4, 60)
    total = sum(2 ** -ngram_bits(np.append(ids, c), 4, 3)[-1] for c in range(4))
    assert total == pytest.approx(1)


def test_baselines_are_what_the_programs_reach():
    data = TEXT.encode()
    got = baselines(TEXT, make().reading.vocabulary.encode(TEXT), 40)
    assert got["gzip"] == 8 * len(gzip.compress(data, 9))
    assert got["bzip2"] == 8 * len(bz2.compress(data))
    assert got["xz"] == 8 * len(lzma.compress(data))
    assert got["6-gram"] < 8 * len(data)


def test_a_list_of_texts_is_scored_as_each_alone():
    model = elman.build_model(elman.Corpus("t", "ab\nc", "none", "here"), hidden_size=6, init_std=None)
    texts = ["a", "ab\nc", "b" * 40]
    for score, text in zip(elman.score(model, texts), texts, strict=True):
        assert score.surprisal.tobytes() == elman.score(model, text).surprisal.tobytes()
    assert elman.score(model, []) == []
    with pytest.raises(elman.InputError, match="text 1: nothing to score"):
        elman.score(model, ["a", ""])
    bits = -math.log2(dict(elman.after(model, "", 5))["a"])
    assert repr(elman.score(model, "a")) == f"Score(1 characters, {bits:.1f} bits, {bits:.4f} bits/char)"
