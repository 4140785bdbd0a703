"""Scoring as one stream: wherever a text is cut, the bits are those of the whole."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import math
import random
import subprocess
import sys
import tracemalloc
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from command_line import run
from small_models import save

import elman
from elman.scoring import Baselines, Totals, baselines, ngram_bits, spans, words, words_of
from elman.text import Subwords

TEXT = "The Traveller  came\r\ndown to the séa 🌊.\n\n\tand WENT home\u00a0again; ΣΑΣ\n" * 30 + "and so on"
NO_LINE = "the traveller came down to the sea and went home again " * 60


def build(kind):
    """A model and a text for it: (records or not, how it reads, what its tokens are)."""
    text = TEXT
    if kind == "bytes":
        text = TEXT.encode() + bytes(range(128, 256)) * 3 + b"\xf0\x9f\n\x80\x80\x80\x80\x80"
    elif kind in ("book", "one line"):
        text = NO_LINE if kind == "one line" else TEXT
    vocabulary = Subwords([(104, 101), (116, 256), (32, 257), (97, 110)]) if kind == "subwords" else None
    corpus = elman.Corpus("t", text, "book" if kind.startswith("book") else "none", "t", "records" in kind, None)
    if kind.startswith("book"):
        corpus = elman.Corpus("t", corpus.text.lower(), "book", "t", "records" in kind)
    if vocabulary is not None:
        corpus = elman.Corpus("t", text, "none", "t", False, None, vocabulary)
    return elman.build_model(corpus, cell="gru", hidden_size=8, init_std=None, seed=5), text


def cut(text, rng) -> Any:
    at = 0
    while at < len(text):
        end = at + rng.choice((1, 7, 40, 300, 1500))
        yield text[at:end]
        at = end


def python(code, *arguments):
    """The numbers that it prints, run in an interpreter of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


KINDS = ("chars", "records", "bytes", "subwords", "book", "book records", "one line")


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_cost_what_the_whole_does(kind, monkeypatch):
    monkeypatch.setattr(import_module("elman.scoring.stream"), "_PIECE", 150)
    model, text = build(kind)
    rng = random.Random(1)
    whole = elman.score(model, text)
    for whole_lines in (False, True):
        found = list(spans(model, [cut(text, rng)], whole_lines=whole_lines, entropies=True))
        assert len(found) > 5 or (whole_lines and "\n" not in str(whole.data)[2:-3])
        pieces: Any = [piece.score.data for piece in found]
        assert type(whole.data)().join(pieces) == whole.data
        np.testing.assert_array_equal(np.concatenate([piece.score.surprisal for piece in found]), whole.surprisal)
        totals = Totals()
        for piece in found:
            totals.add(piece.score)
        assert (totals.bits, totals.characters) == (whole.bits, whole.num_characters)
        assert (totals.bytes, totals.unknown) == (whole.num_bytes, whole.unknown)
        assert (totals.bits_per_char, totals.bits_per_byte) == (whole.bits_per_char, whole.bits_per_byte)
        assert totals.perplexity == whole.perplexity
        if whole_lines:
            lines, starts = whole.lines(), [piece.score.lines() for piece in found]
            np.testing.assert_array_equal(np.concatenate([each.bits for each in starts]), lines.bits)
            np.testing.assert_array_equal(np.concatenate([each.bursts for each in starts]), lines.bursts)
            together, one = (
                list(words_of((p.score, p.entropies) for p in found if p.entropies is not None)),
                words(model, whole),
            )
            assert [(w.text, w.place, w.line, w.number, w.entropy) for w in together] == [
                (w.text, w.place, w.line, w.number, w.entropy) for w in one
            ]
            np.testing.assert_allclose([w.bits for w in together], [w.bits for w in one], rtol=1e-11)


def test_many_texts_keep_their_order(monkeypatch):
    monkeypatch.setattr(import_module("elman.scoring.stream"), "_PIECE", 400)
    model, text = build("records")
    texts = [text[:90], "", text, text[5:30], text[100:300], text[:380], text]
    found = list(spans(model, [[t] if t else [] for t in texts]))
    assert [piece.text for piece in found] == sorted(piece.text for piece in found)
    for number, each in enumerate(texts):
        costs = [piece.score.surprisal for piece in found if piece.text == number]
        if each:
            np.testing.assert_array_equal(np.concatenate(costs), elman.score(model, each).surprisal)
        else:
            assert not costs


def test_totals_are_rounded_once():
    rng = np.random.default_rng(0)
    values = np.concatenate((rng.random(5000) * 10.0 ** rng.integers(-300, 300, 5000), [5e-324, 0.0, 1e308, -1e308]))
    totals, other = Totals(), Totals()
    for part in np.array_split(values, 7):
        other.add_bits(part)
        totals.merge(other)
        other = Totals()
    assert totals.bits == math.fsum(values)
    totals.add_bits(np.array([math.inf, 1.0]))
    assert totals.bits == math.inf


