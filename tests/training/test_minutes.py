"""`--minutes`: a training that the clock ends. The clock of these tests goes by steps, whatever the machine does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import refused, run

import elman
from elman.inspection import recorded_corpus
from elman.model import read_header
from elman.recipes import load_recipe
from elman.runs import read_checkpoint
from elman.training import budget, loop
from elman.training.choice import for_passes
from elman.training.sizing import for_minutes

TEXT = "".join(f"{i}: the traveller came back, {i * 37 % 101} times\n" for i in range(400))
SETTINGS = {"hidden_size": 8, "batch_size": 4, "seq_length": 16, "prompts": (), "init_std": None}


class Clock:
    """Seconds that pass while training: so many for each step, and for each look at held-out text."""

    def __init__(self, monkeypatch, step=1.0, held_out=0.0):
        self.now, self.held_out = 0.0, held_out
        self.step: float | Callable[[], float] = step
        rate, measure = loop.learning_rate, loop.measure

        def stepping(*arguments):
            self.now += self.step() if callable(self.step) else self.step
            return rate(*arguments)

        def measuring(*arguments):
            self.now += self.held_out
            return measure(*arguments)

        monkeypatch.setattr(budget, "now", lambda: self.now)
        monkeypatch.setattr(loop, "learning_rate", stepping)
        monkeypatch.setattr(loop, "measure", measuring)


def corpus(text=TEXT, records=False):
    return elman.Corpus("t", text, "none", "here", records)


def trained(minutes, output=None, text=None, **settings):
    text = text or corpus()
    recipe = elman.Recipe(**(SETTINGS | {"val_fraction": 0.1, "schedule": "linear", "lr": 0.5} | settings))
    return elman.fit(elman.build_model(text, recipe), text, recipe, output=output, minutes=minutes)


@pytest.mark.parametrize("held_out", [0.0, 20.0])
@pytest.mark.parametrize("minutes", [4, 20, 61])
def test_a_run_ends_in_time(monkeypatch, minutes, held_out):
    clock = Clock(monkeypatch, held_out=held_out)
    done = trained(minutes)
    assert 0.9 * 60 * minutes <= clock.now <= 1.05 * 60 * minutes
    assert done.recipe.epochs == len(done.log)
    assert all(line.minutes == minutes for line in done.log)
    assert all(line.val_perplexity is not None for line in done.log)
    assert [line.part for line in done.log[:-1]] == [1.0] * (len(done.log) - 1)
    assert done.log[-1].lr < 0.5 * 0.1  # the schedule ends with the time


def test_a_part_of_an_epoch(monkeypatch):
    clock = Clock(monkeypatch)
    (line,) = trained(0.5, val_fraction=0.0).log
    assert clock.now == 30
    assert line.part == pytest.approx(30 / (len(TEXT) // 64), abs=0.01)


@pytest.mark.parametrize("change", [0.25, 4.0])
def test_a_machine_that_becomes_slower_or_faster(monkeypatch, change):
    clock = Clock(monkeypatch)
    clock.step = lambda: 1.0 if clock.now < 1000 else change
    done = trained(60)
    assert 0.95 * 3600 <= clock.now <= 1.05 * 3600
    assert done.log[-1].lr < 0.01
    rates = [line.lr for line in done.log]
    assert rates == sorted(rates, reverse=True)


def test_a_run_that_is_stopped_and_resumed_is_the_one_that_was_not(monkeypatch, tmp_path):
    """Where the clock goes by steps, so does everything that follows it."""
    text = Path(tmp_path, "t.txt")
    text.write_text(TEXT)
    loaded = elman.load_corpus(text, normalisation="none")
    with monkeypatch.context() as patch:
        Clock(patch)
        whole = trained(9, tmp_path / "whole", loaded)
    with monkeypatch.context() as patch:
        clock = Clock(patch)
        recipe = whole.recipe.replace(epochs=500)

        def stop(step):
            if clock.now == 333:
                raise KeyboardInterrupt

        model = elman.build_model(loaded, recipe)
        with pytest.raises(KeyboardInterrupt):
            elman.fit(model, loaded, recipe, output=tmp_path / "r", minutes=9, save_seconds=100, on_step=stop)
    assert read_checkpoint(tmp_path / "r").steps < 333
    with monkeypatch.context() as patch:
        Clock(patch)
        again = elman.resume(tmp_path / "r")
    assert again.model.digest() == whole.model.digest()
    times = {"seconds": 0, "chars_per_second": 0}
    assert [vars(line) | times for line in again.log] == [vars(line) | times for line in whole.log]


def test_minutes_can_be_added_to_a_run(monkeypatch, tmp_path):
    Path(tmp_path, "t.txt").write_text(TEXT)
    loaded = elman.load_corpus(tmp_path / "t.txt", normalisation="none")
    clock = Clock(monkeypatch)
    first = trained(None, tmp_path / "r", loaded, epochs=2)
    assert "minutes" not in Path(tmp_path, "r/log.jsonl").read_text()
    before = clock.now
    longer = elman.resume(tmp_path / "r", minutes=10)
    assert 0.95 * 600 <= clock.now - before <= 1.05 * 600
    assert len(longer.log) > len(first.log)
    lines = [json.loads(line) for line in Path(tmp_path, "r/log.jsonl").read_text().splitlines()]
    assert ["minutes" in line for line in lines] == [False] * 2 + [True] * (len(lines) - 2)
    assert elman.resume(tmp_path / "r").log == longer.log  # nothing is left to do
    more = elman.resume(tmp_path / "r", epochs=len(longer.log) + 1)  # by epochs again
    assert more.log[-1].minutes is None
    assert more.log[-1].part == 1.0
    with pytest.raises(elman.InputError, match="minutes decide the epochs; give one of the two"):
        elman.resume(tmp_path / "r", epochs=99, minutes=1)


@pytest.mark.parametrize("records", [False, True])
def test_what_does_not_fit_is_left_out_and_said(monkeypatch, records):
    Clock(monkeypatch)
    text, recipe = corpus(TEXT, records), load_recipe("modern").replace(**SETTINGS)
    all_of_it = for_minutes(60.0, recipe, text)
    assert (all_of_it.left_out, all_of_it.recipe.last_tokens) == ("", None)
    assert all_of_it.recipe.epochs == int(all_of_it.epochs)
    assert all_of_it.epochs == pytest.approx(60 * all_of_it.minutes * 64 / len(TEXT)) or records
    few = for_minutes(2.0, recipe, text)
    assert few.recipe.epochs == 1
    if records:  # which come shuffled
        assert (few.left_out, few.recipe.last_tokens) == ("", None)
        assert few.epochs < 0.5
        return
    last = few.recipe.last_tokens
    assert last is not None
    assert 0 < last < len(TEXT) / 2
    assert f"the last {last:,} of about {len(TEXT):,} characters only: one epoch of all would take" in few.left_out
    assert few.left_out.endswith("and `minutes` is 2")
    least = for_minutes(1e-9, recipe, text)
    assert len(trained(0.01, last_tokens=least.recipe.last_tokens).log) == 1  # enough for a batch


@pytest.mark.parametrize("records", [False, True])
def test_the_last_tokens_are_learned_as_the_text_that_they_are(records, tmp_path):
    place = tmp_path / "t.txt"
    place.write_text(TEXT)
    whole = elman.load_corpus(place, normalisation="none", records=records)
    cut = TEXT.rindex("\n", 0, -3000) + 1
    end = elman.load_corpus(place, normalisation="none", records=records, tokens=whole.vocabulary())
    end = dataclasses.replace(end, text=TEXT[cut:], own=whole.vocabulary())
    settings = SETTINGS | {"epochs": 2, "val_fraction": 0.3, "schedule": "linear", "lr": 0.5}
    recipe = elman.Recipe(**settings, last_tokens=len(TEXT) - cut + 3 * records)  # of records whole ones
    expected = elman.fit(elman.build_model(whole, recipe), end, recipe.replace(last_tokens=None))
    found = elman.fit(elman.build_model(whole, recipe), whole, recipe, output=tmp_path / "run")
    assert found.model.digest() == expected.model.digest()
    assert found.log[-1].val_bits_per_char == expected.log[-1].val_bits_per_char
    assert elman.resume(tmp_path / "run").model.digest() == expected.model.digest()
    train, held_out = recorded_corpus(found.model, read_header(tmp_path / "run" / "model.safetensors")["run"])
    assert held_out is not None
    assert len(train) + len(held_out) == len(TEXT) - cut


def test_networks_that_are_given_are_measured_one_by_one(monkeypatch):
    """The time of one network is that of the others, too."""
    Clock(monkeypatch)
    recipe = load_recipe("modern").replace(**SETTINGS)
    one = for_minutes(60.0, recipe, corpus())
    two = for_minutes(60.0, recipe.replace(networks=2), corpus(), {"networks": 2})
    assert two.epochs == pytest.approx(one.epochs / 2)


@pytest.mark.parametrize(
    ("passes", "networks", "epochs", "dropped"),
    [(0.2, 1, 1, 0.02), (2.0, 1, 2, 0.2), (4.0, 1, 4, 0.4), (11.9, 1, 11, 0.5), (19.0, 3, 6, 0.5), (99.0, 4, 24, 0.5)],
)
def test_time_becomes_epochs_dropout_and_networks(passes, networks, epochs, dropped):
    recipe = load_recipe("subwords").replace(networks=1)
    chosen = for_passes(recipe, passes, {})
    assert (chosen.networks, chosen.epochs, chosen.output_dropout) == (networks, epochs, pytest.approx(dropped))
    assert chosen.replace(networks=1, epochs=recipe.epochs, output_dropout=recipe.output_dropout) == recipe
    kept = for_passes(recipe, passes, {"networks": 1, "output_dropout": 0.4})
    assert kept == recipe.replace(epochs=max(1, int(passes)))


def test_what_is_said_stays_and_the_rest_suits_the_minutes(monkeypatch):
    Clock(monkeypatch)
    text, recipe = corpus(), load_recipe("modern").replace(**SETTINGS)
    as_given = for_minutes(60.0, recipe, text)
    assert as_given.recipe == recipe.replace(epochs=as_given.recipe.epochs)
    free = for_minutes(60.0, recipe, text, {})
    assert free.recipe.networks == as_given.recipe.epochs // 6
    assert free.recipe.networks * free.recipe.epochs <= as_given.recipe.epochs + 1


def test_minutes_on_the_command_line(tmp_path):
    small = ["--hidden-size", "8", "--batch-size", "4", "--seq-length", "9"]
    done = run("train", "traveller", "--minutes", "0.001", "--output", tmp_path / "run", *small)
    assert done.returncode == 0, done.stderr
    assert "(the clock ends it, so no two runs are alike)" in done.stdout
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log
    assert all(line["minutes"] > 0 for line in log)
    assert f"epoch {len(log):>4}  perplexity {log[-1]['train_perplexity']:.3f}" in done.stdout
    assert json.loads(run("info", tmp_path / "run", "--json").stdout)["run"]["minutes"] == log[-1]["minutes"]
    done = run("train", "--resume", tmp_path / "run", "--minutes", "0.001")
    assert done.returncode == 0, done.stderr
    assert f"going on after {len(log)} of" in done.stdout
    refused(run("train", "--minutes", "1", "--epochs", "2"), "--minutes decides the epochs")
    refused(run("train", "--minutes", "0", cwd=tmp_path), "--minutes must be above 0")
    refused(
        run("train", "--minutes", "1", "--workers", "2", cwd=tmp_path), "--minutes goes by the clock of one process"
    )
