"""Whatever is given to a public function in place of an argument, it works or is an error of one clear line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import elman
from elman import kernels, text
from elman.runs import read_checkpoint

ODD: dict[str, Any] = {
    "None": None, "True": True, "-1": -1, "1.5": 1.5, "nan": math.nan, "inf": math.inf, "huge": 10**30, "a str": "x",
    "an empty str": "", "bytes": b"x", "a list": [1, 2], "a dict": {"a": 1}, "an object": object(), "a class": type,
    "float64": np.zeros((2, 3)), "nothing": np.zeros(0), "nans": np.full((2, 2), np.nan),
    "complex": np.zeros((3, 2), complex),
    "objects": np.array([None]), "four axes": np.zeros((1, 2, 3, 4)), "-2^63": -(2**63), "half a pair": "\ud800",
    "ragged": [[1], [1, 2]],
}  # fmt: skip
CORPUS = elman.Corpus("t", "abc abd\nbad cab\n" * 20, "none", "here")
MODEL = elman.build_model(CORPUS, cell="gru", hidden_size=3)
LSTM = elman.build_model(CORPUS, cell="lstm", hidden_size=3)
SMALL = elman.quantise(MODEL)
READING, CHARACTERS = CORPUS.reading(), CORPUS.vocabulary()
SUBWORDS, BYTES = text.Subwords([(97, 98)]), elman.Vocabulary.bytes()
SPLIT = text.SplitTokens(["ab"], "ab")
IDS = np.zeros((3, 2), np.int64)
FIT: dict[str, Any] = {"epochs": 1, "batch_size": 2, "seq_length": 5, "max_chars": 60}


def fit(**settings: Any) -> Any:
    model = elman.build_model(CORPUS, cell="gru", hidden_size=3)
    return elman.fit(model, settings.pop("corpus", CORPUS), **FIT | settings)


DOORS: dict[str, Callable[[Any], Any]] = {
    "RNN input_size": lambda v: elman.RNN(v, 4),
    "RNN hidden_size": lambda v: elman.RNN(3, v),
    "GRU num_layers": lambda v: elman.GRU(3, 4, v),
    "GRU bias": lambda v: elman.GRU(3, 4, bias=v),
    "LSTM dropout": lambda v: elman.LSTM(3, 4, dropout=v),
    "RNN nonlinearity": lambda v: elman.RNN(3, 4, nonlinearity=v),
    "layer input": lambda v: elman.GRU(3, 4)(v),
    "layer state": lambda v: elman.GRU(3, 4)(np.zeros((3, 2, 3), np.float32), v),
    "layer begin_state": lambda v: elman.GRU(3, 4).begin_state(v),
    "LanguageModel layer": lambda v: elman.LanguageModel(v, READING),
    "LanguageModel reading": lambda v: elman.LanguageModel(elman.GRU(len(READING), 3), v),
    "LanguageModel output": lambda v: elman.LanguageModel(elman.GRU(len(READING), 3), READING, v),
    "LanguageModel embedding": lambda v: elman.LanguageModel(elman.GRU(len(READING), 3), READING, None, v),
    "model ids": MODEL,
    "model state": lambda v: MODEL(IDS, v),
    "lstm state": lambda v: LSTM(IDS, (v, v)),
    "loss": lambda v: MODEL.loss(IDS, v),
    "loss_and_grads targets": lambda v: MODEL.loss_and_grads(IDS, v),
    "loss_and_grads dropout": lambda v: MODEL.loss_and_grads(IDS, IDS, None, v),
    "log_softmax": MODEL.log_softmax,
    "activations layer": lambda v: MODEL.activations(IDS, v),
    "decoder": MODEL.decoder,
    "initialise seed": lambda v: elman.build_model(CORPUS, hidden_size=2).initialise(v),
    "initialise std": lambda v: elman.build_model(CORPUS, hidden_size=2).initialise(0, v),
    "load_state_dict": lambda v: MODEL.load_state_dict(v),
    "load_state_dict value": lambda v: LSTM.load_state_dict({name: v for name in LSTM.state_dict()}),
    "parameter": lambda v: setattr(MODEL.layer, "weight_hh_l0", v),
    "quantised ids": SMALL,
    "quantised state": lambda v: SMALL(IDS, v),
    "quantised log_softmax": SMALL.log_softmax,
    "quantised activations": lambda v: SMALL.activations(IDS, v),
    "quantised decoder": SMALL.decoder,
    "QuantisedModel network": lambda v: elman.QuantisedModel(v, READING),
    "QuantisedModel reading": lambda v: elman.QuantisedModel(SMALL.network, v),
    "quantise model": lambda v: elman.quantise(v),
    "quantise bits": lambda v: elman.quantise(MODEL, v),
    "quantise text": lambda v: elman.quantise(MODEL, 8, v),
    "load": lambda v: elman.load(v),
    "save model": lambda v: elman.save(v, "m"),
    "save run": lambda v: elman.save(MODEL, "m", v),
    "save weights": lambda v: elman.save(MODEL, "m", None, v),
    "Vocabulary.from_text": elman.Vocabulary.from_text,
    "Vocabulary.from_dict": elman.Vocabulary.from_dict,
    "Characters": text.Characters,
    "Subwords": text.Subwords,
    "SplitTokens": lambda v: text.SplitTokens(v, "ab"),
    "SplitTokens expression": lambda v: text.SplitTokens(["ab"], v),
    **{f"{kind} {method}": getattr(vocabulary, method)
       for kind, vocabulary in (("characters", CHARACTERS), ("subwords", SUBWORDS), ("split", SPLIT), ("bytes", BYTES))
       for method in ("encode", "decode", "name", "joined")},
    "decode_bytes": BYTES.decode_bytes,
    "Reading vocabulary": lambda v: elman.Reading(v),
    "Reading normalisation": lambda v: elman.Reading(CHARACTERS, v),
    "Reading records": lambda v: elman.Reading(CHARACTERS, "none", v),
    "prepare": READING.prepare,
    "prompt": READING.prompt,
    "unknown_characters": READING.unknown_characters,
    "normalise text": lambda v: elman.normalise(v, "book"),
    "normalise how": lambda v: elman.normalise("a", v),
    "Corpus text": lambda v: elman.Corpus("n", v, "none", "x"),
    "Corpus first": CORPUS.first,
    "Corpus ids": CORPUS.ids,
    "load_corpus": lambda v: elman.load_corpus(v),
    **{f"load_corpus {name}": lambda v, name=name: elman.load_corpus("traveller", **{name: v})
       for name in ("max_chars", "normalisation", "tokens", "encoding", "encoding_errors", "records", "field")},
    "build_model corpus": lambda v: elman.build_model(v),
    "build_model recipe": lambda v: elman.build_model(CORPUS, v),
    **{f"Recipe {name}": lambda v, name=name: elman.Recipe(**{name: v}) for name in elman.Recipe.__dataclass_fields__},
    "fit model": lambda v: elman.fit(v, CORPUS),
    **{f"fit {name}": lambda v, name=name: fit(**{name: v})
       for name in ("corpus", "recipe", "on_step", "on_epoch", "device", "save_seconds", "ranks")},
    "resume": lambda v: elman.resume(v),
    "load_recipe": lambda v: elman.load_recipe(v),
    "read_checkpoint": read_checkpoint,
    "use": lambda v: kernels.use(v).__enter__(),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_odd_arguments(door, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = {name: array.copy() for model in (MODEL, LSTM) for name, array in model.named_parameters().items()}
    wrong = []
    for name, odd in ODD.items():
        try:
            DOORS[door](odd)
        except elman.ElmanError as error:
            if "\n" in str(error) or len(str(error)) > 600:
                wrong.append(f"{name}: {str(error)[:200]!r}")
        except OSError as error:
            wrong += [] if error.filename else [f"{name}: {error}"]
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
    for model in (MODEL, LSTM):
        for name, array in model.named_parameters().items():
            array[...] = weights[name] if weights[name].shape == array.shape else array
    assert not wrong
