"""Pictures show the numbers of the log."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

import elman
import elman.runs
from elman.runs.svg import draw, save_svg

TEXT = "the traveller came down to the sea and the traveller went home again. " * 12


@pytest.fixture
def curves():
    """The module that draws by Matplotlib."""
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed; pip install 'elman[plot]'")
    from elman.runs import curve

    return curve


@pytest.fixture(scope="module")
def logs():
    corpus = elman.Corpus("t", TEXT, "none", "here")
    recipe = elman.Recipe(batch_size=4, seq_length=9, epochs=4, eval_every=2, prompts=())
    found = {}
    for size, held_out in ((8, 0.1), (9, 0.1), (10, 0.0)):
        model = elman.build_model(corpus, recipe, hidden_size=size)
        found[f"H = {size}"] = elman.fit(model, corpus, recipe, val_fraction=held_out).log
    return found


def test_curve_of_training_and_held_out_text(curves, logs, tmp_path):
    log = logs["H = 8"]
    (axes,) = curves.curve(log, "title").axes
    training, held_out = axes.lines
    assert np.asarray(training.get_ydata()).tolist() == [e.train_perplexity for e in log]
    assert np.asarray(held_out.get_xdata()).tolist() == [2, 4]
    assert np.asarray(held_out.get_ydata()).tolist() == [log[1].val_perplexity, log[3].val_perplexity]
    curves.save_curves({"a": log, "b": logs["H = 10"]}, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def parts(picture):
    """Of an SVG: its elements by the name and class of each, and its texts."""
    found = {}
    for element in ElementTree.fromstring(picture).iter():
        kind = f"{element.tag.rpartition('}')[2]} {element.get('class', '')}".strip()
        found.setdefault(kind, []).append(element)
    return found, [element.text for element in found.get("text", []) + found.get("text head", [])]


def places(path):
    """The points of a line, in the picture."""
    return np.array([[float(n) for n in point.split()] for point in path.get("d")[1:].split("L")])


def test_an_svg_shows_the_numbers_of_the_log(logs, tmp_path):
    log = logs["H = 8"]
    save_svg({"": log}, tmp_path / "curve.svg", "a <title> & more")
    found, texts = parts((tmp_path / "curve.svg").read_text())
    assert "a <title> & more" in texts
    for epochs, values, line in (
        ([1, 2, 3, 4], [e.train_perplexity for e in log], found["path line c0"]),
        ([2, 4], [e.val_perplexity for e in log[1::2]], found["path line c0 held-out"]),
    ):
        sample, drawn = line
        assert sample.get("d") == "M0 0H26"
        points = places(drawn)
        np.testing.assert_allclose(points[:, 0], 64 + (np.array(epochs) - 1) / 3 * 560, atol=0.06)
        ticks = {t.text: float(t.get("y")) - 4 for t in found["text"] if t.get("text-anchor") == "end"}
        (low, y_low), *_, (high, y_high) = ((float(text), y) for text, y in ticks.items())
        expected = y_low + np.log(np.array(values) / low) / np.log(high / low) * (y_high - y_low)
        np.testing.assert_allclose(points[:, 1], expected, atol=0.2)
    assert f"training text, {log[-1].train_perplexity:.4g} at the end" in texts
    assert f"held-out text, {log[-1].val_perplexity:.4g} at the end" in texts


def line(values):
    return [elman.runs.Epoch(i + 1, v, 1.0, None, None, 1.0, [], 9.0 * i, 1.0) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([27.3, 1.2], ["2", "5", "10", "20"]),
        ([9.0, 600_000.0], ["10", "100", "1,000", "10,000", "100,000"]),
        ([5.4, 6.1], ["5.4", "5.6", "5.8", "6", "6.2"]),
        ([2.0, 900.0], ["2", "5", "10", "20", "50", "100", "200", "500", "1,000"]),
    ],
)
def test_ticks_are_round_numbers_from_which_the_end_can_be_read(values, expected):
    found, _ = parts(draw({"": line(values)}))
    assert [t.text for t in found["text"] if t.get("text-anchor") == "end"] == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.05, 45.0, ["2", "5", "10", "20"]),
        (5.1, 10.2, ["10", "6", "8"]),
        (2.1, 10.2, ["5", "10", "3", "4", "6", "8"]),
        (2.1, 40.0, ["5", "10", "20"]),
    ],
)
def test_ticks_by_matplotlib_are_round_numbers_too(curves, low, high, expected):
    figure = curves.curve(line([high, low]))
    (axes,) = figure.axes
    axes.set_ylim(low, high)
    figure.canvas.draw()
    labels = [*axes.get_yticklabels(), *axes.get_yticklabels(minor=True)]
    assert [t.get_text() for t in labels if t.get_text() and low <= t.get_position()[1] <= high] == expected


def test_one_epoch_is_a_dot_and_odd_values_are_left_out():
    found, texts = parts(draw({"": line([3.0])}))
    assert [(c.get("cx"), c.get("class")) for c in found["circle c0"]] == [("344.0", "c0")]
    assert "1" in texts
    found, _ = parts(draw({"": line([3.0, float("inf"), 0.0, 2.0])}))
    assert len(places(found["path line c0"][1])) == 2
    found, _ = parts(draw({"": line([1e300, 1e150, 2.0])}))
    assert len(places(found["path line c0"][1])) == 2
    found, texts = parts(draw({"": line([float("inf")])}))
    assert "circle c0" not in found
    found, _ = parts(draw({"": line(np.linspace(9, 3, 50_001))}))
    points = places(found["path line c0"][1])
    assert len(points) < 2001
    assert points[-1][0] == 624


def test_several_runs_have_names_and_a_line_that_says_what_is_dashed(logs):
    found, texts = parts(draw({"a": logs["H = 8"], "$b$\x07": logs["H = 10"]}, against_time=True))
    a, b = logs["H = 8"][-1], logs["H = 10"][-1]
    assert f"a, {a.train_perplexity:.4g} at the end, held out {a.val_perplexity:.4g}" in texts
    assert f"$b$\\x07, {b.train_perplexity:.4g} at the end" in texts
    assert "solid: training text; dashed: held-out text" in texts
    assert "seconds" in texts
    assert "path line c1" in found
    assert "path line c1 held-out" not in found
    style = found["style"][0].text
    assert "prefers-color-scheme:dark" in style
    assert "stroke-dasharray" in style


def test_without_matplotlib_an_svg_is_drawn_and_a_png_is_one_line(tmp_path, logs):
    code = """
