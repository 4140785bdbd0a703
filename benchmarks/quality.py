"""What recipes reach on tiny Shakespeare, on nanoGPT's split, beside what others publish there.

    python benchmarks/quality.py --text tinyshakespeare.txt                      # recipe modern, three seeds
    python benchmarks/quality.py --text tinyshakespeare.txt --recipe best --runs runs/quality --adaptive
    python benchmarks/quality.py --text tinyshakespeare.txt --recipe r.toml --seeds 0 --set lr=0.01 --tune
    python benchmarks/quality.py --text tinyshakespeare.txt --set hidden_size=192 --set epochs=3   # its own row
    python benchmarks/quality.py --text tinyshakespeare.txt --recipe subwords --tune --first 200000   # of a small text
    python benchmarks/quality.py --text tinyshakespeare.txt --minutes 3   # what `elman train FILE --minutes 3` gives

The first 90 % of the text is trained on and the last 10 % measured, in nats a character: once with the state carried
through all of it, once with the state reset before more than 256 characters, as a transformer with that context sees
it, in whole tokens, once mixed with a static n-gram model of the same training text, and with --adaptive once more by a
model that learns from the text that it scores, as a compressor does: compare that with no other number here. Choose
settings with --tune, which trains on the first 81 % and measures the next 9 %, so the last tenth decides nothing; its
rows, one for each seed, are in results/choices.csv. With --runs a training that was stopped goes on. Writes a row for
the recipe into results/quality.csv, and leaves other recipes' rows there.

Nats are of a character, whatever the tokens are; only models of characters are mixed with n-grams.
"""

from __future__ import annotations

import argparse
import csv
import math
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import cache
from itertools import repeat
from pathlib import Path

import numpy as np

import elman
from elman.kernels import serving
from elman.recipes import load_recipe
from elman.runs.checkpoint import read_checkpoint
from elman.scoring import ADAPTIVE, text_bits
from elman.text import Vocabulary

RESULTS = Path(__file__).parents[1] / "results" / "quality.csv"
CHOICES = RESULTS.with_name("choices.csv")
MEASURED = 60_000
"""Characters that are measured after the first ones that --first names."""
CONTEXT = 256
ORDER = 6
"""Characters of the longest context of the static n-grams."""
SHARE = 0.75
"""Of the network in the mixture with them, chosen with --tune."""
PUBLISHED = [  # what, nats a character, where
    ("nanoGPT baby GPT, 10.65 M parameters, one A100", 1.4697, "nanoGPT README"),
    ("nanoGPT's recipe for a CPU, 0.8 M parameters", 1.88, "nanoGPT README"),
    ("minGRU", 1.548, "Feng et al. (2024)"),
    ("Mamba", 1.575, "Feng et al. (2024)"),
]


