"""Models of subwords and of other longer tokens as a page and in JavaScript: Python's ids, texts and costs."""

from __future__ import annotations

import json
import random
import shutil
import subprocess

import numpy as np
import pytest
from browser import MISSING, Browser
from command_line import PATIENCE
from exported import TEXT

import elman
from elman.compression import Codec
from elman.export import to_html, to_js, to_plain
from elman.text import SplitTokens, Subwords

LEARNT = TEXT[:2_500] + 8 * (
    "Où l’été «там» 海の中へ, naïve café 1895! 👩\u200d👩\u200d👧 \ufeff½×\n\n\tThe horses', the travellers'.\r\n"
)
TEXTS = [
    *("", "\n", " ", "\r\n", "a", "é", "👩\u200d👩\u200d👧", "\ufeff", "\ufeffthe traveller", "\t\t \r \n\n "),
    *("the traveller é\r\n\r\n  x", "x" * 100, "don't can't 'tis the travellers' l’été’s’x", "0123456789" * 3),
    *(" 12345678 123456789", "…" * 60 + "«»" * 30, "e\u0301 \u212b \u1e9e ß İ ı Σας"),
    *("海の中へ" * 12, "🏳\ufe0f\u200d🌈🇫🇷" * 9, " " * 60 + "x", " " * 24 + "\n", "the" * 20, "the\u00a0traveller"),
    *("\ud800", "a\udc80b", "\udfff\ud83d the", "\U0010ffff\ue000\uffff", "\u2028\u2029\x85\x0b\x0c\x1c\x00"),
]  # fmt: skip
"""Texts that are cut in every way: marks, CRLF, words and numbers longer than a token's, half a surrogate pair."""
IDS = """
import { load } from "./story/index.js";
import { readFileSync } from "node:fs";
const model = await load(), texts = JSON.parse(readFileSync("texts.json", "utf8"));
console.log(JSON.stringify(texts.map((text) => model.encode(text))));
"""
USE = """
import { load } from "./story/index.js";
import { readFileSync } from "node:fs";
const model = await load(), [text, prompt] = JSON.parse(readFileSync("texts.json", "utf8"));
const how = { length: 300, seed: 7, temperature: 0.9 };
let streamed = "";
for await (const piece of model.stream(prompt, { ...how, step: 7 })) streamed += piece;
const code = model.compress(text);
if (model.decompress(code) !== text) throw new Error("the message did not come back");
const generated = model.generate(prompt, how), { bits, tokens } = model.score(text);
const decoded = model.decode(model.encode(text));
console.log(JSON.stringify({ streamed, code: Array.from(code), generated, bits, tokens, decoded,
  after: model.after(prompt, 5), hidden: model.hidden(text, 0).map((h) => Array.from(h)), facts: model.facts }));
"""


