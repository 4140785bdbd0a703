"""The package of ready models of talk: its files are those that it names, and write as people do."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path

import pytest

import elman
from elman.errors import InputError, ModelFileError

FOLDER = Path(__file__).parents[2] / "packaging" / "talk"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the tests run outside a checkout, without packaging")
PHRASES = FOLDER.parents[1] / "benchmarks" / "phrases"


@pytest.fixture
def talk(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("elman_talk")


def test_files_are_small_and_those_of_the_card(talk):
    card = (FOLDER / "README.md").read_text("utf-8")
    assert talk.languages() == re.findall(r"\(`(\w+)`\)", card)
    for language in talk.languages():
        known = talk._MODELS[language]
        sizes = [talk.file(language, part).stat().st_size for part in ("model", "ngrams")]
        assert sizes == [known[part]["bytes"] for part in ("model", "ngrams")]
        assert sum(sizes) <= 1_000_000
        for part, size in zip(("model", "ngrams"), sizes, strict=True):
            assert f"{size:,} bytes, SHA-256 `{known[part]['sha256'][:8]}`" in card


def test_every_model_opens_and_writes_what_it_wrote_when_it_was_made(talk):
    for language in talk.languages():
        written = elman.generate(elman.load(talk.file(language, "model")), "", 20, temperature=0)
        assert written == talk._MODELS[language]["model"]["writes"]


def test_they_foretell_talk(talk):
    for language in talk.languages():
        lines = (PHRASES / f"{language}.txt").read_text("utf-8").splitlines(keepends=True)
        typist, bits, text = talk.typist(language), 0.0, "".join(lines[:5])
        for symbol in text:
            bits -= math.log2(typist.distribution().get(symbol, typist.floor))
            typist.enter(symbol)
        assert bits / len(text) < 2.3, language
    typist = talk.typist("en")
    typist.enter("Thank yo")
    assert typist.complete(1)[0].text == "u"


def test_what_is_refused(talk, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"there are model and ngrams of .*en"):
        talk.typist("xx")
    (tmp_path / "en.safetensors").write_bytes(b"another")
    monkeypatch.setattr(talk, "_FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match="not the file that was published"):
        talk.file("en", "model")
