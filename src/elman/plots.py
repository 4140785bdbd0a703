"""Pictures: training curves. Matplotlib without a display; returns or writes, never shows."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .modelfile import write_atomically
from .training import Epoch


def curve(log: Sequence[Epoch], title: str = "") -> Figure:
    """Perplexity against epoch, on a logarithmic axis, of the training text and, if measured, the held-out one."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    _draw(axes, log)
    axes.set(xlabel="epoch", ylabel="perplexity", title=title)
    if len(axes.lines) > 1:
        axes.legend(frameon=False)
    return figure


def grid(logs: Mapping[str, Sequence[Epoch]], columns: int = 3) -> Figure:
    """Small `curve`s side by side, one for each title, with the same axes so that they can be compared."""
    rows = math.ceil(len(logs) / columns)
    figure = Figure(figsize=(2.6 * columns, 1.9 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    for axes, (title, log) in zip(panels, logs.items(), strict=False):
        _draw(axes, log)
        axes.set_title(title, fontsize="medium")
    for axes in list(panels)[len(logs) :]:
        axes.set_axis_off()
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel("perplexity", fontsize="medium")
    lines = max((axes.lines for axes in figure.axes), key=len)
    figure.legend(handles=list(lines), loc="outside upper center", ncols=2, frameon=False)
    return figure


def _draw(axes: Axes, log: Sequence[Epoch]) -> None:
    axes.plot([e.epoch for e in log], [e.train_perplexity for e in log], label="training text")
    held_out = [(e.epoch, e.val_perplexity) for e in log if e.val_perplexity is not None]
    if held_out:
        axes.plot(*zip(*held_out, strict=True), label="held-out text")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)


def save_curve(log: Sequence[Epoch], path: str | Path, title: str = "") -> None:
    """Write `curve` as SVG."""
    data = io.BytesIO()
    curve(log, title).savefig(data, format="svg")
    write_atomically(path, data.getvalue())
