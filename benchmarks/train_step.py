"""How long is a step of training, and against whom?

    python benchmarks/train_step.py [--only book,gru,...] [--rounds 60] [--compile]

A step: forward and backward over T characters of B texts, clipping of the gradients' global norm, SGD. All contestants
start from the same weights and ids, and must compute the same loss in three steps before they are timed. They take
turns in one process (harness.py). The floor is the step's floating-point operations at the rate of independent FMAs in
registers, measured in the same run. Results: results/train_step.csv, medians and quartiles in milliseconds; a section
that was not asked for keeps its rows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any

import torch
from harness import Contestant, fma_rate, machine, quartiles, race, write
from rivals import arrays, jax, jax_begin, jax_cell, jnp, torch_copy

import elman
import elman.torch
from elman import kernels
from elman.kernels import _cpu
from elman.model import make_layer
from elman.recipes import Recipe
from elman.torch import fused
from elman.training.optimiser import Optimiser

LR, CLIP = 1.0, 1.0


@dataclass(frozen=True)
class Job:
    cell: str
    layers: int
    hidden: int
    batch: int
    steps: int
    vocab: int

    def __str__(self) -> str:
        return f"{self.cell} {self.layers} x {self.hidden}, B={self.batch}, T={self.steps}, V={self.vocab}"

    def operations(self) -> float:
        """Multiply-adds count as two. Each product with a weight has two more in backward; token input costs none."""
        recurrent = self.hidden**2 * kernels.CELLS[self.cell].gates * (2 * self.layers - 1)
        return 2.0 * 3 * self.steps * self.batch * (recurrent + self.hidden * self.vocab)


BOOK = Job("rnn_relu", 1, 256, 32, 35, 44)
SINGLE = {
    "book": BOOK,
    "gru": replace(BOOK, cell="gru"),
    "lstm": replace(BOOK, cell="lstm"),
    "gru2": Job("gru", 2, 512, 64, 100, 65),
    "lstm2": Job("lstm", 2, 512, 64, 100, 65),
}
SCALING = {
    "hidden": [replace(BOOK, hidden=h) for h in (64, 128, 256, 512, 1024, 2048)],
    "batch": [replace(BOOK, batch=b) for b in (1, 4, 16, 32, 64, 256)],
    "steps": [replace(BOOK, steps=t) for t in (1, 10, 35, 100, 1000)],
}
SECTIONS = [*SINGLE, "one-thread", "neighbour", *SCALING]


# --- the contestants ---


def elman_fit(model: elman.LanguageModel, ids: torch.Tensor) -> Contestant:
    """What `fit` does between two batches."""
    stepper, optimiser = kernels.stepper(model.network), Optimiser(model.network, Recipe(lr=LR, clip=CLIP))
    x, y = ids[:-1].numpy().copy(), ids[1:].numpy().copy()

    def step() -> float:
        return stepper.step(x, y, True, None, optimiser.next(LR)).loss

    return Contestant(step, _back([torch.from_numpy(p) for p in model.parameters()]))


def elman_loop(model: elman.LanguageModel, ids: torch.Tensor) -> Contestant:
    """The same model under an ordinary torch loop, without torch's own threads: after their work they spin for a while,
    and on the kernel's cores."""
    x, y = ids[:-1].contiguous(), ids[1:].contiguous()
    module, threads = elman.torch.Module(model), torch.get_num_threads()
    contestant = _torch_step(list(module.parameters()), lambda: module.loss(x, y)[0])

    def step() -> object:
        torch.set_num_threads(1)
        loss = contestant.step()
        torch.set_num_threads(threads)
        return loss

    return Contestant(step, contestant.reset)


def torch_nn(model: elman.LanguageModel, ids: torch.Tensor) -> Contestant:
    rnn, output = torch_copy(model)
    x, y = ids[:-1].contiguous(), ids[1:].reshape(-1)

    def loss() -> torch.Tensor:
        hidden, _ = rnn(torch.nn.functional.one_hot(x, model.vocab_size).float())
        return torch.nn.functional.cross_entropy(output(hidden).flatten(0, 1), y)

    return _torch_step([*rnn.parameters(), *output.parameters()], loss)


