"""The pages in a real browser: nothing is loaded, pointing at a character shows its numbers, 1 MB of text is usable."""

from __future__ import annotations

import math
import time
from contextlib import closing
from typing import Any

import browser as chromium
import numpy as np
import pytest

import elman
from elman.inspection import memorisation, units
from elman.pages import inspection_page, surprisal_page
from elman.scoring import alternatives

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)]
TEXT = "The sea,\n\tand </script><b>home</b> & <!-- «日本» again.\x00\u202e\n" * 3


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    window = chromium.Browser(tmp_path_factory.mktemp("chromium"))
    yield window
    window.close()


@pytest.fixture(scope="module")
def model() -> elman.LanguageModel:
    corpus = elman.Corpus("t", TEXT, "none", "here")
    return elman.build_model(corpus, cell="gru", hidden_size=9, init_std=None)


def write(path, model, *scores):
    path.write_bytes(surprisal_page(model, scores, [f"text {i}" for i in range(len(scores))]).encode())
    return path


def at(browser, position):
    """The middle of a character, once it is scrolled into view and chunks that come near have found their sizes."""
    place: Any = None
    before: Any = ()
    while place != before:
        before = place
        browser.run("spanOf(arguments[0]).scrollIntoView({block: 'center'})", position)
        time.sleep(0.1)
        place = browser.run(
            "const r = spanOf(arguments[0]).getClientRects()[0]; return [r.x + r.width / 2, r.y + r.height / 2]",
            position,
        )
    return place


def card(browser) -> tuple[str, str, list[tuple[str, float, float]]]:
    """What the card shows: sign and name, the line of costs, and the alternatives with percentages and bits."""
    head, cost, rows = browser.run(
        "return [card.querySelector('.head').innerText, card.querySelector('.cost')?.innerText ?? '', "
        "[...card.querySelectorAll('.row')].map((r) => [...r.querySelectorAll('b, span')].map((c) => c.innerText))]"
    )
    return head, cost, [(sign, float(p.rstrip(" %")), float(bits)) for sign, p, bits in rows]


def check(browser, model, score, position):
    """Pointing at this character shows what the library says of it."""
    browser.point(*at(browser, position))
    head, cost, rows = card(browser)
    assert head.endswith(f"U+{ord(score.text[position]):04X}")
    bits, probability = cost.split(" bits · probability ")
    assert float(bits) == pytest.approx(score.surprisal[position], abs=0.0101)
    assert float(probability.rstrip(" %")) == pytest.approx(100 * 2 ** -score.surprisal[position], rel=0.01)
    begin = score.text.rfind("\n", 0, position) + 1 if score.records else 0
    ids = model.reading.primed(model.reading.vocabulary.encode(score.text[begin:position]))
    tokens, costs = alternatives(model, ids, np.array([0]), np.array([len(ids)]))
    signs = [model.reading.vocabulary.symbols[t] for t in tokens[-1]]
    for (sign, p, row_bits), symbol, expected in zip(rows, signs, costs[-1], strict=True):
        if symbol.isprintable() and symbol != " ":
            assert sign == symbol
        assert row_bits == pytest.approx(expected, abs=0.0101)
        assert p == pytest.approx(100 * 2**-expected, rel=0.01)


def test_a_page_shows_every_character_and_loads_nothing(browser, model, tmp_path):
    score = elman.score(model, TEXT)
    path = write(tmp_path / "page.html", model, score, elman.score(model, "sea\nsea", records=True))
    browser.open(path)
    assert browser.requests() == [path.as_uri()]
    assert browser.run("return performance.getEntriesByType('resource').length") == 0
    assert browser.log("browser") == []
    shown = browser.run("return [...document.querySelectorAll('.line')].map((line) => line.textContent)")
    lines = TEXT.replace("\t", "⇥\t").replace("\x00", "␀").replace("\u202e", "◌").replace("\n", "↵\n").split("\n")
    assert shown == [*lines[:-1], "▮", "sea↵", "sea↵", "▮"]
    numbers = browser.run("return [...document.querySelectorAll('.line')].map((line) => line.dataset.n)")
    assert numbers == [*map(str, range(1, 8)), "1", "2", "3"]
    for position in (0, 1, 3, 9, 20, TEXT.index("日"), len(TEXT) - 2):
        check(browser, model, score, position)
    browser.point(*at(browser, len(TEXT) + 1))  # the first character of a record
    assert len(card(browser)[2]) == 5


def test_its_policy_forbids_the_network(model, tmp_path):
    with closing(chromium.Browser(tmp_path)) as browser:  # its own: what is refused is logged, and maybe late
        check_policy(browser, model, tmp_path)


def check_policy(browser, model, tmp_path):
    browser.open(write(tmp_path / "page.html", model, elman.score(model, TEXT)))
    browser.run(
        "window.refused = []; addEventListener('securitypolicyviolation', (e) => refused.push(e.effectiveDirective));"
        "const image = new Image(); image.src = 'http://127.0.0.1:9/'; document.body.append(image);"
        "fetch('http://127.0.0.1:9/').catch(() => 0); document.body.append(document.createElement('script'));"
        "document.body.lastChild.textContent = 'window.ran = true'"
    )
    for _ in range(100):
        if len(browser.run("return refused")) == 3:
            break
        time.sleep(0.05)
    assert sorted(browser.run("return refused")) == ["connect-src", "img-src", "script-src-elem"]
    assert browser.run("return window.ran") is None


