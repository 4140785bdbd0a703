"""The kernel for browsers and Node against the native one: a step of the book's training, writing, scoring.

    python benchmarks/web.py [--book]           # writes results/web.csv and the table in docs/reference/exports.md

Runs of the rivals alternate; medians are shown. Times are of a clock, so nothing else may run. Node 20 needs a flag
for relaxed SIMD; Chromium, where it is installed, has it. --book trains the book's 500 epochs in Node too, some
minutes, and looks at the digest.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
os.environ["ELMAN_THREADS"] = "1"

import elman  # noqa: E402
from elman.export import to_html, to_js, to_lab  # noqa: E402
from elman.export.html import WEB  # noqa: E402
from elman.recipes import load_recipe  # noqa: E402

RELAXED = "--experimental-wasm-relaxed-simd"
DIGEST = "06e0296e9c19"
STEPS = 11  # in an epoch of the book on the bundled story
COUNT = 5_000  # characters
PAGE, TABLE = ROOT / "docs" / "reference" / "exports.md", ROOT / "results" / "web.csv"
BEGIN, END = "<!-- web:begin -->", "<!-- web:end -->"
USE = """
import { load } from "./index.js";
const model = await load(), again = { length: COUNT, seed: 8 }, text = model.generate("", { length: COUNT, seed: 7 });
const timed = (job) => { const from = performance.now(); job(); return performance.now() - from; };
console.log(JSON.stringify([timed(() => model.generate("", again)), timed(() => model.score(text))]));
""".replace("COUNT", str(COUNT))
Row = tuple[str, str, float, str]


def native_step(epochs: int) -> float:
    """Milliseconds of a step on one thread."""
    corpus, recipe = elman.load_corpus("traveller"), load_recipe("book").replace(epochs=epochs, sample_every=0)
    model = elman.build_model(corpus, recipe)
    begun = time.perf_counter()
    elman.fit(model, corpus, recipe)
    return 1000 * (time.perf_counter() - begun) / (STEPS * epochs)


def node_step(folder: Path, epochs: int, *flags: str) -> dict[str, Any]:
    recipe = load_recipe("book").replace(epochs=epochs, sample_every=0 if epochs < 500 else 100)
    asked = {"text": str(elman.load_corpus("traveller").text), "recipe": dataclasses.asdict(recipe)}
    (folder / "asked.json").write_text(json.dumps(asked))
    command = ["node", *flags, "training.mjs", "asked.json", "made.safetensors"]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)


def steps(folder: Path, rows: list[Row]) -> None:
    shutil.copytree(WEB, folder, dirs_exist_ok=True)
    shutil.copy(ROOT / "tests/export/training.mjs", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    native, relaxed = [], []
    for _ in range(3):
        native.append(native_step(16))
        relaxed.append(1000 * (found := node_step(folder, 6, RELAXED))["seconds"] / found["steps"])
        assert found["module"] == "elman-relaxed.wasm"
    emulated = node_step(folder, 1)
    median = statistics.median(native)
    rows.append(("a step of the book's training", "native, one thread", median, "ms"))
    for name, each in (
        ("Node, relaxed SIMD", statistics.median(relaxed)),
        ("Node, without", 1000 * emulated["seconds"] / STEPS),
    ):
        rows.append(("a step of the book's training", name, each, "ms"))
        rows.append(("as many times the native step", name, each / median, ""))


def use(model: elman.QuantisedModel, folder: Path, rows: list[Row]) -> None:
    for name, data in to_js(model, "story").items():
        (folder / name).write_bytes(data)
    (folder / "use.mjs").write_text(USE)
    done = subprocess.run(["node", "use.mjs"], cwd=folder, capture_output=True, text=True, check=True)
    for what, ms in zip(("written", "scored"), json.loads(done.stdout), strict=True):
        rows.append((f"characters {what}, GRU 1 x 256 of int8", "Node", COUNT / ms * 1000, "a second"))


def chromium(model: elman.QuantisedModel, folder: Path, rows: list[Row]) -> None:
    from browser import MISSING, Browser  # pyright: ignore[reportMissingImports]

    if MISSING:
        print(f"left out: Chromium ({MISSING})")
        return
    pages = {"page": to_html(model), "lab": to_lab()}
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
        rows.append(("size", f"{name}, of a GRU 1 x 256" if name == "page" else name, len(text.encode()), "bytes"))
    window = Browser(folder)

    def answer(call: str) -> Any:
        keep = "(a) => { window.answer = [a]; }, (e) => { window.answer = [`${e}`]; }"
        window.run(f"window.answer = null; ({call}).then({keep});")
        while (found := window.run("return window.answer")) is None:
            time.sleep(0.05)
        return found[0]

    def timed(call: str) -> float:
        return answer(
            f"(async () => {{ const from = performance.now(); await {call}; return performance.now() - from; }})()"
        )

    try:
        ready = []
        for _ in range(5):
            window.open(folder / "page.html")
            ready.append(window.run("return performance.getEntriesByName('ready')[0].startTime"))
        rows.append(("a page of a GRU 1 x 256 is ready", "Chromium", statistics.median(ready), "ms"))
        text = answer(f"elman.generate('', {COUNT}, 7)")
        assert text == elman.generate(model, "", COUNT, seed=7)
        for what, call in (("written", f"elman.generate('', {COUNT}, 8)"), ("scored", f"elman.score({text!r})")):
            rate = COUNT / statistics.median(timed(call) for _ in range(3)) * 1000
            rows.append((f"characters {what}, GRU 1 x 256 of int8", "Chromium", rate, "a second"))
        window.open(folder / "lab.html")
        relaxed = answer("elman.facts")["relaxed"]
        found = answer("elman.train({ epochs: 4 })")
        name = f"Chromium, {'relaxed SIMD' if relaxed else 'without'}"
        rows.append(("a step of the book's training", name, 1000 * found["seconds"] / found["steps"], "ms"))
        rows.append(("as many times the native step", name, 1000 * found["seconds"] / found["steps"] / rows[0][2], ""))
    finally:
        window.close()


def write(rows: list[Row]) -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("what", "where", "value", "unit"), *((a, b, f"{v:.6g}", u) for a, b, v, u in rows)]
        )
    shown = [f"| {a} | {b} | {f'{v:,.0f}' if v >= 1000 else f'{v:.3g}'} {u} |" for a, b, v, u in rows]
    head = "In browsers and Node, as `python benchmarks/web.py` measures them (`results/web.csv`):"
    table = "\n".join([BEGIN, head, "", "| what | where | value |", "|---|---|---|", *shown, END])
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: table, page, flags=re.DOTALL), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--book", action="store_true", help="train the book's 500 epochs in Node")
    book = parser.parse_args().book
    corpus = elman.load_corpus("traveller", normalisation="none")
    model = elman.quantise(elman.build_model(corpus, "modern", hidden_size=256), text=str(corpus.text))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / each for each in ("steps", "use", "pages")]
        for folder in folders:
            folder.mkdir()
        steps(folders[0], rows)
        use(model, folders[1], rows)
        chromium(model, folders[2], rows)
        write(rows)
        if book:
            found = node_step(folders[0], 500, RELAXED)
            assert found["digest"].startswith(DIGEST), found["digest"]
            rows.append(("the book's 500 epochs", "Node, relaxed SIMD", found["seconds"], "s"))
            write(rows)
    for what, where, value, unit in rows:
        print(f"{what:40} {where:28} {value:12,.6g} {unit}")


if __name__ == "__main__":
    main()
