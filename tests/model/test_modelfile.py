"""The model file: whole, or refused in one line."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

import elman
from elman.model import Embedding, container, file, read_header

CORPUS = elman.Corpus("t", "some text, and ünicode 日本", "none", "here")


@pytest.fixture
def saved(tmp_path):
    model = elman.build_model(CORPUS, cell="lstm", hidden_size=5, num_layers=2)
    elman.save(model, tmp_path / "m.safetensors", {"epochs_done": 3})
    return tmp_path / "m.safetensors", model


@pytest.mark.parametrize("cell", ["rnn_relu", "rnn_tanh", "gru", "lstm"])
@pytest.mark.parametrize("bias", [True, False])
def test_round_trip(tmp_path, cell, bias):
    from elman.model import make_layer

    reading = elman.Reading(CORPUS.vocabulary(), "book")
    model = elman.LanguageModel(make_layer(cell, len(reading), 5, 2, 0.25, bias), reading).initialise(7, None)
    elman.save(model, tmp_path / "m")
    loaded = elman.load(tmp_path / "m")
    assert isinstance(loaded, elman.LanguageModel)
    assert (loaded.digest(), loaded.fingerprint(), loaded.reading) == (model.digest(), model.fingerprint(), reading)
    assert (loaded.layer.cell, loaded.layer.dropout, loaded.layer.bias) == (cell, 0.25, bias)


def test_an_embedding_in_a_file(tmp_path, monkeypatch):
    model = elman.build_model(CORPUS, cell="gru", hidden_size=5, embedding_size=3)
    elman.save(model, tmp_path / "m")
    loaded = elman.load(tmp_path / "m")
    assert isinstance(loaded, elman.LanguageModel)
    assert (loaded.digest(), loaded.embedding_size) == (model.digest(), 3)
    assert next(iter(loaded.named_parameters())) == "embedding.weight"
    header, tensors = file.read(tmp_path / "m")
    assert header["needs"] == ["embedding"]  # an older version refuses it
    for change, message in (
        ({"embedding_size": 4}, r"layer.weight_ih_l0 is float32 \(15, 3\); expected float32 \(15, 4\)"),
        ({"embedding_size": None}, "7 tensors; 1 layers have 6"),
        ({"embedding_size": "3"}, "a size is '3'"),
        ({"embedding_size": 0}, "a size is 0"),
    ):
        craft(tmp_path / "n", header | change, tensors)
        with pytest.raises(elman.ModelFileError, match=message):
            elman.load(tmp_path / "n")
    monkeypatch.setattr(file, "make_layer", lambda *_: pytest.fail("memory was asked for"))
    craft(tmp_path / "n", header | {"embedding_size": 2**30}, tensors)
    with pytest.raises(elman.ModelFileError, match="do not make a model"):
        elman.load(tmp_path / "n")


def test_sizes_of_an_embedding():
    reading = CORPUS.reading()
    V = len(reading)
    with pytest.raises(elman.InputError, match=rf"the embedding is \({V}, 3\); expected \({V}, 4\)"):
        elman.LanguageModel(elman.GRU(4, 5), reading, embedding=Embedding(V, 3))
    with pytest.raises(elman.InputError, match="embedding_size must be a whole number of at least 1, got 0"):
        Embedding(V, 0)


def test_loads_in_a_fresh_process_with_no_other_file(saved):
    path, model = saved
    code = f"import elman; m = elman.load({str(path)!r}); print(m.digest(), repr(elman.generate(m, 'so', 5, seed=1)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert printed == f"{model.digest()} {elman.generate(model, 'so', 5, seed=1)!r}"


def test_every_truncation_and_flipped_byte_is_refused_or_harmless(saved):
    path, model = saved
    whole = path.read_bytes()
    rng = random.Random(1)
    for length in [0, 1, 7, 8, 9, *rng.sample(range(len(whole)), 60), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(elman.ModelFileError) as caught:
            elman.load(path)
        assert "\n" not in str(caught.value)
    for _ in range(400):
        damaged = bytearray(whole)
        # Half of the flips in the header, where a parser could be fooled.
        damaged[rng.randrange(len(whole) if rng.random() < 0.5 else 700)] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        with contextlib.suppress(elman.ModelFileError):
            loaded = elman.load(path)  # white space, or a spelling that means the same
            assert loaded.digest() == model.digest()
            assert loaded.reading.vocabulary == model.reading.vocabulary


def test_foreign_newer_and_missing(tmp_path, saved):
    with pytest.raises(elman.ModelFileError, match="no such file"):
        elman.load(tmp_path / "none")
    save_file({"w": np.zeros(2)}, tmp_path / "foreign")
    with pytest.raises(elman.ModelFileError, match="not a model saved by Elman"):
        elman.load(tmp_path / "foreign")
    header = json.dumps({"format": 2, "digest": "", "config": ""})
    save_file({"w": np.zeros(2)}, tmp_path / "newer", metadata={"elman": header})
    with pytest.raises(elman.ModelFileError, match="format 2, but this version of Elman reads up to 1; upgrade"):
        elman.load(tmp_path / "newer")
    with pytest.raises(elman.ModelFileError, match=r"model\.safetensors: no such file"):  # as a run's folder
        elman.load(tmp_path)


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    path, model = saved
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        elman.save(model.initialise(9), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert read_header(path)["run"] == {"epochs_done": 3}


def craft(path, header, tensors, **whole):
    """A file with a right digest, whatever is in it."""
    config = json.dumps(header)
    with contextlib.suppress(RuntimeError):
        whole = {"digest": container._digest(config, tensors)} | whole
    save_file(tensors, path, metadata={"elman": json.dumps({"format": 1, "config": config, "digest": ""} | whole)})


def spoiled(tensors, name, value):
    return {**tensors, name: value}


def test_crafted_files_are_refused_by_name(tmp_path, saved):
    header, tensors = file.read(saved[0])
    path = tmp_path / "crafted"
    craft(path, header, tensors)
    assert elman.load(path).digest() == saved[1].digest()
    bias = tensors["output.bias"]
    for name, value in (
        ("output.weight", np.array(1.0, dtype=np.float32)),
        ("output.bias", np.array(1.0, dtype=np.float32)),
        ("output.bias", bias[:-1].copy()),
        ("layer.weight_hh_l1", np.zeros(1, dtype=np.float32)),
        *(("output.bias", bias.astype(dtype)) for dtype in (np.int8, np.int64, np.bool_, np.float64)),
    ):
        craft(path, header, spoiled(tensors, name, value))
        with pytest.raises(elman.ModelFileError, match=r"expected float32|damaged|truncated|the header says"):
            elman.load(path)
    for whole in (
        {"format": 0, "config": 5},
        {"format": 1, "config": ["x"]},
        {"format": "1"},
        {"config": '"\ud83d"'},
        {"digest": 3},
    ):
        craft(path, header, tensors, **whole)
        with pytest.raises(elman.ModelFileError):
            elman.load(path)


def test_sizes_are_compared_before_memory_is_asked_for(tmp_path, saved, monkeypatch):
    header, tensors = file.read(saved[0])
    small = {name: np.zeros(1, dtype=np.float32) for name in tensors}
    monkeypatch.setattr(file, "make_layer", lambda *_: pytest.fail("memory was asked for"))
    for change in (
        {"hidden_size": 8000},
        {"num_layers": 10**6},
        {"vocab_size": 2**30},
        {"hidden_size": -1},
        {"cell": "x"},
    ):
        craft(tmp_path / "m", header | change, small)
        with pytest.raises(elman.ModelFileError, match="the header and the weights do not make a model"):
            elman.load(tmp_path / "m")


def test_what_a_file_needs(tmp_path, saved):
    header, tensors = file.read(saved[0])
    assert header.pop("needs") == []
    craft(tmp_path / "m", header, tensors)  # as an older version wrote it
    assert elman.load(tmp_path / "m").digest() == saved[1].digest()
    craft(tmp_path / "m", header | {"needs": ["int8"]}, tensors)
    with pytest.raises(elman.ModelFileError, match="it needs 'int8', which this version lacks; upgrade Elman"):
        elman.load(tmp_path / "m")