COLUMNS = [
    "what", "nats", "nats, reset every 256", "nats with static 6-grams", "adaptive nats", "seeds", "seconds",
    "CPU-seconds", "source",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting changed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tune", action="store_true", help="measure on a part of the training text")
    parser.add_argument("--adaptive", action="store_true", help="score adaptively as well")
    parser.add_argument("--runs", type=Path, metavar="FOLDER", help="keep the runs here, and go on with those begun")
    parser.add_argument("--first", type=int, metavar="N", help="with --tune: train on the first N characters only")
    parser.add_argument("--minutes", type=float, metavar="N", help="by the command, which chooses all but the seed")
    options = parser.parse_args()
    text = options.text.read_text("utf-8")
    end = int(len(text) * 0.9)
    cut = int(end * 0.9) if options.tune else end
    if options.first:
        cut, end = options.first, options.first + MEASURED
    held_out = text[cut : end if options.tune else len(text)]
    settings = {"val_fraction": 0.0, "prompts": ()} | dict(map(setting, options.set))
    recipe = load_recipe(options.recipe).replace(**settings)
    name, rows = ", ".join([options.recipe, *options.set]), []
    for seed in options.seeds:
        corpus = elman.Corpus("tiny Shakespeare", text[:cut], "none", str(options.text))
        if recipe.tokens != "chars":
            corpus = corpus.cut_into(recipe.tokens)
        folder = options.runs and options.runs / f"{Path(options.recipe).stem}-{seed}{'-tune' if options.tune else ''}"
        if options.minutes:
            name = f"`elman train FILE --minutes {options.minutes:g}`"
            model, recipe, wall, cpu = by_command(text[:cut], options.minutes, seed)
        else:
            model, wall, cpu = trained(corpus, recipe.replace(seed=seed), folder)
        carried, reset, mixed = nats(model, text[:cut], held_out)
        adaptive = math.nan
        if options.adaptive:
            adaptive = elman.score(model, held_out, adaptive=True).bits_per_char * math.log(2)
        rows.append((carried, reset, mixed, adaptive, wall, cpu))
        shown = f"{carried:.4f} carried, {reset:.4f} reset every {CONTEXT}, {mixed:.4f} with static {ORDER}-grams"
        shown += f", {adaptive:.4f} {ADAPTIVE}" if options.adaptive else ""
        print(f"seed {seed}: {shown}; {wall:.0f} s, {cpu:.0f} s of CPU", flush=True)
        if options.tune:
            write_choice(name, recipe.tokens, cut, seed, carried, reset, cpu)
    means = [statistics.mean(column) for column in zip(*rows, strict=True)]
    print("mean: {:.4f} carried, {:.4f} reset, {:.4f} with n-grams, {:.4f} adaptive; {:.0f} s".format(*means[:5]))
    if not options.tune:
        write(name, recipe, len(rows), means)


def trained(
    corpus: elman.Corpus, recipe: elman.Recipe, folder: Path | None
) -> tuple[elman.LanguageModel, float, float]:
    """The model, and seconds of training and of CPU, those of earlier calls that were stopped included."""
    wall, cpu = time.perf_counter(), time.process_time()
    if folder is None:
        model = elman.build_model(corpus, recipe)
        elman.fit(model, corpus, recipe)
        return model, time.perf_counter() - wall, time.process_time() - cpu
    spent = folder / "cpu_seconds"
    before = float(spent.read_text()) if spent.exists() else 0.0
    try:
        if (folder / "checkpoint.safetensors").exists():
            checkpoint = read_checkpoint(folder)
            if checkpoint.run.recipe != recipe:
                sys.exit(f"{folder} holds a run with other settings; name another folder")
            run = elman.resume(checkpoint, corpus)
        else:
            run = elman.fit(elman.build_model(corpus, recipe), corpus, recipe, output=folder)
    finally:
        spent.write_text(str(before + time.process_time() - cpu))
    return run.model, run.log[-1].seconds, float(spent.read_text())


def by_command(text: str, minutes: float, seed: int) -> tuple[elman.LanguageModel, elman.Recipe, float, float]:
    """What `elman train` makes of a text when only the minutes are said: the model that `elman.load` takes, the recipe
    in the end, and seconds of clock and of CPU."""
    with tempfile.TemporaryDirectory() as place:
        file, run = Path(place, "text.txt"), Path(place, "run")
        file.write_text(text, "utf-8")
        command = [sys.executable, "-m", "elman", "train", file, "--minutes", minutes, "--seed", seed, "--output", run]
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        print(subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout, flush=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        wall, model = time.perf_counter() - wall, elman.load(run)
        assert isinstance(model, elman.LanguageModel)
        return model, read_checkpoint(run).run.recipe, wall, cpu


def setting(given: str) -> tuple[str, object]:
    name, _, value = given.partition("=")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            pass
    return name, None if value == "off" else value


def nats(model: elman.LanguageModel, train: str, text: str) -> tuple[float, float, float]:
    """A character's mean cost: with the state carried, with it reset, and carried in a mixture with n-grams of `train`.
    A text, or what follows a reset, is read after a line end."""
    vocabulary = model.reading.vocabulary
    ids = vocabulary.encode(text)
    carried, reset = (np.concatenate(text_bits(model, parts)) * math.log(2) for parts in ([ids], pieces(model, ids)))
    mixed = math.nan
    if vocabulary.unit == "character":
        ngrams = static_ngrams(vocabulary, train, text)
        mixed = float(np.mean(-np.log(SHARE * np.exp(-carried) + (1 - SHARE) * ngrams)))
    return float(carried.sum()) / len(text), float(reset.sum()) / len(text), mixed


def pieces(model: elman.LanguageModel, ids: np.ndarray) -> list[np.ndarray]:
    """The tokens between resets: whole ones, that are at most CONTEXT characters (of subwords: bytes) together."""
    widths = model.reading.vocabulary.widths(ids)
    ends = np.arange(1, len(ids) + 1) if widths is None else widths.cumsum()
    cuts, begin = [], 0
    while begin < len(ids):
        before = ends[begin - 1] if begin else 0
        begin = int(np.searchsorted(ends, before + CONTEXT, side="right"))
        cuts.append(begin)
    return np.split(ids, cuts[:-1])


@cache
def static_ngrams(vocabulary: Vocabulary, train: str, text: str) -> np.ndarray:
    """float64 (T,): the probability of each character of `text`, after Witten and Bell (1991) as in
    elman.scoring.compressors, by counts of `train` alone. All seeds have the same."""
    known, ids = vocabulary.encode(train).tolist(), vocabulary.encode(text).tolist()
    p = np.full(len(ids), 1 / len(vocabulary))
    for order in range(ORDER + 1):
        contexts = zip(*(known[i:] for i in range(order)), strict=False) if order else repeat(())
        followed: dict[tuple[int, ...], dict[int, int]] = {}
        for context, token in zip(contexts, known[order:], strict=False):
            counts = followed.setdefault(context, {})
            counts[token] = counts.get(token, 0) + 1
        for i in range(order, len(ids)):
            if counts := followed.get(tuple(ids[i - order : i])):
                total, different = sum(counts.values()), len(counts)
                p[i] = (counts.get(ids[i], 0) + different * p[i]) / (total + different)
    return p


def write_choice(name: str, tokens: str, trained_on: int, seed: int, carried: float, reset: float, cpu: float) -> None:
    """A row of what was compared with --tune, in place of one of the same settings, text and seed."""
    columns = ["recipe", "tokens", "characters", "seed", "nats", "nats, reset every 256", "CPU-seconds"]
    key = [name, tokens, str(trained_on), str(seed)]
    rows: list[list[str]] = []
    if CHOICES.exists():
        with CHOICES.open(newline="") as file:
            rows = [row for row in csv.reader(file) if row[:4] != key and row != columns]
    rows.append([*key, f"{carried:.4f}", f"{reset:.4f}", f"{cpu:.0f}"])
    with CHOICES.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def write(name: str, recipe: elman.Recipe, seeds: int, means: list[float]) -> None:
    """The recipe's row, in place of one that is there; then what others publish."""
    RESULTS.parent.mkdir(exist_ok=True)
    title = f"Elman, {name}:"
    many = "" if recipe.networks == 1 else f"{recipe.networks} of "
    what = (
        f"{title} {many}{recipe.cell} {recipe.num_layers} x {recipe.hidden_size}, {recipe.tokens}, {recipe.optimizer}"
    )
    ours: list[list[str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            ours = [row for row in csv.reader(file) if row[0].startswith("Elman, ") and not row[0].startswith(title)]
    numbers = ["" if math.isnan(x) else f"{x:.4f}" for x in means[:4]]
    times = ["" if math.isnan(x) else f"{x:.0f}" for x in means[4:]]
    ours.append([what, *numbers, str(seeds), *times, ", ".join(serving())])
    published = [[title, value, *[""] * 6, source] for title, value, source in PUBLISHED]
    with RESULTS.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ours, *published])


if __name__ == "__main__":
    main()
