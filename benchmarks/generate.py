"""How many characters a second: greedy generation, many streams at once, and the scoring of short lines?

    python benchmarks/generate.py [--only rnn,lstm,lines] [--rounds 5]

Greedy, one stream: contestants continue one prompt with the same weights, and their first 200 characters must be the
same before they are timed. They differ in how many characters they write in a turn, so a turn of each takes about
as long. For the LSTM the weights that every character reads, times characters a second, is set beside the speed at
which a sum reads as many bytes again and again.

Lines: bits of 100,000 short lines, each from a zero state, by `elman.score` in batches against one call of torch.nn a
line, which is timed over a sample of them, whose bits must agree, and extrapolated.

Results: results/generate.csv and results/score_lines.csv, medians and quartiles; a section that was not asked for keeps
its rows.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from harness import machine, quartiles, write
from rivals import arrays, jax, jax_begin, jax_token, jax_token_weights, jnp, torch_copy

import elman
from elman.kernels import _cpu

PROMPT = "the traveller"
CHECKED = 200
LINES, SAMPLED = 100_000, 1_000

Writer = Callable[[int], np.ndarray]  # the next n ids after the prompt


def trained(cell: str, layers: int, hidden: int, epochs: int, **settings: Any) -> elman.LanguageModel:
    """A model that writes words, so no argmax is a tie of noise."""
    corpus = elman.load_corpus("traveller")
    recipe = elman.Recipe(
        cell=cell, num_layers=layers, hidden_size=hidden, epochs=epochs, sample_every=0, init_std=None, **settings
    )
    model = elman.build_model(corpus, recipe)
    elman.fit(model, corpus, recipe)
    model.output.bias[0] = -1e4  # nobody writes <unk>
    return model


# --- greedy, one stream ---


def elman_greedy(model: elman.LanguageModel, prompt: list[int]) -> Writer:
    vocabulary, text = model.reading.vocabulary, model.reading.vocabulary.decode(np.array(prompt))
    return lambda n: vocabulary.encode(elman.generate(model, text, n, temperature=0))


def torch_rnn(model: elman.LanguageModel, prompt: list[int]) -> Writer:
    """The book's way: one-hot, the layer, the dense layer, argmax, for each character."""
    rnn, output = torch_copy(model)
    vocab = model.vocab_size

    @torch.inference_mode()
    def write_ids(n: int) -> np.ndarray:
        state, ids = None, list(prompt)
        for t in range(len(prompt) + n - 1):
            x = torch.nn.functional.one_hot(torch.tensor([[ids[t]]]), vocab).float()
            hidden, state = rnn(x, state)
            if t >= len(prompt) - 1:
                ids.append(int(output(hidden[0, 0]).argmax()))
        return np.array(ids[len(prompt) :])

    return write_ids


def torch_cells(model: elman.LanguageModel, prompt: list[int]) -> Writer:
    """torch.nn's cells, one a layer, and a look-up in place of the one-hot vector."""
    layer, cell = model.layer, model.layer.cell
    _, output = torch_copy(model)
    cells = []
    for i, weights in enumerate(layer.weights()):
        size = layer.input_size if i == 0 else layer.hidden_size
        if cell == "lstm":
            one = torch.nn.LSTMCell(size, layer.hidden_size)
        else:
            one = torch.nn.RNNCell(size, layer.hidden_size, nonlinearity=cell.removeprefix("rnn_"))
        parts = map(torch.tensor, weights)
        one.load_state_dict(dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), parts, strict=True)))
        cells.append(one)
    rows = torch.eye(layer.input_size)

    @torch.inference_mode()
    def write_ids(n: int) -> np.ndarray:
        states: list[Any] = [None] * len(cells)
        ids = list(prompt)
        for t in range(len(prompt) + n - 1):
            x = rows[ids[t]]
            for i, one in enumerate(cells):
                states[i] = one(x, states[i])
                x = states[i][0] if cell == "lstm" else states[i]
            if t >= len(prompt) - 1:
                ids.append(int(output(x).argmax()))
        return np.array(ids[len(prompt) :])

    return write_ids


