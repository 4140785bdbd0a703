"""The page that trains: it works from disk, makes no request, and its models are those of `fit`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from browser import MISSING, Browser

import elman
from elman.export import to_lab
from elman.recipes import load_recipe

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]
DEMO = "06e0296e9c19"
"""The digest that `elman train traveller` ends with."""
SMALL: dict[str, Any] = {"hidden_size": 12, "epochs": 3, "sample_every": 1}


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    page = folder / "lab.html"
    page.write_text(to_lab(), encoding="utf-8")
    browser = Browser(folder)
    browser.open(page)
    yield browser
    browser.close()


def file_of(window: Browser, path) -> None:
    """The page's model as a file."""
    path.write_bytes(bytes(window.answer("elman.file().then((bytes) => Array.from(bytes))")))


def test_it_trains_what_python_trains(window, tmp_path):
    corpus = elman.load_corpus("traveller")
    recipe = load_recipe("book").replace(**SMALL)
    found = window.answer("elman.train({ hidden_size: 12, epochs: 3, sample_every: 1 })")
    model = elman.build_model(corpus, recipe)
    run = elman.fit(model, corpus, recipe)
    assert found["digest"] == model.digest()
    assert found["done"] is True
    assert found["samples"] == run.log[-1].samples
    path = tmp_path / "model.safetensors"
    file_of(window, path)
    made = elman.load(path)
    assert made.digest() == model.digest()
    assert elman.generate(made, "the ", 100, seed=7) == window.answer("elman.generate('the ', 100, 7)")
    quantised = elman.quantise(made, text=str(corpus.text))
    assert elman.generate(quantised, "the ", 20, seed=1)
    assert [url for url in window.requests() if not url.startswith(("file:", "blob:"))] == []
    assert [entry for entry in window.log("browser") if entry["level"] == "SEVERE"] == []


def test_a_training_that_was_stopped_goes_on(window):
    corpus = elman.Corpus("t", "It was a dark and stormy night; the rain fell in torrents. " * 30, "none", "here")
    settings = {"cell": "gru", "hidden_size": 9, "epochs": 200, "batch_size": 4, "seq_length": 16, "val_fraction": 0.1}
    recipe = load_recipe("modern").replace(**settings, prompts=(), sample_every=0)
    given = ", ".join(f"{name}: {value!r}" for name, value in settings.items())
    window.run(f"window.text = {corpus.text!r}; window.first = 0; window.lines = []")
    start = f"elman.train({{ text, recipe: 'modern', {given}, sample_every: 0, onEpoch: (line) => lines.push(line) }})"
    window.run(f"{start}.then((found) => {{ window.first = found; }})")
    window.until("return lines.length > 2")
    window.run("elman.stop()")
    window.until("return window.first")
    stopped = window.run("return window.first")
    if not stopped["done"]:  # unless the machine was faster than the message
        assert window.run("return !document.getElementById('go').hidden")
        window.run("document.getElementById('go').click()")
        window.until("return document.getElementById('go').hidden && document.getElementById('stop').hidden")
    model = elman.build_model(corpus, recipe)
    run = elman.fit(model, corpus, recipe)
    assert window.run("return document.getElementById('digest').textContent") == model.digest()
    held_out = window.run("return lines.map((line) => line.val_bits_per_char)")
    assert held_out == pytest.approx([line.val_bits_per_char for line in run.log], rel=1e-12)
    assert window.run("return document.getElementById('progress').value") == 1


def test_it_is_used_by_hand(window):
    window.run("document.getElementById('story').click()")
    assert window.run("return document.getElementById('hidden_size').value") == "256"
    window.run(
        "for (const [id, value] of [['hidden_size', 8], ['epochs', 2]]) document.getElementById(id).value = value"
    )
    window.run("document.getElementById('digest').textContent = ''; document.getElementById('train').click()")
    window.until("return document.getElementById('digest').textContent")
    corpus = elman.load_corpus("traveller")
    recipe = load_recipe("book").replace(hidden_size=8, epochs=2)
    model = elman.build_model(corpus, recipe)
    elman.fit(model, corpus, recipe)
    assert window.run("return document.getElementById('digest').textContent") == model.digest()
    label = window.run("return document.getElementById('curve').getAttribute('aria-label')")
    assert label.startswith("Perplexity by epoch: from ")
    assert window.run("return document.querySelectorAll('#numbers tr').length") == 2
    window.run("document.getElementById('write').click()")
    window.until("return document.getElementById('written').textContent.length > 200")
    written = window.run("return document.getElementById('written').textContent")
    assert written == "the " + elman.generate(model, "the ", 200, temperature=0.7)
    unnamed = "return [...document.querySelectorAll('input,textarea,select,button,progress,svg')].filter("
    unnamed += "(e) => !e.labels?.length && !e.ariaLabel && !e.getAttribute('aria-label') && !e.textContent).length"
    assert window.run(unnamed) == 0


def test_it_loads_a_model_and_trains_it_further(window, tmp_path):
    corpus = elman.load_corpus("traveller")
    recipe = load_recipe("book").replace(cell="lstm", hidden_size=10, epochs=1, init_std=None, seed=3)
    model = elman.build_model(corpus, recipe)
    path = tmp_path / "model.safetensors"
    elman.save(model, path)
    window.run(f"window.bytes = {list(path.read_bytes())}")
    assert window.answer("elman.load(bytes)")["recipe"]["cell"] == "lstm"
    assert window.answer("elman.generate('the ', 50, 7)") == elman.generate(model, "the ", 50, seed=7)
    call = "elman.train({ further: true, cell: 'lstm', hidden_size: 10, epochs: 1, init_std: null, seed: 3 })"
    found = window.answer(call)
    elman.fit(model, corpus, recipe)
    assert found["digest"] == model.digest()
    window.run("bytes[bytes.length - 1] ^= 1")
    assert "it is damaged" in window.answer("elman.load(bytes)")
    assert "cut off" in window.answer("elman.load(bytes.slice(0, 100))")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("text: 'short'", "the text is too short: 5 characters"),
        ("recipe: 'best'", "there is no recipe best; expected one of book, modern"),
        ("cell: 'gro'", "cell is gro; expected one of"),
        ("epochs: 0", "epochs is 0; expected a whole number of at least 1"),
        ("patience: 3", "a page trains with"),
    ],
)
def test_refused(window, options, text):
    assert text in window.answer(f"elman.train({{ {options} }})")


def test_the_whole_book(window):
    if "ELMAN_WHOLE_BOOK" not in os.environ:
        pytest.skip("it takes minutes: make test-lab")
    window.run(
        "window.slow = 0; window.last = performance.now(); setInterval(() => { const now = performance.now(); "
        "window.slow = Math.max(window.slow, now - window.last); window.last = now; }, 20)"
    )
    found = window.answer("elman.train()", seconds=3600)
    assert found["digest"].startswith(DEMO)
    assert np.isclose(found["perplexity"], 1.0, atol=0.5)
    print(
        f"{found['steps']:,} steps in {found['seconds']:.1f} s; the page waited at most {window.run('return slow')} ms"
    )


def test_the_command(tmp_path, command):
    out = tmp_path / "lab.html"
    assert command("export", "lab", "-o", out).startswith(f"{out}: ")
    assert out.read_text(encoding="utf-8") == to_lab()
