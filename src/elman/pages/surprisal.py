"""Pages of scores: texts coloured by surprisal, some of their lines, or what two models make of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..model import Model
from ..scoring import ADAPTIVE, Comparison, Lines, Score
from .page import Layer, expectations, page

_MOST = 8.0  # bits of difference that have the deepest colour: more is rare, and would leave the rest pale


def surprisal_page(model: Model, scores: Sequence[Score], names: Sequence[str]) -> str:
    """An HTML page that shows what each character of each text cost and what the model expected there.

    Args:
        scores: of `model`; from `score` or `score_many`.
        names: of the texts, to show.
    Returns:
        the whole file, a function of the arguments alone. Bits are kept to a thousandth, and up to 65.535.
    Raises:
        ValueError: no scores, or not a name for each.
    """
    title = names[0] if len(names) == 1 else f"{len(names)} texts"
    if not any(score.adaptive for score in scores):
        return page(model, scores, names, title=f"Surprisal: {title}")
    note = f"<p>Costs are {ADAPTIVE}. The alternatives are those of the model as it was trained.</p>"
    return page(model, scores, names, title=f"Surprisal, adaptive: {title}", sections=note)


def lines_page(model: Model, scores: Sequence[Score], names: Sequence[str], chosen: Sequence[tuple[int, int]]) -> str:
    """An HTML page of some lines alone, in the order given, each under its file's name and its number.

    Args:
        chosen: (score, line from 0) of each line; at least one.
    """
    if not chosen:
        raise InputError("no line is chosen; expected at least one")
    lines = {file: scores[file].lines() for file, _ in chosen}
    parts = [_part(model, scores[file], lines[file], index) for file, index in chosen]
    expected = None
    if not scores[chosen[0][0]].records:  # what was expected depends on the lines before
        whole = dict(zip(lines, expectations(model, [scores[file] for file in lines]), strict=True))
        expected = []
        for file, index in chosen:
            begin = int(lines[file].starts[index])
            end = begin + int(lines[file].lengths[index])
            ids, tokens, bits = whole[file]
            some = scores[file].tokens_between(begin, end)
            after = slice(some.start, some.stop + 1)
            expected.append((ids[some], tokens[after], bits[after]))
    of = ", ".join(dict.fromkeys(names[file] for file, _ in chosen))
    title = f"{len(chosen):,} line{'' if len(chosen) == 1 else 's'} of {of}"
    return page(model, parts, [f"{names[f]}:{i + 1}" for f, i in chosen], title=title, expected=expected)


def _part(model: Model, score: Score, lines: Lines, index: int) -> Score:
    """One line as a score of its own."""
    begin = int(lines.starts[index])
    end = begin + int(lines.lengths[index])
    part, vocabulary = score.part(begin, end), model.reading.vocabulary
    unknown = vocabulary.unknown(vocabulary.encode(part.data)) if score.unknown else 0
    return dataclasses.replace(part, unknown=unknown)


def comparison_page(
    model: Model, scores: Sequence[Score], names: Sequence[str], compared: dict[str, list[Comparison]]
) -> str:
    """An HTML page of texts coloured by what their characters cost another model more, or less, than this one.

    Args:
        compared: of each other model, by name, its comparison with each of the scores, which come first in it.
    """
    layers = []
    for name, of in compared.items():
        values = np.concatenate([c.by_character for c in of]).astype(np.float32)
        scale = min(float(np.abs(values).max()), _MOST) or 1.0
        layers.append(
            Layer(f"against {name}", "bits that it costs the other more", values.clip(-scale, scale), True, scale)
        )
    title = names[0] if len(names) == 1 else f"{len(names)} texts"
    return page(model, scores, names, title=f"Compared: {title}", layers=layers)
