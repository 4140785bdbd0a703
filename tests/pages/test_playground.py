"""The page to write in, in a real browser, with a real server behind it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from browser import MISSING, Browser

import elman

pytest.importorskip("uvicorn", reason="the extra elman[serve] is not installed")
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.slow]
TEXT = "The captain n\u00e9 went d\u00f6wn <b>to</b> the sea"


@pytest.fixture(scope="module")
def place():
    command = [sys.executable, "-m", "elman.cli", "serve", "english", "again=english", "--port", "0"]
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