import sys
sys.modules["matplotlib"] = None
from elman.cli import main
main()
"""
    corpus = elman.Corpus("t", TEXT, "none", "here")
    recipe = elman.Recipe(batch_size=4, seq_length=9, epochs=2, prompts=(), hidden_size=8)
    elman.fit(elman.build_model(corpus, recipe), corpus, recipe, output=tmp_path / "r")
    for name, status, error in (
        ("x.svg", 0, ""),
        ("x.png", 2, "elman: this picture needs Matplotlib: pip install 'elman[plot]'; an .svg needs nothing\n"),
    ):
        command = [sys.executable, "-c", code, "plot", "r", "--output", name]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (status, error)


def test_grid_has_a_panel_for_each_log(curves, logs):
    figure = curves.grid(logs, columns=2, title="three sizes")
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
    pytest.importorskip("IPython", reason="IPython is not installed")
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
    assert "circle c0" in parts(drawn[0]._repr_svg_())[0]
    assert len(places(parts(drawn[-1]._repr_svg_())[0]["path line c0"][1])) == 3
    assert repr(run) == f"Run(3 of 3 epochs, perplexity {run.perplexity:.3f})"


def test_a_run_is_drawn_while_it_trains(command, monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr("elman.runs.svg.save_svg", lambda logs, path, _: drawn.append((len(logs[""]), path.name)))
    small = "--hidden-size 8 --batch-size 4 --seq-length 16 --max-chars 900 --sample-every 0".split()  # noqa: SIM905
    monkeypatch.setattr("elman.cli.shared.curve_file._SECONDS", float("inf"))
    command("train", *small, "--epochs", 3, "--output", tmp_path / "short")
    assert drawn == [(3, "curve.svg")]  # at its end alone
    monkeypatch.setattr("elman.cli.shared.curve_file._SECONDS", 0.0)
    command("train", *small, "--epochs", 2, "--output", tmp_path / "long", "--json")
    command("train", "--resume", tmp_path / "long", "--epochs", 3)
    assert [count for count, _ in drawn[1:]] == [1, 2, 2, 3, 3]
