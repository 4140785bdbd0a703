"""results/*.csv -> docs/reference/speed.md, and what is between the marks in README.md and in the pages of filled.py.

python benchmarks/table.py [--check]

Nothing is measured here, and no number on that page or between those marks is written by hand. With --check nothing is
written either; exit status 1 says that a page differs from the results.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from textwrap import fill

import filled
from filled import Row, read, table

ROOT = Path(__file__).parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "reference" / "speed.md"
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
_NAMES = {"rnn_relu": "RNN", "rnn_tanh": "RNN (tanh)", "gru": "GRU", "lstm": "LSTM"}


def ms(row: Row) -> str:
    value = float(row["median_ms"])
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def model(row: Row) -> str:
    return f"{_NAMES[row['cell']]} {row['layers']} x {row['hidden']}"


def beside(row: Row | None, ours: Row) -> str:
    """A rival's time, and how many of ours it is."""
    if row is None:
        return "-"
    return f"{ms(row)} ({float(row['median_ms']) / float(ours['median_ms']):.1f} x)"


def best_jax(found: dict[str, Row]) -> Row | None:
    """The fastest of JAX's variants."""
    times = [row for label, row in found.items() if label.startswith("jax")]
    return min(times, key=lambda row: float(row["median_ms"]), default=None)


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
                    beside(best_jax(found), ours),
                    floor,
                ]
            )
    header = ["Model", "B x T", "Elman's `fit`", "Elman, torch loop", "torch.nn", "JAX scan, jitted", "floor"]
    lines += table(header, body)
    return [*lines, *scaling(rows)]


def scaling(rows: list[Row]) -> list[str]:
    """How many times `fit` is faster than torch.nn as one size of the book's step changes."""
    body = []
    for column, name in (("hidden", "units H"), ("batch", "rows B"), ("steps", "steps T")):
        part = [r for r in rows if r["section"] == column]
        theirs = {r[column]: float(r["median_ms"]) for r in part if r["contestant"] == "torch.nn"}
        ours = {r[column]: float(r["median_ms"]) for r in part if r["contestant"] == "elman fit"}
        body += [[name, size, f"{ours[size]:.3g} ms", f"{theirs[size] / ours[size]:.1f} x"] for size in ours]
    if not body:
        return []
    about = ["How many times faster than torch.nn the book's step is, as one of its sizes changes:", ""]
    return about + table(["what changes", "to", "Elman's `fit`", "torch.nn takes"], body)


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


def integer() -> list[str]:
    """Models in integers, beside floats and ONNX Runtime."""
    rows = read("integer")
    if not rows:
        return []
    columns = {"float": "Elman, floats", "integer": "Elman, 8 bits", "integer, 4 bits": "4 bits"}
    columns["onnxruntime int8"] = "ONNX Runtime, int8"
    names = [name for name in columns if any(row["contestant"] == name for row in rows)]
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        found.setdefault((model(row), row["streams"]), {})[row["contestant"]] = row
    body = [
        [name, streams, *(f"{int(part[n]['median_chars_per_s']):,}" if n in part else "-" for n in names)]
        for (name, streams), part in found.items()
    ]
    about = [
        "Greedy generation by a model in integers, characters a second on one thread "
        f"({rows[0]['processor']}, {rows[0]['isa']}). `python benchmarks/integer.py`",
        "",
    ]
    return about + table(["Model", "texts at once", *(columns[name] for name in names)], body)


def beside_onnx() -> list[str]:
    """Scoring by Elman and by ONNX Runtime."""
    rows = read("score_onnx")
    if not rows:
        return []
    names = ("float", "onnxruntime float", "integer", "onnxruntime int8")
    found = {(row["texts"], row["contestant"]): f"{int(row['median_chars_per_s']):,}" for row in rows}
    about = [
        f"Scoring texts with the {model(rows[0])}, characters a second on one thread ({rows[0]['processor']}). "
        "`python benchmarks/score_onnx.py`",
        "",
    ]
    body = [[texts, *(found[texts, name] for name in names)] for texts in dict.fromkeys(row["texts"] for row in rows)]
    return about + table(
        ["texts at once", "Elman, floats", "ONNX Runtime", "Elman, 8 bits", "ONNX Runtime, int8"], body
    )


def compression() -> list[str]:
    """Sizes, a row for each file; then what a megabyte costs each coder."""
    rows = read("compress")
    if not rows:
        return []
    files, coders = (dict.fromkeys(r[key] for r in rows) for key in ("file", "coder"))
    found = {(r["file"], r["coder"]): f"{int(r['coded']):,}" for r in rows}
    sizes = {r["file"]: f"{int(r['bytes']):,}" for r in rows}
    columns = ("xz -9e", "brotli -11", "PPMd o6", "zpaq -m5", "elman -6", "elman -9", "elman -m -6")
    kept = [coder for coder in columns if coder in coders]
    body = [[file, sizes[file], *(found.get((file, coder), "-") for coder in kept)] for file in files]
    lines = ["Bytes of files (`-m`: with the packaged model of English). `python benchmarks/compress.py FILE...`", ""]
    lines += table(["", "as it is", *kept], body)
    costs = []
    for coder in coders:
        part = [r for r in rows if r["coder"] == coder]
        row = [coder, _for_a_megabyte(part, "encode_cpu_s"), _for_a_megabyte(part, "decode_cpu_s")]
        costs += [row] if row[1] != "-" else []
    return [*lines, "CPU-seconds for a megabyte:", "", *table(["", "encode", "decode"], costs)]