def by_node(folder, made, program: str, texts: list[str]):
    """What a program says with the package of a model."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    (folder / "story").mkdir()
    for name, data in to_js(made, "story").items():
        (folder / "story" / name).write_bytes(data)
    (folder / "program.mjs").write_text(program)
    (folder / "texts.json").write_text(json.dumps(texts))  # ASCII, with half pairs as escapes
    done = subprocess.run(["node", "program.mjs"], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def untrained(vocabulary, normalisation: str = "none", records: bool = False, seed: int = 5):
    corpus = elman.Corpus("t", LEARNT, normalisation, "here", records, own=vocabulary)
    return elman.build_model(corpus, cell="gru", hidden_size=17, init_std=None, seed=seed)


def learnt(tokens: str):
    return elman.Corpus("t", LEARNT, "none", "here").cut_into(tokens).vocabulary()


def foreign() -> Subwords:
    """Merges as another program may have them: a token made in two ways, and line ends within tokens."""
    t, h, e = b"the"
    return Subwords(
        [(t, h), (h, e), (256, e), (t, 257), (10, 10), (32, 258), (10, t), (256, e), (0xC3, 0xA9), (258, 32)]
    )


VOCABULARIES = {
    "learnt": lambda: learnt("bpe:700"),
    "foreign": foreign,
    "one merge": lambda: Subwords([(116, 104)]),
    "split": lambda: learnt(r"split:[a-z]+|\d+|👩‍👩"),
    "no tokens": lambda: SplitTokens([], "x"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", VOCABULARIES)
def test_node_cuts_a_text_as_python_does(tmp_path, name):
    draw = random.Random(7)
    signs = "aethé ’'\r\n\t\xa0019…—«海👩\u200d\ud800\udc80\ufeff\u2028.,\x00\x0b½×ÿĀ\U0001faff\U0001fb00\u2bff\u2c00"
    made = ["".join(draw.choices(signs, k=draw.randint(1, 80))) for _ in range(300)]
    made += ["".join(chr(draw.randrange(0x110000)) for _ in range(20)) for _ in range(30)]
    texts = [json.loads(json.dumps(text)) for text in TEXTS + made + [LEARNT]]  # two halves in a row are a character
    model = untrained(VOCABULARIES[name]())
    found = by_node(tmp_path, model, IDS, texts)
    for text, ids in zip(texts, found, strict=True):
        assert ids == model.reading.prompt(text).tolist(), repr(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learnt", "foreign", "split", "book", "records", "records of the book"])
def test_node_has_the_bits_of_python(tmp_path, name):
    vocabulary = VOCABULARIES.get(name, VOCABULARIES["learnt"])()
    records = name.startswith("records")
    made = elman.quantise(untrained(vocabulary, "book" if "book" in name else "none", records))
    text, prompt = "  The travellérs \t WENT\r\n\nto 👩‍👩‍👧 sea \n", "The café"
    found = by_node(tmp_path, made, USE, [text, prompt])
    expected = elman.generate(made, prompt, 300, seed=7, temperature=0.9)
    assert found["generated"] == expected
    assert found["streamed"] == expected
    assert "\ufffd" in expected or records  # an untrained model writes bytes that are no text
    assert found["bits"] == pytest.approx(elman.score(made, text).bits, rel=1e-12)
    ids = made.reading.vocabulary.encode(made.reading.prepare(text)).tolist()
    assert [token["id"] for token in found["tokens"]] == ids
    assert found["facts"]["kind"] == "subwords"
    assert found["facts"]["records"] is records
    assert bytes(found["code"]) == Codec(made).encode(text.encode())
    assert found["decoded"] == made.reading.vocabulary.decode(made.reading.prompt(text))
    primed = made.reading.primed(made.reading.prompt(text))
    assert np.shape(found["hidden"]) == (len(primed) - 1, made.hidden_size)
    likely = [each["p"] for each in found["after"]]
    assert likely == sorted(likely, reverse=True)


@pytest.mark.slow
def test_records_of_characters_are_lines_in_any_normalisation(tmp_path):
    lines = "The sea\n a  man \nOLD\n"
    corpus = elman.Corpus("t", lines * 20, "book", "here", True)
    made = elman.build_model(corpus, cell="gru", hidden_size=17, init_std=None, seed=5)
    found = by_node(tmp_path, made, USE, [lines + " New", "A"])
    assert found["bits"] == pytest.approx(elman.score(made, lines + " New").bits, rel=1e-12)
    assert found["generated"] == elman.generate(made, "A", 300, seed=7, temperature=0.9)


def test_a_plain_container_does_not_say_how_a_text_is_cut(tmp_path):
    made = elman.quantise(untrained(foreign()))
    (tmp_path / "plain.elman").write_bytes(to_plain(made))
    program = 'import { load } from "./story/index.js"; import { readFileSync } from "node:fs";'
    program += 'const model = await load(readFileSync("plain.elman")), why = [model.facts.vocab, model.decode([256])];'
    program += "try { model.encode('a'); } catch (error) { why.push(error.message); }"
    vocab, token, why = by_node(tmp_path, made, program + "console.log(JSON.stringify(why));", [])
    assert (vocab, token) == (len(foreign()), "th")
    assert "take that of elman export js" in why


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    if MISSING:
        pytest.skip(MISSING)
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learnt", "split"])
def test_the_page(window, tmp_path, name):
    made, page = elman.quantise(untrained(VOCABULARIES[name]())), tmp_path / "page.html"
    page.write_text(to_html(made), encoding="utf-8")
    elman.save(made, tmp_path / "model.safetensors")
    assert (
        page.stat().st_size <= 1.4 * (tmp_path / "model.safetensors").stat().st_size + 105_000
    )  # with the coder of messages for subwords
    window.open(page)
    text = "The café’s 👩‍👩‍👧 sea"
    window.run(f"window.text = {json.dumps(text)}")
    generated = window.answer("elman.generate(text, 500, 7)")
    score, after = window.answer("elman.score(text)"), window.answer("elman.after(text, 8)")
    assert generated == elman.generate(made, text, 500, seed=7)
    assert score["bits"] == pytest.approx(elman.score(made, text).bits, rel=1e-12)
    window.run(
        "const box = document.getElementById('text'); box.value = text; box.dispatchEvent(new Event('input'));"
        "document.getElementById('temperature').value = 1; document.getElementById('n').value = 2"
    )
    bits = f"{elman.score(made, text).bits:.1f} bits"
    window.until(f"return document.getElementById('status').textContent.includes({bits!r})")
    spans = window.run("return [...document.querySelectorAll('#paint span')].map((span) => span.textContent)")
    assert "".join(spans) == text + "\n"
    assert "\ufffd" not in "".join(spans)
    assert len(spans) - 1 <= len(score["tokens"])
    buttons = window.run(
        "return [...document.querySelectorAll('#next button')].map((b) => [b.disabled, b.textContent])"
    )
    for (disabled, shown), each in zip(buttons, after, strict=True):
        assert disabled == ("\ufffd" in each["text"])
        assert shown.startswith("bytes:") == disabled
    window.run("document.getElementById('write').click()")
    window.until("return document.getElementById('stop').hidden")
    texts = window.run("return [...document.querySelectorAll('#continuations article p')].map((p) => p.textContent)")
    assert texts == elman.generate(made, text, 200, num_samples=2)
    window.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    window.until("return document.getElementById('code').textContent && document.querySelector('#held span')")
    assert window.run("return document.getElementById('held').textContent") == text
    code = Codec(made).encode(b"See you at the station at six.")
    shown = window.run("return document.getElementById('code').textContent")
    assert shown == f"30 bytes \u2192 {len(code)}: {code.hex(' ')}, which gives the message again"
    assert [url for url in window.requests() if not url.startswith(("file:", "blob:"))] == []
    assert [entry for entry in window.log("browser") if entry["level"] == "SEVERE"] == []


def test_the_commands(tmp_path, command):
    elman.save(untrained(learnt("bpe:300")), tmp_path / "m.safetensors")
    command("export", "html", tmp_path / "m.safetensors", "-o", tmp_path / "m.html")
    assert "function cutter(" in (tmp_path / "m.html").read_text("utf-8")
    command("export", "js", tmp_path / "m.safetensors", "-o", tmp_path / "story")
    assert (tmp_path / "story" / "subwords.js").is_file()
