"""Activations against the reference in float64; the measure against its definition; a planted unit is found."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman.inspection import Unit, activations, correlation_ratio, features, kind, units
from elman.kernels import CELLS, reference
from elman.scoring import blocks

TEXT = 'He said "no (never)",\nand THE sea,\n17 times.\n\n' * 6


def make(cell="lstm", text: str | bytes = TEXT, **settings) -> elman.LanguageModel:
    corpus = elman.Corpus("t", text, "none", "here")
    return elman.build_model(corpus, cell=cell, hidden_size=7, init_std=None, **settings)  # type: ignore


def by_hand(model: elman.LanguageModel, ids: np.ndarray) -> list[np.ndarray]:
    """(T, H) of each layer: tanh(c), or h, by the reference in float64."""
    x, found = ids[:, None], []
    for layer in model.layer.weights():
        weights = tuple(None if w is None else w.astype(np.float64) for w in layer)
        zeros = np.zeros((1, model.layer.hidden_size))
        cell = CELLS[model.layer.cell]
        trace = reference._forward(cell, x, (zeros,) * cell.states, weights)  # type: ignore[arg-type]
        seen = np.tanh([state[1] for state in trace.states[1:]]) if cell.states == 2 else trace.output
        found.append(np.asarray(seen)[:, 0])
        x = trace.output
    return found


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
@pytest.mark.parametrize("steps", [5, 4096])
def test_activations_are_the_references(cell, steps, monkeypatch):
    monkeypatch.setattr(blocks, "_STEPS", steps)
    model = make(cell, num_layers=2)
    score = elman.score(model, TEXT)
    expected = [values[1:] for values in by_hand(model, model.reading.vocabulary.encode("\n" + TEXT))]
    assert kind(model) == ("tanh(c)" if cell == "lstm" else "h")
    for layer in (0, 1):
        np.testing.assert_allclose(activations(model, score, layer, None), expected[layer], atol=2e-6)
        np.testing.assert_allclose(activations(model, score, layer, [4, 1]), expected[layer][:, [4, 1]], atol=2e-6)


def test_records_begin_afresh(monkeypatch):
    monkeypatch.setattr(blocks, "_STEPS", 3)
    model = make(num_layers=2)
    score = elman.score(model, TEXT, records=True)
    got, at = activations(model, score, 1, None), 0
    for line in TEXT.splitlines(keepends=True):
        ids = model.reading.vocabulary.encode("\n" + line)
        np.testing.assert_allclose(got[at : at + len(line)], by_hand(model, ids)[1][1:], atol=2e-6)
        at += len(line)
    assert at == len(got) == len(TEXT)


def test_bytes_give_a_value_for_each_character():
    data = "é日a".encode() + b"\xff"
    model = make(text=data)
    got = activations(model, elman.score(model, data), 0, None)
    np.testing.assert_allclose(got, by_hand(model, np.frombuffer(b"\n" + data, np.uint8))[0][[2, 5, 6, 7]], atol=2e-6)


def test_what_can_be_seen():
    seen = {name: list(values) for name, values in features('ab "c (d)" E\n7.\nx').items()}
    assert seen["position in line"] == [0] * 5 + [1] * 5 + [2] * 3 + [0] * 4
    assert seen["position in word"] == [0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert seen["white space"] == [int(c in " \n") for c in 'ab "c (d)" E\n7.\nx']
    assert seen["inside quotes"] == [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]
    assert seen["inside brackets"] == [0] * 6 + [1, 1] + [0] * 9
    assert seen["capital letter"].index(1) == 11
    assert seen["digit"].index(1) == 13
    assert [i for i, v in enumerate(seen["punctuation"]) if v] == [3, 6, 8, 9, 14]


def test_the_correlation_ratio_is_its_definition():
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(50, 3)).astype(np.float32), rng.integers(0, 4, 50)
    values[:, 1] = labels**2  # a function of the labels
    values[:, 2] = 1.0  # no variance to explain
    got = correlation_ratio(values, labels)
    within = sum(values[labels == k, 0].var() * (labels == k).sum() for k in range(4))
    assert got[0] == pytest.approx(1 - within / (values[:, 0].var() * 50), rel=1e-4)
    assert got[1:] == pytest.approx([1, 0])


def test_a_planted_unit_is_found():
    model = make("rnn_tanh")
    layer, space = model.layer, model.reading.vocabulary.encode(" \n")
    (w_ih, w_hh, _, _), *_ = layer.weights()
    w_hh[3] = 0.0
    w_ih[3] = -2.0
    w_ih[3, space] = 2.0
    score = elman.score(model, TEXT)
    found, values = units(model, score)
    assert (found[0].index, found[0].feature) == (3, "white space")
    assert found[0].explained > 0.95
    assert found[0].chance < 0.5
    assert len({unit.index for unit in found}) == len(found) == values.shape[1]
    assert (values[:, 0] > 0).tolist() == [c.isspace() for c in TEXT]
    asked, values = units(model, score, 0, [5, 3])
    assert [unit.index for unit in asked] == [5, 3]
    assert asked[1] == found[0]
    np.testing.assert_array_equal(values, activations(model, score, 0, [5, 3]))


def test_a_text_without_features():
    model = make()
    assert units(model, elman.score(model, "aaaa"), 0, [2])[0] == [Unit(2, "position in word", *_of("aaaa", model))]
    assert units(model, elman.score(model, "a"))[0] == []
    assert units(model, elman.score(model, "a"), 0, [2])[0] == [Unit(2, "", 0.0, 0.0)]


def _of(text, model):
    values, labels = activations(model, elman.score(model, text), 0, None), features(text)["position in word"]
    return correlation_ratio(values, labels)[2], correlation_ratio(values, labels[::-1]).max()


def test_there_is_no_such_unit():
    model = make()
    score = elman.score(model, TEXT)
    with pytest.raises(ValueError, match=r"layer must be in 0 \.\. 0, got 1"):
        units(model, score, 1)
    with pytest.raises(ValueError, match=r"a unit must be in 0 \.\. 6, got 7"):
        units(model, score, 0, [0, 7])
