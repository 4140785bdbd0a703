"""How well do machines share a training? The parts of a step, measured, and what 2 to 64 machines make of them.

    python benchmarks/processes.py --text tinyshakespeare.txt [--cell C] [--hidden-size N] [--tokens bpe:2000]
    python benchmarks/processes.py --text tinyshakespeare.txt --workers     # two processes, here

N machines: a step of one of them is made here, with everything but the network: its shard's gradient, its slices of the
sums, its part of the update, the others' weights. What would come from them are zeros. Its time between two points at
which it waits for the others is measured, and the bytes of each exchange are counted in every machine. A step of N
machines, each with one shard of 64 rows, is then followed from point to point: the slowest machine's time, and then
what is left of the exchange that it waits for. A machine sends and receives at the given rate, an exchange after the
other, and one ends for all when it has ended for the last, after some latency.

Efficiency is the time that one machine takes for N shards over N times that. Seconds are the process's own (CPU), of
one thread, and do not depend on what else runs here. --cores divides them, as if all parts were shared perfectly.

--workers measures by the clock, on a machine of two cores that does nothing else: a training of two shards by two
processes with a thread each, by one process with two threads, and two trainings of one process side by side, which is
what the machine itself allows. Efficiency is their speed over twice the speed of one process with one thread.

Results: results/processes.csv, where other models' rows stay.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import machine, write

import elman
from elman.kernels import Array, Dropout, _cpu
from elman.parallel.slices import Slices
from elman.parallel.stepper import ShardedStepper
from elman.recipes import load_recipe
from elman.training.optimiser import Optimiser, by_muon

MACHINES, GIGABITS = (2, 4, 16, 64), (1, 10, 25)
FRAME = 1024  # bytes of `gather` to each other process
LATENCY = 1e-4  # seconds of an exchange beside its bytes, about, for gloo over Ethernet


@dataclass
class Exchange:
    """One of a step, as a machine sees it."""

    sent: int
    received: int
    """Bytes."""
    begin: int
    end: int = -1
    """Its points among those of the step."""


class Counting:
    """A Group of one process among `size` whose others send zeros: it counts what would be sent and received."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self.waited = rank, size, 0.0
        self.begin()
        self.stepper: ShardedStepper | None = None

    def begin(self) -> None:
        """A step begins."""
        self.exchanges: list[Exchange] = []
        self.points: list[float] = []
        """Seconds up to each beginning and end of an exchange, and up to the step's end, from the one before."""
        self._last = time.process_time()

    def point(self) -> int:
        now = time.process_time()
        self.points.append(now - self._last)
        self._last = now
        return len(self.points) - 1

    @property
    def sent(self) -> int:
        """Bytes sent, as `elman.torch.group.TorchGroup` counts them."""
        return sum(exchange.sent for exchange in self.exchanges)

    @property
    def received(self) -> int:
        return sum(exchange.received for exchange in self.exchanges)

    def joined(self, what: Mapping[str, Any]) -> AbstractContextManager[None]:
        return nullcontext()

    def _begun(self, sent: int, received: int) -> Exchange:
        self.exchanges.append(Exchange(sent, received, self.point()))
        return self.exchanges[-1]

    def exchange(self, parts: Sequence[Array], lengths: Sequence[int]) -> Callable[[], list[Array]]:
        others = [r for r in range(self.size) if r != self.rank]
        begun = self._begun(4 * sum(parts[r].size for r in others), 4 * sum(lengths[r] for r in others))
        got = [parts[r] if r == self.rank else np.zeros(lengths[r], dtype=np.float32) for r in range(self.size)]

        def received() -> list[Array]:
            begun.end = self.point()
            return got

        return received

    def gather(self, data: bytes) -> list[bytes]:
        assert self.stepper
        begun = self._begun((self.size - 1) * FRAME, (self.size - 1) * FRAME)
        begun.end = self.point()
        slices = self.stepper.slices
        sizes = [8 * (1 + sum(len(slices.chunks_of(span)) for span in owned.spans)) for owned in slices.owned]
        return [data if r == self.rank else bytes(size) for r, size in enumerate(sizes)]  # one node's loss, the squares


