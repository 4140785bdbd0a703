"""The log of a run, an Epoch at a time: as JSON, which epoch was best, and when patience ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..recipes.recipe import Recipe
from ..typed import Fields


@dataclass(frozen=True)
class Epoch:
    """One line of log.jsonl. Perplexity is exp of the mean nats per token over the epoch: per character, as in the
    book, where tokens are characters. Where they are bytes, bits are per byte.

    For the held-out text this equals what `score` finds for it; None: not measured.
    """

    epoch: int
    train_perplexity: float
    train_bits_per_char: float
    val_perplexity: float | None
    val_bits_per_char: float | None
    grad_norm: float
    """Mean over the epoch's steps, before clipping."""
    layer_grad_norms: list[float]
    """Mean norm of each layer's gradients, the lowest first, and of the dense output's."""
    seconds: float
    """Since training began."""
    chars_per_second: float
    """Speed of this epoch's training, without its evaluation."""
    samples: dict[str, str] = field(default_factory=dict)
    """Prompt -> its greedy continuation, on the epochs that have them."""
    lr: float = 0.0
    """The learning rate of the last step."""
    val_tokens: int | None = None
    """Tokens that are held out; None: not measured."""
    val_blocks: int | None = None
    """Blocks in which they are spread over the text; 1: they are its end. None: not measured, or records."""
    part: float = 1.0
    """Share of the epoch that was trained: below 1 where the time of `minutes` ended it."""
    minutes: float | None = None
    """Time that was asked for: the run followed the clock, so it is no function of text, recipe and seed alone."""
    waited: list[float] | None = None
    """Seconds of this epoch that each process spent on sending and on waiting for the others; the slowest one waited
    least. None: there was one process."""


def as_json(epoch: Epoch) -> dict[str, Any]:
    """An epoch for JSON."""
    line = asdict(epoch)
    for name, usual in (("part", 1.0), ("minutes", None), ("waited", None), ("val_tokens", None), ("val_blocks", None)):
        if line[name] == usual:
            del line[name]
    return line | {name: finite(line[name]) for name in ("train_perplexity", "val_perplexity")}


def from_json(line: Fields) -> Epoch:
    """The inverse of `as_json`. Raises InputError where a field is missing or of another type."""
    held_out = line.number("val_bits_per_char", None)
    samples = line.inner("samples", {})
    return Epoch(
        line.whole("epoch", at_least=1),
        line.number("train_perplexity", math.inf),
        line.number("train_bits_per_char"),
        line.number("val_perplexity", None if held_out is None else math.inf),
        held_out,
        line.number("grad_norm"),
        line.numbers("layer_grad_norms"),
        line.number("seconds"),
        line.number("chars_per_second"),
        {prompt: samples.text(prompt) for prompt in samples.value},
        line.number("lr", 0.0),
        line.whole("val_tokens", None),
        line.whole("val_blocks", None),
        line.number("part", 1.0),
        line.number("minutes", None),
        line.numbers("waited") if "waited" in line else None,
    )


def finite(value: float | None) -> float | None:
    """None for infinity, which JSON does not have."""
    return None if value == math.inf else value


def best(log: Sequence[Epoch]) -> Epoch | None:
    """The first of the epochs with the lowest held-out loss; None: none was measured."""
    measured = [epoch for epoch in log if epoch.val_bits_per_char is not None]
    return min(measured, key=lambda epoch: epoch.val_bits_per_char or 0.0) if measured else None


def no_better(log: Sequence[Epoch]) -> list[Epoch]:
    """The epochs whose held-out text was measured and cost no less than the lowest before."""
    lowest, worse = float("inf"), []
    for epoch in log:
        if epoch.val_bits_per_char is None:
            continue
        if epoch.val_bits_per_char < lowest:
            lowest = epoch.val_bits_per_char
        else:
            worse.append(epoch)
    return worse


def out_of_patience(recipe: Recipe, log: Sequence[Epoch]) -> bool:
    """Whether the last `patience` measurements were all no better than the best before them."""
    if recipe.patience is None:
        return False
    lowest, worse = best(log), no_better(log)
    return lowest is not None and sum(epoch.epoch > lowest.epoch for epoch in worse) >= recipe.patience
