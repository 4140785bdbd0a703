"""train_coder: samples of messages or records to what both ends of a codec share: a network, a past, or both.

Samples are split once. Most of them train the network; of a last few, which it does not see, the coder's mixers learn
how far to trust it; and of those held out one half chooses between what was made and the other measures it. Equal
samples are on one side. The result is a function of samples, sizes, epochs and seed.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import batches, given
from ..compression import Codec, Predictor
from ..compression.blocks import code_of_past
from ..compression.trained import MAX_PAST, predictor_for, swapped, to_file
from ..corpora import Corpus
from ..errors import InputError, TrainingDiverged
from ..files import write_atomically
from ..model.quantisation import quantise
from ..model.quantised import QuantisedModel
from ..recipes.recipe import Recipe, load_recipe
from ..training.build import build_model
from ..training.sizing import for_minutes
from ..training.train import OnStep, fit
from .rivals import Result, rivals

SIZES = (64, 96, 128, 192, 256, 320, 384, 512)
"""Hidden units of a network: the most that its share of the file's size holds."""
NETWORK_SHARE = 0.66
EPOCHS = 30
"""At most, unless asked for: a small text's network only learns it by heart after that."""
SMALL = 500_000
"""Bytes to learn from below which more against learning by heart pays."""
STEADIER = 3.0
"""Times the weight decay, where a training diverges: it goes through with more, at some cost."""
TAIL = 96 << 10
"""Bytes from which mixers learn beside the network: as many as the coder takes for that."""
HELD_OUT, HELD_OUT_BYTES = 2000, 1_000_000
FEWEST = 5
"""Different samples: one to train on, one for the mixers, one that chooses and one that measures, and one more."""
MARGIN = 0.99
"""Share of a smaller file's code that a larger file must stay below to be chosen."""


@dataclass(frozen=True)
class Parts:
    """Samples, split; in each no two are equal, and none occurs in another.

    Attributes:
        train: for the network and the contexts.
        counts: how often each of `train` occurs.
        tail: for the mixers, and for contexts after that.
        choice: to choose by.
        held_out: to measure on.
    """

    train: list[bytes]
    counts: list[int]
    tail: list[bytes]
    choice: list[bytes]
    held_out: list[bytes]


@dataclass(frozen=True)
class Candidate:
    """A candidate for what both ends share.

    Attributes:
        name: its parts.
        predictor: for `Codec`, `Store` and the rest.
        network: a model of integers; None: a past alone.
        file: the bytes of its file.
        per_sample: bytes a sample of the choosing part.
    """

    name: str
    predictor: Predictor
    network: QuantisedModel | None
    file: bytes
    per_sample: float


@dataclass(frozen=True)
class TrainedCoder:
    """Result of `train_coder`.

    Attributes:
        chosen: what both ends are to share.
        samples: how many there were, equal ones counted.
        parts: how they were split.
        results: of coders on the held-out part; the last one is this.
        candidates: the smallest file first.
        training: settings, epochs and steps: as `--epochs` repeats it.
    """

    chosen: Candidate
    samples: int
    parts: Parts
    results: list[Result]
    candidates: list[Candidate]
    training: dict[str, Any]

    @property
    def predictor(self) -> Predictor:
        return self.chosen.predictor

    def save(self, path: str | Path) -> None:
        """Write what `load_predictor` reads, of at most max_size bytes."""
        write_atomically(path, self.chosen.file)


