"""Every text begins after a line end, as a record does: one rule, for whatever reads or writes a text."""

from __future__ import annotations

import math

import numpy as np
import pytest

import elman
from elman.cli.interactive.steps import Steps
from elman.generation import Streams, beam_search, stream
from elman.generation.sampling import Sampling
from elman.inspection import activations, sample
from elman.model.quantisation import calibration_rows
from elman.recipes import Recipe
from elman.scoring import score_many, text_nats, words
from elman.training.data import Split, Text

LINES = "ada came\nbo went\ngrace sat\n" * 6
ONE_LINE = "ada came bo went grace sat " * 6  # a vocabulary without a line end: <unk> stands in its place


def make(text: str | bytes, cell="gru", records=False) -> elman.LanguageModel:
    corpus = elman.Corpus("t", text, "none", "here", records)
    return elman.build_model(corpus, cell=cell, hidden_size=11, init_std=None)  # type: ignore


def after_start(model: elman.LanguageModel, text: str | bytes) -> np.ndarray:
    """float64 (T + 1, V): ln p before each token of `text` and after the last, by one call of the model."""
    ids = np.append([model.reading.start], model.reading.vocabulary.encode(text).astype(np.int64))
    return model.log_softmax(model(ids[:, None])[0])[:, 0].astype(np.float64)


def test_the_start_is_the_line_end_or_else_unknown():
    for text, start in ((LINES, "\n"), (LINES.encode(), b"\n")):
        model = make(text)
        assert model.reading.start == model.reading.vocabulary.encode(start)[0]
    assert make(ONE_LINE).reading.start == 0
    ids = np.arange(6, dtype=np.uint8).reshape(3, 2)
    primed = make(LINES).reading.primed(ids)
    assert primed.dtype == np.uint8
    assert primed.tolist() == [[make(LINES).reading.start] * 2, *ids.tolist()]


@pytest.mark.parametrize("text", [LINES, ONE_LINE, LINES.encode()], ids=["lines", "no line end", "bytes"])
@pytest.mark.parametrize("cell", ["rnn_relu", "lstm"])
def test_whatever_reads_a_text(text, cell):
    model, some = make(text, cell), text[:40]
    likely, ids = after_start(model, some), model.reading.vocabulary.encode(some)
    bits = -likely[np.arange(len(ids)), ids] / math.log(2)
    score = elman.score(model, some)
    np.testing.assert_allclose(score.surprisal, bits, rtol=1e-5)
    np.testing.assert_allclose(np.array(list(text_nats(model, ids))) / math.log(2), bits, rtol=1e-5)
    np.testing.assert_allclose(elman.score(model, some, adaptive=True).surprisal[:1], bits[:1], rtol=1e-5)
    assert [s.bits for s in score_many(model, [some, text[:7], some])][::2] == [score.bits] * 2
    entropy = -(np.exp(likely[0]) * likely[0]).sum() / math.log(2)
    assert words(model, score)[0].entropy == pytest.approx(entropy, rel=1e-5)
    for place in (0, 5):
        tokens = dict(elman.after(model, some[:place], 300))
        token = model.reading.vocabulary.name(int(ids[place]))
        assert -math.log2(tokens[token]) == pytest.approx(bits[place], rel=1e-5)
    split = Split.of(np.tile(ids, 20), model.reading, 0.05, 0)
    held_out = Text(split, Recipe(batch_size=2, seq_length=5))
    assert held_out.held_out_bits(model) == (score.bits_per_char if len(score.text) == len(ids) else math.nan,) * 2


def test_a_text_of_one_line_costs_what_the_record_does():
    text, record = make(LINES), make(LINES, records=True)
    assert text.digest() == record.digest()
    for line in LINES.splitlines(keepends=True)[:3]:
        assert elman.score(text, line).surprisal.tobytes() == elman.score(record, line).surprisal.tobytes()
        layer = activations(text, elman.score(text, line), 0, None)
        assert layer.tobytes() == activations(record, elman.score(record, line), 0, None).tobytes()
    assert elman.after(text, "ad") == elman.after(record, "ad")
    assert elman.score(text, LINES).surprisal[9] != elman.score(record, LINES).surprisal[9]  # it carries its state


@pytest.mark.parametrize("text", [LINES, ONE_LINE], ids=["lines", "no line end"])
@pytest.mark.parametrize("prompt", ["", "ada"])
def test_whatever_writes_a_text(text, prompt):
    model = make(text, "lstm")
    likely = after_start(model, prompt)[-1]
    likely[0] = -np.inf  # <unk> is never written
    best = model.reading.vocabulary.symbols[int(likely.argmax())]
    assert elman.generate(model, prompt, 1, temperature=0) == best
    assert next(stream(model, prompt, 1, temperature=0)) == best
    (beam,) = beam_search(model, prompt, 1, width=1)
    assert (beam.text, beam.bits) == (best, pytest.approx(-likely.max() / math.log(2), rel=1e-5))
    assert Steps(model, prompt).text == prompt
    count, draws = 3000, Sampling(seed=5)
    ids = model.reading.prompt(prompt)
    made = Streams(model, np.repeat(ids[:, None], count, axis=1), draws).advance(1)[0]
    p = np.exp(likely[1:]) / np.exp(likely[1:]).sum()
    expected = count * p
    k = len(p) - 1  # the 99.9 % point of chi-squared, by Wilson and Hilferty
    statistic = float(((np.bincount(made, minlength=len(p) + 1)[1:] - expected) ** 2 / expected).sum())
    assert statistic < k * (1 - 2 / (9 * k) + 3.0902 * math.sqrt(2 / (9 * k))) ** 3


def test_an_unprompted_text_has_no_character_of_no_language():
    """The first character is the model's choice, not drawn from all characters alike."""
    model = make(LINES)
    model.output.bias[:] = -50.0
    model.output.bias[model.reading.vocabulary.encode("ag")] = 50.0
    assert {elman.generate(model, "", 1, seed=seed) for seed in range(8)} <= {"a", "g"}
    assert {chr(i) for i in model.reading.vocabulary.encode("ag")} >= {chr(i) for i in sample(model, 30)}


def test_the_start_is_not_a_part_of_the_text():
    """A penalty of repetition does not know it, nor does a record that `new_records` writes begin with it."""
    model = make(LINES, records=True)
    streams = Streams(model, np.zeros((0, 1), dtype=np.int64), Sampling(repetition_penalty=3.0))
    assert (streams._shape(0)[1:] == streams._decoder.logits[0][1:]).all()
    for prompt in ("", "ad"):
        (one, *_) = elman.generation.new_records(model, [], 1, prompt, 30, seed=2)
        assert one.text.startswith(prompt)
        assert "\n" not in one.text
        whole = elman.score(model, one.text + "\n").bits
        assert one.bits == pytest.approx(whole - (elman.score(model, prompt + "\n").surprisal[:-1].sum()), rel=1e-4)


@pytest.mark.parametrize("text", [LINES, ONE_LINE], ids=["lines", "no line end"])
def test_what_quantisation_measures_begins_alike(text):
    model = make(text)
    ids = model.reading.vocabulary.encode(text)
    pieces = calibration_rows(model.reading, ids)
    assert (pieces[0] == model.reading.start).all()
    assert pieces[1:, 0].tolist() == ids[: len(pieces) - 1].tolist()
