"""What recipes reach on tiny Shakespeare, on nanoGPT's split, beside what others publish there.

    python benchmarks/quality.py --text tinyshakespeare.txt                      # recipe muon, three seeds
    python benchmarks/quality.py --text tinyshakespeare.txt --recipe r.toml --seeds 0 --set lr=0.01

The first 90 % of the text is trained on and the last 10 % measured, in nats a character: once with the state carried
through all of it, and once with the state reset every 256 characters, as a transformer with that context sees it.
Choose settings with --tune, which trains on the first 81 % and measures the next 9 %, so that the last tenth decides
nothing. Writes results/quality.csv.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import time
from pathlib import Path

import numpy as np

import elman
from elman.kernels import serving
from elman.scoring import text_bits
from elman.training import load_recipe

RESULTS = Path(__file__).parents[1] / "results" / "quality.csv"
CONTEXT = 256
PUBLISHED = [  # what, nats a character, where
    ("nanoGPT baby GPT, 10.65 M parameters, one A100", 1.4697, "nanoGPT README"),
    ("nanoGPT's recipe for a CPU, 0.8 M parameters", 1.88, "nanoGPT README"),
    ("minGRU", 1.548, "Feng et al. (2024)"),
    ("Mamba", 1.575, "Feng et al. (2024)"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--recipe", default="muon")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting changed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tune", action="store_true", help="measure on a part of the training text")
    options = parser.parse_args()
    text = options.text.read_text("utf-8")
    end = int(len(text) * 0.9)
    cut = int(end * 0.9) if options.tune else end
    held_out = text[cut : end if options.tune else len(text)]
    recipe = load_recipe(options.recipe).replace(val_fraction=0.0, prompts=(), **dict(map(setting, options.set)))
    rows = []
    for seed in options.seeds:
        corpus = elman.Corpus("tiny Shakespeare", text[:cut], "none", str(options.text))
        model = elman.build_model(corpus, recipe, seed=seed)
        wall, cpu = time.perf_counter(), time.process_time()
        elman.fit(model, corpus, recipe, seed=seed)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        carried, reset = nats(model, held_out)
        rows.append((carried, reset, wall, cpu))
        print(
            f"seed {seed}: {carried:.4f} carried, {reset:.4f} reset every {CONTEXT}; {wall:.0f} s, {cpu:.0f} s of CPU"
        )
    means = [statistics.mean(column) for column in zip(*rows, strict=True)]
    print(f"mean: {means[0]:.4f} carried, {means[1]:.4f} reset; {means[2]:.0f} s, {means[3]:.0f} CPU-seconds")
    if not options.tune:
        write(options.recipe, recipe, len(rows), means)


def setting(given: str) -> tuple[str, object]:
    name, _, value = given.partition("=")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            pass
    return name, None if value == "off" else value


def nats(model: elman.LanguageModel, text: str) -> tuple[float, float]:
    """A character's mean cost, with the state carried and with it reset; the first character of each costs ln V."""
    ids = model.reading.vocabulary.encode(text)
    pieces = [ids[i : i + CONTEXT] for i in range(0, len(ids), CONTEXT)]
    carried, reset = (float(np.concatenate(text_bits(model, parts)).mean()) for parts in ([ids], pieces))
    return carried * math.log(2), reset * math.log(2)


def write(name: str, recipe: elman.Recipe, seeds: int, means: list[float]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    what = f"Elman, {name}: {recipe.cell} {recipe.num_layers} x {recipe.hidden_size}, {recipe.optimizer}"
    with RESULTS.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["what", "nats", "nats, reset every 256", "seeds", "seconds", "CPU-seconds", "source"])
        backend = ", ".join(serving())
        out.writerow([what, *(f"{x:.4f}" for x in means[:2]), seeds, *(f"{x:.0f}" for x in means[2:]), backend])
        for title, value, source in PUBLISHED:
            out.writerow([title, value, "", "", "", "", source])


if __name__ == "__main__":
    main()