def _for_a_megabyte(rows: list[Row], column: str) -> str:
    """CPU-seconds; files for which none are given, or less than can be measured, are left out."""
    timed = [r for r in rows if float(r.get(column) or 0)]
    return f"{sum(float(r[column]) for r in timed) / sum(int(r['bytes']) for r in timed) * 1e6:.3g}" if timed else "-"


def installed() -> list[str]:
    """What an installation takes, beside that of an earlier commit."""
    rows = read("installed")
    columns = {"version": "--version", "help": "--help", "info": "info english", "train_help": "train --help"}
    header = ["Installation", "packages", "size", *(f"`{line}`" for line in columns.values())]
    body = [
        [
            row["installed"],
            row["packages"],
            f"{int(row['bytes']) / 1e6:.1f} MB",
            *(f"{row[f'{n}_ms']} ms" for n in columns),
        ]
        for row in rows
    ]
    most = max(int(row["above_ms"]) for row in read("start") if row["above_ms"])
    return [
        "Size with `--no-compile`, and the CPU time of a command's start, both measured in one run in environments",
        f"of their own ({rows[0]['processor'].replace('(R)', '')}). `python benchmarks/installed.py`",
        "",
        *table(header, body),
        f"A command's start takes at most {most} ms more than its libraries. `python benchmarks/start.py`",
        "",
    ]


def speed_page() -> str:
    """All of docs/reference/speed.md."""
    rows = [*read("train_step"), *read("book_job"), *read("generate"), *read("score_lines")]
    if not rows:
        sys.exit("results/ is empty; run `make bench`")
    whole = next((r for r in rows if r.get("section") not in ("one-thread",)), rows[0])
    machine = f"{whole['cores']} cores of an {whole['processor'].replace('(R)', '')}, {whole['isa']}"
    lines = [
        "# Speed",
        "",
        "`benchmarks/table.py` makes this page of `results/*.csv`, where each number has its processor and its spread.",
        f"Unless a table says otherwise: {machine}; {whole['versions'].removeprefix('elman ').split(', ', 1)[1]}.",
        "`make bench` measures anew.",
        "",
        "## Training",
        "",
        *train_step(),
        *book_job(),
        "## Generation and scoring",
        "",
        *generate(),
        *integer(),
        *beside_onnx(),
        "## Compression",
        "",
        *compression(),
        "## Installation and start",
        "",
        *installed(),
    ]
    return "\n".join(lines).strip() + "\n"


def highlights() -> str:
    """What the README says in numbers: a point for each promise, with the command that gives it."""
    step = {r["contestant"]: float(r["median_ms"]) for r in read("train_step") if r["section"] == "book"}
    job = {
        name: statistics.median(float(r["seconds"]) for r in read("book_job") if r["contestant"] == name)
        for name in ("elman fit", "torch.nn")
    }
    processor = read("train_step")[0]["processor"].replace("(R)", "")
    usual = next(r for r in read("quality") if r["what"].startswith("Elman, `elman train FILE --minutes 3`:"))
    gpt = next(r for r in read("quality") if r["what"].startswith("nanoGPT baby"))
    coded = {r["coder"]: f"{int(r['coded']):,}" for r in read("compress") if r["file"] == "timemachine.txt"}
    message = {r["coder"]: float(r["bytes_per_message"]) for r in read("messages") if r["set"] == "text"}
    dictionary = next(value for name, value in message.items() if name.startswith("zstd"))
    gru = [r for r in read("integer") if (r["cell"], r["hidden"], r["streams"]) == ("gru", "256", "1")]
    speed = {r["contestant"]: f"{int(r['median_chars_per_s']):,}" for r in gru}
    points = [
        f"- **Fast.** A step of the book's training takes {step['elman fit']:.1f} ms where torch.nn takes "
        f"{step['torch.nn']:.1f}, and its 500 epochs {job['elman fit']:.0f} s, not {job['torch.nn']:.0f}, on two "
        f"virtual cores of an {processor}. `python benchmarks/train_step.py`",
        f"- **Strong for its size.** `elman train FILE --minutes 3` reaches {float(usual['nats']):.3f} nats a "
        f"character on tiny Shakespeare, with {int(usual['CPU-seconds'])} s of one core; seeing 256 characters, "
        f"{float(usual['nats, reset every 256']):.3f}. nanoGPT's baby GPT, on an A100: "
        f"{float(gpt['nats']):.3f}. `python benchmarks/quality.py`",
        f"- **A compressor.** *The Time Machine*, which the packaged model has not read, in "
        f"{coded['elman -m -6']} bytes. "
        f"xz needs {coded['xz -9e']}, PPMd {coded['PPMd o6']}. `elman compress -m english FILE`",
        f"- **Short messages.** A text of {message['as they are']:.0f} bytes takes {message['elman']:.1f}, "
        f"alone and in any order. zstd with a trained dictionary needs {dictionary:.1f}. "
        "`python benchmarks/messages.py`",
        f"- **Small.** `elman quantise` makes a model a quarter as large. A GRU of 256 units then writes "
        f"{speed['integer']} characters a second on one thread instead of {speed['float']}. "
        "`python benchmarks/integer.py`",
    ]
    return "\n".join(fill(point, 120, subsequent_indent="  ", break_on_hyphens=False) for point in points) + "\n"


def main() -> None:
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    pages = {PAGE: speed_page(), README: f"{before}{BEGIN}\n{highlights()}{END}{rest.split(END)[1]}", **filled.pages()}
    if "--check" in sys.argv[1:]:
        sys.exit(int(any(path.read_text(encoding="utf-8") != text for path, text in pages.items())))
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
