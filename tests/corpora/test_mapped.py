"""Corpora with their ids on disk: the same as in memory, made once, and gone on with."""

from __future__ import annotations

import gzip
import lzma
import os
from pathlib import Path

import numpy as np
import pytest

import elman
from elman.corpora import cached, files, load_mapped, mapped, release
from elman.text import normalisation
from elman.training.sizing import for_minutes

TEXT = "The Trαveller  came\n\n down ΣΑΣ \r\n\tto the séa, 𝄞 and home. " * 40


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in (mapped, cached):
        monkeypatch.setattr(module, "cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(mapped, "_BLOCK", 7)  # every border is crossed
    monkeypatch.setattr(files, "BLOCK", 7)
    monkeypatch.setattr(normalisation, "CHUNK", 11)
    Path("t.txt").write_text(TEXT, "utf-8", newline="")
    return tmp_path


def same(corpus, loaded):
    assert isinstance(corpus, elman.Corpus)
    assert corpus.vocabulary() == loaded.vocabulary()
    assert corpus.digest() == loaded.digest()
    assert len(corpus) == len(loaded)
    own, theirs = corpus.ids(corpus.vocabulary()), loaded.ids(loaded.vocabulary())
    assert own.dtype == theirs.dtype
    assert np.array_equal(own, theirs)
    assert (corpus.name, corpus.normalisation, corpus.source) == (loaded.name, loaded.normalisation, loaded.source)


@pytest.mark.parametrize("normalisation", ["book", "none"])
@pytest.mark.parametrize("max_chars", [None, 100, 10**6])
def test_a_file(normalisation, max_chars):
    settings = {"normalisation": normalisation, "max_chars": max_chars}
    same(load_mapped("t.txt", **settings), elman.load_corpus("t.txt", **settings))


def test_bytes_encodings_and_packed_files(folder):
    same(load_mapped("t.txt", tokens="bytes"), elman.load_corpus("t.txt", tokens="bytes"))
    Path("u.txt").write_bytes(TEXT.encode("utf-16"))
    same(load_mapped("u.txt"), elman.load_corpus("u.txt"))
    Path("v.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + TEXT.encode()))
    same(load_mapped("v.txt.gz"), elman.load_corpus("v.txt.gz"))
    Path("w.txt.xz").write_bytes(lzma.compress(TEXT.encode()))
    same(load_mapped("w.txt.xz"), elman.load_corpus("w.txt.xz"))
    assert elman.load_corpus("w.txt.xz", normalisation="none").text == TEXT
    Path("bad").write_bytes(b"abc\xffdef")
    same(load_mapped("bad", encoding_errors="replace"), elman.load_corpus("bad", encoding_errors="replace"))
    same(load_mapped("bad", encoding="latin-1"), elman.load_corpus("bad", encoding="latin-1"))


def test_a_folder():
    for name in ("b", "a", "c/d", ".hidden"):
        path = Path("many", name)
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(f"{name} {TEXT}", newline="")
    same(load_mapped("many"), elman.load_corpus("many"))
    same(load_mapped("many", tokens="bytes"), elman.load_corpus("many", tokens="bytes"))


def test_many_characters():
    """More than a byte numbers, and more than a chunk has; ids then take two bytes."""
    Path("w.txt").write_text("".join(chr(0x4E00 + i % 300) for i in range(2000)))
    same(load_mapped("w.txt"), elman.load_corpus("w.txt"))


def test_minutes(monkeypatch):
    """As many epochs as fit; or, of a text that is too long for one, its last part."""
    monkeypatch.setattr("elman.training.sizing._PROBE", 0.0)
    corpus = load_mapped("t.txt")
    recipe = elman.Recipe(hidden_size=4, batch_size=2, seq_length=5)
    long = for_minutes(1e5, recipe, corpus).recipe
    assert long.epochs > 1
    assert long.last_tokens is None
    short = for_minutes(1e-6, recipe, corpus).recipe
    assert short.epochs == 1
    assert short.last_tokens is not None
    assert short.last_tokens < len(corpus)
    texts = corpus, elman.load_corpus("t.txt", normalisation="none")
    one, other = (elman.fit(elman.build_model(text, short), text, short) for text in texts)
    assert one.model.digest() == other.model.digest()


def test_made_once_and_again_when_the_file_changes(monkeypatch):
    made = []
    real = mapped._make
    monkeypatch.setattr(mapped, "_make", lambda *a, **b: made.append(1) or real(*a, **b))
    load_mapped("t.txt")
    load_mapped(os.path.abspath("t.txt"))
    assert len(made) == 1
    load_mapped("t.txt", tokens="bytes")
    assert len(made) == 2
    Path("t.txt").write_text("another")
    assert len(load_mapped("t.txt")) == 7
    assert len(made) == 3
    (path,) = (p for p in Path("cache/ids").glob("*.ids") if p.stat().st_size == 7)
    path.write_bytes(b"torn")
    load_mapped("t.txt")
    assert len(made) == 4


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x", b"", "x is empty; expected a text"),
        ("x", b"abcdefghijk\xff", r"not UTF-8: byte 0xff at offset 11 \(invalid start byte\); give its `encoding`"),
        ("x.gz", gzip.compress(b"abc" * 99, mtime=0)[:-9], "not a whole gzip file"),
        ("x.xz", lzma.compress(b"abc" * 99)[:-9], "x.xz: not a whole xz file"),
        ("missing", None, "No such file"),
    ],
)
def test_what_is_refused_leaves_nothing(name, data, message):
    if data is not None:
        Path(name).write_bytes(data)
    with pytest.raises(elman.CorpusError, match=message):
        load_mapped(name)
    if "whole" in message:
        with pytest.raises(elman.CorpusError, match=message):
            elman.load_corpus(name)
    assert not list(Path("cache").rglob("*.*"))


