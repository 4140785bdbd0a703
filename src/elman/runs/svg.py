"""Training curves as SVG, without a drawing library: perplexity on a logarithmic axis against epochs or seconds.

A line is solid for the training text and dashed for held-out text; the legend says so in words, with the last value of
each. The background is transparent, and the colours follow the reader's light or dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..files import write_atomically
from ..visible import visible
from .log import Epoch

_WIDTH, _HEIGHT = 640, 320  # of the plot with its axis labels; title and legend are above it
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 12, 44
_ROW = 18  # of the legend
_MOST = 2000  # points of a line
_TICKS = 6  # about as many on an axis
_COLOURS = (
    ("#0969b5", "#6cb6ff"), ("#c2570c", "#f69d50"), ("#1a7f37", "#57ab5a"), ("#b8343f", "#f47067"),
    ("#7a4fc4", "#b083f0"), ("#7a5a00", "#daaa3f"), ("#a8328a", "#e275ad"), ("#2f7d7d", "#56c2c2"),
)  # fmt: skip
"""Colours for light and dark backgrounds."""


class Drawing(str):
    """An SVG document, which a notebook shows as a picture."""

    def _repr_svg_(self) -> str:
        return str(self)


@dataclass(frozen=True)
class _Line:
    points: list[tuple[float, float]]
    colour: int
    held_out: bool


def draw(logs: Mapping[str, Sequence[Epoch]], title: str = "", against_time: bool = False) -> Drawing:
    """The curves of runs, by name; one run needs no name in the legend. An epoch alone is a dot."""
    place: Callable[[Epoch], float] = (lambda e: e.seconds) if against_time else (lambda e: float(e.epoch))
    lines = []
    for i, log in enumerate(logs.values()):
        measured = [(place(e), e.val_perplexity) for e in log if e.val_perplexity is not None]
        lines.append(_Line(_drawable([(place(e), e.train_perplexity) for e in log]), i, False))
        lines.append(_Line(_drawable(measured), i, True))
    points = [point for line in lines for point in line.points]
    legend = _legend(list(logs), lines)
    head = (26 if title else 0) + _ROW * len(legend) + 6
    across = _Axis.linear([x for x, _ in points], whole=not against_time)
    up = _Axis.logarithmic([y for _, y in points])
    body = [*_grid(across, up, "seconds" if against_time else "epoch"), *(_drawn(line, across, up) for line in lines)]
    above = [f'<text class="head" x="{_LEFT}" y="18">{_words(title)}</text>'] if title else []
    for row, part in enumerate(legend):
        y = (26 if title else 0) + _ROW * row + 12
        above.append(f'<g transform="translate({_LEFT} {y})">{part}</g>')
    size = f"{_WIDTH} {_HEIGHT + head}"
    told = f"Perplexity against {'seconds' if against_time else 'epochs'}"
    return Drawing(
        f'<svg xmlns="http://www.w3.org/2000/svg" class="elman" viewBox="0 0 {size}" width="{_WIDTH}" '
        f'height="{_HEIGHT + head}" role="img">\n<title>{_words(title) or told}</title>\n<style>{_style()}</style>\n'
        + "\n".join([*above, f'<g transform="translate(0 {head})">', *filter(None, body), "</g>", "</svg>\n"])
    )


def save_svg(
    logs: Mapping[str, Sequence[Epoch]], path: str | Path, title: str = "", against_time: bool = False
) -> None:
    """Write `draw`'s picture."""
    write_atomically(path, draw(logs, title, against_time).encode())


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    ticks: list[float]
    log: bool

    @classmethod
    def linear(cls, values: list[float], whole: bool) -> _Axis:
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        if not whole:
            low = 0.0
        if low == high:
            low, high = (low - 1, high + 1) if whole else (0.0, high or 1.0)
            if whole:
                return cls(low, high, [low + 1], False)
        return cls(low, high, _round_numbers(low, high, 1.0 if whole else 0.0), False)

    @classmethod
    def logarithmic(cls, values: list[float]) -> _Axis:
        low, high = (min(values), max(values)) if values else (1.0, 10.0)
        room = max(1.02, (high / low) ** 0.04)
        low, high = low / room, high * room
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        every = max(1, round((last - first) / _TICKS)) if high > 1e4 * low else 1
        digits = (1, 2, 5) if high <= 1e4 * low else (1,)
        ticks = [d * 10.0**k for k in range(first, last + 1, every) for d in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        return cls(low, high, ticks if len(ticks) > 2 else _round_numbers(low, high, 0.0), True)

    def share(self, value: float) -> float:
        """Its place on the axis, 0..1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def _round_numbers(low: float, high: float, least: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between the two, some six; no closer together than `least`."""
    rough = max((high - low) / _TICKS, least, 1e-12)
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(next(d * power for d in (1, 2, 5, 10) if d * power >= rough * 0.999), least)
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _drawable(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that a logarithmic axis can show; of very many only some, the last among them."""
    kept = [(x, y) for x, y in points if 1e-9 < y < 1e200]
    stride = max(1, math.ceil(len(kept) / _MOST))
    return kept[::-stride][::-1]


def _at(point: tuple[float, float], across: _Axis, up: _Axis) -> tuple[float, float]:
    """Position in the picture, from the upper left corner of the plot."""
    x = _LEFT + across.share(point[0]) * (_WIDTH - _LEFT - _RIGHT)
    y = _HEIGHT - _BOTTOM - up.share(point[1]) * (_HEIGHT - _TOP - _BOTTOM)
    return round(x, 1), round(y, 1)


def _grid(across: _Axis, up: _Axis, name: str) -> list[str]:
    parts, bottom = [], _HEIGHT - _BOTTOM
    for tick in across.ticks:
        x, _ = _at((tick, up.low), across, up)
        parts.append(f'<path class="grid" d="M{x} {_TOP}V{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{_number(tick)}</text>')
    for tick in up.ticks:
        _, y = _at((across.low, tick), across, up)
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y + 4}" text-anchor="end">{_number(tick)}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"/>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{name}</text>')
    turned = f'transform="translate(14 {(_TOP + bottom) / 2}) rotate(-90)"'
    return [*parts, f'<text {turned} text-anchor="middle">perplexity</text>']


def _drawn(line: _Line, across: _Axis, up: _Axis) -> str:
    places = [_at(point, across, up) for point in line.points]
    if not places:
        return ""
    kind = f"c{line.colour % len(_COLOURS)}" + (" held-out" if line.held_out else "")
    if len(places) == 1:
        return f'<circle class="{kind}" cx="{places[0][0]}" cy="{places[0][1]}" r="4"/>'
    return f'<path class="line {kind}" d="M' + "L".join(f"{x} {y}" for x, y in places) + '"/>'


def _legend(names: list[str], lines: list[_Line]) -> list[str]:
    """A row of SVG for each line of one run; for each run of several, and one that says what is dashed."""
    rows = []
    for line in lines:
        if not line.points or (len(names) > 1 and line.held_out):
            continue
        last = f", {_number(line.points[-1][1])} at the end"
        if len(names) == 1:
            rows.append(_sample(line) + f'<text x="34" y="4">{_kind(line)}{last}</text>')
            continue
        held_out = lines[2 * line.colour + 1].points
        last += f", held out {_number(held_out[-1][1])}" if held_out else ""
        rows.append(_sample(line) + f'<text x="34" y="4">{_words(names[line.colour])}{last}</text>')
    if len(names) > 1 and any(line.points for line in lines if line.held_out):
        rows.append('<text x="0" y="4">solid: training text; dashed: held-out text</text>')
    return rows


def _kind(line: _Line) -> str:
    return "held-out text" if line.held_out else "training text"


def _sample(line: _Line) -> str:
    return f'<path class="line c{line.colour % len(_COLOURS)}{" held-out" if line.held_out else ""}" d="M0 0H26"/>'


def _number(value: float) -> str:
    """Four digits of it, as in 1.233, 27.31, 12,400 and 1.2e+09."""
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.4g}"


def _words(text: str) -> str:
    return escape(visible(text).encode("utf-8", "backslashreplace").decode())


def _style() -> str:
    """Colours for a light theme, and for a dark one."""
    schemes = []
    for dark, (ink, faint) in enumerate((("#24292f", "#d0d7de"), ("#d1d7e0", "#3d444d"))):
        colours = "".join(
            f".elman path.c{i}{{stroke:{pair[dark]}}}.elman circle.c{i}{{fill:{pair[dark]};stroke:{pair[dark]}}}"
            for i, pair in enumerate(_COLOURS)
        )
        schemes.append(
            f".elman text{{fill:{ink}}}.elman .axis{{stroke:{ink}}}.elman .grid{{stroke:{faint}}}"
            f"{colours}.elman circle.held-out{{fill:none}}"
        )
    return (
        ".elman text{font:12px system-ui,sans-serif}.elman .head{font-size:14px;font-weight:600}"
        ".elman path{fill:none;stroke-width:1}.elman .line{stroke-width:1.8;stroke-linejoin:round}"
        f".elman .held-out{{stroke-dasharray:6 4}}.elman circle{{stroke-width:1.8}}.elman circle.held-out"
        f"{{stroke-dasharray:none}}{schemes[0]}@media (prefers-color-scheme:dark){{{schemes[1]}}}"
    )
