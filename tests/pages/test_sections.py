"""The page of an inspection holds the numbers of the library; the command prints them, in words and in JSON."""

from __future__ import annotations

import json
import re

import command_line
import numpy as np
import pytest
from page_data import unpack

import elman
from elman.inspection import memorisation, quotations, sample, units
from elman.pages import inspection_page

TEXT = "the sea is wide,\nand <b>home</b> & again.\n" * 12


def make(**settings) -> elman.LanguageModel:
    corpus = elman.Corpus("t", TEXT, "none", "here")
    return elman.build_model(corpus, hidden_size=7, init_std=None, **settings)


@pytest.mark.parametrize("cell", ["lstm", "rnn_relu"])
def test_the_page_of_an_inspection(cell):
    model = make(cell=cell)
    score = elman.score(model, TEXT)
    found, values = units(model, score, 0, [5, 2])
    ids = model.reading.vocabulary.encode(TEXT)
    report = memorisation(np.concatenate((ids[30:90], ids[:20])), ids[:400], ids[400:])
    page = inspection_page(model, score, "a<b>.txt", 0, found, values, report)
    data, arrays = unpack(page)
    assert [layer["kind"] for layer in data["layers"]] == ["bits"] + 2 * ["signed" if cell == "lstm" else "positive"]
    for k in (0, 1):
        scale, steps = data["layers"][k + 1]["scale"], 127 if cell == "lstm" else 255
        assert scale == pytest.approx(np.abs(values[:, k]).max() or 1)
        got = arrays[data["layers"][k + 1]["array"]][:-1].astype(float) * scale / steps
        np.testing.assert_allclose(got, values[:, k], atol=0.51 * scale / steps)
    assert f"<td>5<td class=left>{found[0].feature}<td>{found[0].explained:.2f}" in page
    rows = report.rows()
    for row in rows:
        assert f" {row['text']}<td>{row['characters']:,}<td>{row['median']:,.0f}<td>{row['p99']:,.0f}" in page
    assert "<b>" not in page
    overlaps = quotations(report, model.reading.vocabulary)  # type: ignore[arg-type]
    assert page.count("<td class=quote>") == len(overlaps)
    assert f"<td>{overlaps[0]['length']}<td>line {overlaps[0]['line']}<td class=quote>" in page
    assert len(re.findall("<polyline", page)) == len(rows) == 4


def test_what_comes_after_the_end():
    model = make()
    tokens = elman.after(model, TEXT, 3)
    assert [p for _, p in tokens] == sorted((p for _, p in tokens), reverse=True)
    greedy = elman.generate(model, TEXT, 1, temperature=0)
    assert tokens[0][0] == greedy
    assert sum(p for _, p in elman.after(model, TEXT, 99)) == pytest.approx(1, abs=1e-5)
    with pytest.raises(elman.InputError, match="count must be at least 1"):
        elman.after(model, TEXT, 0)
    lines = elman.build_model(elman.Corpus("t", TEXT, "none", "here", True), "modern", hidden_size=7, init_std=None)
    assert elman.after(lines, "the") == elman.after(model, "the")  # a text begins after a line end, as a record does
    assert elman.after(lines) == elman.after(model)
    data = elman.build_model(elman.Corpus("t", TEXT.encode(), "none", "here"), hidden_size=7, init_std=None)
    assert elman.after(data, TEXT, 256) == elman.after(data, TEXT.encode(), 256)
    assert {"b'\\xc3'", "a"} < {token for token, _ in elman.after(data, "the", 256)}


def test_quotations_say_where_they_stand():
    model = make()
    vocabulary = model.reading.vocabulary
    assert vocabulary is not None
    corpus = vocabulary.encode(TEXT)
    (first, *_) = quotations(memorisation(corpus[40:75], corpus[:300]), vocabulary)
    assert first["text"] == TEXT[40:75]
    assert TEXT[first["place"] :].startswith(first["text"])
    assert first["line"] == TEXT[: first["place"]].count("\n") + 1
    book = vocabulary.encode(TEXT.replace("\n", " "))
    assert quotations(memorisation(book[40:75], book[:300]), vocabulary)[0]["line"] is None


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "corpus.txt").write_text(TEXT)
    corpus = elman.load_corpus(folder / "corpus.txt", normalisation="none")
    settings = {"hidden_size": 7, "epochs": 40, "batch_size": 2, "seq_length": 8, "lr": 0.5, "prompts": ()}
    model = elman.build_model(corpus, "book", cell="lstm", **settings)
    elman.fit(model, corpus, "book", output=folder, **settings)
    return folder


def run(*arguments, stdin=""):
    return command_line.run("inspect", *arguments, stdin=stdin)


def test_the_command(trained, tmp_path):
    page = tmp_path / "page.html"
    options = ["--length", 500, "--seed", 3, "--temperature", 0.5, "--corpus", trained / "corpus.txt"]
    printed = run(trained, "-", *options, "--html", page, stdin="the sea\n")
    assert printed.returncode == 0, printed.stderr
    told = json.loads(run(trained, "-", *options, "--json", stdin="the sea\n").stdout)
    model = elman.load(trained / "model.safetensors")
    score = elman.score(model, "the sea\n")
    assert told["bits_per_char"] == score.bits_per_char
    assert told["next"] == [{"token": t, "probability": p} for t, p in elman.after(model, "the sea\n")]
    assert told["activation"] == "tanh(c)"
    ids = model.reading.vocabulary.encode(TEXT)
    report = memorisation(sample(model, 500, 0.5, 3), ids, seed=3)
    texts = {row.pop("text"): row for row in told["memorisation"]["texts"]}
    assert list(texts) == ["generated", "6-gram", "shuffled", "this text"]
    lengths = texts["generated"].pop("lengths")
    assert {int(n): c for n, c in lengths.items()} == dict(
        zip(*map(list, np.unique(report.matches["generated"].lengths, return_counts=True)), strict=True)
    )
    expected = report.rows()[0]
    expected.pop("text")
    assert texts["generated"] == expected
    assert told["memorisation"]["overlaps"] == quotations(report, model.reading.vocabulary)  # type: ignore[arg-type]
    assert f"{score.bits_per_char:.4f} bits/char" in printed.stdout
    assert f"{told['memorisation']['overlaps'][0]['length']:>6,}  line " in printed.stdout
    assert "Content-Security-Policy" in page.read_text()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--units", "3,x"], "--units: expected numbers with commas between, as in 3,17,40; got '3,x'"),
        (["--layer", "1", "--corpus", "traveller"], "layer must be in 0 .. 0, got 1"),
        ([], "corpus.txt; to read that, give it as --corpus"),
        (["--corpus", "no-such-file"], "no-such-file: no such file"),
        (["--html", "no/such/page.html"], "there is no folder no/such"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(trained, options, expected):
    done = run(trained, "-", *options, stdin="the sea\n")
    assert done.returncode == 2
    *before, last = done.stderr.splitlines()
    assert expected in last
    given = "traveller" in options
    assert len(before) == given
    assert not given or "traveller is not the text that the model's file names" in before[0]
