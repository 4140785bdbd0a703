"""Shards and processes: one digest, however many share the work, and whatever happens to one of them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import PATIENCE

import elman
from elman import kernels
from elman.kernels import Dropout
from elman.parallel.ranks import Ranks, WorkerLost
from elman.parallel.shards import ShardedStepper, bounds, mask_words
from elman.training.optimiser import Optimiser

pytestmark = pytest.mark.usefixtures("default_signals")

LINES = "".join(f"{i} {'abc' * (i % 7)} the traveller, {i * i}\n" for i in range(150))
SETTINGS = [
    "--epochs",
    "2",
    "--hidden-size",
    "12",
    "--batch-size",
    "7",
    "--seq-length",
    "11",
    "--sample-every",
    "0",
    "--init-std",
    "0",
    "--shards",
    "3",
    "--cell",
    "lstm",
    "--num-layers",
    "2",
    "--embedding-size",
    "6",
    "--dropout",
    "0.2",
    "--output-dropout",
    "0.1",
    "--optimizer",
    "muon",
    "--lr",
    "0.01",
    "--average",
    "0.9",
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text(LINES)
    return tmp_path


def network_and_batch(cell="gru"):
    corpus = elman.Corpus("t", LINES, "none", "here")
    model = elman.build_model(corpus, cell=cell, hidden_size=9, num_layers=2, init_std=None)  # type: ignore
    ids = corpus.ids(model.reading.vocabulary)[:77].astype(np.int64).reshape(11, 7)
    return model, ids


def test_one_shard_is_an_ordinary_step():
    results = []
    for sharded in (False, True):
        model, ids = network_and_batch()
        recipe = elman.Recipe(optimizer="muon", clip=0.1, average=0.9, weight_decay=0.1)
        stepper = ShardedStepper(model.network, 1, Ranks()) if sharded else kernels.stepper(model.network)
        optimiser = Optimiser(model.network, recipe)
        for step in range(3):
            dropout = Dropout(0.2, 5, 1000 * step, output=0.3)
            result = stepper.step(ids, np.roll(ids, 1, 0), step == 0, dropout, optimiser.next(0.01))
            optimiser.done()
        results.append((model.digest(), optimiser.average, stepper.state, result))
    assert results[0][0] == results[1][0]
    for a, b in zip((*results[0][1], *results[0][2]), (*results[1][1], *results[1][2]), strict=True):
        np.testing.assert_array_equal(a, b)
    assert results[0][3] == results[1][3]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_shards_are_the_whole_batch_up_to_rounding(optimizer):
    """Also where targets are not counted, in one shard all of them, and where there are more shards than rows."""
    digests = []
    for shards in (1, 3, 9):
        model, ids = network_and_batch("lstm")
        targets = np.roll(ids, 1, 0)
        targets[3:, :3] = -1
        targets[:, 0] = -1
        recipe = elman.Recipe(optimizer=optimizer)
        result = ShardedStepper(model.network, shards, Ranks()).step(
            ids, targets, True, None, Optimiser(model.network, recipe).next(0.01)
        )
        digests.append((result, model.parameters()))
    for result, parameters in digests[1:]:
        assert result.loss == pytest.approx(digests[0][0].loss, rel=1e-6)
        assert result.norm == pytest.approx(digests[0][0].norm, rel=1e-5)
        for a, b in zip(parameters, digests[0][1], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)


def test_rows_and_masks_of_shards():
    assert bounds(7, 3) == [(0, 2), (2, 4), (4, 7)]
    assert bounds(1, 3) == [(0, 0), (0, 0), (0, 1)]
    model, _ = network_and_batch()
    dropout = Dropout(0.5, 1, 0, weights=0.5)
    assert mask_words(dropout, model.network, 5, 7, 3) == [5 * n * 9 + 2 * 3 * 81 for n in (2, 2, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3])
def test_processes_share_the_work_and_change_no_bit(folder, command, workers):
    command("train", "t.txt", *SETTINGS, "--output", "one")
    started = [sys.executable, "-m", "elman", "train", "t.txt", *SETTINGS, "--output", "many"]
    done = subprocess.run([*started, "--workers", str(workers)], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert Path("one/model.safetensors").read_bytes() == Path("many/model.safetensors").read_bytes()


def children(parent):
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the processes")
def test_a_killed_process_stops_the_run_with_one_line_and_it_goes_on(folder, command):
    settings = [*SETTINGS, "--epochs", "40"]
    started = [sys.executable, "-m", "elman", "train", "t.txt", *settings, "--output", "r", "--save-every", "0.1"]
    with subprocess.Popen([*started, "--workers", "2"], stderr=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + PATIENCE
        while not Path("r/model.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        (child,) = children(run.pid)
        os.kill(child, signal.SIGKILL)
        _, shown = run.communicate(timeout=PATIENCE)
    assert run.returncode == 2
    assert shown == "elman: process 1 of 2 is gone; the last checkpoint is whole: go on with --resume\n"
    done = subprocess.run(
        [sys.executable, "-m", "elman", "train", "--resume", "r", "--workers", "3"],
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    command("train", "t.txt", *settings, "--output", "whole")
    assert Path("r/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


@pytest.mark.slow
def test_the_first_process_killed_ends_the_others(folder):
    started = [sys.executable, "-m", "elman", "train", "t.txt", *SETTINGS, "--epochs", "10000", "--output", "r"]
    with subprocess.Popen([*started, "--workers", "2", "--save-every", "0.1"]) as run:
        deadline = time.monotonic() + PATIENCE
        while not Path("r/model.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        others = children(run.pid)
        run.kill()
        run.wait()
    deadline = time.monotonic() + PATIENCE
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in others):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_does_not_fit_together():
    with pytest.raises(elman.InputError, match="2 processes but 1 shards"):
        ShardedStepper(network_and_batch()[0].network, 1, Ranks(0, 2))
    with pytest.raises(elman.InputError, match="rank 2 of 2 processes"):
        Ranks(2, 2)
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    errors = []

    def other():
        try:
            with Ranks(1, 2, address).joined(b"b" * 32):
                pass
        except elman.InputError as error:
            errors.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    with (
        pytest.raises(elman.InputError, match="process 1 trains something else"),
        Ranks(0, 2, address, listener).joined(b"a" * 32),
    ):
        pass
    thread.join()
    assert errors == [f"process 0 at {address} trains something else than process 1"]


def test_strangers_are_not_waited_for(monkeypatch):
    monkeypatch.setattr("elman.parallel.ranks._PATIENCE", 0.3)
    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(listener.getsockname()) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(64))
        with (
            pytest.raises(WorkerLost, match="process 1 of 2 did not come"),
            Ranks(0, 2, "127.0.0.1:0", listener).joined(bytes(32)),
        ):
            pass


def test_a_launchers_environment(monkeypatch):
    assert Ranks.from_environment().size == 1
    for name, value in {"WORLD_SIZE": "4", "RANK": "2", "MASTER_ADDR": "host", "MASTER_PORT": "2000"}.items():
        monkeypatch.setenv(name, value)
    ranks = Ranks.from_environment()
    assert (ranks.rank, ranks.size, ranks._address) == (2, 4, "host:2001")
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(elman.InputError, match="RANK is 'x'; expected a whole number, as torchrun sets it"):
        Ranks.from_environment()


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n" + bytes(64)])
def test_a_stranger_does_not_end_a_start(monkeypatch, said):
    """One that connects and says nothing, as a port scan does, or something else; then process 1 comes."""
    monkeypatch.setattr("elman.parallel.ranks._HELLO_SECONDS", 0.05)
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    met = []

    def other():
        with Ranks(1, 2, address).joined(bytes(32)):
            met.append(1)

    with socket.create_connection(listener.getsockname()) as stranger:
        stranger.sendall(said)
        thread = threading.Thread(target=other)
        thread.start()
        with Ranks(0, 2, address, listener).joined(bytes(32)):
            met.append(0)
        thread.join()
    assert sorted(met) == [0, 1]


def test_what_cannot_be_reached_is_said_at_once(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(elman.InputError, match=f"cannot listen at {address}: Address already in use; set"),
            Ranks(0, 2, address).joined(bytes(32)),
        ):
            pass
    monkeypatch.setattr(socket, "gethostbyname", {"debian": "127.0.1.1", "node": "10.0.0.7"}.__getitem__)
    named = {"WORLD_SIZE": "4", "RANK": "0", "MASTER_PORT": "2000", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "debian"}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(elman.InputError, match=r"MASTER_ADDR debian is 127\.0\.1\.1 here, which other machines cannot"):
        Ranks.from_environment()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")  # all are here
    assert Ranks.from_environment().size == 4
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "node")
    assert Ranks.from_environment()._address == "node:2001"
