"""The learning rate of every step, and when training ends early."""

from __future__ import annotations

import math

import pytest

import elman
from elman.runs import Epoch
from elman.runs.log import best, no_better, out_of_patience
from elman.training.schedule import falling_cosine, learning_rate

TEXT = "the traveller came down to the sea and the traveller went home again. " * 12


def log(*costs):
    return [Epoch(i + 1, 1.0, 0.0, None, cost, 0.0, [], 0.0, 0.0) for i, cost in enumerate(costs)]


def test_the_cosine_is_the_cosine():
    for i in range(1001):
        assert falling_cosine(i / 1000) == pytest.approx((1 + math.cos(math.pi * i / 1000)) / 2, abs=1e-15)
    assert falling_cosine(0.0) == 1.0


@pytest.mark.parametrize(
    ("schedule", "fraction", "rate"),
    [("constant", 0.7, 2.0), ("linear", 0.25, 1.5), ("linear", 1.0, 0.0), ("cosine", 0.5, 1.0), ("cosine", 0.0, 2.0)],
)
def test_shapes(schedule, fraction, rate):
    assert learning_rate(elman.Recipe(lr=2.0, schedule=schedule), 1, fraction, []) == pytest.approx(rate, abs=1e-15)


def test_warm_up():
    recipe = elman.Recipe(lr=2.0, warmup=4)
    assert [learning_rate(recipe, step, 0.1, []) for step in (1, 2, 4, 5, 99)] == [0.5, 1.0, 2.0, 2.0, 2.0]


def test_plateau_and_patience():
    recipe = elman.Recipe(lr=2.0, schedule="plateau", patience=2, val_fraction=0.1)
    for costs, rate, over in (
        ((), 2.0, False), ((3.0, 2.0), 2.0, False), ((3.0, 3.0), 1.0, False), ((3.0, None, 4.0, 2.0, 2.5), 0.5, False),
        ((3.0, 4.0, 3.5), 0.5, True), ((3.0, 4.0, 2.0, None, 2.0, 5.0), 0.25, True),
    ):  # fmt: skip
        assert learning_rate(recipe, 9, 0.5, log(*costs)) == rate
        assert out_of_patience(recipe, log(*costs)) == over
    assert [epoch.epoch for epoch in no_better(log(3.0, 4.0, 2.0))] == [2]
    lowest = best(log(3.0, 2.0, 2.0))
    assert lowest is not None
    assert lowest.epoch == 2
    assert best(log(None)) is None
    with pytest.raises(elman.InputError, match="the schedule plateau needs a text to measure on"):
        elman.Recipe(schedule="plateau")


def test_a_training_takes_the_rates():
    corpus = elman.Corpus("t", TEXT, "none", "here")
    recipe = elman.Recipe(
        hidden_size=4, batch_size=4, seq_length=9, epochs=2, schedule="linear", warmup=5, lr=0.5, prompts=()
    )
    rates = []
    run = elman.fit(elman.build_model(corpus, recipe), corpus, recipe, on_step=lambda step: rates.append(step.lr))
    assert rates[0] == 0.1
    assert max(rates) < 0.5
    assert rates[-1] < 0.02
    assert run.log[-1].lr == rates[-1]


def test_the_average_is_the_model():
    """Of one step: between the first weights and the new ones. It is what is measured and given back."""
    corpus = elman.Corpus("t", TEXT, "none", "here")
    settings = {"hidden_size": 4, "batch_size": 4, "seq_length": 117, "epochs": 1, "prompts": (), "val_fraction": 0.3}
    models, first = [], elman.build_model(corpus, "book", hidden_size=4).parameters()
    for average in (0.0, 0.999):
        recipe = elman.Recipe(**settings, average=average)
        models.append(elman.build_model(corpus, recipe))
        run = elman.fit(models[-1], corpus, recipe)
    share = 1 - 2 / 11  # of the new weights, after one step
    for start, plain, averaged in zip(first, models[0].parameters(), models[1].parameters(), strict=True):
        assert averaged == pytest.approx(start + (plain - start) * share, abs=1e-6)
    text = corpus.text[len(corpus.text) - int(len(corpus.text) * 0.3) :]
    assert elman.score(models[1], text).bits_per_char == pytest.approx(run.log[0].val_bits_per_char, rel=1e-12)
