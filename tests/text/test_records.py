"""Records: read, cut into batches, trained on, and what the model file remembers of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import elman
from elman.batches import record_batches
from elman.model import read_header
from elman.recipes import Recipe
from elman.scoring import sequence_nats
from elman.text import record_lines, record_spans, without_blank_lines
from elman.training.data import Records, Split

NAMES = ["ada", "bo", "grace hopper", "x", "jean", "kathleen antonelli", "betty", "fran", "ruth", "marlyn"] * 3


def corpus_of(names=NAMES) -> elman.Corpus:
    return elman.Corpus("names", "".join(f"{n}\n" for n in names), "none", "here", records=True)


def test_lines_are_normalised_one_by_one():
    assert record_lines("Ada  Lovelace \r\n\r\n\tBo", "book") == "ada lovelace\n\nbo\n"
    assert record_lines("  A\n", "book") == "a\n"
    assert record_lines("Ada  L \r\nBo\n", "none") == "Ada  L \nBo\n"
    assert record_lines(b"a\r\nb", "none") == b"a\nb\n"
    assert without_blank_lines("\n\na\n\n\nb\n") == "a\nb\n"
    assert without_blank_lines(b"\na\n\nb\n") == b"a\nb\n"


def test_load_corpus_reads_records(tmp_path):
    (tmp_path / "n").write_text("Ada\n\n Bo\r\nGrace")
    corpus = elman.load_corpus(tmp_path / "n", records=True, normalisation="book")
    assert (corpus.text, corpus.records) == ("ada\nbo\ngrace\n", True)
    assert elman.load_corpus(tmp_path / "n", 8, records=True, normalisation="book").text == "ada\nbo\n"
    assert elman.load_corpus(tmp_path / "n", records=True, tokens="bytes").text == b"Ada\n Bo\nGrace\n"
    (tmp_path / "j").write_text('{"m": "Hello"}\n{"m": "you"}\n')
    assert elman.load_corpus(tmp_path / "j", field="m", normalisation="none").text == "Hello\nyou\n"
    with pytest.raises(elman.CorpusError, match="line 1: expected an object with a string in 'q'"):
        elman.load_corpus(tmp_path / "j", field="q")
    (tmp_path / "e").write_text("\n\n")
    with pytest.raises(elman.CorpusError, match="is empty"):
        elman.load_corpus(tmp_path / "e", records=True)


@pytest.mark.parametrize(("batch_size", "seq_length"), [(1, 1), (4, 5), (7, 100), (100, 3)])
def test_every_record_once_in_order_and_masked(batch_size, seq_length):
    corpus = corpus_of()
    vocabulary = corpus.vocabulary()
    end = int(vocabulary.encode("\n")[0])
    ids = vocabulary.encode("\n" + str(corpus.text))
    seen: list[str] = []
    texts: list[str] = []
    for inputs, targets, fresh in record_batches(ids, *record_spans(ids, end), batch_size, seq_length, 3, 1):
        assert inputs.shape == targets.shape
        inputs, targets = inputs.T, targets.T
        assert inputs.shape[1] <= seq_length
        if fresh:
            seen += texts
            texts = [""] * len(inputs)
            assert (inputs[:, 0] == end).all()
        for row in range(len(inputs)):
            counted = targets[row] >= 0
            assert (np.diff(counted.astype(int)) <= 0).all()  # padding is at the end only
            texts[row] += vocabulary.decode(targets[row][counted])
    seen += texts
    assert sorted(seen) == sorted(n + "\n" for n in NAMES)


def test_the_order_is_a_function_of_seed_and_epoch():
    corpus = corpus_of()
    ids = corpus.vocabulary().encode("\n" + str(corpus.text))
    spans = record_spans(ids, int(corpus.vocabulary().encode("\n")[0]))

    def order(seed, epoch):
        return [i.tobytes() for i, _, _ in record_batches(ids, *spans, 4, 50, seed, epoch)]

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2)
    assert order(1, 1) != order(2, 1)


def test_padding_does_not_count():
    """The loss and the gradient of a batch of records are those of its records, each by itself."""
    corpus = corpus_of(NAMES[:5])
    model = elman.build_model(corpus, cell="lstm", hidden_size=6, init_std=None)
    ids = corpus.vocabulary().encode("\n" + str(corpus.text))
    spans = record_spans(ids, int(corpus.vocabulary().encode("\n")[0]))
    ((inputs, targets, _),) = record_batches(ids, *spans, 5, 100, 0, 1)
    count = int((targets >= 0).sum())
    mean, _, grads = model.loss_and_grads(inputs, targets)
    total, sums = 0.0, [np.zeros_like(g) for g in grads]
    for row in range(5):
        n = int((targets[:, row] >= 0).sum())
        alone, _, of_row = model.loss_and_grads(inputs[:n, row : row + 1], targets[:n, row : row + 1])
        total += alone * n
        sums = [s + g * n for s, g in zip(sums, of_row, strict=True)]
    assert mean == pytest.approx(total / count)
    for s, g in zip(sums, grads, strict=True):
        np.testing.assert_allclose(s / count, g, rtol=1e-4, atol=1e-7)


def test_train_remember_and_stop(tmp_path):
    corpus = corpus_of(["abc", "ab"] * 40)
    model = elman.build_model(corpus, cell="gru", hidden_size=16)
    settings = {"epochs": 12, "batch_size": 8, "optimizer": "adam", "lr": 0.02, "val_fraction": 0.25, "prompts": ()}
    run = elman.fit(model, corpus, output=tmp_path, **settings)
    # Half are "abc": one bit for the choice, the rest certain; so near 1/3.5 bits a character.
    assert run.log[-1].train_bits_per_char < 0.5
    loaded = elman.load(tmp_path / "model.safetensors")
    assert loaded.reading.records
    assert read_header(tmp_path / "model.safetensors")["records"] is True
    made = elman.generate(loaded, "", 50, num_samples=40, seed=1)
    assert sum(text in ("abc", "ab") for text in made) >= 35
    assert {"abc", "ab"} <= set(made)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["val_perplexity"] == run.log[-1].val_perplexity
    assert not elman.load(_saved(tmp_path / "other")).reading.records


def _saved(path):
    elman.save(elman.build_model(elman.Corpus("t", "ab", "none", "here"), hidden_size=3), path)
    return path


def test_the_held_out_records_are_scored_as_score_does():
    model = elman.build_model(corpus_of(), cell="gru", hidden_size=6, init_std=None)
    reading = model.reading
    split = Split.of(reading.vocabulary.encode(corpus_of().text), reading, 0.3, 0)
    data = Records(split, Recipe(val_fraction=0.3), reading)
    starts, lengths = data._val
    spans = zip(starts, lengths, strict=True)
    text = "".join(reading.vocabulary.decode(data._ids[s + 1 : s + n + 1]) for s, n in spans)
    assert text.count("\n") == int(0.3 * len(NAMES))
    assert data.held_out_bits(model) == (elman.score(model, text).bits_per_char,) * 2
    nats = sequence_nats(model, data._ids, starts, lengths)
    assert data.held_out_bits(model) == (math.fsum(nats / np.log(2)) / len(nats),) * 2
    assert sum(n for _, t, _ in data.batches(1) for n in [int((t >= 0).sum())]) == data.size


def test_nothing_whole_to_train_on():
    model = elman.build_model(corpus_of(["abcdef"]), hidden_size=4)
    with pytest.raises(ValueError, match="max_chars 3 is less than the first record"):
        elman.fit(model, corpus_of(["abcdef"]), max_chars=3)
    with pytest.raises(ValueError, match="the corpus was read as records, and the model reads no records"):
        elman.fit(elman.build_model(elman.Corpus("t", "ab", "none", "x"), hidden_size=3), corpus_of(["ab"]), epochs=1)