def simulated(machines: list[Counting], seconds: list[float], gigabits: float) -> float:
    """Seconds of a step of machines that wait for each other.

    Args:
        machines: all of them, after a step. seconds: of the slowest one, up to each point of the step.
    """
    rate, clock, ended = gigabits * 1e9 / 8, 0.0, dict[int, float]()
    sending, receiving = np.zeros(len(machines)), np.zeros(len(machines))  # until when
    begins = {exchange.begin: i for i, exchange in enumerate(machines[0].exchanges)}
    ends = {exchange.end: i for i, exchange in enumerate(machines[0].exchanges)}
    for point, more in enumerate(seconds):
        clock += more
        if point in begins:
            of_all = [machine.exchanges[begins[point]] for machine in machines]
            if any(each.sent for each in of_all):
                sending = np.maximum(sending, clock) + np.array([each.sent for each in of_all]) / rate
                receiving = np.maximum(receiving, clock) + np.array([each.received for each in of_all]) / rate
                ended[begins[point]] = max(sending.max(), receiving.max()) + LATENCY
        if point in ends:
            clock = max(clock, ended.get(ends[point], 0.0))
    return clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--recipe", default="modern")
    for setting in ("cell", "num-layers", "hidden-size", "tokens"):
        parser.add_argument(f"--{setting}", help="in place of the recipe's")
    parser.add_argument("--rows", type=int, default=64, help="of each machine")
    parser.add_argument("--characters", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=2, help="of each machine")
    parser.add_argument("--workers", action="store_true", help="measure two processes by the clock instead")
    options = parser.parse_args()
    text = options.text.read_text("utf-8")[: options.characters]
    given = {name: getattr(options, name) for name in ("cell", "num_layers", "hidden_size", "tokens")}
    given = {name: int(value) if value.isdecimal() else value for name, value in given.items() if value}
    recipe = load_recipe(options.recipe).replace(**given, batch_size=options.rows)
    _cpu.set_threads(1)
    step = Step(text, recipe)
    of = "characters" if recipe.tokens == "chars" else f"{int(recipe.tokens.partition(':')[2]):,} subwords"
    name = f"{recipe.cell} {recipe.num_layers} x {recipe.hidden_size} of {of}, {step.parameters:,} parameters"
    rows = by_the_clock(name, text, given, options) if options.workers else from_the_parts(name, step, options)
    write("processes", rows, keep=("model", "how", "rows"))


def from_the_parts(name: str, step: Step, options: argparse.Namespace) -> list[dict[str, Any]]:
    shard, rest, shared = step.seconds(options.rounds)
    print(
        f"{name}: one machine {1e3 * shard:.0f} ms for each shard and {1e3 * rest:.0f} ms for the rest of a step (CPU)"
    )
    rows = []
    for machines, (counted, seconds) in shared.items():
        sent = max(max(machine.sent, machine.received) for machine in counted)
        print(f"{machines:>3} machines: {1e3 * sum(seconds):.0f} ms of the slowest, {sent:,} bytes of the busiest")
        for gigabits in GIGABITS:
            one = (machines * shard + rest) / options.cores
            takes = simulated(counted, [each / options.cores for each in seconds], gigabits)
            efficiency, of_wire = one / machines / takes, {"gigabits": gigabits, "bytes_sent": sent}
            rows.append(
                row(name, "from the parts", options, machines, options.cores, one / machines / takes, **of_wire)
            )
            print(f"    {gigabits:>2} Gbit/s: efficiency {efficiency:.2f}")
    return rows


def row(
    model: str, how: str, options: argparse.Namespace, machines: int, cores: int, efficiency: float, **wire: int
) -> dict[str, Any]:
    measured = {"model": model, "how": how, "rows": options.rows, "processes": machines, "cores_each": cores}
    return measured | {"gigabits": "", "bytes_sent": ""} | wire | {"efficiency": round(efficiency, 3)} | machine()


