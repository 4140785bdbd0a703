"""Memorisation: how much of what a model writes stands word for word in its training text, against what chance gives.

The length of an overlap means nothing alone: common phrases recur in any text of a language. So the same is measured
for texts that cannot have been memorised: what was held out of the training, what an n-gram model of the corpus writes,
and the corpus's characters in random order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import philox
from ..corpora import Corpus, corpora, load_corpus
from ..errors import CorpusError, InputError, whole_number
from ..generation import Sampling, Streams, generate_ids
from ..model import Model
from ..text import Vocabulary
from ..training.data import Split
from .matching import Matches, expected_longest, longest_matches, ngram_text

ORDER = 6
"""Order of the n-gram model: each character follows the five before it as one did somewhere in the corpus."""
_ROWS = 64  # records written side by side
_BURST = 64  # characters between two looks at whether they have ended
_LONGEST = 1024  # characters of a written record at most


@dataclass(frozen=True, eq=False)
class Report:
    """The longest matches of a generated text in a corpus, beside the matches of texts that show what chance gives."""

    generated: np.ndarray
    """ids (T,)."""
    corpus: np.ndarray
    """ids (N,)."""
    matches: dict[str, Matches]
    """"generated", then "held-out" if there is one, "6-gram", "shuffled", and others that were asked for."""
    expected_longest: float
    """Expected longest match of "shuffled", by `matching.expected_longest`."""

    @property
    def baseline(self) -> str:
        """The text whose longest match is the bound of what chance gives: a shorter one would set it too low."""
        held_out = self.matches.get("held-out")
        enough = held_out is not None and len(held_out.lengths) >= len(self.generated)
        return "held-out" if enough else f"{ORDER}-gram"

    @property
    def counted(self) -> str:
        """How lines of the corpus are counted, where that needs to be said."""
        return "by line of the training text without what was held out" if "held-out" in self.matches else ""

    @property
    def bound(self) -> int:
        return int(self.matches[self.baseline].lengths.max())

    def rows(self) -> list[dict[str, Any]]:
        """A row for each text: its size; median, 99th percentile and longest match; and `beyond`, the share of its
        characters in overlaps longer than the bound."""
        return [
            {
                "text": name,
                "characters": len(m.lengths),
                "median": float(np.median(m.lengths)),
                "p99": float(np.percentile(m.lengths, 99)),
                "longest": int(m.lengths.max()),
                "beyond": m.covered(self.bound + 1),
            }
            for name, m in self.matches.items()
        ]


def quotations(report: Report, vocabulary: Vocabulary, count: int = 10) -> list[dict[str, Any]]:
    """The longest overlaps of the generated text: `length`, `start` in it, `place` in the corpus, the corpus's `line`
    (from 1; None if it is all one line; what was held out is not counted) and the `text`, in characters, or bytes for a
    vocabulary of bytes."""
    end = vocabulary.encode("\n")
    breaks = np.flatnonzero(report.corpus == end[0]) if not vocabulary.unknown(end) else np.zeros(0, dtype=np.int64)
    return [
        {
            "length": o.length,
            "start": o.start,
            "place": o.place,
            "line": int(np.searchsorted(breaks, o.place)) + 1 if len(breaks) else None,
            "text": vocabulary.decode(report.generated[o.start : o.start + o.length]),
        }
        for o in report.matches["generated"].longest(count)
    ]


def memorisation(
    generated: np.ndarray,
    corpus: np.ndarray,
    held_out: np.ndarray | None = None,
    others: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> Report:
    """How much of `generated` stands word for word in `corpus`, against what chance gives.

    Args:
        generated, corpus: ids, (T,) and (N,), of one vocabulary.
        held_out: ids of a text like the corpus that the model was not trained on.
        others: name -> ids of more texts to measure. Of these and of `held_out` at most the first T count, so the
            longest are comparable.
        seed: of the texts that are drawn, each as long as `generated`.
    Raises:
        InputError: a text or the corpus is empty.
    """
    size = len(generated)
    texts = {"generated": generated}
    if held_out is not None:
        texts["held-out"] = held_out[:size]
    if not len(corpus) or not all(map(len, [*texts.values(), *(others or {}).values()])):
        raise InputError("nothing to compare: the corpus or a text is empty")
    texts[f"{ORDER}-gram"] = ngram_text(corpus, size, ORDER, seed)
    texts["shuffled"] = corpus[
        (philox.unit(philox.words(seed, philox.COMPARISON + 1, size)) * len(corpus)).astype(np.int64)
    ]
    texts |= {name: ids[:size] for name, ids in (others or {}).items()}
    matches = dict(zip(texts, longest_matches(list(texts.values()), corpus), strict=True))
    return Report(generated, corpus, matches, expected_longest(corpus, size))


def sample(model: Model, length: int, temperature: float = 1.0, seed: int = 0) -> np.ndarray:
    """ids (length,) that the model writes without a prompt: a text, or records until there are enough."""
    length = whole_number("length", length, 1)
    sampling = Sampling(temperature=temperature, seed=seed)
    if not model.reading.records:
        return generate_ids(model, np.zeros(0, dtype=np.int64), length, sampling)[:, 0]
    end, parts, size, first = model.reading.line_end, [], 0, 0
    while size < length:
        streams = Streams(model, np.zeros((0, _ROWS), dtype=np.int64), sampling, first)
        made = streams.advance(_BURST)
        while len(made) < _LONGEST and not (made == end).any(0).all():
            made = np.concatenate((made, streams.advance(_BURST)))
        for row in made.T:
            ended = np.flatnonzero(row == end)
            parts.append(np.append(row[: ended[0]] if len(ended) else row, end))
            size += len(parts[-1])
        first += _ROWS
    return np.concatenate(parts)[:length]


def recorded_places(run: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Places of the training text that a model's file names, and whether they are Elman's corpora. A file may
    come from anyone, and name any path or address: ask before another one is opened.

    Args:
        run: as `model.read_header` gives it, under "run".
    Raises:
        CorpusError: it names no place; one line.
    """
    recorded = _inside(run, "corpus")
    name, source = recorded.get("name"), recorded.get("source")
    if isinstance(name, str) and name in {entry["name"] for entry in corpora()}:
        return [name], True
    several: list[Any] = [source] if isinstance(source, str) else source if isinstance(source, list) else []
    places = [place for place in several if isinstance(place, str)]
    if not places or {*places} & {"a string", "standard input", "-"}:
        what = ", ".join(places) or "a text that its file does not name"
        raise CorpusError(f"the model was trained on {what}; give it as `corpus`", setting="corpus")
    return places, False


