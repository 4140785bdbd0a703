"""How fast does an LSTM 2 x 512 score texts, in float and in integers, beside ONNX Runtime?

    python benchmarks/score_onnx.py [--rounds 9] [--csv]

The same random weights and the same texts, one text and 64 side by side; ONNX Runtime reads whole texts in one call,
one-hot ids made beforehand, float32 and its dynamically quantised int8. All take turns in one process on one thread,
whose processor time is the clock. The mean costs of both float models, and of both quantised ones, are compared.

Results with --csv: results/score_onnx.csv, medians and quartiles.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import processor, quartiles, write
from integer import onnx_models, onnx_session, random_model

from elman.kernels import CELLS, _cpu
from elman.model.rounding import to_integers

CELL, L, H, V = "lstm", 2, 512, 70
CASES = ((1, 400), (64, 40))
"""Texts side by side, and their characters."""


def float_score(layers: Any, output: Any, ids: np.ndarray, targets: np.ndarray) -> Callable[[], np.ndarray]:
    T, B = ids.shape
    network = _cpu.Network(cell=CELLS[CELL].code, layers=layers, w_out=output[0], b_out=output[1])

    def run() -> np.ndarray:
        h, c, hidden = np.zeros((L, B, H), np.float32), np.zeros((L, B, H), np.float32), np.empty((T, B, H), np.float32)
        network.run(ids=ids, h=h, c=c, hidden=hidden)
        nats = np.empty((T, B), np.float32)
        _cpu.cross_entropy(hidden=hidden, w=output[0], b=output[1], targets=targets, nats=nats)
        return nats

    return run


def onnx_score(model: bytes, ids: np.ndarray, targets: np.ndarray) -> Callable[[], np.ndarray]:
    session = onnx_session(model)
    given: dict[str, np.ndarray] = {"x": np.eye(V, dtype=np.float32)[ids], "targets": targets[..., None]}
    given |= {f"{k}{layer}": np.zeros((1, ids.shape[1], H), np.float32) for k in "hc" for layer in range(L)}
    return lambda: -session.run(["ln_p"], given)[0][..., 0]


def measure(B: int, T: int, rounds: int) -> list[dict[str, object]]:
    layers, output = random_model(CELL, L, H, V)
    text = np.random.Generator(np.random.Philox(2)).integers(0, V, (T + 1, B))
    ids, targets = np.ascontiguousarray(text[:-1]), np.ascontiguousarray(text[1:])
    integers = to_integers(CELL, layers, output, ids=ids[:20, :3])
    plain, small = onnx_models(CELL, layers, output, scoring=True)
    contestants = {
        "float": float_score(layers, output, ids, targets),
        "onnxruntime float": onnx_score(plain, ids, targets),
        "integer": lambda: integers.score(ids, targets)[0],
        "onnxruntime int8": onnx_score(small, ids, targets),
    }
    costs = [run().mean(dtype=np.float64) for run in contestants.values()]
    assert np.ptp(costs[:2]) < 1e-5, costs
    assert np.ptp(costs) < 0.01, costs
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            run()
            start = time.thread_time()
            run()
            rates[name].append(T * B / (time.thread_time() - start))
    rows: list[dict[str, object]] = []
    for (name, values), cost in zip(rates.items(), costs, strict=True):
        low, middle, high = map(round, quartiles(values))
        rival = quartiles(rates["onnxruntime float" if "float" in name else "onnxruntime int8"])[1]
        rows.append(
            {
                "cell": CELL, "layers": L, "hidden": H, "vocab": V, "texts": B, "contestant": name,
                "median_chars_per_s": middle, "low": low, "high": high, "times_onnxruntime": round(middle / rival, 2),
                "mean_nats": round(cost, 4), "isa": _cpu.integer_isa() if name == "integer" else _cpu.isa(),
                "processor": processor(),
            }
        )  # fmt: skip
        print(f"{B:>3} texts  {name:<20}{middle:>9,} characters/s  {middle / rival:5.2f} x ONNX Runtime", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--csv", action="store_true", help="write results/score_onnx.csv")
    given = parser.parse_args()
    _cpu.set_threads(1)
    rows = [row for case in CASES for row in measure(*case, given.rounds)]
    if given.csv:
        write("score_onnx", rows)


if __name__ == "__main__":
    main()
