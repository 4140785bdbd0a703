"""How long is a step of training, against torch.nn and JAX?

    python benchmarks/train_step.py [--rounds 60] [--only book,gru,lstm,gru2,lstm2]

All contestants start from the same weights and ids; each must compute the same loss before it is timed. They take
turns in one process, and the table gives medians and quartiles in milliseconds. The floor is the step's floating-point
operations at the rate of independent FMAs, measured in the same run.
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

import elman
from elman import kernels
from elman.kernels import _cpu
from elman.layers import make_layer
from elman.recipe import Recipe
from elman.training import _Optimizer

# name: cell, layers, hidden, batch, steps, vocabulary, share of the rounds
JOBS = {
    "book": ("rnn_relu", 1, 256, 32, 35, 44, 1.0),
    "gru": ("gru", 1, 256, 32, 35, 44, 1.0),
    "lstm": ("lstm", 1, 256, 32, 35, 44, 1.0),
    "gru2": ("gru", 2, 512, 64, 100, 65, 0.1),
    "lstm2": ("lstm", 2, 512, 64, 100, 65, 0.1),
}
LR, CLIP = 0.1, 1.0


def operations(cell: str, layers: int, H: int, B: int, T: int, V: int) -> float:
    """Of a step, forward and backward; token input costs none, and neither does the gradient of the first state."""
    per_gate = 2.0 * T * B * H * H * kernels.CELLS[cell] * 3
    return per_gate * (2 * layers - 1) + 2.0 * T * B * H * V * 3


def fma_rate() -> float:
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        rates.append(_cpu.fma_peak(2_000_000) / (time.perf_counter() - start))
    return max(rates)


def elman_fit(model: elman.LanguageModel, ids: torch.Tensor) -> Callable[[], float]:
    """What `fit` does between two batches."""
    optimizer, state = _Optimizer(model, Recipe(lr=LR, clip=CLIP)), model.begin_state(ids.shape[1])
    x, y = ids[:-1].contiguous(), ids[1:].contiguous()

    def step() -> float:
        loss, _, grads = model.loss_and_grads(x, y, state)
        optimizer.step(grads, kernels.grad_norm(grads))
        return loss

    return step


def elman_loop(model: elman.LanguageModel, ids: torch.Tensor) -> Callable[[], float]:
    """An ordinary torch loop around the same model."""
    optimizer, state = torch.optim.SGD(model.parameters(), lr=LR), model.begin_state(ids.shape[1])
    x, y = ids[:-1].contiguous(), ids[1:].contiguous()

    def step() -> float:
        optimizer.zero_grad()
        loss, _, _ = model.loss(x, y, state)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        return loss.item()

    return step


def torch_nn(model: elman.LanguageModel, ids: torch.Tensor) -> Callable[[], float]:
    cell, layer = model.layer.cell, model.layer
    kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}.get(cell, torch.nn.RNN)
    options = {"nonlinearity": cell.removeprefix("rnn_")} if cell.startswith("rnn_") else {}
    rnn = kind(layer.input_size, layer.hidden_size, layer.num_layers, **options)
    rnn.load_state_dict(layer.state_dict())
    output = torch.nn.Linear(layer.hidden_size, model.vocab_size)
    output.load_state_dict(model.output.state_dict())
    parameters = [*rnn.parameters(), *output.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=LR)
    x = torch.nn.functional.one_hot(ids[:-1], model.vocab_size).float()
    y = ids[1:].reshape(-1)

    def step() -> float:
        optimizer.zero_grad()
        hidden, _ = rnn(x)
        loss = torch.nn.functional.cross_entropy(output(hidden).flatten(0, 1), y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        return loss.item()

    return step


def jax_scan(model: elman.LanguageModel, ids: torch.Tensor) -> Callable[[], float] | None:
    """The whole step of the plain RNN as one jitted function around lax.scan."""
    if model.layer.cell != "rnn_relu":
        return None
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return None
    values = [jnp.asarray(p.detach().numpy()) for p in model.parameters()]
    x, y = jnp.asarray(ids[:-1].numpy()), jnp.asarray(ids[1:].numpy())

    def loss_of(values, x, y):
        w_ih, w_hh, b_ih, b_hh, w, b = values
        projected = w_ih.T[x] + (b_ih + b_hh)

        def cell(h, pre):
            h = jax.nn.relu(pre + h @ w_hh.T)
            return h, h

        _, hidden = jax.lax.scan(cell, jnp.zeros((x.shape[1], w_hh.shape[0])), projected)
        logits = jax.nn.log_softmax(hidden @ w.T + b)
        return -jnp.take_along_axis(logits, y[..., None], -1).mean()

    @jax.jit
    def update(values, x, y):
        loss, grads = jax.value_and_grad(loss_of)(values, x, y)
        norm = jnp.sqrt(sum((g * g).sum() for g in grads))
        scale = jnp.minimum(1.0, CLIP / norm)
        return loss, [p - LR * scale * g for p, g in zip(values, grads, strict=True)]

    def step() -> float:
        nonlocal values
        loss, values = update(values, x, y)
        jax.block_until_ready(values)
        return float(loss)

    return step


def measure(name: str, rounds: int) -> list[dict[str, object]]:
    cell, layers, H, B, T, V, share = JOBS[name]
    torch.manual_seed(0)
    ids = torch.randint(V, (T + 1, B))

    def fresh() -> elman.LanguageModel:
        layer = make_layer(cell, V, H, layers)
        return elman.LanguageModel(layer, V).initialise(0, None)

    contestants = {}
    for label, make in (
        ("elman fit", elman_fit),
        ("elman torch loop", elman_loop),
        ("torch.nn", torch_nn),
        ("jax scan", jax_scan),
    ):
        if step := make(fresh(), ids):
            contestants[label] = step
    for _ in range(3):
        losses = {label: step() for label, step in contestants.items()}
        assert max(losses.values()) - min(losses.values()) < 1e-4, losses
    rate = fma_rate()
    times: dict[str, list[float]] = {label: [] for label in contestants}
    for _ in range(max(5, int(rounds * share))):
        for label, step in contestants.items():
            step()  # the caches are its own again
            start = time.perf_counter()
            step()
            times[label].append(time.perf_counter() - start)
    floor = operations(cell, layers, H, B, T, V) / max(rate, fma_rate()) * 1e3
    ours = statistics.median(times["elman fit"]) * 1e3
    rows = []
    for label, seconds in times.items():
        low, median, high = (q * 1e3 for q in statistics.quantiles(seconds, n=4))
        rows.append(
            {
                "job": name,
                "contestant": label,
                "median_ms": round(median, 3),
                "quartile_low_ms": round(low, 3),
                "quartile_high_ms": round(high, 3),
                "times_elman": round(median / ours, 2),
                "floor_ms": round(floor, 3),
                "times_floor": round(median / floor, 2),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", default=",".join(JOBS))
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {_cpu.isa()}, {_cpu.threads()} threads, torch {torch.__version__}")
    rows = []
    for name in arguments.only.split(","):
        for row in measure(name, arguments.rounds):
            rows.append(row)
            print("  ".join(f"{value!s:>16}" for value in row.values()), flush=True)
    path = Path(__file__).parents[1] / "results" / "train_step.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
