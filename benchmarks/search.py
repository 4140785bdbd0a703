"""What else was tried: variants of a small subword model, each with the same multiply-adds as the first row.

    python benchmarks/search.py --text tinyshakespeare.txt
    python benchmarks/search.py --text tinyshakespeare.txt --variants cosine seeds --seeds 0

The tuning split of benchmarks/quality.py: the first 81 % of tiny Shakespeare is trained on and the next 9 % measured,
in nats a character with carried state. All have one text of subwords, one loop, Muon for the matrices between units and
AdamW for the rest, an average of the weights and a clipped gradient. A variant whose token costs more gets fewer steps,
and its schedule is as much shorter. What the engine cannot do is done by torch over elman.torch's layers, and compares
with `base in torch`. The CPU-seconds of torch say little: it is slower. Writes a row for each variant and seed into
results/search.csv and leaves the others.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import elman
from elman import batches, kernels, philox
from elman.kernels import Array, Dropout, Update
from elman.training.schedule import falling_cosine

RESULTS = Path(__file__).parents[1] / "results" / "search.csv"
COLUMNS = ["variant", "seed", "nats", "CPU-seconds", "multiply-adds a token", "steps", "parameters", "engine"]
TOKENS, UNITS, ROWS, WINDOW = "bpe:1000", 96, 16, 64
EPOCHS, RATE, DECAY, DROPPED, KEEP = 2, 0.04, 0.1, 0.1, 0.998


class Net(Protocol):
    """A network in training."""

    weights: list[Array]
    blocks: list[int]
    """For each weight: the square parts that Muon makes orthogonal; 0 leaves it to AdamW."""

    def grads(self, ids: Array, targets: Array, fresh: bool, step: int) -> list[Array]: ...
    def nats(self, ids: Array, targets: Array) -> Array:
        """Of each target (T,), one after another."""
        ...


@dataclass(frozen=True)
class Variant:
    """How one differs from the first row."""

    make: Callable[[elman.Corpus, int], Net]
    cost: int
    """Multiply-adds of a token, forward."""
    engine: str = "elman"
    rate: float = RATE
    cosine: bool = False
    wider: bool = False
    """The last third has half the rows and windows of twice the length."""
    last_third: bool = False
    """Its plain mean is the model, in place of an average that forgets."""
    mixed: float = 0.0
    """Share of the targets that are drawn from the tokens of the text: label smoothing with the unigrams."""
    networks: int = 1
    """Trained apart with these seeds; the mean of their probabilities is measured."""


class Native:
    """One GRU of the engine."""

    def __init__(self, corpus: elman.Corpus, seed: int, units: int = UNITS) -> None:
        self.model = elman.build_model(corpus, "modern", hidden_size=units, seed=seed)
        network = self.network = self.model.network
        self.weights, self.seed = network.weights(), philox.dropout_seed(seed)
        self.blocks = [network.cell.gates * matrix for matrix in network.matrices()]
        self.state, self.masked = network.begin_state(ROWS), 0

    def grads(self, ids: Array, targets: Array, fresh: bool, step: int) -> list[Array]:
        if fresh:
            self.state = self.network.begin_state(ids.shape[1])
        dropout = Dropout(0.0, self.seed, self.masked, output=DROPPED)
        self.masked += sum(dropout.words(self.network, *ids.shape).values())
        _, self.state, grads = kernels.loss_and_grads(self.network, ids, targets, self.state, dropout)
        return grads

    def nats(self, ids: Array, targets: Array) -> Array:
        return self.model.loss(ids[:, None], targets[:, None])[1][:, 0].astype(np.float64)


def in_torch(kind: str, **sizes: int) -> Callable[[elman.Corpus, int], Net]:
    def make(corpus: elman.Corpus, seed: int) -> Net:
        from search_torch import Torch

        return Torch(kind, len(corpus.vocabulary()), seed, DROPPED, **sizes)

    return make


def variants(size: int) -> dict[str, Variant]:
    """By name; size: of the vocabulary."""
    h, v, e = UNITS, size, UNITS
    gru, output = 3 * h * h, h * v
    half = max(n for n in range(1, h) if 2 * (3 * n * n + n * v) <= gru + output)
    base = Variant(Native, gru + output)
    torch = Variant(in_torch("base", units=h), base.cost, "torch")
    mogrified = replace(torch, make=in_torch("mogrifier", units=h), cost=gru + 3 * h * e + 2 * h * e + output)
    return {
        "base": base,
        "half the learning rate": replace(base, rate=RATE / 2),
        "warm-up of 100 steps, cosine": replace(base, cosine=True),
        "windows of 128 in the last third": replace(base, wider=True),
        "mean of the last third": replace(base, last_third=True),
        "5 % of the labels mixed": replace(base, mixed=0.05),
        "mixture of two seeds, each of half": replace(
            base, make=lambda corpus, seed: Native(corpus, seed, half), cost=2 * (3 * half**2 + half * v), networks=2
        ),
        "mixture of two seeds, twice the work": replace(base, networks=2),
        "base in torch": torch,
        "four GRUs side by side, twice the units": replace(
            torch, make=in_torch("blocks", units=h), cost=gru + 2 * output
        ),
        "Mogrifier, two rounds": mogrified,
        "mixture of two softmaxes": replace(
            torch, make=in_torch("softmaxes", units=h), cost=gru + 2 * h * h + 2 * h + 2 * output
        ),
    }


@dataclass
class Optimiser:
    """Muon, AdamW and the average, by the engine's kernels."""

    net: Net
    last_third: bool
    steps: int
    step: int = 0
    means: list[list[Array]] = field(default_factory=list)

    def __post_init__(self) -> None:
        shapes = [(w.size, 0 if muon else w.size) for w, muon in zip(self.net.weights, self.net.blocks, strict=True)]
        self.means = [[np.zeros(sizes[i], dtype=np.float32) for sizes in shapes] for i in (0, 1)]
        self.average = [w.reshape(-1).copy() for w in self.net.weights]

    def update(self, grads: list[Array], rate: float) -> None:
        self.step += 1
        norm, blocks = kernels.grad_norm(grads), self.net.blocks
        for count in set(blocks):
            of = [i for i, n in enumerate(blocks) if n == count]
            first, second = ([means[i] for i in of] for means in self.means)
            muon = [count > 0] * len(of)
            how = Update(rate, None, first, second, self.step, weight_decay=DECAY, muon=muon)
            weights, parts = [self.net.weights[i] for i in of], [grads[i] for i in of]
            kernels.apply(weights, parts, how, min(1.0, 1.0 / norm), max(1, count))
        keep = min(KEEP, (1.0 + self.step) / (10.0 + self.step))
        if self.last_third:
            done = self.step - self.steps * 2 // 3
            keep = 0.0 if done <= 1 else 1 - 1 / done
        kernels.average(self.net.weights, self.average, keep)

    def settle(self) -> None:
        for weight, average in zip(self.net.weights, self.average, strict=True):
            weight[...] = average.reshape(weight.shape)


