"""The network of a coder: how large it is, and its training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..compression.trained import swapped
from ..corpora import Corpus
from ..errors import TrainingDiverged
from ..model.quantisation import quantise
from ..model.quantised import QuantisedModel
from ..recipes import Recipe, load_recipe
from ..training.build import build_model
from ..training.sizing import for_minutes
from ..training.train import OnStep, fit
from .samples import Parts

SIZES = (64, 96, 128, 192, 256, 320, 384, 512)
"""Hidden units of a network: the most that its share of the file's size holds."""
NETWORK_SHARE = 0.66
EPOCHS = 30
"""At most, unless asked for: a small text's network only learns it by heart after that."""
SMALL = 500_000
"""Bytes to learn from below which more against learning by heart pays."""
STEADIER = 3.0
"""Times the weight decay, where a training diverges: it goes through with more, at some cost."""


def hidden_size_for(max_size: int, text: int) -> int:
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


def train_network(
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
        recipe, epochs = sized.recipe, min(sized.recipe.epochs, EPOCHS) if sized.epochs >= 1 else sized.epochs
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
