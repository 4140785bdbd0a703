"""Pages of scores: texts coloured by surprisal, some of their lines, or what two models make of them."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InputError
from ..model import Model
from ..scoring import ADAPTIVE, BURST, Comparison, Lines, Score
from .document import Overlay, expectations, page

_MOST = 8.0  # bits of difference that have the deepest colour: more is rare, and would leave the rest pale


def surprisal_page(model: Model, scores: Sequence[Score], names: Sequence[str]) -> str:
    """An HTML page that shows what each character of each text cost and what the model expected there.

    Args:
        scores: of `model`; from `score` or `score_many`.
        names: of the texts, to show.
    Returns:
        the whole file, a function of the arguments alone. Bits are kept to a thousandth, and up to 65.535.
    Raises:
        InputError: no scores, or not a name for each.
    """
    title = names[0] if len(names) == 1 else f"{len(names)} texts"
    if not any(score.adaptive for score in scores):
        return page(model, scores, names, title=f"Surprisal: {title}")
    note = f"<p>Costs are {ADAPTIVE}. The alternatives come from the model before it learned from the text.</p>"
    return page(model, scores, names, title=f"Surprisal, adaptive: {title}", sections=note)


def lines_page(
    model: Model,
    scores: Sequence[Score],
    names: Sequence[str],
    chosen: Sequence[tuple[int, int]],
    compared: Mapping[str, Sequence[Comparison]] | None = None,
    numbers: Sequence[int] | None = None,
) -> str:
    """An HTML page of some lines alone, in the order given, each under its file's name and its number.

    Args:
        chosen: (score, line from 0) of each line; at least one.
        compared: of each other model, by name, its comparison with each of the scores; its ratios are shown.
        numbers: the number that each line is shown under. None: its place among its text's lines, from 1.
    Raises:
        InputError: no line is chosen.
    """
    numbers = [index + 1 for _, index in chosen] if numbers is None else numbers
    if not chosen:
        raise InputError("no line is chosen; expected at least one")
    lines = {file: scores[file].lines() for file, _ in chosen}
    parts = [_part(scores[file], lines[file], index) for file, index in chosen]
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
    columns = {"burst": [f"{lines[file].bursts[index]:.2f}" for file, index in chosen]}
    for other, ratios in (compared or {}).items():
        columns[f"ratio to {other}"] = [f"{ratios[file].by_line[index]:.1f}" for file, index in chosen]
    return page(
        model,
        parts,
        [f"{names[file]}:{number}" for (file, _), number in zip(chosen, numbers, strict=True)],
        title=title,
        sections=f"<p>burst: the most bits that {BURST} neighbouring characters of the line cost.</p>",
        expected=expected,
        columns=columns,
        numbers=numbers,
    )


def _part(score: Score, lines: Lines, index: int) -> Score:
    """One line as a separate score."""
    begin = int(lines.starts[index])
    end = begin + int(lines.lengths[index])
    return score.part(begin, end)


def comparison_page(
    model: Model,
    scores: Sequence[Score],
    names: Sequence[str],
    compared: Mapping[str, Sequence[Comparison]],
    first: str = "this model",
) -> str:
    """An HTML page of texts coloured by what their characters cost another model more, or less, than this one.

    Args:
        compared: of each other model, by name, its comparison with each of the scores, which come first in it.
        first: the name of `model`.
    """
    layers = []
    for name, of in compared.items():
        values = np.concatenate([c.by_character for c in of]).astype(np.float32)
        scale = min(float(np.abs(values).max()), _MOST) or 1.0
        note = f"red: likelier to {first}, blue: likelier to {name}; by so many bits"
        layers.append(Overlay(f"against {name}", note, values.clip(-scale, scale), True, scale))
    title = names[0] if len(names) == 1 else f"{len(names)} texts"
    title = f"{first} against {', '.join(compared)}: {title}"
    unknown = [f"{sum(c.unknown for c in of):,} to {name}" for name, of in compared.items()]
    note = f"Characters that one of the models has never seen have no colour; compared {', '.join(unknown)}."
    sections = f"<p>{html.escape(note)}</p>" if any(c.unknown for of in compared.values() for c in of) else ""
    return page(model, scores, names, title=title, layers=layers, sections=sections)