def torch_compile(model: elman.LanguageModel, ids: torch.Tensor) -> Contestant:
    """torch.compile over a cell of the plain RNN, called in a loop; over the whole loop it compiles for minutes."""
    rnn, output = torch_copy(model)
    x, y = ids[:-1].contiguous(), ids[1:].reshape(-1)

    @torch.compile
    def cell(pre: torch.Tensor, h: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.relu(pre + h @ w)

    def loss() -> torch.Tensor:
        w_ih, w_hh, b_ih, b_hh = rnn.parameters()
        pre = torch.nn.functional.embedding(x, w_ih.t()) + (b_ih + b_hh)
        h, hidden, w = pre.new_zeros((x.shape[1], w_hh.shape[0])), [], w_hh.t()
        for t in range(len(x)):
            h = cell(pre[t], h, w)
            hidden.append(h)
        return torch.nn.functional.cross_entropy(output(torch.stack(hidden)).flatten(0, 1), y)

    return _torch_step([*rnn.parameters(), *output.parameters()], loss)


def _torch_step(parameters: list[torch.nn.Parameter], loss_of: Callable[[], torch.Tensor]) -> Contestant:
    optimizer = torch.optim.SGD(parameters, lr=LR)

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return loss.item()

    return Contestant(step, _back(parameters))


def _back(parameters: list[torch.nn.Parameter]) -> Callable[[], None]:
    first = [p.detach().clone() for p in parameters]

    @torch.no_grad()
    def reset() -> None:
        for p, value in zip(parameters, first, strict=True):
            p.copy_(value)

    return reset


def jax_scan(model: elman.LanguageModel, ids: torch.Tensor, one_hot: bool = False) -> Contestant:
    """The whole step as one jitted function around lax.scan, its parameters donated."""
    cell, hidden, vocab, first = model.layer.cell, model.layer.hidden_size, model.vocab_size, arrays(model)
    x, y = jnp.asarray(ids[:-1].numpy()), jnp.asarray(ids[1:].numpy())

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        layers, (w, b) = parameters
        inputs = None
        for w_ih, w_hh, b_ih, b_hh in layers:
            if inputs is not None:
                pre = inputs @ w_ih.T + b_ih
            else:
                pre = (jax.nn.one_hot(x, vocab) @ w_ih.T if one_hot else w_ih.T[x]) + b_ih

            def step(state: Any, pre: Any, w: Any = w_hh, b: Any = b_hh) -> Any:
                state = jax_cell(cell, pre, state[0] @ w.T + b, state)  # transposed outside, it takes a third longer
                return state, state[0]

            _, inputs = jax.lax.scan(step, jax_begin(cell, (x.shape[1],), hidden), pre)
        logits = jax.nn.log_softmax(inputs @ w.T + b)
        return -jnp.take_along_axis(logits, y[..., None], -1).mean()

    def update(parameters: Any, x: Any, y: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(parameters, x, y)
        norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(grads)))
        scale = LR * jnp.minimum(1.0, CLIP / norm)
        return loss, jax.tree.map(lambda p, g: p - scale * g, parameters, grads)

    jitted, parameters = jax.jit(update, donate_argnums=0), None

    def reset() -> None:
        nonlocal parameters
        parameters = jax.tree.map(lambda p: jnp.array(p, copy=True), first)

    def step() -> float:
        nonlocal parameters
        loss, parameters = jitted(parameters, x, y)
        jax.block_until_ready(parameters)
        return float(loss)

    return Contestant(step, reset)


# --- the measurement ---


