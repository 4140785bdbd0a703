"""Training curves by Matplotlib, for notebooks and for PNG and PDF; `svg` draws all others without it.

Returns or writes, never shows.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import InputError
from ..files import write_atomically
from ..visible import visible
from .log import Epoch

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator
except ModuleNotFoundError:
    raise InputError("this picture needs Matplotlib: pip install 'elman[plot]'; an .svg needs nothing") from None


class Picture(Figure):
    """A figure that a notebook shows, whatever its settings for pictures are."""

    def _repr_svg_(self) -> str:
        data = io.StringIO()
        self.savefig(data, format="svg")
        return data.getvalue()


def curve(log: Sequence[Epoch], title: str = "") -> Picture:
    """Perplexity against epoch, on a logarithmic axis, of the training text and, if measured, the held-out one."""
    figure = Picture(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    _draw(axes, log)
    axes.set(xlabel="epoch", ylabel="perplexity")
    axes.set_title(visible(title), parse_math=False)
    if len(axes.lines) > 1:
        axes.legend(frameon=False)
    return figure


def grid(logs: Mapping[str, Sequence[Epoch]], columns: int = 3, title: str = "") -> Picture:
    """Small `curve`s side by side, one for each title, with the same axes so that they can be compared."""
    rows = math.ceil(len(logs) / columns)
    figure = Picture(figsize=(2.6 * columns + 1.3, 1.9 * rows + 0.4), layout="constrained")
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes, (name, log) in zip(panels, logs.items(), strict=False):
        _draw(axes, log)
        axes.set_title(visible(name), fontsize="medium", parse_math=False)
    for i in range(len(logs), len(panels)):
        panels[i].set_axis_off()
        panels[i - columns].tick_params(labelbottom=True)  # the lowest of its column now
    figure.suptitle(visible(title), parse_math=False)
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel("perplexity", fontsize="medium")
    lines = max((axes.lines for axes in panels), key=len)
    figure.legend(handles=list(lines), loc="outside right upper", frameon=False, fontsize="small")
    return figure


def _draw(axes: Axes, log: Sequence[Epoch]) -> None:
    axes.plot([e.epoch for e in log], [e.train_perplexity for e in log], label="training text", marker=_marker(log))
    held_out = [(e.epoch, e.val_perplexity) for e in log if e.val_perplexity is not None]
    if held_out:
        axes.plot(*zip(*held_out, strict=True), label="held-out text", marker=_marker(held_out))
    _style(axes)


def _marker(points: Sequence[object]) -> str:
    return "o" if len(points) == 1 else ""


def _style(axes: Axes) -> None:
    def narrow() -> bool:  # a range in which 1, 2, 5, 10, ... may occur once or not at all
        low, high = axes.get_ylim()
        return high < 5 * low

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_formatter(lambda y, _: f"{y:g}" if narrow() and f"{y:g}"[0] in "3468" else "")
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)


def curves(logs: Mapping[str, Sequence[Epoch]], against_time: bool = False) -> Figure:
    """Curves of several runs, a colour each: solid for the training text, dashed for held-out text, if measured."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()

    def place(epoch: Epoch) -> float:
        return epoch.seconds if against_time else epoch.epoch

    dashed = False
    for i, (name, log) in enumerate(logs.items()):
        color, places = f"C{i % 10}", [place(e) for e in log]
        axes.plot(places, [e.train_perplexity for e in log], color=color, label=visible(name), marker=_marker(log))
        held_out = [(place(e), e.val_perplexity) for e in log if e.val_perplexity is not None]
        if held_out:
            axes.plot(*zip(*held_out, strict=True), color=color, linestyle="--", marker=_marker(held_out))
            dashed = True
    if dashed:
        axes.plot([], [], color="grey", label="training text")
        axes.plot([], [], color="grey", linestyle="--", label="held-out text")
    _style(axes)
    axes.set(xlabel="seconds" if against_time else "epoch", ylabel="perplexity")
    legend = axes.legend(frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def save_curves(logs: Mapping[str, Sequence[Epoch]], path: str | Path, against_time: bool = False) -> None:
    """Write `curves` as the kind of file that the path's ending names."""
    data = io.BytesIO()
    curves(logs, against_time).savefig(data, format=Path(path).suffix.removeprefix("."), dpi=150)
    write_atomically(path, data.getvalue())
