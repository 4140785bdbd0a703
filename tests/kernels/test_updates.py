"""Muon and the average of the weights: against the reference, what they promise, and what the border refuses."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from cases import _cpu
from inputs import integers, numbers

import elman
from elman import kernels
from elman.kernels import optimisers
from elman.training.optimiser import Optimiser


@pytest.mark.parametrize(("blocks", "rows", "columns"), [(3, 70, 70), (1, 41, 300), (2, 90, 33), (4, 1, 5), (1, 1, 1)])
def test_muon_is_the_references(blocks, rows, columns):
    w, m = numbers((blocks * rows, columns), 30), numbers((blocks * rows, columns), 31)
    g, settings = numbers(w.shape, 32), {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}
    expected_w, expected_m = w.copy(), m.reshape(-1).copy()
    cases.muon(w, g, m, blocks, **settings)
    optimisers.muon(expected_w, g, expected_m, blocks, *settings.values())
    np.testing.assert_allclose(m.reshape(-1), expected_m, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(w, expected_w, rtol=0, atol=2e-6)  # measured: 4e-7


def test_muon_brings_singular_values_near_one():
    """Each block by itself, whatever its scale; a larger side of n makes them 0.2 sqrt n."""
    g = np.concatenate([numbers((64, 64), 1), 1e-3 * numbers((64, 64), 2)])
    w, m = np.zeros_like(g), np.zeros_like(g)
    cases.muon(w, g, m, 2, lr=1.0)
    for block, gradient in zip(np.split(w, 2), np.split(g, 2), strict=True):
        u, s, v = np.linalg.svd(gradient)
        assert 0.65 < np.median(np.linalg.svd(block)[1]) / (0.2 * 8) < 1.25
        aligned = np.diag(u.T @ -block @ v.T)[s > 0.1 * s[0]] / (0.2 * 8)
        assert ((aligned > 0.6) & (aligned < 1.3)).all()


def test_muon_of_nothing_and_of_zeros():
    w, zeros = numbers((6, 4), 1), np.zeros((6, 4), dtype=np.float32)
    before = w.copy()
    cases.muon(w, zeros, zeros.copy(), 3)
    cases.same_bits([w], [before])
    for shape in ((0, 4), (6, 0)):
        weight, grad, momentum = (np.zeros(shape, dtype=np.float32) for _ in range(3))
        cases.muon(weight, grad, momentum, 3)


def test_the_average_of_a_constant_is_it():
    params, averages = cases.arrays(30), cases.arrays(30)
    _cpu.average(params=params, averages=averages, keep=0.9)
    cases.same_bits(averages, params)
    _cpu.average(params=cases.arrays(40), averages=averages, keep=0.0)
    for got, wanted in zip(averages, cases.arrays(40), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", cases.CELLS)
def test_a_step_of_a_model_is_the_references(cell):
    """Of two layers, which have both kinds of weights."""
    corpus = elman.Corpus("t", "the quick brown fox jumps over the lazy dog. " * 9, "none", "here")
    recipe = elman.Recipe(
        cell=cell, num_layers=2, hidden_size=9, optimizer="muon", init_std=None, average=0.9, clip=0.1
    )
    ids = integers((7, 5), 20, 3)
    results = []
    for backend in ("cpu", "reference"):
        with kernels.use(backend):
            model = elman.build_model(corpus, recipe)
            optimiser, stepper = Optimiser(model.network, recipe), kernels.stepper(model.network)
            assert sum(optimiser.muon) == 3
            for step in range(3):
                stepper.step(ids, np.roll(ids, step + 1, 0), step == 0, None, optimiser.next(0.01))
        results.append([w.reshape(-1) for w in model.parameters()] + optimiser.average)
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)  # measured: 2e-6


def test_the_border():
    w = numbers((6, 4), 1)
    with pytest.raises(ValueError, match="blocks must divide the rows"):
        cases.muon(w, w.copy(), w.copy(), 4)
    with pytest.raises(ValueError, match="m is"):
        cases.muon(w, w.copy(), numbers((6, 5), 1), 3)
    with pytest.raises(ValueError, match="unequal length"):
        _cpu.average(params=[w.reshape(-1)], averages=[], keep=0.5)
