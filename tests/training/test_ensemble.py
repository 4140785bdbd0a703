"""`networks`: several networks that are trained side by side, and the one model that is the mean of their logits."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from command_line import refused, run

import elman
from elman import kernels
from elman.errors import InputError
from elman.kernels import ModelWeights
from elman.training.ensemble import divided, join, seeds
from elman.training.side_by_side import SideBySide

TEXT = "".join(f"{i}: the traveller came back, {i * 37 % 101} times\n" for i in range(150))
SETTINGS = {
    "cell": "gru", "hidden_size": 6, "batch_size": 4, "seq_length": 16, "prompts": (), "init_std": None, "epochs": 2,
    "optimizer": "muon", "lr": 0.03, "weight_decay": 0.1, "average": 0.9, "schedule": "linear", "normalisation": "none",
    "val_fraction": 0.1,
}  # fmt: skip


def corpus() -> elman.Corpus:
    return elman.Corpus("t", TEXT, "none", "here")


def recipe(**settings: object) -> elman.Recipe:
    return elman.Recipe().replace(**(SETTINGS | settings))


def trained(how: elman.Recipe, **calls: object) -> elman.LanguageModel:
    text = corpus()
    model = elman.build_model(text, how)
    elman.fit(model, text, how, **calls)  # type: ignore[arg-type]
    return model


def alone(network: ModelWeights, how: elman.Recipe) -> elman.LanguageModel:
    """A model of one of the networks."""
    model = elman.build_model(corpus(), how.replace(networks=1))
    for array, weight in zip(model.network.weights(), network.weights(), strict=True):
        array[...] = weight
    return model


@pytest.mark.parametrize("networks", [2, 5])
def test_networks_take_their_steps_on_threads_with_the_same_bits(networks, monkeypatch):
    if not kernels.has_native():
        pytest.skip("without the native kernel steps come one after another")
    from elman.kernels import _cpu
    from elman.kernels.native import NativeStepper

    where, before, plain = list[int](), kernels.threads(), NativeStepper.step

    def step(self: NativeStepper, *arguments):
        where.append(threading.get_ident())
        return plain(self, *arguments)

    monkeypatch.setattr(NativeStepper, "step", step)
    digests = []
    try:
        for threads in (1, 2):
            _cpu.set_threads(threads)
            where.clear()
            digests.append(trained(recipe(networks=networks)).digest())
            here = threading.get_ident()
            assert where.count(here) == len(where) * {1: 1, 2: networks % 2 / networks}[threads]
    finally:
        _cpu.set_threads(before)
    assert digests[0] == digests[1]


def test_what_a_step_raises_comes_when_all_have_ended():
    ended = threading.Event()

    class Concurrent:
        concurrent = True

    def fails():
        raise InputError("no step")

    def takes_long():
        time.sleep(0.2)
        ended.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "threads", lambda: 2)
        run_all = SideBySide([Concurrent(), Concurrent()])  # type: ignore[list-item]
    with pytest.raises(InputError, match="no step"):
        run_all([fails, takes_long])
    assert ended.is_set()


@pytest.mark.parametrize("networks", [2, 3])
@pytest.mark.parametrize(
    "shape", [{"cell": "rnn_relu"}, {"cell": "gru", "num_layers": 2}, {"cell": "lstm", "embedding_size": 5}]
)
def test_the_model_is_the_mean_of_its_networks_logits(shape, networks):
    how = recipe(networks=networks, **shape)
    model = trained(how)
    parts = [alone(network, how) for network in divided(model.network, networks)]
    assert model.network.hidden_size == 6 * networks
    ids = np.arange(40).reshape(1, -1) % model.vocab_size
    each = np.stack([part(ids)[0] for part in parts])
    assert np.abs(each[0] - each[1]).max() > 0.01  # they differ
    np.testing.assert_allclose(model(ids)[0], each.mean(axis=0), atol=2e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_networks_learn_as_if_each_were_alone(optimizer):
    """Without dropout, and two of them, whose halves of the output lose no bit: the bits of two trainings."""
    how = recipe(networks=2, optimizer=optimizer)
    begin = divided(elman.build_model(corpus(), how).network, 2)
    ended = divided(trained(how).network, 2)
    biases = []
    for before, after in zip(begin, ended, strict=True):
        model, single = alone(before, how), how.replace(networks=1)
        elman.fit(model, corpus(), single)
        *weights, bias = model.network.weights()
        for weight, expected in zip(after.weights()[:-1], weights, strict=True):
            np.testing.assert_array_equal(weight, expected)
        biases.append(bias)
    np.testing.assert_array_equal(ended[0].weights()[-1], np.float32((biases[0] + biases[1].astype(np.float64)) / 2))


def test_each_network_begins_from_its_own_seed():
    how = recipe(networks=3, seed=7)
    for network, seed in zip(divided(elman.build_model(corpus(), how).network, 3), seeds(7, 3), strict=True):
        by_itself = elman.build_model(corpus(), how.replace(networks=1, seed=seed)).network
        np.testing.assert_array_equal(network.layers[0][1], by_itself.layers[0][1])
        np.testing.assert_allclose(network.weight, by_itself.weight, rtol=1e-6)
    assert seeds(7, 1) == [7]
    assert seeds(7, 3) == [7, *seeds(7, 4)[1:3]]


@pytest.mark.parametrize("shards", [1, 2])
def test_a_training_that_is_stopped_goes_on_to_the_same_bits(tmp_path, shards):
    how = recipe(networks=3, shards=shards, output_dropout=0.3, weight_dropout=0.1)
    whole, steps = trained(how, output=tmp_path / "whole"), 0

    def stop(_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(how, output=tmp_path / "r", on_step=stop)
    again = elman.resume(tmp_path / "r", corpus())
    assert again.model.digest() == whole.digest()
    assert elman.load(tmp_path / "r").digest() == elman.load(tmp_path / "whole").digest()


def test_shards_and_dropout_decide_the_bits_and_nothing_else():
    digests = {trained(recipe(networks=2, output_dropout=0.3, seed=seed)).digest() for seed in (1, 1, 2)}
    assert len(digests) == 2


def test_joining_what_was_divided_gives_it_back():
    model = elman.build_model(corpus(), recipe(networks=2, cell="lstm", num_layers=2, embedding_size=4))
    before = model.digest()
    join(model.network, divided(model.network, 2))
    assert model.digest() == before


def test_a_model_of_one_network_is_not_several():
    text, how = corpus(), recipe(networks=2)
    one = elman.build_model(text, how.replace(networks=1))
    for count in (2, 4):
        with pytest.raises(elman.InputError, match=f"networks is {count}, and the model of 6 units is not made up of"):
            elman.fit(one, text, how.replace(networks=count))
    found = elman.fit(one, text, "subwords", epochs=1, batch_size=4, tokens="chars")  # a recipe of two networks
    assert found.recipe.networks == 1
    two = elman.build_model(text, how)
    assert elman.fit(two, text, "subwords", epochs=1, batch_size=4, tokens="chars").recipe.networks == 2


def test_networks_on_the_command_line(tmp_path):
    (tmp_path / "t.txt").write_text(TEXT)
    small = ["--recipe", "modern", "--hidden-size", "6", "--batch-size", "4", "--seq-length", "16", "--epochs", "1"]
    done = run("train", tmp_path / "t.txt", "--networks", "2", "--output", tmp_path / "r", *small)
    assert done.returncode == 0, done.stderr
    assert "the mean of 2 networks, each gru 1 x 6, " in done.stdout
    assert json.loads(run("info", tmp_path / "r", "--json").stdout)["hidden_size"] == 12
    listed = run("runs", tmp_path)
    assert "2 of gru 1 x 6, muon 0.02" in listed.stdout
    assert run("score", tmp_path / "r", tmp_path / "t.txt").returncode == 0
    refused(
        run("train", tmp_path / "t.txt", "--from", tmp_path / "r", "--networks", "2", cwd=tmp_path),
        "has networks 1; leave out --networks, or --from",
    )
