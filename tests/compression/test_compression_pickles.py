"""What compression makes pickles, before and after use, and codes the same where it is loaded."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import numpy as np
import pytest
from compression_cases import english, float_weights, integers, predictor

from elman.compression import Codec, Predictor, Store, write_store
from elman.errors import InputError

PAST = b"".join(english(40, i).replace(b"\n", b" ") + b"\n" for i in range(20))
MESSAGES = [english(30, 100 + i) for i in range(5)]
PREDICTORS = {
    "contexts": lambda: None,
    "float": lambda: predictor(H=8),
    "embedding": lambda: predictor(H=8, embedding=np.eye(256, dtype=np.float32)),
    "characters": lambda: predictor(V=30, ids_of_bytes=[byte % 30 for byte in range(256)], first=3),
    "integer": lambda: integers(H=8),
    "integer with a past": lambda: integers(H=8).with_past(PAST),
    "a past": lambda: Predictor(None, bytes(16)).with_past(PAST.replace(b"\n", b"\0"), 0),
}


@pytest.mark.parametrize("name", PREDICTORS)
def test_a_predictor_and_a_codec_pickle(name):
    model = PREDICTORS[name]()
    codec = Codec(model, b"" if "past" in name else PAST, model_id=3, check=True, text="base85", level=4)
    for used in (False, True):
        for made in (pickle.loads(pickle.dumps(codec)), copy.deepcopy(codec)):
            assert made.encode_many(MESSAGES) == codec.encode_many(MESSAGES)
            assert made.decode(codec.encode(MESSAGES[0])) == MESSAGES[0]
        if model is not None:
            again = pickle.loads(pickle.dumps(model))
            assert (again.digest, again.past, again.end) == (model.digest, model.past, model.end)
            assert Codec(again).encode_many(MESSAGES) == Codec(model).encode_many(MESSAGES)
            assert pickle.dumps(pickle.loads(pickle.dumps(again))) == pickle.dumps(again), used


def test_weights_that_changed_are_not_pickled_as_others():
    layers, output = float_weights("gru", 8, 1, 256)
    model = Predictor.from_arrays("gru", layers, *output)
    output[1][3] += np.float32(1)
    with pytest.raises(InputError, match="the weights were changed since"):
        pickle.dumps(model)


def encode(codec: Codec, store: Store, place: int) -> tuple[bytes, bytes]:
    return codec.encode(MESSAGES[place]), store[place]


def test_a_pool_of_spawned_processes_shares_them(tmp_path):
    model = integers(H=8)
    codec = Codec(model, PAST)
    write_store(MESSAGES, tmp_path / "s.elr", model)
    with Store(tmp_path / "s.elr", model) as store, multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.starmap(encode, [(codec, store, place) for place in range(len(MESSAGES))])
    assert found == [(codec.encode(message), message) for message in MESSAGES]


def test_what_is_no_model_is_said(tmp_path):
    for call in (lambda: Codec("english"), lambda: write_store([], tmp_path / "s.elr", "english")):  # pyright: ignore
        with pytest.raises(InputError, match="the model is 'english'; expected one that load or load_predictor read"):
            call()