class Step:
    """Steps of a recipe, with its whole batch as one machine's shard."""

    def __init__(self, text: str, recipe: elman.Recipe) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "text.txt")
            path.write_text(text, "utf-8")
            self._corpus = elman.load_corpus(path, normalisation=recipe.normalisation, tokens=recipe.tokens)
        self._recipe, self.parameters = recipe, elman.build_model(self._corpus, recipe).num_parameters

    def seconds(self, rounds: int) -> tuple[float, float, dict[int, tuple[list[Counting], list[float]]]]:
        """The CPU seconds of a shard, what one machine takes beside its shards, and for each number of machines all of
        them, and the slowest one's seconds between the points of its step. Medians of the rounds, in each of which all
        take turns. A shard is the same work everywhere, and counts as the same."""
        groups = {(n, rank): Counting(rank, n) for n in (1, *MACHINES) for rank in sorted({0, self._busiest(n)})}
        steps = {place: self.of(group, group.size) for place, group in groups.items()}
        taken: dict[tuple[int, int], list[list[float]]] = {place: [] for place in groups}
        for turn in range(rounds + 1):
            for place, step in steps.items():
                step(turn == 0)
                if turn:
                    taken[place].append(groups[place].points)
        shard = statistics.median(points[0] for of_one in taken.values() for points in of_one)
        slowest = {}
        for n in (1, *MACHINES):
            of_n = [of_one for (machines, _), of_one in taken.items() if machines == n]
            medians = [[statistics.median(each) for each in zip(*of_one, strict=True)] for of_one in of_n]
            slowest[n] = [shard, *(max(each) for each in list(zip(*medians, strict=True))[1:])]
        return shard, sum(slowest.pop(1)[1:]), {n: (self.counted(n), points) for n, points in slowest.items()}

    def counted(self, machines: int) -> list[Counting]:
        """All of so many machines, after a step of one row each: their bytes do not depend on it."""
        small = copy(self)
        small._recipe = self._recipe.replace(batch_size=1, seq_length=1)
        groups = [Counting(rank, machines) for rank in range(machines)]
        for group in groups:
            small.of(group, machines)(True)
        return groups

    def _busiest(self, machines: int) -> int:
        """The process that updates most of Muon's blocks; the last one, if there are none."""
        network = elman.build_model(self._corpus, self._recipe).network
        owned = Slices(network, by_muon(network, self._recipe), machines).owned
        return max(range(machines), key=lambda rank: (sum(b - a for a, b in owned[rank].blocks), rank))

    def of(self, group: Counting, shards: int) -> Callable[[bool], None]:
        """A step of one process, `step(fresh)`; its rows are the text's, and other processes' are zeros."""
        r, model = self._recipe, elman.build_model(self._corpus, self._recipe)
        stepper = ShardedStepper(model.network, shards, group, by_muon(model.network, r))
        optimiser = Optimiser(model.network, r, stepper.slices, group.rank)
        ids = self._corpus.ids(model.reading.vocabulary).astype(np.int64)
        size, own = r.seq_length + 1, r.batch_size * (shards // group.size)
        cut = np.zeros((size, shards * r.batch_size), dtype=np.int64)
        cut[:, group.rank * own : (group.rank + 1) * own] = np.resize(ids, size * own).reshape(size, own)
        inputs, targets = np.ascontiguousarray(cut[:-1]), np.ascontiguousarray(cut[1:])
        group.stepper = stepper
        dropout = Dropout(r.dropout, 0, 0, output=r.output_dropout)
        weights = model.network.weights()
        begun_with = [weight.copy() for weight in weights]

        def step(fresh: bool) -> None:
            # The others' zeros would make the next step one of denormal numbers, which are slow.
            for weight, first in zip(weights, begun_with, strict=True):
                weight[...] = first
            group.begin()
            result = stepper.step(inputs, targets, fresh, dropout, optimiser.next(1e-4))
            optimiser.done()
            group.point()
            assert np.isfinite(result.loss)

        return step


CONTESTANTS = {"one": (1, 1, 1), "two threads": (1, 1, 2), "two processes": (1, 2, 1), "two trainings": (2, 1, 1)}
"""By the clock: how many trainings at a time, of how many processes, with how many threads each."""


def by_the_clock(name: str, text: str, given: dict[str, Any], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The speed of each contestant, of all its trainings together, beside twice the first one's: medians."""
    rates: dict[str, list[float]] = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_text(text, "utf-8")
        arguments = ["train", path, "--recipe", options.recipe, "--shards", 2, "--batch-size", 2 * options.rows]
        arguments += ["--epochs", 1, "--val-fraction", 0, "--sample-every", 0]
        arguments += [f"--{setting.replace('_', '-')}={value}" for setting, value in given.items()]
        for turn in range(options.rounds):
            for contestant, how in CONTESTANTS.items():
                output = Path(folder, f"{turn} {contestant}")
                rates[contestant].append(rate([*map(str, arguments)], *how, output))
    rows, medians = [], {contestant: statistics.median(of_one) for contestant, of_one in rates.items()}
    for contestant, (trainings, workers, threads) in CONTESTANTS.items():
        efficiency = medians[contestant] / (2 * medians["one"])
        print(
            f"{contestant}: {medians[contestant]:,.0f} characters a second, {efficiency:.2f} of twice the first one's"
        )
        if contestant != "one":
            rows.append(row(name, contestant, options, trainings * workers, threads, efficiency))
    return rows


def rate(arguments: list[str], trainings: int, workers: int, threads: int, output: Path) -> float:
    """Characters a second of so many trainings at a time, an epoch each."""
    runs, started = [output.with_name(f"{output.name}-{training}") for training in range(trainings)], []
    for run in runs:
        with socket.create_server(("127.0.0.1", 0)) as server:
            where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(server.getsockname()[1])}
        for rank in range(workers):  # as torchrun starts them
            of_all = {"WORLD_SIZE": str(workers), "LOCAL_WORLD_SIZE": str(workers), "ELMAN_THREADS": str(threads)}
            environment = os.environ | where | of_all | {"RANK": str(rank)}
            command = [sys.executable, "-m", "elman", *arguments, "--output", str(run)]
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment))
    assert [process.wait() for process in started] == [0] * len(started)
    lines = [Path(run, "log.jsonl").read_text("utf-8").splitlines()[-1] for run in runs]
    return sum(json.loads(line)["chars_per_second"] for line in lines)


if __name__ == "__main__":
    main()