def train_coder(
    samples: Sequence[bytes],
    *,
    end: int = 10,
    max_size: int = 1_000_000,
    minutes: float = 3.0,
    epochs: float | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
    say: Callable[[str], None] | None = None,
) -> TrainedCoder:
    """Learn what samples have in common, for a `Codec` or a `Store`.

    Args:
        samples: messages; empty ones are left out.
        end: the byte after a message: 10 for lines, 0 for whole files.
        max_size: bytes of the file.
        minutes: of training, about. The epochs that fit into them on this machine are in `training`.
        epochs: in place of the minutes; below 1: over that share of the samples.
        seed: of the split, the initial weights and the order.
        on_step: called after each step. say: called with a line about each stage.
    Raises:
        InputError: too few different samples, or nothing in them that helps to code others: the held-out samples are
            no smaller than without a model.
    """
    say = say or (lambda line: None)
    for name, value in (("minutes", minutes), ("epochs", 1 if epochs is None else epochs)):
        given.amount(name, value)
    parts = split(samples, seed)
    count, size = len(samples), sum(map(len, parts.train))
    say(
        f"{count:,} samples, {len(parts.train) + len(parts.tail):,} different ones to learn from, "
        f"{len(parts.choice)} to choose by, {len(parts.held_out)} to measure on"
    )
    network, training = None, {}
    hidden = _hidden_size(max_size, size)
    if hidden:
        network, training = _train(parts, end, hidden, minutes, epochs, seed, on_step, say)
    about = {"samples": count, "max_size": max_size, "seed": seed, **training}
    past = _past(parts, end, max_size - len(to_file(network, b"", end, about)))
    candidates, best = [], None
    for name, some, text in (("past", None, past), ("network", network, b""), ("network and past", network, past)):
        file = to_file(some, text, end, about)
        if len(file) > max_size or (some is None and not text) or (text == past == b"" and name.endswith("past")):
            continue
        predictor = predictor_for(some, text, end)
        coded = _coded(Codec(predictor), parts.choice)
        candidates.append(Candidate(name, predictor, some, file, sum(coded) / len(coded)))
        say(f"{name}: {len(file):,} bytes, {candidates[-1].per_sample:.2f} bytes a sample of those to choose by")
    candidates.sort(key=lambda candidate: len(candidate.file))
    for candidate in candidates:
        if best is None or candidate.per_sample < MARGIN * best.per_sample:
            best = candidate
    if best is None:
        raise InputError(f"no model fits into {max_size:,} bytes; allow at least 20 KB")
    return TrainedCoder(best, count, parts, _results(best, parts, end), candidates, training)


def _results(chosen: Candidate, parts: Parts, end: int) -> list[Result]:
    """Results of all coders on the held-out part. Raises InputError where the chosen one makes it no smaller."""
    ours, without = (_coded(codec, parts.held_out) for codec in (Codec(chosen.predictor), Codec(end=end)))
    least = min(sum(without), sum(map(len, parts.held_out)))
    if sum(ours) >= least:
        raise InputError(
            f"a model does not help: the {len(parts.held_out)} held-out samples take {sum(ours):,} bytes with it and "
            f"{least:,} without; give more samples, or more alike"
        )
    results = rivals([*parts.train, *parts.tail], parts.held_out, ours, end)
    results.append(Result("elman without a model", sum(without) / len(without)))
    results.append(Result("this model", sum(ours) / len(ours), len(chosen.file)))
    return results


