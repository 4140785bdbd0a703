"""The page to write in, in a real browser, with a real server behind it."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
from browser import MISSING, Browser

import elman

pytest.importorskip("uvicorn", reason="the extra elman[serve] is not installed")
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.slow]
TEXT = "The captain n\u00e9 went d\u00f6wn <b>to</b> the sea"


@pytest.fixture(scope="module")
def subwords(tmp_path_factory):
    """The place of a model whose symbols are several characters long."""
    corpus = elman.Corpus("t", "the captain went down to the sea again and again, and home " * 20, "none", "here")
    path = tmp_path_factory.mktemp("model") / "subwords.safetensors"
    elman.save(elman.build_model(corpus.cut_into("bpe:290"), cell="gru", hidden_size=9), path)
    return path


@pytest.fixture(scope="module")
def place(subwords):
    command = [sys.executable, "-m", "elman.cli", "serve", "english", "again=english", str(subwords), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    yield process.stderr.readline().rpartition(" ")[2].strip()
    reader = threading.Thread(target=process.stderr.read)
    reader.start()
    process.terminate()
    process.wait(60)
    reader.join()
    process.stderr.close()


def test_what_is_written_is_coloured_and_continued(place, tmp_path):
    browser = Browser(tmp_path)
    try:
        browser.visit(place)
        browser.until("return document.querySelectorAll('#next button').length == 8")
        set_text = (
            f"const t = document.getElementById('text'); t.value = {TEXT!r}; t.dispatchEvent(new Event('input'));"
        )
        browser.run(set_text + "return 1")
        bits = elman.score(elman.load("english"), TEXT).bits
        browser.until(f"return document.getElementById('status').textContent.startsWith('english: {bits:.1f} bits')")
        assert browser.run("return document.getElementById('paint').textContent") == TEXT + "\n"
        assert browser.run("return document.querySelectorAll('#paint span').length") == len(TEXT) + 1
        assert browser.run("return document.querySelectorAll('#paint b').length") == 0, "text is never markup"
        symbol = browser.run("const b = document.querySelector('#next button'); b.click(); return b.textContent")
        written = browser.run("return document.getElementById('text').value")
        assert written == TEXT + (" " if symbol.startswith("space") else symbol[0])
        choose = "const o = document.getElementById('second'); o.value = 'again'; o.dispatchEvent(new Event('change'));"
        browser.run(set_text + choose + "document.getElementById('write').click(); return 1")
        texts = browser.until(
            "const p = [...document.querySelectorAll('article p')].map(p => p.textContent); "
            "return p.length == 6 && p.every(t => t.length >= 190) && document.getElementById('stop').hidden && p",
        )
        want = elman.generate(elman.load("english"), TEXT, 200, num_samples=3, temperature=0.7, seed=0)
        assert texts == want * 2
        assert "curl" in browser.run("return document.getElementById('command').textContent")
    finally:
        browser.close()


def test_a_subword_is_coloured_by_the_mean_of_its_characters(place, subwords, tmp_path):
    model, browser = elman.load(subwords), Browser(tmp_path)
    score = elman.score(model, TEXT)
    vocabulary = model.reading.vocabulary
    cut = [vocabulary.decode_bytes(np.array([id])) for id in vocabulary.encode(TEXT)]
    assert max(map(len, cut)) > 4
    try:
        browser.visit(place)
        browser.until("return document.querySelectorAll('#next button').length == 8")
        browser.run(
            "const m = document.getElementById('model'); m.value = 'subwords'; m.dispatchEvent(new Event('change'));"
            f"const t = document.getElementById('text'); t.value = {TEXT!r}; t.dispatchEvent(new Event('input'));"
        )
        browser.until(f"return document.getElementById('status').textContent.startsWith('subwords: {score.bits:.1f} ')")
        found = browser.run(
            "return [...document.querySelectorAll('#paint span')].slice(0, -1).map((s) => [s.textContent, s.className])"
        )
    finally:
        browser.close()
    pieces, held, bits = list[tuple[str, float]](), b"", 0.0
    for data, cost in zip(cut, score.surprisal.tolist(), strict=True):
        held, bits = held + data, bits + cost
        try:
            pieces.append((held.decode(), bits))
        except UnicodeDecodeError:
            continue
        held, bits = b"", 0.0
    assert found == [[text, f"s{min(9, int(bits / len(text)))}"] for text, bits in pieces]
