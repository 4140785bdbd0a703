"""A model as a page: it works from disk, makes no request, and writes what `generate` writes."""

from __future__ import annotations

import re

import pytest
from browser import MISSING, Browser
from exported import TEXT, model, small

import elman
from elman.compression import Codec
from elman.export import to_html
from elman.export.html import WEB, wasm

PROMPT = "the traveller"


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.mark.parametrize("shape", [("gru",), ("lstm", 2, 4), ("rnn_relu",), ("rnn_tanh", 1, 6, 5)])
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.slow
def test_the_page_is_the_model(window, tmp_path, shape):
    quantised = small(*shape)
    page = tmp_path / "page.html"
    page.write_text(to_html(quantised), encoding="utf-8")
    window.open(page)
    assert "cannot run" not in window.run("return document.getElementById('status').textContent")
    text = window.answer(f"elman.generate({PROMPT!r}, 5000, 7)")
    assert text == elman.generate(quantised, PROMPT, 5000, seed=7)
    score = window.answer(f"elman.score({TEXT[:500]!r})")
    expected = elman.score(quantised, TEXT[:500])
    assert score["bits"] == pytest.approx(expected.bits, rel=1e-12)
    assert [url for url in window.requests() if not url.startswith(("file:", "blob:"))] == []
    assert len([url for url in window.requests() if url.startswith("file:")]) <= 1
    assert [entry for entry in window.log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.slow
def test_the_page_is_used_by_hand(window, tmp_path):
    page, quantised = tmp_path / "page.html", small("gru")
    page.write_text(to_html(quantised, "<Story> & more"), encoding="utf-8")
    window.open(page)
    assert window.run("return document.title") == "<Story> & more"
    assert window.run("return document.querySelector('h1').textContent") == "<Story> & more"
    write = "const text = document.getElementById('text'); text.value = 'the é sea'; "
    write += "text.dispatchEvent(new Event('input'))"
    window.run(write)
    window.until("return document.querySelectorAll('#paint span').length > 5")
    assert window.run("return document.querySelectorAll('#next button').length") == 8
    window.run("document.getElementById('n').value = 2; document.getElementById('temperature').value = 1")
    window.run("document.getElementById('write').click()")
    window.until("return document.getElementById('stop').hidden")
    texts = window.run("return [...document.querySelectorAll('#continuations article p')].map((p) => p.textContent)")
    assert texts == elman.generate(quantised, "the é sea", 200, num_samples=2)
    window.run("document.getElementById('message').closest('details').open = true")
    window.until("return document.getElementById('code').textContent")
    code = Codec(quantised).encode(b"See you at the station at six.")
    shown = window.run("return document.getElementById('code').textContent")
    assert shown == f"30 bytes \u2192 {len(code)}: {code.hex(' ')}, which gives the message again"
    window.run("document.getElementById('held').closest('details').open = true")
    window.until("return document.querySelectorAll('#held span').length > 5")
    assert window.run("return document.getElementById('held').textContent") == "the \ufffd sea"
    unnamed = "return [...document.querySelectorAll('input,textarea,select')].filter("
    unnamed += "(e) => !e.labels.length && !e.ariaLabel).length"
    assert window.run(unnamed) == 0


@pytest.mark.slow
def test_how_large_it_is(tmp_path):
    for hidden in (64, 256):
        quantised = elman.quantise(model("gru", hidden=hidden))
        path = tmp_path / f"{hidden}.safetensors"
        elman.save(quantised, path)
        assert len(to_html(quantised).encode()) <= 1.4 * path.stat().st_size + 90_000


def test_the_module_imports_a_system_alone():
    code = wasm()
    assert code[:8] == b"\0asm\1\0\0\0"
    assert b"wasi_snapshot_preview1" in code
    assert str(WEB).encode() not in code
    assert not re.search(rb"/(root|home|Users)/", code), "the path of whoever built it"


def test_the_command(tmp_path, command):
    path, out = tmp_path / "model.safetensors", tmp_path / "story.html"
    elman.save(model("gru"), path)
    command("export", "html", path, "-o", out, "--name", "Once")
    assert out.read_text() == to_html(elman.quantise(model("gru")), "Once")
    assert "<h1>Once</h1>" in out.read_text()
