"""n-best lists: hypotheses of a recogniser or translator, which a language model rescores.

Two formats are read, and written again with the new scores:

    0 ||| the cat sat ||| LM= -7.1 WordPenalty= -3 ||| -4.25          Moses, Marian, Fairseq; more fields may follow
    -4.25<TAB>the cat sat                                             plain; a blank line ends a list
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..errors import InputError
from .model import Model

_MOSES = "|||"
_AT_ONCE = 4096  # hypotheses that are read side by side


@dataclass(frozen=True)
class Hypothesis:
    """One line of an n-best list."""

    group: str
    """The list that it belongs to: Moses's sentence number, or the number of the plain list, from 0."""
    text: str
    total: float
    """Its score, the larger the better."""
    features: str = ""
    """Moses's features, as they were written."""
    rest: tuple[str, ...] = ()
    """Moses's fields after the total, as they were written: alignments."""
    moses: bool = True
    log10: float = 0.0
    """Score by `rescore`: log10 p of the text."""

    def line(self, name: str = "Elman") -> str:
        """The hypothesis in its format. `name` is of the feature that holds `log10`."""
        if not self.moses:
            return f"{self.total:.9g}\t{self.text}"
        features = f"{self.features} {name}= {self.log10:.9g}".strip()
        return f" {_MOSES} ".join((self.group, self.text, features, f"{self.total:.9g}", *self.rest))


def read_nbest(lines: Iterable[str], source: str = "the n-best list") -> Iterator[Hypothesis]:
    """The hypotheses of lines in either format, which the first line decides.

    Raises:
        InputError: a line of another form; names the line.
    """
    moses, group, blank = None, 0, True
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if not line.strip():
            group, blank = group + (not blank), True
            continue
        if moses is None:
            moses = _MOSES in line
        blank, where = False, f"{source}: line {number}"
        if moses:
            yield _moses(line, where)
        else:
            yield _plain(line, str(group), where)


def _moses(line: str, where: str) -> Hypothesis:
    fields = [field.strip() for field in line.split(_MOSES)]
    if len(fields) < 4:
        raise InputError(
            f"{where}: {len(fields)} fields with ||| between them; expected at least 4: number, text, features, total"
        )
    group, text, features, total, *rest = fields
    return Hypothesis(group, text, _number(total, where), features, tuple(rest))


def _plain(line: str, group: str, where: str) -> Hypothesis:
    total, tab, text = line.partition("\t")
    if not tab:
        raise InputError(f"{where}: no tab; expected score, tab, text, or Moses's fields with ||| between them")
    return Hypothesis(group, text.strip(), _number(total, where), moses=False)


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: the score is {text.strip()!r}; expected a number")
    return number


def rescore(model: Model, hypotheses: Iterable[Hypothesis], weight: float) -> Iterator[list[Hypothesis]]:
    """Each list, best first, with `weight` times log10 p of the text added to every total; ties stay in their order.

    Args:
        weight: any finite number; 0 changes no total.
    Raises:
        InputError: as `read_nbest`, or a weight that is no number.
    """
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight):
        raise InputError(f"weight is {weight!r}; expected a number", setting="weight")
    lists: dict[str, list[Hypothesis]] = {}
    for hypothesis in hypotheses:
        lists.setdefault(hypothesis.group, []).append(hypothesis)
    held: list[list[Hypothesis]] = []
    for each in lists.values():
        held.append(each)
        if sum(map(len, held)) >= _AT_ONCE:
            yield from _rescored(model, held, weight)
            held = []
    yield from _rescored(model, held, weight)


def _rescored(model: Model, lists: Sequence[list[Hypothesis]], weight: float) -> Iterator[list[Hypothesis]]:
    scores = iter(model.scores([each.text for group in lists for each in group]))
    for group in lists:
        found = [replace(each, log10=(log10 := next(scores)), total=each.total + weight * log10) for each in group]
        yield sorted(found, key=lambda each: -each.total)
