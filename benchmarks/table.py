"""results/*.csv -> the tables between the marks in README.md. Nothing is measured here, and nothing is written by hand.

python benchmarks/table.py [--print]
"""

from __future__ import annotations

import csv
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
_NAMES = {"rnn_relu": "RNN", "rnn_tanh": "RNN (tanh)", "gru": "GRU", "lstm": "LSTM"}
Row = dict[str, str]


def read(name: str) -> list[Row]:
    path = ROOT / "results" / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def ms(row: Row) -> str:
    value = float(row["median_ms"])
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def model(row: Row) -> str:
    return f"{_NAMES[row['cell']]} {row['layers']} x {row['hidden']}"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def beside(row: Row | None, ours: Row) -> str:
    """A rival's time, and how many of ours it is."""
    if row is None:
        return "-"
    return f"{ms(row)} ({float(row['median_ms']) / float(ours['median_ms']):.1f} x)"


def train_step() -> list[str]:
    rows = read("train_step")
    if not rows:
        return []
    lines = [
        "A step of training (forward, backward, clipping, SGD), medians; in brackets, how many times `fit`. The",
        "floor is the step's arithmetic at the rate of the machine's FMA units, measured in the same run. The ordinary",
        "torch loop has `torch.set_num_threads(1)`: torch's own threads spin for a while after their work, and would",
        "do so on the kernel's cores. `python benchmarks/train_step.py`",
        "",
    ]
    body = []
    for section in ("book", "gru", "lstm", "gru2", "lstm2", "one-thread", "neighbour"):
        part = [r for r in rows if r["section"] == section]
        for cell in dict.fromkeys(r["cell"] for r in part):
            found = {r["contestant"]: r for r in part if r["cell"] == cell}
            ours = found["elman fit"]
            jax = min(
                (r for label, r in found.items() if label.startswith("jax")),
                key=lambda r: float(r["median_ms"]),
                default=None,
            )
            note = {"one-thread": ", one core", "neighbour": ", other programs on all cores"}.get(section, "")
            if section == "book":
                note = " (the book's)"
            sizes = f"{ours['batch']} x {ours['steps']}"
            floor = f"{float(ours['floor_ms']):.3g} ms"
            body.append(
                [
                    model(ours) + note,
                    sizes,
                    ms(ours),
                    beside(found["elman, torch loop"], ours),
                    beside(found.get("torch.nn"), ours),
                    beside(jax, ours),
                    floor,
                ]
            )
    header = ["Model", "B x T", "Elman's `fit`", "Elman, torch loop", "torch.nn", "JAX scan, jitted", "floor"]
    lines += table(header, body)
    scaling = []
    for section, column, name in (("hidden", "hidden", "H"), ("batch", "batch", "B"), ("steps", "steps", "T")):
        part = [r for r in rows if r["section"] == section]
        theirs = {r[column]: r for r in part if r["contestant"] == "torch.nn"}
        ratios = [
            f"{r[column]}: {float(theirs[r[column]]['median_ms']) / float(r['median_ms']):.1f}"
            for r in part
            if r["contestant"] == "elman fit"
        ]
        if ratios:
            scaling.append(f"{name} {', '.join(ratios)}")
    if scaling:
        lines += [
            "How many times faster than torch.nn as one size of the book's step changes: " + "; ".join(scaling) + "."
        ]
        lines += [""]
    return lines


def book_job() -> list[str]:
    rows = read("book_job")
    if not rows:
        return []
    text = []
    for label, name in (("elman fit", "Elman's `fit`"), ("torch.nn", "the same loop over torch.nn")):
        runs = [r for r in rows if r["contestant"] == label]
        seconds = statistics.median(float(r["seconds"]) for r in runs)
        text.append(f"{name} {seconds:.1f} s, to a perplexity of {float(runs[0]['final_perplexity']):.3f}")
    corpus = {"timemachine": "*The Time Machine*", "traveller": "the bundled story"}[rows[0]["corpus"]]
    return [
        f"All of the book's job, {rows[0]['epochs']} epochs on {int(rows[0]['characters']):,} characters of {corpus}:",
        f"{'; '.join(text)}. `python benchmarks/book_job.py`",
        "",
    ]


def generate() -> list[str]:
    rows, lines = read("generate"), []
    if rows:
        found: dict[str, dict[str, Row]] = {}
        for row in rows:
            found.setdefault(model(row), {})[row["contestant"]] = row
        labels = {
            "elman": "Elman",
            "elman, sampling": "Elman, sampling",
            "elman, 64 streams": "Elman, 64 streams at once",
            "torch.nn layer": "torch.nn layer in a loop",
            "torch.nn cells": "torch.nn cells in a loop",
            "numpy": "NumPy by hand",
            "jax step": "JAX, a jitted step",
            "jax scan": "JAX, the whole loop jitted",
        }
        lines += ["Greedy generation, characters a second. `python benchmarks/generate.py`", ""]
        body = [
            [
                name,
                *(f"{int(part[label]['median_chars_per_s']):,}" if label in part else "-" for part in found.values()),
            ]
            for label, name in labels.items()
        ]
        lines += table(["", *found], body)
        big = max((part["elman"] for part in found.values()), key=lambda row: int(row["weight_bytes_per_char"]))
        lines += [
            f"One stream of the {model(big)} reads {int(big['weight_bytes_per_char']) / 1e6:.1f} MB of weights",
            f"for each character: {float(big['weight_GB_per_s']):.0f} GB/s, where a sum over as many bytes reads "
            f"{float(big['sum_reads_GB_per_s']):.0f}.",
            "",
        ]
    scored = {r["contestant"]: r for r in read("score_lines")}
    if scored:
        ours, theirs = scored["elman.score"], scored["torch.nn, a call a line"]
        lines += [
            f"Scoring {int(ours['lines']):,} short lines with the {model(ours)} takes `elman.score` "
            f"{float(ours['median_s']):.1f} s; one call of torch.nn",
            f"a line would take {float(theirs['median_s']):.0f} s (from {int(theirs['measured_lines']):,} of them).",
            "",
        ]
    return lines


def main() -> None:
    rows = [*read("train_step"), *read("book_job"), *read("generate"), *read("score_lines")]
    if not rows:
        sys.exit("results/ is empty; run `make bench`")
    whole = next((r for r in rows if r.get("section") not in ("one-thread",)), rows[0])
    lines = [
        f"`make bench` on {whole['cores']} cores of an {whole['processor'].replace('(R)', '')}, {whole['isa']};",
        f"{whole['versions'].removeprefix('elman ').split(', ', 1)[1]}.",
        "",
        *train_step(),
        *book_job(),
        *generate(),
    ]
    block = "\n".join(lines).strip() + "\n"
    if "--print" in sys.argv[1:]:
        print(block, end="")
        return
    path = ROOT / "README.md"
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n{block}{END}{rest.split(END)[1]}", encoding="utf-8")
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
