"""Initial weights: the right distribution, and the same bits for ever."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from elman.model.initial import normal, uniform


def test_normal_inverts_the_distribution():
    """AS 241 has a relative error of 1e-16; the standard library's inverse is another implementation of it."""
    p, z = uniform(5, 1, 20_000), normal(5, 1, 20_000)
    expected = np.array([NormalDist().inv_cdf(float(x)) for x in p])
    assert np.abs(z / expected - 1).max() < 1e-12
    assert np.abs(z).max() > 3.5  # the tails were reached


def test_uniform_stays_inside():
    p = uniform(0, 0, 100_000)
    assert 0 < p.min() < 1e-4
    assert 1 - 1e-4 < p.max() < 1
    assert abs(p.mean() - 0.5) < 5 * (1 / 12 / 100_000) ** 0.5


def test_seeds_and_streams_differ():
    draws = [tuple(uniform(seed, stream, 4)) for seed in (0, 1) for stream in (0, 1)]
    assert len(set(draws)) == 4
    assert np.array_equal(normal(3, 2, 10), normal(3, 2, 20)[:10])


def test_pinned():
    assert [float(x).hex() for x in normal(0, 0, 3)] == [
        "-0x1.22cd198aad6ecp+1",
        "-0x1.67147405be6f1p-1",
        "-0x1.380f15f728cdfp+0",
    ]