def measure(section: str, job: Job, rounds: int, rate: float, few: bool = False, compiled: bool = False) -> list[dict]:
    """Rows of one job. few: Elman and torch.nn alone."""
    torch.manual_seed(0)
    ids = torch.randint(job.vocab, (job.steps + 1, job.batch))
    makers: dict[str, Callable[..., Contestant]] = {"elman fit": elman_fit}
    if job.cell in fused.CELLS:
        makers["torch.nn"] = torch_nn
    if not few:
        makers["elman, torch loop"] = elman_loop
        if jax:
            makers["jax scan"] = jax_scan
        if jax and job == BOOK:
            makers["jax scan, one-hot"] = lambda model, ids: jax_scan(model, ids, one_hot=True)
        if compiled and job == BOOK:
            makers["torch.compile of a cell"] = torch_compile
    contestants = {}
    for label, make in makers.items():
        reading = elman.Reading(elman.Vocabulary.from_text("".join(map(chr, range(200, 199 + job.vocab)))))
        layer = make_layer(job.cell, job.vocab, job.hidden, job.layers)
        contestants[label] = make(elman.LanguageModel(layer, reading).initialise(0, None), ids)
    check(contestants)
    seconds = race(contestants, rounds)
    floor = job.operations() / rate * 1e3
    ours = quartiles(seconds["elman fit"])[1]
    rows = []
    for label, samples in seconds.items():
        low, median, high = quartiles(samples)
        sizes = dict(zip(("cell", "layers", "hidden", "batch", "steps", "vocab"), astuple(job), strict=True))
        rows.append(
            {
                "section": section,
                **sizes,
                "threads": _cpu.threads(),
                "contestant": label,
                "samples": len(samples),
                "median_ms": round(median * 1e3, 4),
                "low_ms": round(low * 1e3, 4),
                "high_ms": round(high * 1e3, 4),
                "times_elman": round(median / ours, 3),
                "floor_ms": round(floor, 4),
                "times_floor": round(median * 1e3 / floor, 3),
                **machine(),
            }
        )
        print(
            f"{section:<10} {job!s:<40} {label:<24} {median * 1e3:9.3f} ms  ({low * 1e3:.3f} .. {high * 1e3:.3f})"
            f"  {median / ours:5.2f} x Elman  {median * 1e3 / floor:6.2f} x floor",
            file=sys.stderr,
        )
    return rows


def check(contestants: dict[str, Contestant]) -> None:
    """Everybody finds the same three losses."""
    losses: dict[str, list[Any]] = {}
    for label, contestant in contestants.items():
        contestant.reset()
        losses[label] = [contestant.step() for _ in range(3)]
    for label, values in losses.items():
        for ours, theirs in zip(losses["elman fit"], values, strict=True):
            assert abs(ours - theirs) < 2e-4, f"{label} computes another loss: {losses}"


@contextlib.contextmanager
def busy_neighbour() -> Iterator[None]:
    """A process that computes without end for every core that this one may use."""
    spin = [sys.executable, "-c", "while True: pass"]
    processes = [subprocess.Popen(spin) for _ in range(int(machine()["cores"]))]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def one_thread(rounds: int) -> list[dict]:
    """The single-layer jobs in a separate process that may use one core, so no library can use another."""
    cores = os.sched_getaffinity(0)
    command = [sys.executable, __file__, "--only", "book,gru,lstm", "--rounds", str(rounds), "--json"]
    os.sched_setaffinity(0, {min(cores)})  # which the new process inherits
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    finally:
        os.sched_setaffinity(0, cores)
    return [row | {"section": "one-thread"} for row in json.loads(done.stdout)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="of the single-layer jobs; the others take a share")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--compile", action="store_true", help="torch.compile as well: slow to start")
    parser.add_argument("--json", action="store_true", help="print the rows and write no file")
    arguments = parser.parse_args()
    sections = arguments.only.split(",")
    if unknown := set(sections) - set(SECTIONS):
        parser.error(f"unknown section {', '.join(sorted(unknown))}; expected some of {', '.join(SECTIONS)}")
    torch.set_num_threads(_cpu.threads())
    print(f"{machine()}, {_cpu.threads()} threads; FMA peak {fma_rate() / 1e9:.0f} GFLOP/s", file=sys.stderr)
    rows, rounds = [], arguments.rounds
    for section in sections:
        rate = fma_rate()
        if section == "one-thread":
            rows += one_thread(max(1, rounds // 2))
        elif section == "neighbour":
            with busy_neighbour():
                rows += measure(section, BOOK, max(1, rounds // 4), rate, compiled=arguments.compile)
        elif section in SCALING:
            for job in SCALING[section]:
                rows += measure(section, job, max(1, rounds // 5), rate, few=True)
        else:
            share = rounds if SINGLE[section].layers == 1 else max(1, rounds // 6)
            rows += measure(section, SINGLE[section], share, rate, compiled=arguments.compile)
    if arguments.json:
        print(json.dumps(rows))
    else:
        print(f"wrote {write('train_step', rows, keep='section')}", file=sys.stderr)


if __name__ == "__main__":
    main()
