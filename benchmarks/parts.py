"""How near is each part of a training step to the arithmetic that it needs?

    python benchmarks/parts.py [--isa avx2] [--rounds 15] [--csv]

A part's floor is its floating-point operations at the rate of independent FMAs in registers, measured in turn with
the parts, by the same instruction set: so the processor's speed at the moment cancels out. One thread; the clock is its
processor time, which leaves out what other programs take, but not what they do to the caches: a quiet machine.
Every instruction set that the processor has runs, and a part above its multiple of the floor makes the exit status 1:
what a compiler did to one of them shows here, and in no digest.

Results with --csv: results/parts.csv, medians and quartiles in milliseconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import processor, quartiles, write

from elman.kernels import CELLS, _cpu

T, B, V, H = 35, 32, 44, 256  # the book's sizes
ISAS = ("avx512", "avx2", "neon", "portable")
GATED = {"gru", "lstm"}
CASES = ("rnn_relu", "gru", "lstm")
"""Cells; the loss is the same for all, and is measured with the first."""


@dataclass(frozen=True)
class Part:
    """What is timed, the multiply-adds that it needs, and how many times their floor it may take."""

    run: Callable[[], object]
    products: int
    most: float


def loss_parts(rng: np.random.Generator) -> dict[str, Part]:
    hidden, w, b = draw(rng, T, B, H), draw(rng, V, H), draw(rng, V)
    targets = rng.integers(0, V, (T, B))
    nats, saved = np.empty((T, B), np.float32), np.empty((T, B, V), np.float32)
    given: dict[str, Any] = {"hidden": hidden, "w": w, "b": b, "targets": targets, "saved": saved}
    grads: dict[str, Any] = {"d_hidden": np.empty_like(hidden), "d_w": np.empty_like(w), "d_b": np.empty_like(b)}
    _cpu.cross_entropy(**given, nats=nats)
    one = T * B * H * V
    return {
        "loss": Part(lambda: _cpu.cross_entropy(**given, nats=nats), one, 1.7),
        "loss_backward": Part(lambda: _cpu.cross_entropy_backward(**given, d_mean=1.0, **grads), 2 * one, 1.8),
    }


def layer_parts(cell: str, rng: np.random.Generator) -> dict[str, Part]:
    """forward, with what backward needs; backward; and backward without the gradients of the weights."""
    kind = CELLS[cell]
    N, saved, lstm = kind.gates * H, 4 * H if cell in GATED else 0, cell == "lstm"
    w_ih, w_hh, b_ih, b_hh = (draw(rng, *shape) for shape in ((N, V), (N, H), (N,), (N,)))
    if cell == "rnn_relu":  # so that its states do not grow
        w_hh *= np.float32(0.5)
    ids, h0 = rng.integers(0, V, (T, B)), np.zeros((B, H), np.float32)
    out, d_out, hn = np.empty((T, B, H), np.float32), draw(rng, T, B, H), np.empty_like(h0)
    gates = np.empty((T, B, saved), np.float32) if saved else None
    cells, c0, cn = (np.empty_like(out), h0.copy(), np.empty_like(h0)) if lstm else (None, None, None)
    layer: dict[str, Any] = {
        "cell": kind.code, "ids": ids, "h0": h0, "c0": c0, "w_ih": w_ih, "w_hh": w_hh,
        "out": out, "gates": gates, "cells": cells,
    }  # fmt: skip
    nothing: dict[str, Any] = dict.fromkeys(("d_hn", "d_cn", "d_x", "d_c0", "d_w_ih", "d_w_hh", "d_b_ih", "d_b_hh"))
    carried = layer | nothing | {"d_out": d_out, "d_h0": np.empty_like(h0)}
    weights: dict[str, Any] = {"w_ih": w_ih, "w_hh": w_hh, "b_ih": b_ih, "b_hh": b_hh}
    weights = {f"d_{name}": np.empty_like(w) for name, w in weights.items()}
    one, most = T * B * H * N, 1.5 if cell in GATED else 1.35

    def forward() -> None:
        _cpu.recurrent(**layer, b_ih=b_ih, b_hh=b_hh, hn=hn, cn=cn)

    forward()
    return {
        f"{cell} forward": Part(forward, one, most),
        f"{cell} backward": Part(lambda: _cpu.recurrent_backward(**(carried | weights)), 2 * one, most),
        f"{cell} backward, states alone": Part(lambda: _cpu.recurrent_backward(**carried), one, most),
    }


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.uniform(-1, 1, shape) * H**-0.5).astype(np.float32)


def seconds(run: Callable[[], object], least: float = 0.01) -> float:
    """Of one call: of several, where one is short."""
    count, start = 0, time.thread_time()
    while (taken := time.thread_time() - start) < least:
        run()
        count += 1
    return taken / count


def measure(isa: str, rounds: int) -> list[dict[str, object]]:
    _cpu.set_isa(isa)
    rng = np.random.Generator(np.random.Philox(1))
    parts = loss_parts(rng)
    for cell in CASES:
        parts |= layer_parts(cell, rng)
    taken: dict[str, list[float]] = {name: [] for name in parts}
    floors: dict[str, list[float]] = {name: [] for name in parts}
    once = 100_000 if isa != "portable" else 3_000
    operations = _cpu.fma_peak(once)
    for _ in range(rounds):
        for name, part in parts.items():
            rate = operations / seconds(lambda: _cpu.fma_peak(once))
            taken[name].append(seconds(part.run))
            floors[name].append(2 * part.products / rate)
    rows: list[dict[str, object]] = []
    for name, part in parts.items():
        low, middle, high = (1e3 * x for x in quartiles(taken[name]))
        floor = 1e3 * quartiles(floors[name])[1]
        times = quartiles([a / b for a, b in zip(taken[name], floors[name], strict=True)])[1]
        rows.append(
            {
                "isa": isa, "part": name, "ms": round(middle, 3), "low": round(low, 3), "high": round(high, 3),
                "floor": round(floor, 3), "times_floor": round(times, 2), "most": part.most, "processor": processor(),
            }
        )  # fmt: skip
        over = "  <- too slow" if times > part.most else ""
        print(f"{isa:<10}{name:<32}{middle:9.3f} ms  {times:5.2f} x floor (at most {part.most}){over}", flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--isa", help="one instruction set; all that the processor has if left out")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--csv", action="store_true", help="write results/parts.csv")
    given = parser.parse_args()
    _cpu.set_threads(1)
    rows: list[dict[str, object]] = []
    for isa in [given.isa] if given.isa else ISAS:
        try:
            _cpu.set_isa(isa)
        except RuntimeError:
            if given.isa:
                raise
            continue
        rows += measure(isa, given.rounds)
    if given.csv:
        write("parts", rows)
    slow = [f"{row['isa']} {row['part']}" for row in rows if row["times_floor"] > row["most"]]  # type: ignore[operator]
    if slow:
        print(f"slower than they may be: {', '.join(slow)}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
