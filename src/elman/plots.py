"""Pictures: the training curve. Matplotlib without a display; returns or writes, never shows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from .modelfile import write_atomically
from .training import Epoch


def curve(log: Sequence[Epoch], title: str = "") -> Figure:
    """Perplexity against epoch, on a logarithmic axis, of the training text and, if measured, the held-out one."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    epochs = [e.epoch for e in log]
    axes.plot(epochs, [e.train_perplexity for e in log], label="training text")
    held_out = [(e.epoch, e.val_perplexity) for e in log if e.val_perplexity is not None]
    if held_out:
        axes.plot(*zip(*held_out, strict=True), label="held-out text")
        axes.legend(frameon=False)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="epoch", ylabel="perplexity", title=title)
    axes.grid(alpha=0.3, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def save_curve(log: Sequence[Epoch], path: str | Path, title: str = "") -> None:
    """Write `curve` as SVG."""
    data = io.BytesIO()
    curve(log, title).savefig(data, format="svg")
    write_atomically(path, data.getvalue())
