"""fit: the book's curve, seeds, and how a run ends."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

import elman
from elman.batches import sequential_batches

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
    model = elman.build_model(corpus, "book", hidden_size=16)
    with pytest.raises(elman.TrainingDiverged, match="use a lower learning rate"):
        elman.fit(model, corpus, "book", lr=1e30, clip=None, batch_size=4, seq_length=9, epochs=50, output=tmp_path)
    elman.load(tmp_path / "model.safetensors")


def test_eval_every_measures_some_epochs_and_changes_nothing_else():
    corpus = elman.Corpus("t", TEXT, "none", "here")
    settings = {"hidden_size": 8, "batch_size": 4, "seq_length": 9, "epochs": 5, "val_fraction": 0.1, "prompts": ()}
    logs = {}
    for every in (1, 2):
        recipe = elman.Recipe().replace(**settings, eval_every=every)
        logs[every] = elman.fit(elman.build_model(corpus, recipe), corpus, recipe).log
    all_of_them = [e.val_perplexity for e in logs[1]]
    assert [e.val_perplexity for e in logs[2]] == [None, all_of_them[1], None, all_of_them[3], all_of_them[4]]
    assert [e.train_perplexity for e in logs[2]] == [e.train_perplexity for e in logs[1]]
    with pytest.raises(ValueError, match="eval_every must be a whole number of at least 1, got 0"):
        recipe.replace(eval_every=0)


def test_gradient_norms_of_the_parts():
    corpus = elman.Corpus("t", TEXT, "none", "here")
    settings = {"cell": "gru", "hidden_size": 8, "num_layers": 3, "batch_size": 4, "seq_length": 150, "prompts": ()}
    recipe = elman.Recipe().replace(**settings, init_std=None, epochs=1)  # of one step
    model = elman.build_model(corpus, recipe)
    copy = elman.build_model(corpus, recipe)
    steps = []
    (epoch,) = elman.fit(model, corpus, recipe, on_step=steps.append).log
    ids = corpus.vocabulary().encode(corpus.text)
    (inputs, targets), *more = sequential_batches(ids, 4, 150, recipe.seed, 1)
    assert not more
    grads = dict(zip(copy.named_parameters(), copy.loss_and_grads(inputs, targets)[2], strict=True))
    for part, norm in zip(("_l0", "_l1", "_l2", "output"), epoch.layer_grad_norms, strict=True):
        squares = [np.square(g, dtype=np.float64).sum() for name, g in grads.items() if part in name]
        assert norm == pytest.approx(math.sqrt(sum(squares)), rel=1e-5)
    assert epoch.grad_norm == pytest.approx(math.hypot(*epoch.layer_grad_norms), rel=1e-5)
    assert [step.grad_norm for step in steps] == [epoch.grad_norm]


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
