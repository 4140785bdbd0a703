"""How fast is the integer engine beside the float one, and what share of the processor's integer peak does it reach?

    python benchmarks/integer.py [--isa avx2] [--threads 1] [--rounds 7]

Both engines continue the same prompt greedily with the same random weights, quantised to 8 bits; they take turns in one
process, so a slow moment meets both. With one thread the clock is the thread's processor time, which leaves out
what other programs take. Before it is timed the integer engine's logits are compared with its definition
in NumPy, bit by bit. The share of the peak counts the products of the recurrent and output weights with the states; the
peak is the rate of independent products in registers, measured in the same run. Weights of 4 bits run beside those of
8 where one stream waits for them. With onnx and onnxruntime installed, its dynamically quantised int8 model runs beside
them, ids one-hot; its bits need not agree. Scoring beside ONNX Runtime: benchmarks/score_onnx.py.

Results: results/integer.csv, medians and quartiles.
"""

# ruff: noqa: E741 (l is a layer, I the size of the input)
from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from harness import processor, quartiles, write

from elman.kernels import CELLS, _cpu, integer
from elman.model.rounding import to_integers

CASES = [  # cell, layers, hidden, vocabulary, streams, steps a turn
    ("rnn_relu", 1, 256, 44, 1, 4000),
    ("gru", 1, 256, 44, 1, 1500),
    ("gru", 1, 384, 256, 1, 1000),
    ("lstm", 2, 512, 70, 1, 200),
    ("rnn_relu", 1, 256, 44, 64, 100),
    ("gru", 1, 512, 70, 64, 20),
    ("lstm", 2, 512, 70, 64, 8),
]


def random_model(
    cell: str, L: int, H: int, V: int
) -> tuple[list[tuple[np.ndarray, ...]], tuple[np.ndarray, np.ndarray]]:
    rng = np.random.Generator(np.random.Philox(1))
    N = CELLS[cell].gates * H

    def draw(*shape: int) -> np.ndarray:
        return (rng.uniform(-1, 1, shape) * H**-0.5).astype(np.float32)

    layers = [(draw(N, H if l else V), draw(N, H), draw(N), draw(N)) for l in range(L)]
    if cell == "rnn_relu":  # so that its states do not grow
        layers = [(w_ih, w_hh * np.float32(0.5), b_ih, b_hh) for w_ih, w_hh, b_ih, b_hh in layers]
    return layers, (draw(V, H), draw(V))


def clock() -> float:
    return time.thread_time() if _cpu.threads() == 1 else time.perf_counter()


def peaks() -> tuple[float, float]:
    """Products a second, in registers: of int8, of float32; the best of several."""
    best = [0.0, 0.0]
    for _ in range(9):
        start = clock()
        done = _cpu.integer_peak(500_000)
        best[0] = max(best[0], done / (clock() - start))
        start = clock()
        done = _cpu.fma_peak(300_000) / 2
        best[1] = max(best[1], done / (clock() - start))
    return best[0], best[1]


