"""Models that come with the package: found by name, and by what an archive says of its model."""

from __future__ import annotations

import io

import pytest
from compression_cases import english

import elman
from elman.compression import Archive, Codec, Predictor, compress, decompress
from elman.compression.store import Store, write_store
from elman.errors import CompressedError, ModelFileError
from elman.model import make_layer, named


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A model of bytes that has the name tiny."""
    reading = elman.Reading(elman.Vocabulary.bytes())
    model = elman.LanguageModel(make_layer("gru", 256, 8, 1, 0.0, True), reading).initialise(7, None)
    (tmp_path / "models").mkdir()
    elman.save(model, tmp_path / "models" / "tiny.safetensors")
    monkeypatch.setattr(named, "FOLDER", tmp_path / "models")
    return model


def test_a_name_is_a_model(tiny):
    assert elman.load("tiny").digest() == tiny.digest()
    with pytest.raises(ModelFileError, match="small: no such file; `elman train` makes one, and tiny is one"):
        elman.load("small")


def test_readers_find_it_by_its_digest(tiny, tmp_path):
    data, model = english(2_000), Predictor.of(tiny)
    archive, back = io.BytesIO(), io.BytesIO()
    compress(io.BytesIO(data), archive, model)
    decompress(io.BytesIO(archive.getvalue()), back)
    assert back.getvalue() == data
    (tmp_path / "a.elz").write_bytes(archive.getvalue())
    with Archive(tmp_path / "a.elz") as parts:
        assert parts.read(100, 50) == data[100:150]
    write_store([b"one", b"two"], tmp_path / "a.elr", model)
    with Store(tmp_path / "a.elr") as store:
        assert list(store) == [b"one", b"two"]
    named.FOLDER.joinpath("tiny.safetensors").unlink()
    with pytest.raises(CompressedError, match=f"made with the model {model.digest.hex()[:8]}, which is missing"):
        decompress(io.BytesIO(archive.getvalue()), back)


def test_a_codec_takes_it(tiny):
    codec = Codec(Predictor.of(elman.load("tiny")))
    assert codec.decode(codec.encode(b"the time")) == b"the time"


def test_the_model_of_english_is_what_its_recipe_gives():
    model = elman.load("english")
    assert model.digest() == "bcbfff622ef52860bd65e6bc9416394044ed9cb033f1a245f53fe56fa374469a"
    assert named.named_models()["english"].stat().st_size < 1_500_000
    text = "It was the best of times, it was the worst of times, it was the age of wisdom"
    assert elman.score(model, text).bits / len(text) < 2.2
    run = elman.model.read_header(named.named_models()["english"])["run"]
    assert elman.load_recipe("english") == elman.Recipe().replace(**run["recipe"])
    assert run["quantised_from"].startswith("0bc8747d19d3")
