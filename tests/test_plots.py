"""Pictures show the numbers of the log."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman.training.curve import curve, grid, save_curve

TEXT = "the traveller came down to the sea and the traveller went home again. " * 12


@pytest.fixture(scope="module")
def logs():
    corpus = elman.Corpus("t", TEXT, "none", "here")
    recipe = elman.Recipe(batch_size=4, seq_length=9, epochs=4, eval_every=2, prompts=())
    found = {}
    for size, held_out in ((8, 0.1), (9, 0.1), (10, 0.0)):
        model = elman.build_model(corpus, recipe, hidden_size=size)
        found[f"H = {size}"] = elman.fit(model, corpus, recipe, val_fraction=held_out).log
    return found


def test_curve_of_training_and_held_out_text(logs, tmp_path):
    log = logs["H = 8"]
    (axes,) = curve(log, "title").axes
    training, held_out = axes.lines
    assert np.asarray(training.get_ydata()).tolist() == [e.train_perplexity for e in log]
    assert np.asarray(held_out.get_xdata()).tolist() == [2, 4]
    assert np.asarray(held_out.get_ydata()).tolist() == [log[1].val_perplexity, log[3].val_perplexity]
    save_curve(log, tmp_path / "curve.svg")
    assert "<svg" in (tmp_path / "curve.svg").read_text()


def test_grid_has_a_panel_for_each_log(logs):
    figure = grid(logs, columns=2, title="three sizes")
    assert figure.get_suptitle() == "three sizes"
    assert [axes.get_title() for axes in figure.axes] == [*logs, ""]
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 1, 0]
    assert [axes.axison for axes in figure.axes] == [True, True, True, False]
    for axes, log in zip(figure.axes, logs.values(), strict=False):
        assert np.asarray(axes.lines[0].get_ydata()).tolist() == [e.train_perplexity for e in log]
    assert not any(axes.get_legend() for axes in figure.axes)  # which would lie over curves
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["training text", "held-out text"]


def test_a_notebook_draws_while_it_trains(monkeypatch):
    corpus = elman.Corpus("t", TEXT, "none", "here")
    recipe = elman.Recipe(batch_size=4, seq_length=9, epochs=3, prompts=(), hidden_size=8)
    with pytest.raises(elman.InputError, match="plot=True draws in a notebook"):
        elman.fit(elman.build_model(corpus, recipe), corpus, recipe, plot=True)
    drawn = []

    class Handle:
        update = drawn.append

    def display(picture, display_id):
        drawn.append(picture)
        return Handle

    monkeypatch.setattr("IPython.core.getipython.get_ipython", object)
    monkeypatch.setattr("IPython.display.display", display)
    epochs = []
    run = elman.fit(
        elman.build_model(corpus, recipe), corpus, recipe, plot=True, on_epoch=lambda e: epochs.append(e.epoch)
    )
    assert epochs == [1, 2, 3]
    assert np.asarray(drawn[0].axes[0].lines[0].get_xdata()).tolist() == [1]
    assert np.asarray(drawn[-1].axes[0].lines[0].get_xdata()).tolist() == [1, 2, 3]
    assert "<svg" in drawn[-1]._repr_svg_()
    assert repr(run) == f"Run(3 of 3 epochs, perplexity {run.perplexity:.3f})"


def test_a_run_is_drawn_while_it_trains(command, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr("elman.training.curve.save_curve", lambda log, path, title: drawn.append((len(log), path.name)))
    small = "--hidden-size 8 --batch-size 4 --seq-length 16 --max-chars 900 --sample-every 0".split()  # noqa: SIM905
    command("train", *small, "--epochs", 3, "--output", tmp_path / "short")
    assert drawn == [(3, "curve.svg")]  # at its end alone
    monkeypatch.setattr("elman.cli.curve_file._SECONDS", 0.0)
    command("train", *small, "--epochs", 2, "--output", tmp_path / "long", "--json")
    command("train", "--resume", tmp_path / "long", "--epochs", 3)
    assert [count for count, _ in drawn[1:]] == [1, 2, 2, 3, 3]
