"""Shards: the order of their sum, and what a process computes, adds and updates of them."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from threads import Threads, run

import elman
from elman import kernels
from elman.kernels import Dropout
from elman.parallel.alone import Alone
from elman.parallel.shards import bounds, mask_words, rows_of, share_of
from elman.parallel.slices import Slices, length, overlap
from elman.parallel.stepper import ShardedStepper
from elman.parallel.tree import nodes, total
from elman.training.optimiser import Optimiser, by_muon

LINES = "".join(f"{i} {'abc' * (i % 7)} the traveller, {i * i}\n" for i in range(60))


def model_and_batch(cell="gru"):
    corpus = elman.Corpus("t", LINES, "none", "here")
    model = elman.build_model(corpus, cell=cell, hidden_size=9, num_layers=2, init_std=None)  # type: ignore
    ids = corpus.ids(model.reading.vocabulary)[:77].astype(np.int64).reshape(11, 7)
    return model, ids


def prepared(model, recipe, shards, group: Any = None):
    """A stepper and the optimiser of its part."""
    group = group or Alone()
    stepper = ShardedStepper(model.network, shards, group, by_muon(model.network, recipe))
    return stepper, Optimiser(model.network, recipe, stepper.slices, group.rank)


def test_one_shard_is_an_ordinary_step():
    """But for the norm, which is summed in other chunks."""
    results = []
    for sharded in (False, True):
        model, ids = model_and_batch()
        recipe = elman.Recipe(optimizer="muon", clip=None, average=0.9, weight_decay=0.1)
        if sharded:
            stepper, optimiser = prepared(model, recipe, 1)
        else:
            stepper, optimiser = kernels.stepper(model.network), Optimiser(model.network, recipe)
        for step in range(3):
            dropout = Dropout(0.2, 5, 1000 * step, output=0.3)
            result = stepper.step(ids, np.roll(ids, 1, 0), step == 0, dropout, optimiser.next(0.01))
            optimiser.done()
        stepper.sync()
        optimiser.gather(Alone())
        results.append((model.digest(), optimiser.tensors(), stepper.state, result))
    assert results[0][0] == results[1][0]
    assert results[0][1].keys() == results[1][1].keys()
    for name, array in results[0][1].items():
        np.testing.assert_array_equal(array, results[1][1][name], err_msg=name)
    np.testing.assert_array_equal(results[0][2], results[1][2])
    assert results[0][3].loss == results[1][3].loss
    assert results[0][3].norm == pytest.approx(results[1][3].norm, rel=1e-14)
    assert results[0][3].layer_norms == pytest.approx(results[1][3].layer_norms, rel=1e-14)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_shards_are_the_whole_batch_up_to_rounding(optimizer):
    """Also where targets are not counted, in one shard all of them, and where there are more shards than rows."""
    digests = []
    for shards in (1, 3, 9):
        model, ids = model_and_batch("lstm")
        targets = np.roll(ids, 1, 0)
        targets[3:, :3] = -1
        targets[:, 0] = -1
        stepper, optimiser = prepared(model, elman.Recipe(optimizer=optimizer), shards)
        result = stepper.step(ids, targets, True, None, optimiser.next(0.01))
        digests.append((result, model.parameters()))
    for result, parameters in digests[1:]:
        assert result.loss == pytest.approx(digests[0][0].loss, rel=1e-6)
        assert result.norm == pytest.approx(digests[0][0].norm, rel=1e-5)
        for a, b in zip(parameters, digests[0][1], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)


def test_a_batch_without_a_target_changes_nothing():
    model, ids = model_and_batch()
    before = model.digest()
    stepper, optimiser = prepared(model, elman.Recipe(), 3)
    assert math.isnan(stepper.step(ids, np.full_like(ids, -1), True, None, optimiser.next(0.1)).loss)
    assert model.digest() == before


def test_rows_and_masks_of_shards():
    assert bounds(7, 3) == [(0, 2), (2, 4), (4, 7)]
    assert bounds(1, 3) == [(0, 0), (0, 0), (0, 1)]
    model, _ = model_and_batch()
    dropout = Dropout(0.5, 1, 0, weights=0.5)
    assert mask_words(dropout, model.network, 5, 7, 3) == [5 * n * 9 + 2 * 3 * 81 for n in (2, 2, 3)]
    for size in range(1, 8):
        cuts = [rows_of(rank, size, 7, 23) for rank in range(size)]
        assert cuts[0][0] == 0
        assert cuts[-1][1] == 23
        assert all(a[1] == b[0] for a, b in pairwise(cuts))


def written(root, known):
    return total(root, {node: lambda name=name: name for node, name in known.items()}, lambda a, b: f"({a} {b})")


def test_the_tree_is_decided_by_the_shards_alone():
    for shards, expected in {3: "(0 (1 2))", 5: "((0 1) (2 (3 4)))", 6: "((0 (1 2)) (3 (4 5)))"}.items():
        leaves = {(s, s + 1): str(s) for s in range(shards)}
        assert written((0, shards), leaves) == expected
        for size in range(1, shards + 1):
            found = [nodes(share_of(rank, size, shards), (0, shards)) for rank in range(size)]
            names = {node: written(node, leaves) for of_rank in found for node in of_rank}
            assert written((0, shards), names) == expected
            assert size & (size - 1) or all(len(of_rank) == 1 for of_rank in found)  # of 2^k processes each has a node
    assert total((0, 3), {(0, 1): lambda: None, (1, 3): lambda: 4.0}, float.__add__) == 4


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40])
def test_slices_divide_the_weights(size):
    """Every number is summed and updated once, and slices are of about one size.

    Those of the rest, together with what is collected for Muon, bring about as many numbers to each process.
    """
    model, _ = model_and_batch()
    weights, muon = model.network.weights(), model.network.matrices()
    slices = Slices(model.network, muon, size)
    for which in (0, 1):
        spans = [owned.spans[which] for owned in slices.owned]
        assert spans == sorted(spans)
    for name in ("slice", "updated"):
        times = [np.zeros(w.size, dtype=np.int64) for w in weights]
        for owned in slices.owned:
            for piece in getattr(owned, name):
                times[piece.weight][piece.start : piece.stop] += 1
                assert (piece.columns > 0) == (name == "updated" and muon[piece.weight])
        assert all((count == 1).all() for count in times)
    of_muon = sum(w.size for w, is_muons in zip(weights, muon, strict=True) if is_muons)
    assert max(owned.lengths[0] for owned in slices.owned) <= of_muon / size + 2 * 64
    brought = [
        (size - 1) * owned.lengths[1] + sum(b - a - length(overlap((a, b), owned.spans[0])) for a, b in owned.blocks)
        for owned in slices.owned
    ]
    with_rest = [number for number, owned in zip(brought, slices.owned, strict=True) if owned.lengths[1]]
    assert max(with_rest) - min(brought) <= (size - 1) * 2 * 64
    assert sum(len(owned.blocks) for owned in slices.owned) == 3 * sum(muon)


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_bytes_sent_are_as_computed(optimizer):
    """2 (N - 1) / N P floats a process on average, and for Muon each block to its process and back."""
    recipe, size = elman.Recipe(optimizer=optimizer), 4

    def work(group: Threads):
        model, ids = model_and_batch()
        stepper, optimiser = prepared(model, recipe, 8, group)
        stepper.step(ids, np.roll(ids, 1, 0), True, None, optimiser.next(0.01))
        return group.sent, stepper.slices

    done = run(size, work)
    slices = done[0][1]
    floats = slices.total
    blocks = 0
    for owned in slices.owned:
        for a, b in owned.blocks:
            blocks += b - a - max(0, min(b, owned.spans[0][1]) - max(a, owned.spans[0][0]))
    assert sum(sent for sent, _ in done) == 4 * (2 * (size - 1) * floats + 2 * blocks)
    assert (blocks > 0) == (optimizer == "muon")
    if optimizer == "sgd":
        assert max(sent for sent, _ in done) <= 4 * (2 * (size - 1) / size * floats + size * 2 * 64)


def test_more_processes_than_shards():
    with pytest.raises(elman.InputError, match="2 processes but 1 shards: one would have nothing to do"):
        run(2, lambda group: ShardedStepper(model_and_batch()[0].network, 1, group))
