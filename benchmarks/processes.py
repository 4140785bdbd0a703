"""How well do processes share a training: two here, measured, and 16 machines, from the measured parts of a step?

    python benchmarks/processes.py --text tinyshakespeare.txt [--recipe modern] [--rounds 3]

Two: an epoch of a part of the text by `elman train --shards 2`, in turn by one process and by two, a thread each.
Efficiency is the speed of two over twice one process's.

N machines: a step's parts are timed in one process, which has the cores that a machine would have: the gradient of one
shard, its addition at the first process, the update. A step of S = N shards then takes

    N > 1:  shard + S add + update + (N - 1) (bytes of a shard + bytes of the sum) / rate of the first one's network
    N = 1:  S (shard + add) + update

and efficiency is the second over N times the first. Results: results/processes.csv.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from elman.parallel.ranks import Ranks
from harness import Contestant, machine, race, write

import elman
from elman import kernels
from elman.parallel.shards import ShardedStepper
from elman.recipes import load_recipe
from elman.training.optimiser import Optimiser

MACHINES, GIGABITS = (2, 4, 16), (1, 10, 25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--characters", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    text = options.text.read_text("utf-8")[: options.characters]
    recipe = load_recipe(options.recipe)
    one, two = two_processes(text, options.recipe, options.rounds)
    rows = [row("measured", 2, "", two / (2 * one))]
    print(f"one process {one:,.0f} characters a second, two {two:,.0f}: efficiency {two / (2 * one):.2f}")
    parts = Parts(text, recipe)
    print(parts)
    for gigabits in GIGABITS:
        for machines in MACHINES:
            efficiency = parts.seconds(1, machines, gigabits) / (machines * parts.seconds(machines, machines, gigabits))
            rows.append(row("from the parts", machines, gigabits, efficiency))
            print(f"{machines:>3} machines, {gigabits:>2} Gbit/s: efficiency {efficiency:.2f}")
    write("processes", rows)


def row(how: str, processes: int, gigabits: float | str, efficiency: float) -> dict[str, Any]:
    return {"how": how, "processes": processes, "gigabits": gigabits, "efficiency": round(efficiency, 3)} | machine()


def two_processes(text: str, recipe: str, rounds: int) -> tuple[float, float]:
    """Characters a second of one process and of two, medians."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_text(text, "utf-8")
        for turn in range(rounds):
            for workers in rates:
                output = Path(folder, f"{turn}-{workers}")
                command = [sys.executable, "-m", "elman", "train", path, "--recipe", recipe, "--shards", "2"]
                command += ["--workers", str(workers), "--epochs", "1", "--val-fraction", "0", "--output", output]
                environment = os.environ | {"ELMAN_THREADS": "1"}
                subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, env=environment)
                last = (output / "log.jsonl").read_text("utf-8").splitlines()[-1]
                rates[workers].append(json.loads(last)["chars_per_second"])
    return statistics.median(rates[1]), statistics.median(rates[2])


class Parts:
    """Of a step, in seconds, by all cores of this machine; a shard is the recipe's whole batch."""

    def __init__(self, text: str, recipe: elman.Recipe, rounds: int = 7) -> None:
        corpus = elman.Corpus("text", text, recipe.normalisation, "the text")
        model = elman.build_model(corpus, recipe)
        ids = corpus.ids(model.reading.vocabulary).astype(np.int64)
        steps, rows = recipe.seq_length, recipe.batch_size
        cut = np.resize(ids, (steps + 1) * rows).reshape(steps + 1, rows)
        inputs, targets = np.ascontiguousarray(cut[:-1]), np.ascontiguousarray(cut[1:])
        network = model.network
        stepper = ShardedStepper(network, 1, Ranks())
        state = network.begin_state(rows)
        shard = stepper._shard(0, inputs, targets, state, None, 0, rows)
        total = stepper._add([shard], [rows], rows)
        _, grads, _ = stepper._unpack(total, rows)
        update = Optimiser(network, recipe).next(recipe.lr)
        self.bytes = len(shard), len(total)
        contestants = {
            "shard": Contestant(lambda: stepper._shard(0, inputs, targets, state, None, 0, rows)),
            "add": Contestant(lambda: stepper._add([shard], [rows], rows)),
            "update": Contestant(lambda: kernels.update(network, grads, update)),
        }
        self.shard, self.add, self.update = map(statistics.median, race(contestants, rounds).values())

    def seconds(self, machines: int, shards: int, gigabits: float) -> float:
        own, wire = shards // machines, (machines - 1) * sum(self.bytes) * 8 / (gigabits * 1e9)
        return own * self.shard + shards * self.add + self.update + wire

    def __str__(self) -> str:
        return (
            f"a shard {1e3 * self.shard:.1f} ms, its addition {1e3 * self.add:.1f} ms, the update "
            f"{1e3 * self.update:.1f} ms; {self.bytes[0]:,} bytes of a shard"
        )


if __name__ == "__main__":
    main()
