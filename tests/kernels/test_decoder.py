"""Native generation: the same ids, to the bit of every logit, as the loop in Python over the operations."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from cases import CELLS

import elman
from elman import kernels
from elman.generation import Sampling, Streams

SETTINGS = [
    {"temperature": 0},
    {"seed": 5},
    {"seed": 5, "temperature": 0.5, "alpha": 1.5},
    {"seed": 2, "allowed": "abcde \n", "logit_bias": {"a": -3.0}},
    {"seed": 2, "top_k": 4},
    {"seed": 2, "top_p": 0.8},
    {"seed": 2, "min_p": 0.3},
    {"seed": 2, "top_k": 99, "top_p": 1.0, "min_p": 0.0},
    {"seed": 2, "temperature": 0.5, "top_k": 9, "top_p": 0.9, "min_p": 0.05, "repetition_penalty": 1.4},
    {"temperature": 0, "repetition_penalty": 3.0},
]


class SteppedDecoder:
    """A decoder without a loop of its own: every read is a call of the operations."""

    def __init__(self, network, batch_size):
        self.network, self.state = network, network.begin_state(batch_size)
        self.logits = np.zeros((batch_size, network.vocab_size), dtype=np.float32)

    def read(self, ids):
        hidden, self.state = kernels.run(self.network, ids, self.state)
        self.logits = kernels.linear(hidden[-1], self.network.weight, self.network.bias)


def model_of(cell, num_layers):
    corpus = elman.Corpus("t", "abcdefghijklmnop qrstuvw\n" * 3, "none", "here")
    return elman.build_model(corpus, cell=cell, hidden_size=37, num_layers=num_layers, init_std=None)


def streams(model, sampling, prompt="the cab"):
    ids = np.repeat(model.reading.vocabulary.encode(prompt).astype(np.int64)[:, None], 9, axis=1)
    return Streams(model, ids, sampling)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_native_loop_equals_python_loop(cell, num_layers, settings, monkeypatch):
    model, sampling = model_of(cell, num_layers), Sampling(**settings)
    native = streams(model, sampling)
    made = native.advance(40)
    monkeypatch.setattr(kernels, "decoder", SteppedDecoder)
    plain = streams(model, sampling)
    assert np.array_equal(plain.advance(40), made)
    assert plain._decoder.logits.tobytes() == native._decoder.logits.tobytes()
    if sampling.repetition_penalty != 1:
        assert plain._tables["seen"] is not None
        assert native._tables["seen"] is not None
        assert np.array_equal(plain._tables["seen"], native._tables["seen"])


@pytest.mark.parametrize("cell", CELLS)
def test_a_stream_alone_and_cuts_change_nothing(cell):
    model, sampling = model_of(cell, 2), Sampling(seed=3)
    whole = streams(model, sampling).advance(30)
    cut = streams(model, sampling)
    assert np.array_equal(np.concatenate([cut.advance(n) for n in (1, 12, 17)]), whole)
    alone = Streams(model, model.reading.vocabulary.encode("the cab").astype(np.int64)[:, None], sampling, first=4)
    assert np.array_equal(alone.advance(30)[:, 0], whole[:, 4])


@pytest.mark.parametrize("isa", cases.ISAS)
def test_every_instruction_set_writes_the_same(isa):
    model, sampling = model_of("lstm", 2), Sampling(seed=3)
    whole = streams(model, sampling).advance(30)
    cases.use_isa(isa)
    assert np.array_equal(streams(model, sampling).advance(30), whole)


def test_logits_that_are_not_numbers():
    model = model_of("gru", 1)
    model.output.bias[3] = np.nan
    with pytest.raises(ValueError, match="training has diverged"):
        streams(model, Sampling()).advance(1)
    with pytest.raises(ValueError, match="training has diverged"):
        streams(model, Sampling(top_k=3)).advance(1)
