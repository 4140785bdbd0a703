"""The package of ready models of talk: its files are those that it names, and write as people do."""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path

import pytest

from elman.errors import InputError, ModelFileError

FOLDER = Path(__file__).parents[2] / "packaging" / "talk"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the tests run outside a checkout, without packaging")
SENTENCES = "How are you today?\nI would like a cup of tea, please.\nCan you help me with my coat?\n"


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


def test_it_foretells_talk(talk):
    typist, bits = talk.typist("en"), 0.0
    for symbol in SENTENCES:
        bits -= math.log2(typist.distribution()[symbol])
        typist.enter(symbol)
    assert bits / len(SENTENCES) < 1.6
    typist.enter("Thank yo")
    assert typist.complete(1)[0].text == "u"


def test_what_is_refused(talk, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="there are model and ngrams of en"):
        talk.typist("xx")
    (tmp_path / "en.safetensors").write_bytes(b"another")
    monkeypatch.setattr(talk, "_FOLDER", tmp_path)
    with pytest.raises(ModelFileError, match="not the file that was published"):
        talk.file("en", "model")