def numpy_loop(model: elman.LanguageModel, prompt: list[int]) -> Writer:
    """By hand: matrix times vector, biases added beforehand, the first layer's input looked up."""
    layers, (w, b) = arrays(model)
    lstm, H = model.layer.cell == "lstm", model.layer.hidden_size
    table = np.ascontiguousarray(layers[0][0].T + (layers[0][2] + layers[0][3]))
    biases = [b_ih + b_hh for _, _, b_ih, b_hh in layers]

    def write_ids(n: int) -> np.ndarray:
        h = [np.zeros(H, np.float32) for _ in layers]
        c = [np.zeros(H, np.float32) for _ in layers]
        ids = list(prompt)
        for t in range(len(prompt) + n - 1):
            x = None
            for i, (w_ih, w_hh, _, _) in enumerate(layers):
                pre = w_hh @ h[i]
                pre += table[ids[t]] if x is None else w_ih @ x + biases[i]
                if lstm:
                    gates = 1.0 / (1.0 + np.exp(-pre))  # of all four; that of g is not used
                    c[i] = gates[H : 2 * H] * c[i] + gates[:H] * np.tanh(pre[2 * H : 3 * H])
                    x = h[i] = gates[3 * H :] * np.tanh(c[i])
                else:
                    x = h[i] = np.maximum(pre, 0.0, out=pre)
            if t >= len(prompt) - 1:
                ids.append(int((w @ x + b).argmax()))
        return np.array(ids[len(prompt) :])

    return write_ids


def jax_step(model: elman.LanguageModel, prompt: list[int]) -> Writer:
    """One jitted step a character; the ids stay where they are until the end."""
    cell, parameters = model.layer.cell, jax_token_weights(model)

    @jax.jit
    def step(parameters: Any, states: Any, token: Any) -> Any:
        states, logits = jax_token(cell, parameters, states, token)
        return states, jnp.argmax(logits).astype(jnp.int32)

    def write_ids(n: int) -> np.ndarray:
        states, ids = [jax_begin(cell, (), model.layer.hidden_size)] * model.layer.num_layers, []
        for token in prompt:
            states, best = step(parameters, states, jnp.int32(token))
        for _ in range(n):
            ids.append(best)
            states, best = step(parameters, states, best)
        return np.array([int(i) for i in ids])

    return write_ids


def jax_whole(model: elman.LanguageModel, prompt: list[int]) -> Writer:
    """The whole loop as one jitted lax.scan, compiled for its length beforehand."""
    cell, parameters = model.layer.cell, jax_token_weights(model)
    begin = [jax_begin(cell, (), model.layer.hidden_size)] * model.layer.num_layers
    tokens, compiled = jnp.array(prompt), {}

    def loop(parameters: Any, tokens: Any, n: int) -> Any:
        def read(states: Any, token: Any) -> Any:
            return jax_token(cell, parameters, states, token)

        def go_on(carry: Any, _: Any) -> Any:
            states, token = carry
            states, logits = jax_token(cell, parameters, states, token)
            return (states, jnp.argmax(logits).astype(jnp.int32)), token

        states, logits = jax.lax.scan(read, begin, tokens)
        return jax.lax.scan(go_on, (states, jnp.argmax(logits[-1]).astype(jnp.int32)), None, length=n)[1]

    def write_ids(n: int) -> np.ndarray:
        if n not in compiled:
            compiled[n] = jax.jit(lambda parameters, tokens: loop(parameters, tokens, n))
        return np.asarray(compiled[n](parameters, tokens))

    return write_ids


