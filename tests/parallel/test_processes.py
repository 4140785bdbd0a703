"""Processes that train together: one digest, however many they are, and after going on with another number."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import pytest
from threads import Threads, run

import elman
from elman.parallel.launch import place
from elman.runs import checkpoint as checkpoints
from elman.runs import read_checkpoint
from elman.training import resume

LINES = "".join(f"{i} {'abc' * (i % 7)} the traveller, {i * i}\n" for i in range(60))
RECIPE = elman.Recipe(
    cell="lstm", num_layers=2, hidden_size=12, embedding_size=6, init_std=None, optimizer="muon", lr=0.01, clip=0.5,
    average=0.9, dropout=0.2, output_dropout=0.1, epochs=2, batch_size=9, seq_length=11, shards=7, sample_every=0,
    val_fraction=0.1, schedule="plateau", patience=5,
)  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "text, Muon, averages": {},
    "records, Adam": {"records": True, "optimizer": "adam", "cell": "gru", "weight_dropout": 0.2, "schedule": "cosine"},
    "random windows, SGD": {"partition": "random", "optimizer": "sgd", "lr": 0.5, "cell": "rnn_relu", "average": 0.0},
}


def train(group: Any, records: bool = False, **settings: Any) -> elman.runs.Run:
    corpus = elman.Corpus("t", LINES, "none", "here", records)
    recipe = RECIPE.replace(**{name: settings[name] for name in settings if name not in ("output", "on_step")})
    how = {name: settings[name] for name in ("output", "on_step") if name in settings}
    model = elman.build_model(corpus, recipe)
    return elman.fit(model, corpus, recipe, ranks=group, save_seconds=0.0, **how)


def lines(done: elman.runs.Run) -> list[dict[str, Any]]:
    clock = dict.fromkeys(("seconds", "chars_per_second", "waited"))
    return [dataclasses.asdict(epoch) | clock for epoch in done.log]


@pytest.mark.parametrize("kind", KINDS)
def test_one_digest_for_any_number(kind):
    alone = train(None, **KINDS[kind])
    for size in (2, 3, 7):
        done = run(size, lambda group: train(group, **KINDS[kind]))
        assert {each.model.digest() for each in done} == {alone.model.digest()}
        assert all(lines(each) == lines(alone) for each in done)
        assert [len(epoch.waited or []) for epoch in done[0].log] == [size] * 2


class Killed(Exception):
    pass


@pytest.mark.parametrize("kind", ["text, Muon, averages", "records, Adam"])
def test_a_run_goes_on_with_another_number(kind, tmp_path):
    """All are lost within a step, and others, fewer or more, go on from the checkpoint before it."""
    settings = KINDS[kind]
    alone, steps = train(None, **settings), 4

    def work(group: Threads, size: int) -> None:
        count = 0

        def on_step(_: object) -> None:
            nonlocal count
            count += 1
            if count == steps:
                raise Killed

        corpus = elman.Corpus("t", LINES, "none", "here", settings.get("records", False))
        if size == 3:
            train(group, **settings, output=tmp_path / "run", on_step=on_step)
        else:
            resume(read_checkpoint(tmp_path / "run"), corpus, ranks=group, save_seconds=0.0, on_step=on_step)

    for size in (3, 1, 2):
        with pytest.raises(Killed):
            run(size, lambda group, size=size: work(group, size))
    checkpoint = read_checkpoint(tmp_path / "run")
    assert (len(checkpoint.run.log), checkpoint.steps) != (0, 0)
    corpus = elman.Corpus("t", LINES, "none", "here", settings.get("records", False))
    done = run(4, lambda group: resume(read_checkpoint(tmp_path / "run"), corpus, ranks=group))
    assert {each.model.digest() for each in done} == {alone.model.digest()}
    assert lines(done[0]) == lines(alone)
    assert json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])["waited"]


def test_a_checkpoint_of_the_earlier_order_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "_SHARD_SUM", 1)
    train(None, output=tmp_path / "run", epochs=1, schedule="constant")
    train(None, output=tmp_path / "one", epochs=1, schedule="constant", shards=1)
    monkeypatch.undo()
    expected = (
        r"cannot go on from it: its shards were added in order 1, and this version adds them in order 2, to other "
    )
    with pytest.raises(elman.ModelFileError, match=expected):
        read_checkpoint(tmp_path / "run")
    assert read_checkpoint(tmp_path / "one").run.recipe.shards == 1


ENVIRONMENTS = {
    "none": ({}, None),
    "one process": ({"WORLD_SIZE": "1", "RANK": "0"}, None),
    "torchrun": (
        {"WORLD_SIZE": "4", "RANK": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node", "MASTER_PORT": "2000"},
        (2, 4, 2, "node", 2000),
    ),
    "Open MPI": (
        {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"},
        (3, 4, 4, "127.0.0.1", 29500),
    ),
    "Slurm": (
        {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "6", "SLURM_STEP_TASKS_PER_NODE": "3(x2)",
         "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7"},
        (1, 6, 3, "10.0.0.7", 29500),
    ),
    "a batch script of Slurm's without srun": ({"SLURM_PROCID": "0", "SLURM_NTASKS": "6"}, None),
}  # fmt: skip
WRONG = {
    "RANK is 'x'; expected a whole number, as torchrun sets it": {"WORLD_SIZE": "2", "RANK": "x"},
    "RANK is ''; expected": {"WORLD_SIZE": "2"},
    "WORLD_SIZE is '-2'; expected": {"WORLD_SIZE": "-2", "RANK": "0"},
    "RANK is 2 and WORLD_SIZE 2; expected a rank in 0..1": {"WORLD_SIZE": "2", "RANK": "2"},
    "MASTER_PORT is 70000; expected a port": {
        "WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "70000"
    },
    "Open MPI started 4 processes; set MASTER_ADDR to the first one's machine": {
        "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"
    },
}  # fmt: skip


@pytest.fixture
def environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SLURM_", "OMPI_", "MASTER_")) or name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
            monkeypatch.delenv(name)
    return lambda values: [monkeypatch.setenv(*item) for item in values.items()]


@pytest.mark.parametrize("launcher", ENVIRONMENTS)
def test_a_launchers_environment(launcher, environment):
    values, expected = ENVIRONMENTS[launcher]
    environment(values)
    found = place()
    assert (found and dataclasses.astuple(found)) == expected


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_environment_is_one_line(line, environment):
    environment(WRONG[line])
    with pytest.raises(elman.InputError) as error:
        place()
    assert str(error.value).startswith(line)
