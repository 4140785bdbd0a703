"""A model as ONNX gives Elman's logits in onnxruntime, step by step and all at once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from exported import model, small

import elman
from elman.errors import InputError
from elman.export import to_onnx

pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
LIMIT = 2e-5
"""Of a logit's difference; 7.2e-6 was measured with a trained GRU of 256 units."""


def session(data: bytes):
    return runtime.InferenceSession(data, providers=["CPUExecutionProvider"])


def sharpened(cell: str, layers: int, embedding: int | None):
    """Logits as large as a trained model's."""
    made = model(cell, layers, embedding)
    made.output.weight[...] *= 20
    return made


@pytest.mark.parametrize("embedding", [None, 5])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", ["rnn_relu", "rnn_tanh", "gru", "lstm"])
def test_logits_and_states(cell, layers, embedding):
    made = sharpened(cell, layers, embedding)
    ids = np.random.default_rng(1).integers(0, made.vocab_size, (50, 3))
    run = session(to_onnx(made))
    state = made.begin_state(3)
    names = ("h", "c") if cell == "lstm" else ("h",)
    feeds = dict(zip(names, state if isinstance(state, tuple) else (state,), strict=True))
    expected, last = made(ids)
    assert np.abs(expected).max() > 2
    logits, *states = run.run(None, {"ids": ids} | feeds)
    assert np.abs(logits - expected).max() < LIMIT
    for got, want in zip(states, last if isinstance(last, tuple) else (last,), strict=True):
        assert np.abs(got - want).max() < LIMIT
    for t in range(5):
        step, *states = run.run(None, {"ids": ids[t : t + 1]} | feeds)
        feeds = dict(zip(names, states, strict=True))
        assert np.abs(step[0] - expected[t]).max() < LIMIT


def test_what_the_file_says():
    made = model("gru")
    run = session(to_onnx(made))
    facts = run.get_modelmeta().custom_metadata_map
    assert json.loads(facts["reading"]) == made.reading.to_dict()
    assert facts["start"] == str(made.reading.start)
    assert facts["digest"] == made.digest()
    import onnx

    assert [each.version for each in onnx.load_from_string(to_onnx(made)).opset_import] == [14]
    assert to_onnx(made) == to_onnx(made)


def test_sherpa():
    made = sharpened("lstm", 2, 7)
    run = session(to_onnx(made, "sherpa"))
    assert [each.name for each in run.get_inputs()] == ["x", "h", "c"]
    facts = run.get_modelmeta().custom_metadata_map
    assert (facts["num_layers"], facts["hidden_size"], facts["sos_id"]) == ("2", "21", str(made.reading.start))
    ids = np.random.default_rng(1).integers(0, made.vocab_size, (1, 9))
    h = np.zeros((2, 1, 21), np.float32)
    scores, last_h, _ = run.run(None, {"x": ids, "h": h, "c": h})
    logits, (want, _) = made(ids.T)
    assert scores.shape == (1, 9, made.vocab_size)
    assert np.abs(scores[0] - made.log_softmax(logits)[:, 0]).max() < LIMIT
    assert np.abs(last_h - want).max() < LIMIT


def test_refused():
    for given, form, text in (
        (small("gru"), "plain", "export the model that this one was quantised from"),
        (model("gru"), "sherpa", "takes an LSTM"),
        (model("gru"), "other", "expected plain or sherpa"),
    ):
        with pytest.raises(InputError, match=text):
            to_onnx(given, form)


def test_the_command(tmp_path, command):
    path, out = tmp_path / "model.safetensors", tmp_path / "m.onnx"
    elman.save(model("lstm"), path)
    assert command("export", "onnx", path, "-o", out, "--form", "sherpa").startswith(f"{out}: ")
    assert session(out.read_bytes()).get_inputs()[0].name == "x"
