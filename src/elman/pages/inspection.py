"""The page of an inspection: the text coloured by hidden units, and the report of memorisation above it."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..inspection import MEASURED, Matches, RecordReport, Report, Unit, kind, quotations
from ..model import Model
from ..scoring import Score
from .document import Overlay, page

_QUOTE = 300  # characters of a quotation that are shown
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 240, 56, 40  # of the chart


def inspection_page(
    model: Model,
    score: Score,
    name: str,
    layer: int,
    found: Sequence[Unit],
    values: np.ndarray,
    report: Report,
    of_records: RecordReport | None = None,
) -> str:
    """An HTML page: `surprisal_page` of one text with a layer of colour for each unit, and the report.

    Args:
        layer: whose units they are.
        found, values: from `inspection.units()`.
        report: from `inspection.memorisation()`.
        of_records: from `inspection.records_report`, of a model of records.
    """
    what = kind(model)
    layers = [_layer(unit, values[:, k], f"{what}, layer {layer}") for k, unit in enumerate(found)]
    sections = _units(found, what, layer) + (_records(of_records) if of_records else "")
    sections += _memorisation(report, quotations(report, model.reading.vocabulary))
    return page(model, [score], [name], title=f"Inspection: {name}", layers=layers, sections=sections)


def _layer(unit: Unit, values: np.ndarray, note: str) -> Overlay:
    signed = bool(values.min() < 0)
    name = f"unit {unit.index}" + (f": {unit.feature}" if unit.feature else "")
    return Overlay(name, note, values, signed, float(np.abs(values).max()) or 1.0)


def _units(found: Sequence[Unit], what: str, layer: int) -> str:
    rows = "".join(
        f"<tr><td>{u.index}<td class=left>{u.feature or '-'}<td>{u.explained:.2f}<td>{u.chance:.2f}</tr>\n"
        for u in found
    )
    return f"""<h2>Hidden units</h2>
<p>{what} of layer {layer}: the value when the model has read a character. Explained is the share of the unit's variance
that lies between the feature's values, on the first {MEASURED:,} characters; by chance, the most of any unit when the
feature is read in reverse order. Choose below what the colours show.</p>
<table><thead><tr><th>unit<th class=left>feature<th>explained<th>by chance</tr></thead><tbody>
{rows}</tbody></table>
"""


def _records(report: RecordReport) -> str:
    held_out = (
        "" if report.held_out_known is None else f"; of the held-out records, {100 * report.held_out_known:.1f} %"
    )
    rows = "".join(
        f"<tr><td>{row.edits}<td class=quote>{html.escape(_short(row.text))}"
        f"<td class=quote>{html.escape(_short(row.nearest))}</tr>\n"
        for row in report.nearest
    )
    return f"""<h2>Records</h2>
<p>Of {report.written:,} records that the model wrote, {100 * report.known:.1f} % are in the training list of
{report.training:,}{held_out}. {100 * report.distinct:.1f} % are no repetition. Below, new ones and the nearest in the
list: the one with the fewest characters to insert, delete or replace.</p>
<table class=wide><thead><tr><th>edits<th>written<th>nearest in the list</tr></thead><tbody>
{rows}</tbody></table>
"""


def _memorisation(report: Report, found: Sequence[dict[str, Any]]) -> str:
    rows = report.rows()
    table = "".join(
        f"<tr><td><svg class=key width=28 height=8><line class=c{k} x1=0 y1=4 x2=28 y2=4 /></svg> {row['text']}"
        f"<td>{row['characters']:,}<td>{row['median']:,.0f}<td>{row['p99']:,.0f}<td>{row['longest']:,}"
        f"<td>{100 * row['beyond']:.1f} %</tr>\n"
        for k, row in enumerate(rows)
    )
    quotes = "".join(
        f"<tr><td>{q['length']:,}<td>{_place(q)}<td class=quote>{html.escape(_short(q['text']))}</tr>\n" for q in found
    )
    return f"""<h2>Memorisation</h2>
<p>{100 * rows[0]["beyond"]:.1f} % of {rows[0]["characters"]:,} generated characters are in strings that occur word for
word in the training text ({len(report.corpus):,} characters) and longer than any of the {report.baseline} text's,
{report.bound}. The longest has {rows[0]["longest"]:,}.</p>
<table><thead><tr><th>text<th>characters<th>median<th>99 %<th>longest<th>in more than {report.bound}</tr></thead><tbody>
{table}</tbody></table>
<p>The longest string that begins at a position and occurs in the training text: its median, 99th percentile and
longest. 6-gram: each character follows five as one did in the training text. Shuffled: its characters in random order,
for which theory expects a longest string of about {report.expected_longest:.0f} (Arratia and Waterman, 1985).</p>
{_chart(list(report.matches.values()))}
<details open><summary>The longest overlaps{f", {report.counted}" if report.counted else ""}</summary>
<table class=wide><thead><tr><th>characters<th>in the training text<th>text</tr></thead><tbody>
{quotes}</tbody></table></details>
"""


def _place(quotation: dict[str, Any]) -> str:
    return f"line {quotation['line']:,}" if quotation["line"] else f"character {quotation['place']:,}"


def _short(text: str) -> str:
    text = text if len(text) <= _QUOTE else f"{text[: _QUOTE // 2]} … {text[-_QUOTE // 2 :]}"
    return text.replace("\n", "↵").encode("utf-8", "replace").decode()


def _chart(matches: Sequence[Matches]) -> str:
    """Share of positions (log) against the length that their longest string has at least (log), as SVG."""
    longest = max(2, *(int(m.lengths.max()) for m in matches))
    fewest = 1 / max(len(m.lengths) for m in matches)

    def x(length: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - 10) * math.log(length) / math.log(longest)

    def y(share: float) -> float:
        return 10 + (_HEIGHT - _BOTTOM - 10) * math.log(share) / math.log(fewest) if fewest < 1 else 10

    parts = []
    for power in range(int(math.log2(longest)) + 1):
        at = x(2**power)
        parts.append(f"<line class=axis x1={at:.1f} y1=10 x2={at:.1f} y2={_HEIGHT - _BOTTOM} />")
        parts.append(f"<text x={at:.1f} y={_HEIGHT - 22} text-anchor=middle>{2**power}</text>")
    for power in range(int(-math.log10(fewest)) + 1):
        at = y(10.0**-power)
        parts.append(f"<line class=axis x1={_LEFT} y1={at:.1f} x2={_WIDTH - 10} y2={at:.1f} />")
        parts.append(f"<text x={_LEFT - 8} y={at + 4:.1f} text-anchor=end>{100 * 10.0**-power:g} %</text>")
    for k, m in reversed(list(enumerate(matches))):
        share = m.at_least().tolist()
        lengths = np.unique(np.geomspace(1, max(1, len(share) - 1), 300).round().astype(int))
        points = " ".join(f"{x(n):.1f},{y(share[n]):.1f}" for n in lengths if n < len(share))
        parts.append(f'<polyline class=c{k} points="{points}" />')
    middle = (_WIDTH + _LEFT) / 2
    parts.append(f"<text x={middle} y={_HEIGHT - 4} text-anchor=middle>characters, at least</text>")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width={_WIDTH} height={_HEIGHT} role=img aria-label="Share of '
        f'positions against the length of their longest match">{"".join(parts)}</svg>'
    )
