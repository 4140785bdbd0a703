"""train_coder: samples of messages or records to what both ends of a codec share: a network, a past, or both.

Samples are split once. Most of them train the network; of a last few, which it does not see, the coder's mixers learn
how far to trust it; and of those held out one half chooses between what was made and the other measures it. Equal
samples are on one side. The result is a function of samples, sizes, epochs and seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import given
from ..compression import Codec, Predictor
from ..compression.blocks import code_of_past
from ..compression.trained import MAX_PAST, predictor_for, to_file
from ..errors import InputError
from ..files import write_atomically
from ..model.quantised import QuantisedModel
from ..training.train import OnStep
from .network import hidden_size_for, train_network
from .rivals import Result, rivals
from .samples import Parts, split

MARGIN = 0.99
"""Share of a smaller file's code that a larger file must stay below to be chosen."""


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
    hidden = hidden_size_for(max_size, size)
    if hidden:
        network, training = train_network(parts, end, hidden, minutes, epochs, seed, on_step, say)
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
