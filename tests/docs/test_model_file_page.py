"""docs/reference/model-file.md is enough to read a model: this reads files by the page, without Elman's readers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import elman

TYPES = {"F32": "float32", "I32": "int32", "I8": "int8", "U8": "uint8"}
TEXT = "the sea is wide and the sky is low\n" * 30


def read_by_the_page(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    entries, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    outer = json.loads(entries.pop("__metadata__")["elman"])
    assert outer["format"] == 1
    tensors, digest = {}, hashlib.sha256(outer["config"].encode())
    for name in sorted(entries):
        entry = entries[name]
        start, end = entry["data_offsets"]
        kind = TYPES[entry["dtype"]]
        tensors[name] = np.frombuffer(body[start:end], np.dtype(kind).newbyteorder("<")).reshape(entry["shape"])
        digest.update(f"{name} torch.{kind} {tuple(entry['shape'])}\n".encode() + body[start:end])
    assert digest.hexdigest() == outer["digest"]
    assert outer["config"] == json.dumps(json.loads(outer["config"]), ensure_ascii=False, sort_keys=True)
    return json.loads(outer["config"]), tensors


def trained(**settings) -> elman.LanguageModel:
    return elman.build_model(elman.Corpus("t", TEXT, "none", "here"), hidden_size=6, init_std=None, **settings)


@pytest.mark.parametrize("cell", ["rnn_relu", "gru", "lstm"])
@pytest.mark.parametrize("embedding_size", [None, 5])
def test_a_model_in_floats(tmp_path, cell, embedding_size):
    model = trained(cell=cell, embedding_size=embedding_size, num_layers=2)
    elman.save(model, tmp_path / "m.safetensors")
    header, tensors = read_by_the_page(tmp_path / "m.safetensors")
    V, H, E = header["vocab_size"], header["hidden_size"], header.get("embedding_size")
    G = {"rnn_relu": 1, "gru": 3, "lstm": 4}[header["cell"]]
    shapes = {"output.weight": (V, H), "output.bias": (V,)} | ({"embedding.weight": (V, E)} if E else {})
    for k in range(header["num_layers"]):
        shapes[f"layer.weight_ih_l{k}"] = (G * H, (E or V) if k == 0 else H)
        shapes |= {
            f"layer.weight_hh_l{k}": (G * H, H),
            f"layer.bias_ih_l{k}": (G * H,),
            f"layer.bias_hh_l{k}": (G * H,),
        }
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes
    assert header["needs"] == (["embedding"] if E else [])
    symbols = header["vocabulary"]["symbols"]
    assert header["vocabulary"]["kind"] == "chars"
    assert symbols[0] == "<unk>"
    assert {*symbols[1:]} == {*TEXT}
    for name, tensor in model.named_parameters().items():
        np.testing.assert_array_equal(tensors[name], tensor)


@pytest.mark.parametrize("bits", [8, 6, 5, 4])
def test_a_quantised_model(tmp_path, bits):
    model = trained(cell="gru")
    elman.save(elman.quantise(model, bits), tmp_path / "q.safetensors")
    header, tensors = read_by_the_page(tmp_path / "q.safetensors")
    assert (header["contract"], header["bits"], header["needs"]) == (1, bits, ["integer 1"])
    V, H = header["vocab_size"], header["hidden_size"]
    matrices = {
        "layers.0.w_ih": ("layer.weight_ih_l0", (3 * H, V), 1 / 2048),
        "layers.0.w_hh": ("layer.weight_hh_l0", (3 * H, H), 127 / 2048),
        "output": ("output.weight", (V, H), 127),
    }
    for name, (of_floats, shape, unit) in matrices.items():
        whole, largest = integers(tensors[name], bits, shape), 2 ** (bits - 1) - 1
        scale = tensors[f"{name}.scale"][:, None].astype(float) * unit
        assert scale.shape == (shape[0], 1)
        assert np.abs(whole).max() == largest
        error = np.abs(whole * scale - model.named_parameters()[of_floats])
        assert (error <= 0.501 * scale)[np.abs(whole) < largest].all()  # the nearest integer, but where it is clipped
    assert tensors["layers.0.bias"].shape == (3 * H,)
    assert tensors["layers.0.bias_hn"].shape == (H,)
    assert tensors["output.bias"].shape == (V,)


def integers(tensor: np.ndarray, bits: int, shape: tuple[int, int]) -> np.ndarray:
    if bits == 8:
        assert tensor.shape == shape
        return tensor.astype(int)
    number = int.from_bytes(tensor.tobytes(), "big")
    total, count = 8 * tensor.size, shape[0] * shape[1]
    offset = [number >> (total - bits * (i + 1)) & (2**bits - 1) for i in range(count)]
    assert number & (2 ** (total - bits * count) - 1) == 0
    return np.array(offset).reshape(shape) - 2 ** (bits - 1)
