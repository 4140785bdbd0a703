"""Progress of `elman train`: a line for some epochs, and a bar, or lines within a long epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...training import budget
from ...visible import visible
from .console import out

if TYPE_CHECKING:
    from ...model import LanguageModel
    from ...recipes import Recipe
    from ...runs import Epoch, Step

_SECONDS = 10.0  # without a line or a bar, before the next tenth of the work has one


class Lines:
    """Lines about the epochs of a training.

    Args:
        every: epochs between two lines; 0: ten lines in all. write: prints a line.
    """

    def __init__(self, model: LanguageModel, settings: Recipe, every: int, write: Callable[[str], None]) -> None:
        self._model, self._settings, self._write = model, settings, write
        self._every = every or max(1, settings.epochs // 10)
        self._unit = model.reading.vocabulary.unit
        self._shown, self._tenths, self._last = 0, 0, budget.now()

    def epoch(self, record: Epoch) -> None:
        if record.epoch % self._every == 0 or record.epoch in (1, self._settings.epochs):
            self._print(record)
        for prompt, continuation in record.samples.items():
            self._write(f"  - {prompt}{continuation}")

    def end(self, log: list[Epoch]) -> None:
        """The last epoch, where nobody knew before that it would be the last."""
        if log and log[-1].epoch > self._shown:
            self._print(log[-1])

    def step(self, step: Step) -> None:
        """A line for each tenth of the work that takes long."""
        tenths = int(10 * step.fraction)
        if tenths <= self._tenths or budget.now() - self._last < _SECONDS:
            return
        self._tenths, self._last = tenths, budget.now()
        rate = f"{step.chars_per_second:,.0f} {self._unit}s/s"
        self._write(f"epoch {step.epoch:>4}  perplexity {step.perplexity:.3f} so far  {10 * tenths} % done  {rate}")

    def _print(self, record: Epoch) -> None:
        from ...generation import generate

        held_out = "" if record.val_perplexity is None else f", held-out {record.val_perplexity:.3f}"
        if self._unit == "token" and held_out:  # whose perplexity compares with no other vocabulary's
            held_out += f" ({record.val_bits_per_char:.3f} bits/char)"
        part = "" if record.part == 1 else f"  {100 * record.part:.0f} % of an epoch"
        self._write(
            f"epoch {record.epoch:>4}  perplexity {record.train_perplexity:.3f}{held_out}  "
            f"{record.seconds:.1f} s  {record.chars_per_second:,.0f} {self._unit}s/s{part}"
        )
        self._shown, self._last = record.epoch, budget.now()
        s = self._settings
        if not s.prompts and s.sample_every:
            self._write(f"  - {visible(generate(self._model, '', s.sample_length, seed=s.seed))}")


@contextmanager
def training_bar(unit: str) -> Iterator[tuple[Callable[[Step], None] | None, Callable[[str], None]]]:
    """(on_step, a print that stays above the bar). Without a terminal there is no bar, and no on_step."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    def above(line: str) -> None:
        (out.rich if out.is_terminal else out).print(line)

    if not out.is_terminal:
        yield None, above
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("perplexity {task.fields[perplexity]:.3f}  {task.fields[rate]:,.0f} " + f"{unit}s/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out.rich, transient=True, refresh_per_second=8) as bar:
        task = bar.add_task("", total=1.0, epoch="", perplexity=float("nan"), rate=0.0)

        def on_step(step: Step) -> None:
            bar.update(
                task,
                completed=step.fraction,
                epoch=f"{step.epoch}/{step.epochs}",
                perplexity=step.perplexity,
                rate=step.chars_per_second,
            )

        yield on_step, above
