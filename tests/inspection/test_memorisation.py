"""Memorisation: copies stand out, other texts of the same kind do not; the training text is found again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import elman
from elman.inspection import divided, memorisation, most_characters, recorded_corpus, recorded_places, sample
from elman.model import read_header


def test_a_copy_stands_out_and_its_own_kind_does_not():
    rng = np.random.default_rng(1)
    words = [bytes(rng.integers(97, 123, rng.integers(2, 9), dtype=np.uint8)) for _ in range(300)]
    prose = [np.frombuffer(b" ".join(words[i] for i in rng.integers(0, 300, 2000)), np.uint8) for _ in range(3)]
    corpus, unseen, other = prose
    copying = np.concatenate((other[:3000], corpus[2000:2400], other[3000:5000]))
    report = memorisation(copying, corpus, unseen)
    assert list(report.matches) == ["generated", "held-out", "6-gram", "shuffled"]
    generated, beside, _, shuffled = report.rows()
    assert report.baseline == "held-out"
    assert memorisation(copying, corpus, unseen[:100]).baseline == "6-gram"  # too short to bound what chance gives
    assert generated["longest"] >= 400
    assert generated["beyond"] == pytest.approx(400 / 5400, abs=0.02)
    assert beside["beyond"] == 0
    assert shuffled["median"] < beside["median"]
    assert shuffled["longest"] == pytest.approx(report.expected_longest, abs=2)
    assert {row["characters"] for row in report.rows()} == {5400}
    (top,) = report.matches["generated"].longest(1)
    assert (top.start, top.place) == pytest.approx((3000, 2000), abs=8)


def test_nothing_to_compare():
    some, none = np.zeros(3, np.uint8), np.zeros(0, np.uint8)
    for generated, corpus, unseen in ((none, some, some), (some, none, some), (some, some, none)):
        with pytest.raises(ValueError, match="nothing to compare"):
            memorisation(generated, corpus, unseen)


def test_a_last_record_cut_by_max_chars_is_in_neither_part(tmp_path):
    file = tmp_path / "names.txt"
    file.write_text("".join(f"name {i:03}\n" for i in range(100)))
    corpus = elman.load_corpus(file, normalisation="none", records=True)
    settings = {"hidden_size": 5, "epochs": 1, "batch_size": 2, "seq_length": 4, "prompts": (), "max_chars": 500}
    model = elman.build_model(corpus, **settings)
    elman.fit(model, corpus, output=tmp_path, val_fraction=0.25, **settings)
    parts = divided(model, read_header(tmp_path / "model.safetensors")["run"], corpus.first(500))
    assert parts is not None
    train, held_out = (model.reading.vocabulary.decode(part).splitlines() for part in parts)  # type: ignore
    assert len(held_out) == int(0.25 * (500 // 9))
    assert sorted([*train, *held_out]) == [f"name {i:03}" for i in range(500 // 9)]


LINES = "the sea is wide\nthe traveller came\nhome again\n" * 30


def test_the_training_text_around_held_out_blocks_is_found_again(tmp_path):
    file = tmp_path / "corpus.txt"
    file.write_text("".join(f"{i * i} is the square of {i}\n" for i in range(700)))
    corpus = elman.load_corpus(file, normalisation="none")
    settings = {"hidden_size": 5, "epochs": 1, "batch_size": 8, "seq_length": 40, "prompts": (), "sample_every": 0}
    model = elman.build_model(corpus, "book", **settings)
    run = elman.fit(model, corpus, "book", output=tmp_path, val_fraction=0.2, val_blocks=3, **settings)
    about = read_header(tmp_path / "model.safetensors")["run"]
    train, held_out = recorded_corpus(model, about)
    ids, size = model.reading.vocabulary.encode(corpus.text), len(corpus)
    assert held_out is not None
    assert (run.log[-1].val_blocks, run.log[-1].val_tokens) == (3, len(held_out))
    assert sorted([*train, *held_out]) == sorted(ids)
    part = len(held_out) // 3
    middle = model.reading.vocabulary.decode(held_out[part + 2 : 2 * part - 2])
    assert abs(corpus.text.index(middle) - (size - part) // 2) < 10  # type: ignore[arg-type]
    scored = elman.score(model, model.reading.vocabulary.decode(held_out))
    assert scored.bits_per_char == pytest.approx(about["val_bits_per_char"], rel=1e-6)


@pytest.mark.parametrize("records", [False, True])
def test_the_training_text_is_found_again(tmp_path, records):
    file = tmp_path / "corpus.txt"
    file.write_text(LINES)
    corpus = elman.load_corpus(file, 1200, normalisation="none", records=records)
    settings = {"hidden_size": 5, "epochs": 1, "batch_size": 2, "seq_length": 4, "prompts": (), "max_chars": 1200}
    model = elman.build_model(corpus, **settings)
    elman.fit(model, corpus, output=tmp_path, val_fraction=0.25, **settings)
    run = read_header(tmp_path / "model.safetensors")["run"]
    train, held_out = recorded_corpus(model, run)
    assert held_out is not None
    ids = model.reading.vocabulary.encode(corpus.text)
    assert len(train) + len(held_out) == len(ids)
    assert run["val_bits_per_char"] is not None
    if records:
        scored = elman.score(model, model.reading.vocabulary.decode(held_out))
        assert scored.bits_per_char == pytest.approx(run["val_bits_per_char"], rel=1e-6)
    else:
        np.testing.assert_array_equal(np.concatenate((train, held_out)), ids)
        assert len(held_out) == int(len(ids) * 0.25)
    file.write_text(LINES.replace("sea", "lea"))  # as long, and another text
    with pytest.raises(elman.CorpusError, match="is not the text that the model was trained on"):
        recorded_corpus(model, run)
    file.unlink()
    with pytest.raises(elman.CorpusError, match=r"training text: .*no such file.*; or give `corpus`"):
        recorded_corpus(model, run)
    with pytest.raises(elman.CorpusError, match="trained on standard input; give it as `corpus`"):
        recorded_corpus(model, {"corpus": {"name": "stdin", "source": "standard input"}})


def test_writing_is_seeded_and_of_the_asked_length():
    corpus = elman.Corpus("t", LINES, "none", "here")
    model = elman.build_model(corpus, hidden_size=5, init_std=None)
    assert len(sample(model, 300)) == 300
    np.testing.assert_array_equal(sample(model, 300, seed=3), sample(model, 300, seed=3))
    assert not np.array_equal(sample(model, 300, seed=3), sample(model, 300, seed=4))
    model.reading = dataclasses.replace(model.reading, records=True)
    text = model.reading.vocabulary.decode(sample(model, 5000))
    assert len(text) == 5000
    records = elman.generate(model, "", 1000, num_samples=3, seed=0)
    assert text.split("\n")[:3] == records
    with pytest.raises(ValueError, match="length must be at least 1"):
        sample(model, 0)


@pytest.mark.parametrize(
    "run",
    [
        *([], "x", {"corpus": []}, {"corpus": {"name": {}}}, {"corpus": {"name": [], "source": {}}}),
        *({"corpus": {"source": [[], 3]}}, {"corpus": {"source": 3}}, {"corpus": {"source": ["a string", "x"]}}),
    ],
    ids=str,
)
def test_a_summary_may_hold_anything(run):
    with pytest.raises(elman.CorpusError, match="give it as `corpus`"):
        recorded_places(run)
    assert most_characters(run) is None
