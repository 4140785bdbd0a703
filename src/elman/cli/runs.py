"""`elman runs` and `elman plot`: what trainings there are, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ElmanError, InputError
from ..sources import refuse_same
from .shared.console import Json, err, out, table, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..runs import RunSummary

_SHOWN = ("cell", "num_layers", "hidden_size", "networks", "optimizer", "lr", "epochs")
"""Settings that a table has in any case; others where runs differ in them."""


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to search for runs, with its subfolders.")
    ] = Path("runs"),
    json_: Json = False,
) -> None:
    """List the runs in a folder: where they differ, how far they are, what they reached.

    A star marks the lowest held-out perplexity of each text.

    Example: elman runs
    """
    from ..runs.summary import differences, find_runs

    found, broken = find_runs(folder)
    for reason in broken:
        err.print(f"elman: {reason}")
    if json_:
        write_json([{"run": str(run.path), **run.summary()} for run in found])
        raise typer.Exit(bool(broken))
    if not found:
        if broken:
            raise typer.Exit(1)
        raise InputError(f"{folder}: no runs here; `elman train` makes one")
    names = [name for name in differences(found) if name not in _SHOWN]
    texts: dict[tuple[str, str], list[RunSummary]] = {}
    for run in found:
        texts.setdefault((run.corpus.get("digest", ""), run.recipe["tokens"]), []).append(run)
    if not out.is_terminal:
        out.width = 10_000  # a line for each run, for a program to read
    for of_one in texts.values():
        if len(texts) > 1:
            out.print(_heading(of_one[0]))
        rows = table("run", "corpus", "model", *names, "epochs", "train", "held out", "best", "time")
        for run in of_one:
            rows.add_row(*_row(run, folder, names, _is_best(run, of_one)))
        out.print(rows)
    if len(texts) > 1:
        out.print("\nPerplexities compare within one text and its tokens only.")
    raise typer.Exit(bool(broken))


def _heading(run: RunSummary) -> str:
    """Over the runs of a text, where there are several texts."""
    size = run.corpus.get("characters")
    shown = f", {size:,} characters" if isinstance(size, int) else ""
    tokens = "" if run.recipe["tokens"] == "chars" else f", tokens {run.recipe['tokens']}"
    return f"\n{run.corpus.get('name', '')}{shown}{tokens}"


def _is_best(run: RunSummary, others: Sequence[RunSummary]) -> bool:
    """Whether none of the runs that hold the same out of a text reached less, and there is another."""
    same = [r.best for r in others if r.best and r.recipe["val_fraction"] == run.recipe["val_fraction"]]
    if not run.best or len(same) < 2:
        return False
    return run.best["val_bits_per_char"] <= min(line["val_bits_per_char"] for line in same)


def _row(run: RunSummary, folder: Path, names: list[str], is_best: bool) -> list[str]:
    r, last, best = run.recipe, run.last, run.best
    many = "" if r["networks"] == 1 else f"{r['networks']} of "
    model = f"{many}{r['cell']} {r['num_layers']} x {r['hidden_size']}, {r['optimizer']} {r['lr']:g}"
    return [
        str(run.path.relative_to(folder)) if run.path != folder else str(folder),
        str(run.corpus.get("name", "")),
        model,
        *(_short(r.get(name)) for name in names),
        f"{last['epoch'] if last else 0}/{r['epochs']}",
        _perplexity(last, "train_perplexity"),
        _perplexity(last, "val_perplexity"),
        f"{_perplexity(best, 'val_perplexity')} at {best['epoch']}{' *' if is_best else ''}" if best else "",
        _duration(last["seconds"]) if last else "",
    ]


def _short(value: Any) -> str:
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _perplexity(line: dict[str, Any] | None, name: str) -> str:
    return "" if line is None or line.get(name) is None else f"{line[name]:.3f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="An .svg, .png or .pdf to write.")
    ] = Path("curves.svg"),
    time: Annotated[bool, typer.Option("--time", help="Draw against seconds of training instead of epochs.")] = False,
) -> None:
    """Draw the curves of several runs in one picture.

    Solid lines are the training text, dashed ones the held-out text.

    Example: elman plot runs/a runs/b --output curves.svg
    """
    from ..runs import RunFolder, read_run

    if output.suffix not in (".svg", ".png", ".pdf"):
        raise InputError(f"{output}: a picture is .svg, .png or .pdf")
    refuse_same(output, *(RunFolder(path).log for path in runs))
    logs, broken = {}, 0
    for path in runs:
        try:
            logs[str(path)] = log = read_run(path).epochs()
            if not log:
                raise InputError(f"{path}: no whole epoch yet, so nothing to draw")
        except (ElmanError, OSError) as error:
            if len(runs) == 1:
                raise
            broken += 1
            logs.pop(str(path), None)
            err.print(f"elman: {error}")
    if logs:
        if output.suffix == ".svg":
            from ..runs.svg import save_svg

            save_svg(logs, output, "" if len(logs) > 1 else next(iter(logs)), against_time=time)
        else:
            from ..runs.curve import save_curves

            save_curves(logs, output, against_time=time)
        out.print(str(output))
    raise typer.Exit(bool(broken))