def _inside(run: Any, key: str) -> Mapping[str, Any]:
    """An entry of a run's summary, if it is an object: a file may hold anything."""
    value = run.get(key) if isinstance(run, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def recorded_corpus(
    model: Model, run: Mapping[str, Any], field: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """ids of the text that the model was trained on, and of what was held out of it, by its file's summary of the run.

    Args:
        run: as `model.read_header` gives it, under "run".
        field: as `corpora.read_text` takes it.
    Raises:
        CorpusError: no such text, one that cannot be read or downloaded, or one that has changed; one line.
    """
    places, _ = recorded_places(run)
    try:
        corpus = read_corpus(model, places, most_characters(run), field)
    except CorpusError as error:
        raise CorpusError(
            f"the model's training text: {error}; or give `corpus`", setting=(*error.settings, "corpus")
        ) from None
    parts = divided(model, run, corpus)
    if parts is None:
        size = _inside(run, "corpus").get("characters")
        raise CorpusError(
            f"{', '.join(places)} is not the text that the model was trained on: it has {len(corpus):,} characters, "
            f"that had {size if isinstance(size, int) else 0:,}, and the digests differ; give what it was trained on "
            "as `corpus`",
            setting="corpus",
        )
    return parts


def most_characters(run: Mapping[str, Any]) -> int | None:
    """The `max_chars` with which a model was trained, by its file's summary of the run."""
    most = _inside(run, "recipe").get("max_chars")
    return most if isinstance(most, int) and most > 0 else None


def divided(model: Model, run: Mapping[str, Any], corpus: Corpus) -> tuple[np.ndarray, np.ndarray | None] | None:
    """ids of what the model was trained on and of what was held out, by its file's summary of the run; None if `corpus`
    is not that text."""
    recipe = _inside(run, "recipe")
    if _inside(run, "corpus").get("digest") != corpus.digest():
        return None
    ids = model.reading.vocabulary.encode(corpus.text)
    fraction, seed, blocks = recipe.get("val_fraction"), recipe.get("seed"), recipe.get("val_blocks")
    fraction = fraction if isinstance(fraction, float) and 0 <= fraction < 1 else 0.0
    seed = seed if isinstance(seed, int) and 0 <= seed < 2**64 else 0
    blocks = blocks if isinstance(blocks, int) and 0 < blocks < 2**31 else 1
    last = recipe.get("last_tokens")
    last = last if isinstance(last, int) and last > 0 else None
    split = Split.of(ids, model.reading, fraction, seed, blocks, last)
    held_out = split.held_out.of(split.ids)
    return split.train.of(split.ids), held_out if len(held_out) else None


def read_corpus(
    model: Model, place: str | Sequence[str], max_chars: int | None = None, field: str | None = None
) -> Corpus:
    """A text, prepared as for training this model. field: as `corpora.read_text` takes it."""
    r, or_lines = model.reading, field is None
    return load_corpus(
        place,
        max_chars,
        normalisation=r.normalisation,
        tokens=r.vocabulary,
        records=r.records,
        field=(r.field if field is None else field) or None,
        or_lines=or_lines,
    )