def onnx_models(cell: str, layers: Any, output: Any, scoring: bool = False) -> tuple[bytes, bytes]:
    """The model as ONNX, float32 and dynamically quantised to int8, for any number of steps and rows, ids one-hot.

    Args:
        cell: "lstm" or "gru".
        scoring: it gives ln p of targets (T, B, 1) in place of logits.
    """
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime.quantization import quantize_dynamic

    H, V, G = output[0].shape[1], output[0].shape[0], CELLS[cell].gates
    order = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}[cell]  # ONNX: i o f c; z r h

    def gates(w: np.ndarray) -> np.ndarray:
        return np.concatenate([w.reshape(G, H, -1)[k] for k in order]).reshape(w.shape)

    values, nodes, x = [], [], "x"
    states_in, states_out = [], []
    for l, (w_ih, w_hh, b_ih, b_hh) in enumerate(layers):
        weights = {
            f"w{l}": gates(w_ih)[None],
            f"r{l}": gates(w_hh)[None],
            f"b{l}": np.concatenate((gates(b_ih), gates(b_hh)))[None],
        }
        values += [numpy_helper.from_array(a.astype(np.float32), n) for n, a in weights.items()]
        kept = [f"h{l}"] + ([f"c{l}"] if cell == "lstm" else [])
        extra = {} if cell == "lstm" else {"linear_before_reset": 1}
        outs = [f"y{l}", *(f"{k}_out" for k in kept)]
        nodes.append(helper.make_node(cell.upper(), [x, *weights, "", *kept], outs, hidden_size=H, **extra))
        nodes.append(helper.make_node("Squeeze", [f"y{l}", "axis1"], [f"s{l}"]))
        states_in += [helper.make_tensor_value_info(k, TensorProto.FLOAT, [1, "B", H]) for k in kept]
        states_out += [helper.make_tensor_value_info(f"{k}_out", TensorProto.FLOAT, [1, "B", H]) for k in kept]
        x = f"s{l}"
    values.append(numpy_helper.from_array(np.array([1], np.int64), "axis1"))
    values += [numpy_helper.from_array(output[0].T.copy(), "wo"), numpy_helper.from_array(output[1], "bo")]
    nodes += [helper.make_node("MatMul", [x, "wo"], ["m"]), helper.make_node("Add", ["m", "bo"], ["logits"])]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "B", V]), *states_in]
    made = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["T", "B", V]), *states_out]
    if scoring:
        nodes.append(helper.make_node("LogSoftmax", ["logits"], ["all"], axis=2))
        nodes.append(helper.make_node("GatherElements", ["all", "targets"], ["ln_p"], axis=2))
        given.append(helper.make_tensor_value_info("targets", TensorProto.INT64, ["T", "B", 1]))
        made[0] = helper.make_tensor_value_info("ln_p", TensorProto.FLOAT, ["T", "B", 1])
    graph = helper.make_graph(nodes, "model", given, made, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "a.onnx", Path(folder) / "b.onnx"
        plain.write_bytes(model.SerializeToString())
        quantize_dynamic(plain, small)
        return plain.read_bytes(), small.read_bytes()


def onnx_session(model: bytes) -> Any:
    """One of onnxruntime with as many threads as the kernel has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _cpu.threads()
    return onnxruntime.InferenceSession(model, options)


def onnx_step(cell: str, layers: Any, output: Any, B: int) -> Any:
    """A step of onnxruntime's dynamically quantised model, or None: LSTM and GRU alone, greedy, state fed back."""
    if cell not in ("gru", "lstm"):
        return None
    try:
        session = onnx_session(onnx_models(cell, layers, output)[1])
    except ImportError:
        return None
    V, H = output[0].shape
    names = [each.name for each in session.get_inputs() if each.name != "x"]
    state = {k: np.zeros((1, B, H), np.float32) for k in names}
    one_hot = np.eye(V, dtype=np.float32)
    wanted = ["logits", *(f"{k}_out" for k in names)]

    def run(steps: int) -> None:
        ids = np.zeros(B, np.int64)
        for _ in range(steps):
            logits, *new = session.run(wanted, {"x": one_hot[ids][None], **state})
            ids = logits[0].argmax(axis=1)
            state.update(zip(names, new, strict=True))

    return run


def measure(
    cell: str, L: int, H: int, V: int, B: int, steps: int, rounds: int, peak: tuple[float, float]
) -> list[dict[str, Any]]:
    layers, output = random_model(cell, L, H, V)
    model = to_integers(cell, layers, output, ids=np.arange(60).reshape(20, 3) % V)
    ids = np.arange(4 * B).reshape(4, B) % V
    checked = integer.run(model.network, ids, model.begin_state(B))[0]
    assert checked.tobytes() == model.run(ids)[0].tobytes(), "the kernels do not compute the definition"
    floats = _cpu.Network(cell=CELLS[cell].code, layers=layers, w_out=output[0], b_out=output[1])
    c = np.zeros((L, B, H), np.float32) if cell == "lstm" else None
    logits = np.zeros((B, V), np.float32)
    decoder = _cpu.Decoder(_cpu.Packed(floats), h=np.zeros((L, B, H), np.float32), c=c, logits=logits)
    ours = model.decoder(model.begin_state(B))

    contestants = {
        "float": lambda n: decoder.generate(ids=np.zeros((n, B), np.int64), bias=None, exponent=-1.0, draws=None),
        "integer": lambda n: ours.generate(n, None, -1.0, None),  # pyright: ignore
    }
    if B == 1:
        small = to_integers(cell, layers, output, bits=4, ids=np.arange(60).reshape(20, 3) % V)
        packed = small.decoder(small.begin_state(B))
        contestants["integer, 4 bits"] = lambda n: packed.generate(n, None, -1.0, None)  # pyright: ignore
    rival = onnx_step(cell, layers, output, B)
    if rival is not None:
        contestants["onnxruntime int8"] = rival
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            run(max(1, steps // 10))
            start = clock()
            run(steps)
            rates[name].append(steps * B / (clock() - start))
    products = (2 * L - 1) * CELLS[cell].gates * H * H + V * H
    rows = []
    for name, values in rates.items():
        low, middle, high = quartiles(values)
        unit = {"float": peak[1], "integer": peak[0], "integer, 4 bits": peak[0]}.get(name)
        rows.append(
            {
                "cell": cell, "layers": L, "hidden": H, "vocab": V, "streams": B, "contestant": name,
                "threads": _cpu.threads(), "isa": _cpu.integer_isa() if name.startswith("integer") else _cpu.isa(),
                "median_chars_per_s": round(middle), "low": round(low), "high": round(high),
                "times_float": round(middle / statistics.median(rates["float"]), 2),
                "share_of_peak": round(products * middle / unit, 2) if unit else "",
                "processor": processor(), "cores": os.cpu_count(),
            }
        )  # fmt: skip
        print(" ".join(f"{value}" for value in list(rows[-1].values())[:13]), flush=True)
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--isa", default="", help="of the integer kernels; the best one if left out")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=7)
    given = arguments.parse_args()
    _cpu.set_integer_isa(given.isa)
    _cpu.set_threads(given.threads)
    peak = peaks()
    print(f"peak: {peak[0] / 1e9:.1f} billion products of int8 a second, {peak[1] / 1e9:.1f} of float32")
    rows = [row for case in CASES for row in measure(*case, rounds=given.rounds, peak=peak)]
    write("integer", rows)


if __name__ == "__main__":
    main()
