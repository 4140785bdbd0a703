"""fit: the book's curve, seeds, and how a run ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import elman

TEXT = "the traveller came down to the sea and the traveller went home again. " * 12


def test_same_seed_same_model_and_file(tmp_path):
    corpus = elman.Corpus("t", TEXT, "none", "here")
    files = []
    for name in ("a", "b"):
        model = elman.build_model(corpus, hidden_size=16, batch_size=4, seq_length=9)
        elman.fit(
            model,
            corpus,
            hidden_size=16,
            batch_size=4,
            seq_length=9,
            epochs=3,
            output=tmp_path / name,
            prompts=(),
        )
        files.append((tmp_path / name / "model.safetensors").read_bytes())
    assert files[0] == files[1]
    log = [json.loads(line) for line in (tmp_path / "a" / "log.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2, 3]
    assert log[2]["train_perplexity"] < log[0]["train_perplexity"]


def test_divergence_stops_and_keeps_the_model(tmp_path):
    corpus = elman.Corpus("t", TEXT, "none", "here")
    model = elman.build_model(corpus, hidden_size=16)
    with pytest.raises(elman.TrainingDiverged, match="use a lower learning rate"):
        elman.fit(model, corpus, lr=1e30, clip=None, batch_size=4, seq_length=9, epochs=50, output=tmp_path)
    elman.load(tmp_path / "model.safetensors")


@pytest.mark.skipif(
    not (Path(os.environ.get("ELMAN_DATA", "")) / "timemachine.txt").is_file(),
    reason="ELMAN_DATA does not hold timemachine.txt",
)
def test_follows_the_books_curve():
    corpus = elman.load_corpus("timemachine", 10_000)
    model = elman.build_model(corpus)
    run = elman.fit(model, corpus, epochs=100, sample_every=0)
    assert 7.5 < run.log[49].train_perplexity < 10
    assert 4 < run.log[99].train_perplexity < 5.6
    tanh = elman.build_model(corpus, cell="rnn_tanh")
    run = elman.fit(tanh, corpus, epochs=100, sample_every=0)
    assert not 7.5 < run.log[49].train_perplexity < 10 or not 4 < run.log[99].train_perplexity < 5.6