def trained(variant: Variant, corpus: elman.Corpus, ids: Array, seed: int, steps: int) -> Net:
    net = variant.make(corpus, seed)
    optimiser, draw = Optimiser(net, variant.last_third, steps), np.random.default_rng(seed)
    for step, (inputs, targets, fresh) in enumerate(windows(ids, seed, steps, variant.wider)):
        part = step / steps
        rate = min(1.0, (step + 1) / 100) * falling_cosine(part) if variant.cosine else 1.0 - part
        if variant.mixed:
            targets = np.where(draw.random(targets.shape) < variant.mixed, draw.choice(ids, targets.shape), targets)
        optimiser.update(net.grads(inputs, targets, fresh, step), variant.rate * rate)
    optimiser.settle()
    return net


def windows(ids: Array, seed: int, steps: int, wider: bool) -> Iterator[tuple[Array, Array, bool]]:
    """So many batches, epoch after epoch, and whether each begins from a zero state."""
    done = epoch = 0
    while True:
        epoch += 1
        late = wider and done >= steps * 2 // 3
        sizes = (ROWS // 2, WINDOW * 2) if late else (ROWS, WINDOW)
        for i, (inputs, targets) in enumerate(batches.sequential_batches(ids, *sizes, seed, epoch)):
            if done == steps:
                return
            yield inputs, targets, i == 0
            done += 1
            if wider and not late and done >= steps * 2 // 3:
                break


def measured(variant: Variant, corpus: elman.Corpus, held_out: str, seed: int) -> list[Any]:
    """A row of the table."""
    vocabulary = corpus.vocabulary()
    ids, held = corpus.ids(vocabulary).astype(np.int64), vocabulary.encode(held_out).astype(np.int64)
    base = variants(len(vocabulary))["base"].cost
    work = EPOCHS * batches.num_batches(len(ids), ROWS, WINDOW)
    steps = round(work * min(1.0, base / variant.cost))
    start = time.process_time()
    # networks of a mixture have seeds that no other row has
    nets = [trained(variant, corpus, ids, seed + 1000 * i, steps) for i in range(variant.networks)]
    cpu = time.process_time() - start
    before = np.append(corpus.reading().start, held[:-1])
    chances = [np.exp(-net.nats(before, held)) for net in nets]
    nats = float(-np.log(np.mean(chances, axis=0)).sum()) / len(held_out)
    parameters = sum(w.size for net in nets for w in net.weights)
    whole = variant.cost * (2 if variant.networks == 2 and variant.cost == base else 1)
    return [seed, f"{nats:.4f}", f"{cpu:.0f}", whole, steps, parameters, variant.engine]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--variants", nargs="+", metavar="WORD", help="only those whose name has one of these words")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    text = options.text.read_text("utf-8")
    end = int(len(text) * 0.9)
    cut = int(end * 0.9)
    corpus = elman.Corpus("tiny Shakespeare", text[:cut], "none", str(options.text)).cut_into(TOKENS)
    for seed in options.seeds:
        for name, variant in variants(len(corpus.vocabulary())).items():
            if not options.variants or any(word in name for word in options.variants):
                row = measured(variant, corpus, text[cut:end], seed)
                print(name, *row, flush=True)
                write([name, *map(str, row)])


def write(row: list[str]) -> None:
    """In place of the row of the same variant and seed; a seed's rows have the order of `variants`."""
    rows: list[list[str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            rows = [old for old in csv.reader(file) if old[:2] != row[:2] and old != COLUMNS]
    names = list(variants(1000))
    rows = sorted([*rows, row], key=lambda r: (names.index(r[0]), int(r[1])))
    with RESULTS.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