def split(samples: Sequence[bytes], seed: int = 0) -> Parts:
    """Raises InputError: too few different samples."""
    counted = collections.Counter(sample for sample in samples if sample)
    different = list(counted)
    if len(different) < FEWEST:
        found = "none" if not different else "only 1" if len(different) == 1 else f"only {len(different)}"
        raise InputError(
            f"of {len(samples):,} samples {found} are different and not empty; expected at least {FEWEST}: some to "
            "learn from, others to measure on"
        )
    different = [different[i] for i in batches.shuffled(len(different), seed)]
    total = sum(map(len, different))
    held = _first(different, min(HELD_OUT, max(2, len(different) // 10)), min(HELD_OUT_BYTES, total // 10), 2)
    rest = different[held:]
    tail = _first(rest, len(rest) - 1, min(TAIL, total // 5), 1)
    train = rest[tail:]
    return Parts(
        train, [counted[sample] for sample in train], rest[:tail], different[: held // 2], different[held // 2 : held]
    )


def _first(samples: list[bytes], most: int, size: int, least: int) -> int:
    """How many of the first samples: at most so many, of so many bytes; and at least so many."""
    taken = 0
    while taken < most and size > 0:
        size -= len(samples[taken])
        taken += 1
    return max(taken, least)


def _hidden_size(max_size: int, text: int) -> int:
    """Hidden size of a network for this many bytes of file and of training text; 0: none fits."""
    room = min(NETWORK_SHARE * max_size, 2 * text + 80_000)
    return max((H for H in SIZES if _bytes_of(H) <= room), default=0)


def _bytes_of(H: int) -> int:
    """Largest file of a GRU over bytes, in bytes."""
    return 3 * H * H + 1024 * H + 40 * H + 8000


def recipe_for(hidden: int, samples: int, size: int, seed: int = 0) -> Recipe:
    """How a network is trained on so many samples of so many bytes."""
    step = min(2048, size // 200)  # bytes
    rows = max(4, min(128, step * samples // size, samples // 20))
    settings = {"batch_size": rows, "seq_length": 256, "val_fraction": 0.0, "sample_every": 0}
    if size < SMALL:
        settings |= {"output_dropout": 0.3}
    else:  # a few epochs learn no sample by heart
        settings |= {"output_dropout": 0.0, "weight_decay": 0.03}
    return load_recipe("modern").replace(hidden_size=hidden, seed=seed, **settings)


def _train(
    parts: Parts, end: int, hidden: int, minutes: float, epochs: float | None, seed: int, on_step: OnStep | None,
    say: Callable[[str], None],
) -> tuple[QuantisedModel, dict[str, Any]]:  # fmt: skip
    """The network, and how it was trained."""
    samples = [sample for sample, count in zip(parts.train, parts.counts, strict=True) for _ in range(count)]
    text = b"".join(sample + bytes([end]) for sample in samples)
    text = text.translate(swapped(end))
    corpus = Corpus("samples", text, "none", "samples", records=True)
    recipe = recipe_for(hidden, len(samples), len(text), seed)
    if epochs is None:
        sized = for_minutes(minutes, recipe, corpus)
        recipe, part = sized.recipe, sized.text
        epochs = min(recipe.epochs, EPOCHS) if len(part) == len(corpus) else len(part) / len(corpus)
    if epochs < 1:
        cut = text.find(b"\n", math.ceil(epochs * len(text)) - 1) + 1
        corpus, recipe = corpus.first(cut), recipe.replace(max_chars=None)
    recipe = recipe.replace(epochs=max(1, round(epochs)))
    steps = 0

    def count_step(step: Any) -> None:
        nonlocal steps
        steps += 1
        if on_step:
            on_step(step)

    say(f"{recipe.cell} 1 x {hidden}, {epochs:.6g} epochs of {len(text):,} bytes, batches of {recipe.batch_size}")
    model = build_model(corpus, recipe)
    try:
        run = fit(model, corpus, recipe, on_step=count_step)
    except TrainingDiverged:  # a function of the samples, as every bit is: it does so on every machine
        recipe, steps = recipe.replace(weight_decay=STEADIER * recipe.weight_decay), 0
        say(f"the training diverged; once more with a weight decay of {recipe.weight_decay:g}")
        model = build_model(corpus, recipe)
        run = fit(model, corpus, recipe, on_step=count_step)
    if run.interrupted:
        raise KeyboardInterrupt
    return quantise(model), run.summary() | {"epochs": epochs, "steps": steps}


def _past(parts: Parts, end: int, room: int) -> bytes:
    """Samples whose code fits into so many bytes, those for the mixers last."""
    tail = b"".join(sample + bytes([end]) for sample in parts.tail)
    size = min(MAX_PAST - len(tail), sum(map(len, parts.train)) + len(parts.train))
    for _ in range(6):
        if size < 0 or room < 1000:
            return b""
        chosen, left = bytearray(), size
        for sample in parts.train:
            if len(sample) < left:
                chosen += sample + bytes([end])
                left -= len(sample) + 1
        past = bytes(chosen) + tail
        code = len(code_of_past(past, None))
        if code <= room:
            return past
        size = int(len(past) * room / code * 0.97) - len(tail)
    return b""


def _coded(codec: Codec, messages: list[bytes]) -> list[int]:
    return [len(code) for code in codec.encode_many(messages)]
