"""n-grams in the model's file, on tiny Shakespeare: nats a character, bytes of the file, microseconds a token.

    python benchmarks/ngrams.py --text shakespeare.txt --networks nets
    python benchmarks/ngrams.py --text shakespeare.txt --networks nets --seeds 0 --longest 4 6 --kept 50000 200000
    python benchmarks/ngrams.py --text shakespeare.txt --networks nets --recipes subwords --whole --longest 3

The first 81 % of the text is trained on, a twentieth of that held out in 16 blocks, and the next 9 % measured, on which
the kinds of weights were compared; with --last the first nine tenths, and the last one, which had no part in that.
With --whole nothing is held out: the weights are chosen on the 9 %, with a network of the first 81 %, and serve the one
of the first nine tenths.
Networks are trained once and kept in the folder; n-grams are added to them as `elman train --ngrams` adds them, so a
network's bits do not depend on them. Writes a row for each network and each kind of n-grams into results/ngrams.csv, in
place of an older one, and leaves the others.
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
from elman.model import LanguageModel, NgramModel, Ngrams, QuantisedModel
from elman.recipes import load_recipe
from elman.training.data import Spans, Split, Text
from elman.training.mixing import Mixing

RESULTS = Path(__file__).parents[1] / "results" / "ngrams.csv"
COLUMNS = [
    "recipe", "tokens", "seed", "longest", "kept", "nats alone", "nats", "nats, 8 bits", "bytes alone", "bytes",
    "us a token alone", "us a token", "us a token written alone", "us a token written",
]  # fmt: skip
RECIPES = {
    "subwords": ("subwords", {}),
    "modern": ("modern", {}),
    "characters": ("modern", {"hidden_size": 192, "batch_size": 32, "epochs": 3, "output_dropout": 0.0}),
    "small subwords": (
        "subwords", {"tokens": "bpe:1000", "hidden_size": 128, "epochs": 2, "output_dropout": 0.1}
    ),
    "small characters": ("modern", {"hidden_size": 192, "batch_size": 32, "epochs": 1, "output_dropout": 0.0}),
}  # fmt: skip
"""Those compared: the recipes for a text of this size, and networks that take a quarter of a minute."""
WRITTEN = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--networks", required=True, type=Path, metavar="FOLDER", help="where trained networks are")
    parser.add_argument("--recipes", nargs="+", default=[*RECIPES], choices=RECIPES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--longest", type=int, nargs="+", default=[6])
    parser.add_argument("--kept", type=int, nargs="+", default=[200_000])
    parser.add_argument("--last", action="store_true", help="train on the first nine tenths, measure the last one")
    parser.add_argument("--whole", action="store_true", help="like --last, with nothing held out of the nine tenths")
    options = parser.parse_args()
    text = options.text.read_text("utf-8")
    end = int(len(text) * 0.9)
    cut = end if options.last else int(end * 0.9)
    measured, suffix = (text[end:], ", last tenth") if options.last else (text[cut:end], "")
    options.networks.mkdir(parents=True, exist_ok=True)
    for name in options.recipes:
        packaged, settings = RECIPES[name]
        for seed in options.seeds:
            recipe = load_recipe(packaged).replace(**settings, val_fraction=0.05, val_blocks=16, prompts=(), seed=seed)
            if options.whole:
                measure_whole(name, text, recipe.replace(val_fraction=0.0), options)
                continue
            corpus = elman.Corpus("tiny Shakespeare", text[:cut], "none", str(options.text))
            if recipe.tokens != "chars":
                corpus = corpus.cut_into(recipe.tokens)
            network = trained(corpus, recipe, options.networks / f"{name}{suffix}-{seed}.safetensors")
            measure(name + suffix, network, corpus, recipe, measured, options)


def measure_whole(name: str, text: str, recipe: elman.Recipe, options: argparse.Namespace) -> None:
    end = int(len(text) * 0.9)
    cut, (longest,), (kept,) = int(end * 0.9), options.longest, options.kept
    how = recipe.replace(val_fraction=0.1, ngrams=longest, ngrams_kept=kept)  # n-grams need one; the split is said here
    networks, mixings = [], []
    for size, suffix in ((cut, "81 %"), (end, "90 %")):
        corpus = elman.Corpus("tiny Shakespeare", text[:size], "none", str(options.text)).cut_into(recipe.tokens)
        network = trained(corpus, recipe, options.networks / f"{name}, {suffix}-{recipe.seed}.safetensors")
        encode = network.reading.vocabulary.encode
        train, held_out = encode(text[:cut]), encode(text[cut:end])
        spans = (Spans(np.array([at]), np.array([n])) for at, n in ((0, len(train)), (len(train), len(held_out))))
        data = Text(Split(np.concatenate([train, held_out]), *spans), recipe)
        networks.append(network)
        mixings.append(Mixing(data, network.reading, how))
    weights = mixings[0](networks[0]).model.ngrams.weights
    row_of(f"{name}, last tenth", networks[1], mixings[1].ngrams.with_weights(weights), how, text[end:])


def trained(corpus: elman.Corpus, recipe: elman.Recipe, path: Path) -> LanguageModel:
    if not path.exists():
        model = elman.build_model(corpus, recipe)
        elman.fit(model, corpus, recipe)
        elman.save(model, path)
    network = elman.load(path)
    assert isinstance(network, LanguageModel)
    return network


def measure(
    name: str,
    network: LanguageModel,
    corpus: elman.Corpus,
    recipe: elman.Recipe,
    text: str,
    options: argparse.Namespace,
) -> None:
    for longest in options.longest:
        for kept in options.kept:
            how = recipe.replace(ngrams=longest, ngrams_kept=kept)
            split = Split.of(corpus.ids(network.reading.vocabulary), network.reading, how.val_fraction, how.seed, 16)
            mixed = Mixing(Text(split, how), network.reading, how)(network).model
            row_of(name, network, mixed.ngrams, how, text)


def row_of(name: str, network: LanguageModel, ngrams: Ngrams, recipe: elman.Recipe, text: str) -> None:
    """Score and write the row of a network and its n-grams."""
    mixed, small = NgramModel(network, ngrams), elman.quantise(network)
    (alone, us), (nats, us_mixed) = scored(network, text), scored(mixed, text)
    integers, _ = scored(NgramModel(small, ngrams), text)
    sizes = [sum(array.nbytes for array in each.named_parameters().values()) for each in (network, mixed)]
    row = [name, recipe.tokens, recipe.seed, recipe.ngrams, recipe.ngrams_kept]
    row += [f"{each:.4f}" for each in (alone, nats, integers)] + sizes
    row += [f"{each:.1f}" for each in (us, us_mixed, writing(network), writing(mixed))]
    write(list(map(str, row)))
    print(*row, flush=True)


def scored(model: LanguageModel | QuantisedModel | NgramModel, text: str) -> tuple[float, float]:
    """Nats a character, and microseconds of CPU a token."""
    start = time.process_time()
    score = elman.score(model, text)
    return score.bits_per_char * math.log(2), 1e6 * (time.process_time() - start) / len(score.surprisal)


def writing(model: LanguageModel | NgramModel) -> float:
    """Microseconds of CPU a token that is written, one text alone."""
    start = time.process_time()
    elman.generate(model, "", WRITTEN, seed=0)
    return 1e6 * (time.process_time() - start) / WRITTEN


def write(row: list[str]) -> None:
    """The row, in place of one of the same recipe, seed and kind of n-grams; and the means of several seeds."""
    rows: list[list[str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            rows = [each for each in csv.reader(file) if each != COLUMNS and each[2].isdigit() and each[:5] != row[:5]]
    rows.append(row)
    kinds: dict[tuple[str, ...], list[list[str]]] = {}
    for each in rows:
        kinds.setdefault((*each[:2], *each[3:5]), []).append(each)
    for (recipe, tokens, longest, kept), some in kinds.items():
        if len(some) > 1:
            means = [statistics.mean(map(float, column)) for column in zip(*(each[5:] for each in some), strict=True)]
            shown = [f"{each:.{places}f}" for each, places in zip(means, (4, 4, 4, 0, 0, 1, 1, 1, 1), strict=True)]
            rows.append([recipe, tokens, f"mean of {len(some)}", longest, kept, *shown])
    with RESULTS.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *sorted(rows)])


if __name__ == "__main__":
    main()