def measure(section: str, model: elman.LanguageModel, turn: float, rounds: int) -> list[dict[str, Any]]:
    """Rows of all contestants; a turn of each takes about `turn` seconds."""
    prompt = model.reading.vocabulary.encode(PROMPT).tolist()
    makers = {"elman": elman_greedy, "torch.nn layer": torch_rnn, "torch.nn cells": torch_cells, "numpy": numpy_loop}
    if jax:
        makers |= {"jax step": jax_step, "jax scan": jax_whole}
    writers = {label: make(model, prompt) for label, make in makers.items()}
    texts = {label: model.reading.vocabulary.decode(write_ids(CHECKED)) for label, write_ids in writers.items()}
    for label, text in texts.items():
        assert text == texts["elman"], f"{label} writes another text:\n{text}\n{texts['elman']}"
    writers["elman, 64 streams"] = _streams(model, 64)
    writers["elman, sampling"] = _streams(model, 1, temperature=1.0)
    lengths = {}
    for label, write_ids in writers.items():
        start = time.perf_counter()
        write_ids(CHECKED)
        rate = CHECKED / (time.perf_counter() - start)
        lengths[label] = max(CHECKED, min(200_000, round(rate * turn / 100) * 100))
        write_ids(lengths[label])  # compilation for this length
    rates: dict[str, list[float]] = {label: [] for label in writers}
    for _ in range(rounds):
        for label, write_ids in writers.items():
            time.sleep(0.03)  # other libraries' threads spin for a moment after their work
            start = time.perf_counter()
            write_ids(lengths[label])
            count = lengths[label] * (64 if "64 streams" in label else 1)
            rates[label].append(count / (time.perf_counter() - start))
    weights = sum(
        p.size * 4 for name, p in model.named_parameters().items() if "weight" in name and "ih_l0" not in name
    )
    reading, ours, rows = read_speed(weights), quartiles(rates["elman"])[1], []
    for label, values in rates.items():
        low, median, high = quartiles(values)
        layer = model.layer
        one = "streams" not in label
        rows.append(
            {
                "section": section,
                "cell": layer.cell,
                "layers": layer.num_layers,
                "hidden": layer.hidden_size,
                "vocab": model.vocab_size,
                "threads": _cpu.threads(),
                "contestant": label,
                "turns": len(values),
                "characters_a_turn": lengths[label],
                "median_chars_per_s": round(median),
                "low_chars_per_s": round(low),
                "high_chars_per_s": round(high),
                "elman_is_times": round(ours / median, 3),
                "weight_bytes_per_char": weights,
                "weight_GB_per_s": round(weights * median / 1e9, 2) if one else "",
                "sum_reads_GB_per_s": round(reading / 1e9, 2),
                **machine(),
            }
        )
        print(
            f"{section:<6} {label:<18} {median:12,.0f} characters/s ({low:,.0f} .. {high:,.0f})"
            f"  Elman is {ours / median:6.2f} x" + (f"  {weights * median / 1e9:6.1f} GB/s of weights" if one else ""),
            file=sys.stderr,
        )
    print(f"{section:<6} a sum over {weights:,} bytes reads {reading / 1e9:.1f} GB/s", file=sys.stderr)
    return rows


def _streams(model: elman.LanguageModel, count: int, temperature: float = 0.0) -> Callable[[int], object]:
    return lambda n: elman.generate(model, PROMPT, n, num_samples=count, temperature=temperature)


