"""How well do machines share a training? The parts of a step, measured, and what 2 to 64 machines make of them.

    python benchmarks/processes.py --text tinyshakespeare.txt [--recipe modern] [--hidden-size N] [--rounds 5]
    python benchmarks/processes.py --text tinyshakespeare.txt --workers     # and two processes here, by the clock

N machines: a step of one of them is made here, with everything but the network: its shard's gradient, its slice of the
sums, its part of the update, the others' weights. What would come from them are zeros, and what would go to them is
counted. With one shard of the recipe's batch on each machine, a step of N machines takes

    (the slowest machine's part) + (bytes of the busiest machine in each exchange) / rate + exchanges x latency

and efficiency is the time that one machine takes for N shards over N times that. Seconds are the process's own (CPU),
of one thread, and do not depend on what else runs here. --cores divides them, as if all parts were shared perfectly.
Results: results/processes.csv, where other models' rows stay.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from harness import machine, write

import elman
from elman.kernels import Array, _cpu
from elman.parallel.alone import Alone
from elman.parallel.slices import Slices
from elman.parallel.stepper import ShardedStepper
from elman.recipes import load_recipe
from elman.training.optimiser import Optimiser, by_muon

MACHINES, GIGABITS = (2, 4, 16, 64), (1, 10, 25)
LATENCY = 1e-4  # seconds of an exchange beside its bytes, about, for gloo over Ethernet


class Counting:
    """A Group of one process among N whose others send zeros: it counts what would be sent and received."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self.waited = rank, size, 0.0
        self.busiest: list[int] = []
        """Of each exchange, the bytes sent or received, whichever is more."""
        self.sent = 0
        """Bytes sent, as `elman.torch.group.TorchGroup` counts them."""
        self.stepper: ShardedStepper | None = None

    def joined(self, what: Mapping[str, Any]) -> AbstractContextManager[None]:
        return nullcontext()

    def exchange(self, parts: Sequence[Array], lengths: Sequence[int]) -> list[Array]:
        others = [r for r in range(self.size) if r != self.rank]
        sent = sum(parts[r].size for r in others)
        self.busiest.append(4 * max(sent, sum(lengths[r] for r in others)))
        self.sent += 4 * sent
        return [parts[r] if r == self.rank else np.zeros(lengths[r], dtype=np.float32) for r in range(self.size)]

    def gather(self, data: bytes) -> list[bytes]:
        assert self.stepper
        self.busiest.append((self.size - 1) * 1024)
        self.sent += self.busiest[-1]
        slices = self.stepper.slices
        sizes = [8 * (1 + len(slices.chunks_of(owned.span))) for owned in slices.owned]  # one node's loss, the squares
        return [data if r == self.rank else bytes(size) for r, size in enumerate(sizes)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--hidden-size", type=int)
    parser.add_argument("--tokens", default="chars")
    parser.add_argument("--characters", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2, help="of each machine")
    parser.add_argument("--workers", action="store_true", help="measure two processes here, too")
    options = parser.parse_args()
    text = options.text.read_text("utf-8")[: options.characters]
    recipe = load_recipe(options.recipe).replace(tokens=options.tokens)
    if options.hidden_size:
        recipe = recipe.replace(hidden_size=options.hidden_size)
    _cpu.set_threads(1)
    step = Step(text, recipe)
    of = "" if recipe.tokens == "chars" else f" of {recipe.tokens}"
    name = f"{recipe.cell} {recipe.num_layers} x {recipe.hidden_size}{of}, {step.parameters:,} parameters"
    first, shard, shared = step.seconds(options.rounds)
    print(f"{name}: one machine {1e3 * first:.0f} ms a step, {1e3 * shard:.0f} ms for each further shard (CPU)")
    rows = []
    for machines, (seconds, busiest) in shared.items():
        sent = sum(busiest)
        print(f"{machines:>3} machines: {1e3 * seconds:.0f} ms of the slowest, {sent:,} bytes of the busiest")
        for gigabits in GIGABITS:
            wire = sent * 8 / (gigabits * 1e9) + len(busiest) * LATENCY
            one = (first + (machines - 1) * shard) / options.cores
            efficiency = one / (machines * (seconds / options.cores + wire))
            rows.append(row(name, "from the parts", machines, gigabits, efficiency, sent, options.cores))
            print(f"    {gigabits:>2} Gbit/s: efficiency {efficiency:.2f}")
    if options.workers:
        one, two = two_processes(text, options.recipe, options.rounds)
        rows.append(row(name, "measured", 2, "", two / (2 * one), "", 1))
        print(f"one process {one:,.0f} characters a second, two {two:,.0f}: efficiency {two / (2 * one):.2f}")
    write("processes", rows, keep="model")


def row(
    model: str, how: str, processes: int, gigabits: float | str, efficiency: float, sent: int | str, cores: int
) -> dict[str, Any]:
    measured = {"model": model, "how": how, "processes": processes, "gigabits": gigabits, "cores_each": cores}
    return measured | {"bytes_sent": sent, "efficiency": round(efficiency, 3)} | machine()


class Step:
    """Steps of a recipe, with its whole batch as one machine's shard."""

    def __init__(self, text: str, recipe: elman.Recipe) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "text.txt")
            path.write_text(text, "utf-8")
            self._corpus = elman.load_corpus(path, normalisation=recipe.normalisation, tokens=recipe.tokens)
        self._recipe, self.parameters = recipe, elman.build_model(self._corpus, recipe).num_parameters

    def seconds(self, rounds: int) -> tuple[float, float, dict[int, tuple[float, list[int]]]]:
        """The least CPU seconds of one machine's step with one shard, what each further shard adds, and for each
        number of machines the slowest one's, with the bytes of the busiest one in each exchange."""
        steps = {(1, 0, shards): self.of(Alone(), shards) for shards in (1, 2)}
        groups = {(n, rank): Counting(rank, n) for n in MACHINES for rank in (0, self._busiest(n))}
        steps |= {(n, rank, n): self.of(group, n) for (n, rank), group in groups.items()}
        least = dict.fromkeys(steps, math.inf)
        for turn in range(rounds + 1):
            for name, step in steps.items():
                start = time.process_time()
                step(turn == 0)
                if turn:
                    least[name] = min(least[name], time.process_time() - start)
        found = {}
        for n in MACHINES:
            of_n = [rank for machines, rank in groups if machines == n]
            busiest = [max(bytes_) for bytes_ in zip(*(groups[n, rank].busiest for rank in of_n), strict=True)]
            found[n] = max(least[n, rank, n] for rank in of_n), busiest
        return least[1, 0, 1], least[1, 0, 2] - least[1, 0, 1], found

    def _busiest(self, machines: int) -> int:
        """The process that updates most of Muon's blocks; the last one, if there are none."""
        network = elman.build_model(self._corpus, self._recipe).network
        owned = Slices(network, by_muon(network, self._recipe), machines).owned
        return max(range(machines), key=lambda rank: (sum(b - a for a, b in owned[rank].blocks), rank))

    def of(self, group: Any, shards: int) -> Callable[[bool], None]:
        """A step of one process, `step(fresh)`; its rows are the text's, and other processes' are zeros."""
        r, model = self._recipe, elman.build_model(self._corpus, self._recipe)
        stepper = ShardedStepper(model.network, shards, group, by_muon(model.network, r))
        optimiser = Optimiser(model.network, r, stepper.slices, group.rank)
        ids = self._corpus.ids(model.reading.vocabulary).astype(np.int64)
        size, own = r.seq_length + 1, r.batch_size * (shards // group.size)
        cut = np.zeros((size, shards * r.batch_size), dtype=np.int64)
        cut[:, group.rank * own : (group.rank + 1) * own] = np.resize(ids, size * own).reshape(size, own)
        inputs, targets = np.ascontiguousarray(cut[:-1]), np.ascontiguousarray(cut[1:])
        if isinstance(group, Counting):
            group.stepper = stepper

        def step(fresh: bool) -> None:
            if isinstance(group, Counting):
                group.busiest = []
            result = stepper.step(inputs, targets, fresh, None, optimiser.next(1e-4))
            optimiser.done()
            assert np.isfinite(result.loss)

        return step


def two_processes(text: str, recipe: str, rounds: int) -> tuple[float, float]:
    """Characters a second of one process and of two, medians, a thread each."""
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


if __name__ == "__main__":
    main()