def test_baselines_in_pieces_are_those_of_the_whole(monkeypatch):
    rng = np.random.default_rng(0)
    data = (b"".join(b"%d went to %d\n" % tuple(row) for row in rng.integers(0, 999, (60_000, 2))))[:500_000]
    ids = np.frombuffer(data, dtype=np.uint8)
    whole = baselines(data, ids, 256)
    assert whole["xz"] == 8 * len(lzma.compress(data))
    assert whole["bzip2"] == 8 * len(bz2.compress(data))
    assert whole["gzip"] == 8 * len(gzip.compress(data, 9))
    assert whole["6-gram"] == math.fsum(ngram_bits(ids, 256))
    monkeypatch.setattr(import_module("elman.scoring.compressors"), "BLOCK", 150_000)
    with Baselines(256) as found:
        for at in range(0, len(data), 90_001):
            found.add(data[at : at + 90_001], ids[at : at + 90_001])
        pieces = found.bits()
    blocks = [ngram_bits(ids[at : at + 150_000], 256) for at in range(0, len(ids), 150_000)]
    assert pieces == whole | {"6-gram": math.fsum(np.concatenate(blocks))}


def test_totals_take_little_memory_beside_the_compressors():
    """NumPy and the compressors report all that they take: xz its 94 MB from the beginning."""
    line = "GET /usr/share/doc/{}/copyright 200\n"
    model = elman.build_model(elman.Corpus("t", line + "0123456789", "none", "t", True), hidden_size=64)
    text = "".join(map(line.format, np.random.default_rng(0).integers(0, 10**4, 20_000).tolist()))
    assert len(text) > 1 << 19
    totals, vocabulary = Totals(), model.reading.vocabulary
    tracemalloc.start()
    with Baselines(len(vocabulary)) as found:
        held = tracemalloc.get_traced_memory()[0]
        for span in spans(model, [(text[at : at + 4096] for at in range(0, len(text), 4096))]):
            found.add(span.score.data, vocabulary.encode(span.score.data))
            totals.add(span.score)
        bits = found.bits()
    peak = tracemalloc.get_traced_memory()[1] - held
    tracemalloc.stop()
    assert totals.characters == len(text)
    assert min(bits.values()) > 0
    assert peak < 30e6


@pytest.mark.parametrize("vocab_size", [97, 50_000])
def test_the_n_gram_model_takes_few_bytes_a_character(vocab_size):
    ids = np.random.default_rng(0).integers(0, vocab_size, 1 << 19).astype(np.uint16)
    tracemalloc.start()
    assert len(ngram_bits(ids, vocab_size)) == len(ids)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * len(ids)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A model of records, and a log of more pieces than one, with what each of its lines costs."""
    folder = tmp_path_factory.mktemp("log")
    model = save(folder / "m", "ada 12\nbo\n\ngrace\njean\nq", records=True)
    rng = np.random.default_rng(1)
    names = np.array(["ada 1", "bo", "", "grace", "jean 22", "qqq"])
    text = "\n".join(names[rng.integers(0, 6, 200_000)]) + "\n"
    (folder / "log.gz").write_bytes(gzip.compress(text.encode(), 1))
    return folder, text, elman.score(model, text).lines()


def test_lists_of_a_log_of_many_pieces(log):
    folder, text, lines = log
    assert len(text) > 1.5 * (1 << 19)
    done = run("score", "m", "log.gz", "--top", 7, "--json", cwd=folder)
    expected = lines.top(7)
    assert [json.loads(row)["line"] - 1 for row in done.stdout.splitlines()] == expected.tolist()
    least = float(np.sort(lines.bursts)[-25_000])
    done = run("score", "m", "log.gz", "--above", least, "--csv", cwd=folder)
    assert done.returncode == 1
    shown = [int(row.split(",")[1]) - 1 for row in done.stdout.splitlines()[1:]]
    assert shown == [i for i in np.flatnonzero(lines.bursts >= least).tolist() if lines.text(i)]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no module resource")
def test_a_log_takes_memory_of_its_pieces_alone(log, tmp_path):
    """Ten times the text, in a process that counts what its arrays and texts take."""
    folder, text, _ = log
    for size in (1, 6):
        (tmp_path / f"{size}").write_text(text * size)
    peaks = []
    for size in (1, 6):
        code = (
            "import sys, resource, elman\n"
            "from elman.corpora import text_parts\n"
            "from elman.scoring import spans\n"
            "model = elman.load(sys.argv[1])\n"
            "lines = sum(len(p.score.lines()) for p in spans(model, [text_parts(model.reading, sys.argv[2])]))\n"
            "print(lines, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
        )
        lines, peak = python(code, folder / "m", tmp_path / f"{size}")
        assert lines == 200_000 * size
        peaks.append(peak)
    assert peaks[1] < peaks[0] * 1.3  # what it took of a text that is held: a hundred megabytes more