def read_speed(size: int) -> float:
    """Bytes per second at which torch sums `size` bytes of float32, with all threads, again and again: the best."""
    x, best = torch.ones(size // 4), 0.0
    for _ in range(30):
        repeats = max(1, 50_000_000 // size)
        start = time.perf_counter()
        for _ in range(repeats):
            x.sum()
        best = max(best, size * repeats / (time.perf_counter() - start))
    return best


# --- short lines ---


def short_lines(text: str) -> list[str]:
    """100,000 pieces of the story of 8 to 60 characters."""
    numbers = np.random.Generator(np.random.Philox(0))
    starts, lengths = numbers.integers(0, len(text) - 60, LINES), numbers.integers(8, 61, LINES)
    flat = text.replace("\n", " ")
    return [flat[s : s + n] for s, n in zip(starts.tolist(), lengths.tolist(), strict=True)]


def torch_lines(model: elman.LanguageModel, lines: list[str]) -> list[float]:
    """Bits of each line, one call a line."""
    rnn, output = torch_copy(model)
    bits = []
    with torch.inference_mode():
        for line in lines:
            ids = torch.from_numpy(model.reading.vocabulary.encode(f"\n{line}\n").astype(np.int64))
            hidden, _ = rnn(torch.nn.functional.one_hot(ids[:-1], model.vocab_size).float())
            nats = torch.nn.functional.cross_entropy(output(hidden), ids[1:], reduction="sum")
            bits.append(nats.item() / math.log(2))
    return bits


def measure_lines(rounds: int) -> list[dict[str, Any]]:
    corpus = elman.load_corpus("traveller", normalisation="none")
    layer = elman.RNN(len(corpus.vocabulary()), 256, nonlinearity="relu")
    model = elman.LanguageModel(layer, corpus.reading()).initialise(0, None)
    elman.fit(model, corpus, epochs=20, sample_every=0)
    lines = short_lines(corpus.text)
    text = "".join(line + "\n" for line in lines)
    ours = elman.score(model, text, records=True).lines()
    sample = list(range(0, LINES, LINES // SAMPLED))
    theirs = torch_lines(model, [lines[i] for i in sample])
    assert len(ours) == LINES
    worst = max(abs(a / b - 1) for a, b in zip(ours.bits[sample].tolist(), theirs, strict=True))
    assert worst < 1e-4, f"bits differ by a factor of 1 + {worst}"
    seconds: dict[str, list[float]] = {"elman.score": [], "torch.nn, a call a line": []}
    for _ in range(rounds):
        start = time.perf_counter()
        elman.score(model, text, records=True).lines()
        seconds["elman.score"].append(time.perf_counter() - start)
        start = time.perf_counter()
        torch_lines(model, [lines[i] for i in sample])
        seconds["torch.nn, a call a line"].append((time.perf_counter() - start) * LINES / len(sample))
    base, rows = quartiles(seconds["elman.score"])[1], []
    for label, values in seconds.items():
        low, median, high = quartiles(values)
        rows.append(
            {
                "section": "lines",
                "cell": model.layer.cell,
                "layers": 1,
                "hidden": 256,
                "lines": LINES,
                "characters": len(text),
                "threads": _cpu.threads(),
                "contestant": label,
                "measured_lines": LINES if label == "elman.score" else len(sample),
                "median_s": round(median, 3),
                "low_s": round(low, 3),
                "high_s": round(high, 3),
                "chars_per_s": round(len(text) / median),
                "times_elman": round(median / base, 2),
                **machine(),
            }
        )
        print(f"lines  {label:<24} {median:8.2f} s for {LINES:,} lines  {median / base:6.2f} x", file=sys.stderr)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turn", type=float, default=0.3, help="seconds of a contestant's turn, about")
    parser.add_argument("--only", default="rnn,lstm,lines")
    arguments = parser.parse_args()
    sections = arguments.only.split(",")
    if unknown := set(sections) - {"rnn", "lstm", "lines"}:
        parser.error(f"unknown section {', '.join(sorted(unknown))}; expected some of rnn, lstm, lines")
    torch.set_num_threads(_cpu.threads())
    rows = []
    if "rnn" in sections:
        rows += measure("rnn", trained("rnn_relu", 1, 256, 40), arguments.turn, arguments.rounds)
    if "lstm" in sections:
        model = trained("lstm", 2, 512, 3, optimizer="adam", lr=0.003)
        rows += measure("lstm", model, arguments.turn, arguments.rounds)
    if rows:
        print(f"wrote {write('generate', rows, keep='section')}", file=sys.stderr)
    if "lines" in sections:
        print(f"wrote {write('score_lines', measure_lines(arguments.rounds))}", file=sys.stderr)


if __name__ == "__main__":
    main()
