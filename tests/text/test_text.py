"""Normalisation and vocabularies: exact values, round trips, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from elman.text import Vocabulary, normalise
from elman.text import normalisation as module


def test_book_normalisation_collapses_white_space_also_across_chunks(monkeypatch):
    assert normalise("The  Time\n\n\tMachine ", "book") == "the time machine "
    monkeypatch.setattr(module, "CHUNK", 5)
    assert normalise("ab  \n\n\n\n\n\n  cd\tE", "book") == "ab cd e"
    assert normalise("A  b", "none") == "A  b"
    for text in ("ΟΔΟΣ ΣΟΦΟΣ", "ΑΣ'Α ΣΑΣ.", "ΑΒΓΔΕΣΑΒΓΔΕΣ", "ΟΔΟΣ\u0301Α", "İSTANBUL ΣΑΣ", "ΣΣ ", ""):
        for chunk in range(1, 8):
            monkeypatch.setattr(module, "CHUNK", chunk)
            assert normalise(text, "book") == text.lower(), (text, chunk)  # the last sigma of a word looks both ways
    with pytest.raises(ValueError, match="must be one of book, none; got 'other'"):
        normalise("a", "other")


def test_ids_fall_by_frequency_and_ties_by_character():
    vocabulary = Vocabulary.from_text("cab baa")
    assert vocabulary.symbols == ("<unk>", "a", "b", " ", "c")
    assert vocabulary.encode("abcx").tolist() == [1, 2, 4, 0]
    assert vocabulary.decode(np.array([1, 0, 4])) == "a\ufffdc"
    assert vocabulary.unknown(vocabulary.encode("axyb")) == 2


@pytest.mark.parametrize("sample", ["plain", "naïve čeština", "日本語 😀 mixed", "a\x00b\uffff"])
def test_round_trip_across_chunks(monkeypatch, sample):
    monkeypatch.setattr(module, "CHUNK", 3)
    vocabulary = Vocabulary.from_text(sample)
    assert vocabulary.decode(vocabulary.encode(sample)) == sample
    assert Vocabulary.from_dict(vocabulary.to_dict()) == vocabulary
    assert vocabulary.unknown(vocabulary.encode(sample)) == 0
    assert vocabulary.encode("\U0010ffff").tolist() == [0]


def test_many_symbols_need_wider_ids():
    sample = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    ids = Vocabulary.from_text(sample).encode(sample)
    assert ids.dtype == np.uint16
    assert sorted(ids) == list(range(1, 301))


def test_bytes_take_anything():
    vocabulary = Vocabulary.bytes()
    data = bytes(range(256))
    assert len(vocabulary) == 256
    assert vocabulary.decode_bytes(vocabulary.encode(data)) == data
    assert vocabulary.encode("é").tolist() == [0xC3, 0xA9]
    assert vocabulary.decode(np.array([0xC3, 0xA9, 0xFF])) == "é\ufffd"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "an object with 'kind'"),
        ({"kind": "chars", "symbols": ["a"]}, "the first symbol"),
        ({"kind": "chars", "symbols": ["<unk>", "ab"]}, "single characters"),
        ({"kind": "chars", "symbols": ["<unk>", "a", "a"]}, "twice"),
        ({"kind": "words", "symbols": []}, "of kind 'chars', 'bytes', 'bpe' or 'split'"),
        ({"kind": "bytes", "symbols": ["a"]}, "fixed symbols"),
    ],
)
def test_a_damaged_vocabulary_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_dict(data)


@pytest.mark.skipif(
    not (Path(os.environ.get("ELMAN_DATA", "")) / "timemachine.txt").is_file(),
    reason="ELMAN_DATA does not hold timemachine.txt",
)
def test_the_books_vocabulary_has_44_entries():
    from elman.corpora import load_corpus

    corpus = load_corpus("timemachine", 10_000)
    assert len(corpus) == 10_000
    assert len(corpus.vocabulary()) == 44
    assert str(corpus.text).startswith(
        "the time machine, by h. g. wells [1898] i the time traveller (for so it will be"
    )