def test_training_is_that_in_memory_and_goes_on(command, monkeypatch):
    settings = ["--epochs", 2, "--hidden-size", 8, "--batch-size", 4, "--seq-length", 9, "--sample-every", 0]
    held_out = [*settings, "--val-fraction", "0.2", "--schedule", "constant"]
    command("train", "t.txt", *held_out, "--output", "a")
    monkeypatch.setattr("elman.cli.shared.training_source._MAPPED_BYTES", 10)
    assert not Path("cache").exists()
    command("train", "t.txt", *held_out, "--output", "b", "--epochs", 1)
    assert Path("cache").exists()
    command("train", "--resume", "b", "--epochs", 2)
    a, b = (elman.load(f"{run}/model.safetensors") for run in "ab")
    assert a.fingerprint() == b.fingerprint()
    Path("u.txt").write_text("the trawler # came " * 30)
    command("train", "u.txt", "--from", "b", *settings[:2], "--seq-length", 9, "--output", "c")
    monkeypatch.setattr("elman.cli.shared.training_source._MAPPED_BYTES", 10**9)
    command("train", "u.txt", "--from", "b", *settings[:2], "--seq-length", 9, "--output", "d")
    c, d = (elman.load(f"{run}/model.safetensors") for run in "cd")
    assert c.fingerprint() == d.fingerprint()


@pytest.mark.parametrize("tokens", ["chars", "bytes"])
def test_a_part_of_a_mapped_text(tokens):
    corpus = load_mapped("t.txt", tokens=tokens)
    assert corpus.first(None) is corpus
    same(corpus.first(5), elman.load_corpus("t.txt", 5, tokens=tokens))
    whole = elman.load_corpus("t.txt", tokens=tokens)
    assert corpus.beginning(30).text == whole.beginning(30).text == whole.text[:30]
    release(corpus.ids(corpus.vocabulary()))
    release(np.zeros(3))
