"""`elman train`: a text to a run's folder."""

from __future__ import annotations

import math
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, TrainingDiverged
from ..text import visible
from .console import Bytes, Encoding, EncodingErrors, Json, err, out, write_json
from .options import changes, with_recipe_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..corpora import Corpus
    from ..training import Epoch, Recipe, Step


@with_recipe_options
def train(
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CORPUS]...",
            help="A named corpus, files, folders, a .gz, an http(s) address, or - for stdin; traveller if left out.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A packaged recipe or a TOML file; `elman recipes` lists them. Left out: book for a named corpus, "
            "modern for a text of one's own, records for records."
        ),
    ] = None,
    records: Annotated[bool, typer.Option("--records", help="Every line is a text of its own: names, logs.")] = False,
    field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The records are in this field of JSON lines (a.b: b in a), or column of a .csv."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Folder to write; runs/CORPUS if left out.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Write over a run that is there.")] = False,
    minutes: Annotated[
        float | None, typer.Option(help="In place of --epochs: as many as fit into these minutes here.")
    ] = None,
    every: Annotated[int, typer.Option(help="Print a line every so many epochs; 0: ten lines.")] = 0,
    as_bytes: Bytes = False,
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
    **settings: Any,
) -> None:
    """Train a model on a text; write RUN/model.safetensors, log.jsonl and curve.svg.

    Example: elman train access.log --records --output runs/log
    """
    from ..corpora import NAMED, load_corpus
    from ..training import load_recipe
    from .sizing import for_minutes, for_size

    if every < 0:
        raise InputError(f"--every must be at least 0, got {every}")
    records = records or field is not None
    places, given = corpus or ["traveller"], changes(settings)
    if minutes is not None and "epochs" in given:
        raise InputError("--minutes decides the epochs; leave out --epochs")
    name = recipe or ("records" if records else "book" if {*places} <= {"traveller", *NAMED} else "modern")
    chosen = load_recipe(name).replace(**given)
    with _download_bar() as progress:
        text = load_corpus(
            places,
            chosen.max_chars,
            normalisation=chosen.normalisation,
            as_bytes=as_bytes,
            encoding=encoding,
            encoding_errors=encoding_errors,
            records=records,
            field=field,
            progress=progress,
        )
    if recipe is None and name != "book":
        chosen = for_size(chosen, text, given)
    if minutes is not None:
        chosen, text = for_minutes(minutes, chosen, text)
    folder = _run_folder(output, text.name, overwrite)
    try:
        _train(text, name, chosen, folder, every or max(1, chosen.epochs // 10), json_)
    except BaseException:
        for empty in (folder, folder.parent) if output is None else ():
            with suppress(OSError):  # it has something in it
                empty.rmdir()
        raise


def _train(text: Corpus, recipe: str, settings: Recipe, folder: Path, every: int, as_json: bool) -> None:
    from ..generation import generate
    from ..kernels import serving
    from ..training import build_model, fit
    from ..training.curve import save_curve

    model = build_model(text, settings)
    backend, why = serving()
    say = err if as_json else out
    say.print(
        f"{text.name}: {_size(text)}, {model.vocab_size} in the vocabulary, normalisation {text.normalisation}\n"
        f"recipe {recipe}: {settings.epochs:,} epoch{'' if settings.epochs == 1 else 's'}, batches of "
        f"{settings.batch_size} x {settings.seq_length}, {settings.optimizer}, lr {settings.lr:g}\n"
        f"{settings.cell} {settings.num_layers} x {settings.hidden_size}, "
        f"{sum(p.size for p in model.parameters()):,} parameters; backend {backend} ({why})"
    )
    with _training_bar() as (on_step, above):

        def on_epoch(record: Epoch) -> None:
            if record.epoch % every == 0 or record.epoch in (1, settings.epochs):
                held_out = "" if record.val_perplexity is None else f", held-out {record.val_perplexity:.3f}"
                above(
                    f"epoch {record.epoch:>4}  perplexity {record.train_perplexity:.3f}{held_out}  "
                    f"{record.seconds:.1f} s  {record.chars_per_second:,.0f} characters/s"
                )
                if not settings.prompts and settings.sample_every:
                    above(f"  - {visible(generate(model, '', settings.sample_length, seed=settings.seed))}")
            for prompt, continuation in record.samples.items():
                above(f"  - {prompt}{continuation}")

        run = fit(model, text, settings, output=folder, on_step=on_step, on_epoch=None if as_json else on_epoch)
    if run.log and math.isinf(run.perplexity):
        raise TrainingDiverged(
            f"training diverged: its perplexity is infinite after epoch {len(run.log)}; {folder}/log.jsonl says when "
            f"it began; use a lower learning rate (now {settings.lr:g})"
        )
    if run.log:
        save_curve(run.log, folder / "curve.svg", f"{text.name}, {settings.cell} {settings.hidden_size}")
    if as_json:
        ending = {"output": str(folder), "interrupted": run.interrupted, "digest": model.digest()}
        write_json(run.summary() | ending)
        return
    if run.interrupted:
        out.print(f"stopped after {len(run.log)} of {settings.epochs} epochs; the model is saved")
    files = "model.safetensors  log.jsonl  curve.svg" if run.log else "model.safetensors"
    out.print(f"{folder}/{files}\ndigest {model.digest()}")


def _size(text: Corpus) -> str:
    size = f"{len(text):,} {'characters' if isinstance(text.text, str) else 'bytes'}"
    if not text.records:
        return size
    ends = text.text.count("\n") if isinstance(text.text, str) else text.text.count(b"\n")
    return f"{ends:,} record{'' if ends == 1 else 's'}, {size}"


def _run_folder(output: Path | None, corpus: str, overwrite: bool) -> Path:
    """The folder to write: the one asked for, if it is free, or runs/CORPUS, runs/CORPUS-2, ..."""
    if output is not None:
        if not overwrite and (output / "model.safetensors").exists():
            raise InputError(f"{output} holds a run already; give another --output, or --overwrite")
        return output
    stem = Path("runs") / Path(corpus).stem
    number, folder = 1, stem
    stem.parent.mkdir(exist_ok=True)
    while not overwrite:
        try:
            folder.mkdir()  # claimed: a training that is started beside this one takes another
            break
        except FileExistsError:
            number += 1
            folder = stem.with_name(f"{stem.name}-{number}")
    return folder


@contextmanager
def _download_bar() -> Iterator[Callable[[int, int | None, str], None]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def progress(done: int, total: int | None, address: str) -> None:
            if address not in tasks:
                tasks[address] = bar.add_task(address.rsplit("/", 1)[-1], total=total)
            bar.update(tasks[address], completed=done, total=total)

        yield progress


@contextmanager
def _training_bar() -> Iterator[tuple[Callable[[Step], None] | None, Callable[[str], None]]]:
    """(on_step, a print that stays above the bar). Without a terminal there is no bar."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    def above(line: str) -> None:
        out.print(line)

    if not out.is_terminal:
        yield None, above
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("perplexity {task.fields[perplexity]:.3f}  {task.fields[rate]:,.0f} characters/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True, refresh_per_second=8) as bar:
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