def test_the_keyboard_goes_from_character_to_character(browser, model, tmp_path):
    browser.open(write(tmp_path / "page.html", model, elman.score(model, TEXT)))
    browser.run("document.getElementById('text').focus()")
    left, up, right, down, escape = "\ue012", "\ue013", "\ue014", "\ue015", "\ue00c"
    places = []
    for key in (right, right, right, down, left, up):
        browser.press(key)
        places.append(browser.run("return cursor"))
    assert places == [0, 1, 2, len("The sea,\n") + 2, len("The sea,\n") + 1, 1]
    assert not browser.run("return card.hidden")
    browser.press(escape)
    assert browser.run("return card.hidden")


def test_the_bar_does_not_hide_what_the_keyboard_goes_to(browser, model, tmp_path):
    browser.open(write(tmp_path / "page.html", model, elman.score(model, TEXT * 30)))
    browser.run("scrollTo(0, 1000); document.getElementById('text').focus({preventScroll: true})")
    browser.press("\ue014")
    top, bar = browser.run("return [spanOf(0), document.getElementById('bar')].map((e) => e.getBoundingClientRect())")
    assert top["top"] >= bar["bottom"]


def test_bytes_and_unknown_characters(browser, model, tmp_path):
    score = elman.score(model, "sea ψ")
    browser.open(write(tmp_path / "page.html", model, score))
    browser.point(*at(browser, 4))
    assert "not in the vocabulary" in browser.run("return card.innerText")
    data = "é日\U0001d11e".encode() + b"\xff b"
    of_bytes = elman.build_model(elman.Corpus("t", data, "none", "here"), hidden_size=9, init_std=None)
    score = elman.score(of_bytes, data)
    browser.open(write(tmp_path / "bytes.html", of_bytes, score))
    assert browser.run("return document.querySelector('.line').textContent") == "é日\U0001d11e\ufffd b▮"
    browser.point(*at(browser, 2))
    head, cost, rows = card(browser)
    assert head == "\U0001d11e\nU+1D11E"
    assert float(cost.split()[0]) == pytest.approx(math.fsum(score.surprisal[5:9]), abs=0.0101)
    assert len(rows) == 5


@pytest.mark.parametrize(("breaks", "size"), [(True, 1_000_000), (False, 200_000)])
def test_a_megabyte_is_usable(browser, model, tmp_path, breaks, size):
    words = np.random.default_rng(0).choice(["sea ", "home ", "again ", "and\n" if breaks else "and "], size // 4)
    text = "".join(words)[:size]
    score = elman.score(model, text, records=breaks)  # records are read side by side, a text at length
    path = write(tmp_path / "page.html", model, score)
    browser.open(path)
    browser.run("scrollTo(0, document.body.scrollHeight)")
    check(browser, model, score, len(text) - 40)
    painted = browser.run("return document.querySelectorAll('.line span').length")
    assert painted < 60_000  # the rest is plain text


def test_the_colours_of_an_inspection_can_be_chosen(browser, tmp_path):
    corpus = elman.Corpus("t", TEXT, "none", "here")
    model = elman.build_model(corpus, cell="lstm", hidden_size=9, init_std=None)
    score, ids = elman.score(model, TEXT), corpus.vocabulary().encode(TEXT)
    found, values = units(model, score, 0, [4, 2])
    path = tmp_path / "page.html"
    report = memorisation(ids[:90], ids)
    path.write_bytes(inspection_page(model, score, "t", 0, found, values, report).encode())
    browser.open(path)
    assert browser.requests() == [path.as_uri()]
    assert browser.log("browser") == []
    assert browser.run("return document.querySelectorAll('polyline').length") == len(report.matches)
    for k, unit in enumerate(found):
        browser.run("document.querySelectorAll('#layers button')[arguments[0]].click()", k + 1)
        scale = float(np.abs(values[:, k]).max())
        for position in (0, 5, len(TEXT) - 1):
            browser.point(*at(browser, position))
            shown = browser.run("return card.querySelectorAll('.cost')[1].innerText")
            assert shown.startswith(f"unit {unit.index}")
            assert float(shown.rsplit(" ", 1)[1]) == pytest.approx(values[position, k], abs=scale / 254 + 0.006)
            names = browser.run("return spanOf(arguments[0]).className", position).split()
            assert any(n[0] == "d" and abs(int(n[1]) - 4 - 4 * values[position, k] / scale) < 0.55 for n in names)
    browser.run("document.querySelectorAll('#layers button')[0].click()")
    assert browser.run("return spanOf(5).className")[0] == "s"
    browser.point(*at(browser, len(TEXT)))
    head, cost, rows = card(browser)
    assert head.endswith("after the end")
    assert cost == ""
    assert rows[0][1] == pytest.approx(100 * elman.after(model, TEXT)[0][1], rel=0.01)
