"""`elman train`: a text to a run's folder."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, TrainingDiverged
from ..given import amount
from ..sources import mask_of, refuse_same
from .shared.console import Bytes, Encoding, EncodingErrors, Json, err, out, write_json
from .shared.options import changes, with_recipe_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..corpora import Corpus
    from ..model import LanguageModel
    from ..recipes import Recipe
    from ..runs import Checkpoint, Epoch, Run


_MAPPED_BYTES = 100_000_000  # a corpus this large stays on disk


@with_recipe_options
def train(
    corpus: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CORPUS]...",
            help="A named corpus, files, .gz or .xz, folders, a URL, or -: standard input; left out: traveller.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="A packaged recipe or a TOML file; `elman recipes` lists them. Left out: book for a named corpus, "
            "modern for your own text, records for records."
        ),
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", help="Read every line as a separate text: names, logs.")
    ] = False,
    field: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Field of JSON lines (a.b: b in a), or column of a .csv, that holds the records."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="RUN", help="Folder to write; runs/CORPUS if left out."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing run.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with a run that was stopped or killed, with its own settings."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="MODEL", help="Start from a model's weights; new characters are added to it."),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Processes of this machine that share the work, at most as many as --shards.")
    ] = 1,
    save_every: Annotated[
        float, typer.Option(metavar="SECONDS", help="Seconds between saves; a killed run loses no more.")
    ] = 30.0,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Time limit instead of --epochs; of a text too long for it the first part is read."
        ),
    ] = None,
    every: Annotated[int, typer.Option(help="Print a line every so many epochs; 0: ten lines.")] = 0,
    as_bytes: Bytes = False,
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write RUN/tensorboard too, for `tensorboard --logdir`.")
    ] = False,
    json_: Json = False,
    **settings: Any,
) -> None:
    """Train a model on a text.

    Writes RUN/model.safetensors, checkpoint.safetensors, log.jsonl and curve.svg. Settings that are left out are the
    recipe's: `elman recipes modern` prints them.

    Examples: elman train access.log --records --output runs/log;  elman train --resume runs/log
    """
    from ..corpora import is_named
    from ..recipes import load_recipe
    from ..runs import RunFolder
    from ..training.choice import for_size, recipe_name
    from ..training.sizing import for_minutes
    from .shared.workers import to_go_on, working_together

    if every < 0:
        raise InputError(f"--every must be at least 0, got {every}")
    if not save_every >= 0:
        raise InputError(f"--save-every must be at least 0, got {save_every}")
    if as_bytes:
        if settings["tokens"] not in (None, "bytes"):
            raise InputError(f"--bytes is short for --tokens bytes; leave it out, or --tokens {settings['tokens']}")
        settings["tokens"] = "bytes"
    places, given = corpus or ["traveller"], changes(settings)
    if minutes is not None:
        amount("minutes", minutes)
        if "epochs" in given:
            raise InputError("--minutes decides the epochs; leave out --epochs")
    with working_together(workers, "-" if "-" in places else None, minutes is not None) as ranks:
        how: dict[str, Any] = {"save_seconds": save_every, "ranks": ranks, "tensorboard": tensorboard}
        if resume is not None:
            others = {"--recipe": recipe, "--records": records, "--field": field, "--output": output, "--from": start}
            others |= {"--overwrite": overwrite, "--encoding": encoding}
            _resume(resume, corpus, given, minutes, others, every, json_, how)
            return
        records = records or bool(field)
        name = recipe or recipe_name(all(map(is_named, places)), records)
        chosen = load_recipe(name).replace(**given)
        model, tokens = None, chosen.tokens
        if start is not None:
            model, chosen = _started(start, chosen, settings, records)
            records, tokens = model.reading.records, model.reading.vocabulary
        of_model = model.reading.field if model and field is None else None
        reading = {"field": of_model or field or None, "or_lines": bool(of_model), "tokens": tokens}
        reading |= {"encoding": encoding, "encoding_errors": encoding_errors}
        text = _load(places, chosen, records, reading)
        if recipe is None and name != "book":
            chosen = for_size(chosen, text, given)
        left_out = ""
        if minutes is not None:
            sized = for_minutes(minutes, chosen, text)
            chosen, text, how["minutes"], left_out = sized.recipe, sized.text, sized.minutes, sized.left_out
        if output is not None:
            for written in RunFolder(output).written:
                refuse_same(written, *places)
        _be_as_private_as(places)
        checkpoint = to_go_on(output, chosen, text)
        if checkpoint:
            _go_on(checkpoint, text, f"\ngoing on {_where(checkpoint)}", every, json_, how)
            return
        folder = _run_folder(output, text.name, overwrite) if ranks.rank == 0 else None
        try:
            _train(text, name, chosen, model, every, json_, how | {"output": folder}, left_out)
        except BaseException:
            for empty in (folder, folder.parent) if folder and output is None else ():
                with suppress(OSError):  # it has something in it
                    empty.rmdir()
            raise


def _be_as_private_as(places: list[str]) -> None:
    """Hide this process's new files from whoever may not read these: a model remembers its text."""
    mask = mask_of(*places)
    os.umask(os.umask(0o077) | (0 if mask & 0o040 else 0o070) | (0 if mask & 0o004 else 0o007))


def _load(places: list[str], recipe: Recipe, records: bool, how: dict[str, Any]) -> Corpus:
    """The corpus; with its ids on disk, if it is a large file or folder."""
    from ..corpora import load_corpus, load_mapped, size_on_disk

    most = math.inf if recipe.max_chars is None else recipe.max_chars
    if len(places) == 1 and not records and min(most, size_on_disk(places[0])) >= _MAPPED_BYTES:
        how = {name: how[name] for name in ("tokens", "encoding", "encoding_errors")}
        return load_mapped(places[0], recipe.max_chars, normalisation=recipe.normalisation, **how)
    with _download_bar() as progress:
        return load_corpus(
            places if len(places) > 1 else places[0],
            recipe.max_chars,
            normalisation=recipe.normalisation,
            records=records,
            progress=progress,
            **how,
        )


def _started(path: Path, recipe: Recipe, settings: dict[str, Any], records: bool) -> tuple[LanguageModel, Recipe]:
    """The model to start from, and the recipe, which says of the model what it is and not what was left to say."""
    from ..model import load, trainable

    model = trainable(load(path))
    layer, reading = model.layer, model.reading
    fixed = {"cell": layer.cell, "hidden_size": layer.hidden_size, "num_layers": layer.num_layers}
    fixed["embedding_size"] = model.embedding_size
    fixed |= {"normalisation": reading.normalisation, "tokens": reading.vocabulary.setting}
    for name, value in changes(settings).items():
        if name in fixed and value != fixed[name]:
            raise InputError(f"{path} has {name} {fixed[name]}; leave out --{name.replace('_', '-')}, or --from")
    if records and not reading.records:
        raise InputError(f"{path} reads one text, not records; leave out --records, or --from")
    if settings["dropout"] is not None:
        layer.dropout = recipe.dropout
    return model, recipe.replace(**fixed, dropout=layer.dropout)


def _resume(
    folder: Path,
    corpus: list[str] | None,
    settings: dict[str, Any],
    minutes: float | None,
    others: dict[str, Any],
    every: int,
    as_json: bool,
    how: dict[str, Any],
) -> None:
    from ..runs import read_checkpoint
    from ..training.further import further, new_schedule, what_to_do
    from .shared.training_text import ask_to_resume

    given = [name for name, value in others.items() if value]
    given += [f"--{name.replace('_', '-')}" for name in settings if name not in ("epochs", "patience")]
    if given:
        raise InputError(f"a run that goes on keeps its settings; with --resume leave out {given[0]}")
    checkpoint = read_checkpoint(folder)
    if not corpus and not checkpoint.ours:
        ask_to_resume(folder, checkpoint)
    before = checkpoint.run.recipe.epochs, checkpoint.run.minutes
    patience = settings["patience"] or 0 if "patience" in settings else None
    further(checkpoint, settings.get("epochs"), patience, minutes)
    finished = what_to_do(checkpoint) if checkpoint.finished else ""
    with _download_bar() as progress:
        text = checkpoint.corpus(corpus if corpus and len(corpus) > 1 else corpus[0] if corpus else None, progress)
    run, more = checkpoint.run, f"\n{finished or 'going on ' + _where(checkpoint)}"
    if minutes is not None:
        more += f", for {minutes:g} minutes"
    if not finished and before != (run.recipe.epochs, run.minutes):
        changed = new_schedule(checkpoint)
        more += f"\n{changed}" if changed else ""
    _go_on(checkpoint, text, more, every, json_=as_json, how=how)


def _where(checkpoint: Checkpoint) -> str:
    where = f"after {len(checkpoint.run.log)} of {checkpoint.run.recipe.epochs} epochs"
    return where + (f" and {checkpoint.means.steps} steps" if checkpoint.means.steps else "")


def _go_on(checkpoint: Checkpoint, text: Corpus, more: str, every: int, json_: bool, how: dict[str, Any]) -> None:
    from ..training import resume

    run = checkpoint.run
    path = run.path if how["ranks"].rank == 0 else None

    def train(**calls: Any) -> Run:
        return resume(checkpoint, text, **how, **calls)

    _report(train, run.model, text, None, run.recipe, every, json_, more, path, run.log, run.minutes)


def _train(
    text: Corpus,
    name: str,
    recipe: Recipe,
    start: LanguageModel | None,
    every: int,
    as_json: bool,
    how: dict[str, Any],
    left_out: str,
) -> None:
    from ..model import extend
    from ..training import build_model, fit

    if start is None:
        model, added = build_model(text, recipe), ""
    else:
        model = extend(start, text.vocabulary())
        new = model.reading.vocabulary.symbols[len(start.reading) :]
        added = f"\n{len(new)} new character{'' if len(new) == 1 else 's'}: {''.join(new)!r}" if new else ""

    def train(**calls: Any) -> Run:
        return fit(model, text, recipe, **how, **calls)

    more = added + (f"\n{left_out}" if left_out else "")
    _report(train, model, text, name, recipe, every, as_json, more, how["output"], (), how.get("minutes"))


def _report(
    train: Callable[..., Run],
    model: LanguageModel,
    text: Corpus,
    recipe: str | None,
    settings: Recipe,
    every: int,
    as_json: bool,
    more: str,
    folder: Path | None,
    log: Sequence[Epoch] = (),
    minutes: float | None = None,
) -> None:
    """Train, and say what goes on meanwhile.

    recipe: its name; None: the settings are a stopped run's, and `log` its epochs. folder: None in another process
    than the first. minutes: of training in all, if the clock ends it and the settings' epochs are about as many.
    """
    from ..kernels import serving
    from ..runs import RunFolder
    from ..runs.log import best
    from ..training.interrupt import held_back
    from .shared.curve_file import CurveFile
    from .shared.progress import Lines, training_bar

    (backend, why), named = serving(model.network.cell), f"recipe {recipe}: " if recipe else ""
    say = err if as_json else out
    unit = model.reading.vocabulary.unit
    say.print(
        f"{text.name}: {_size(text)}, {_vocabulary(model, text)}, normalisation {text.normalisation}\n"
        f"{named}{_length(settings.epochs, minutes)}, batches of "
        f"{settings.batch_size} x {settings.seq_length}, {settings.optimizer}, lr {settings.lr:g}\n"
        f"{settings.cell} {settings.num_layers} x {settings.hidden_size}, "
        f"{model.num_parameters:,} parameters; backend {backend} ({why}){more}"
    )
    picture = CurveFile(folder, f"{text.name}, {settings.cell} {settings.hidden_size}", log)
    with training_bar(unit) as (on_step, above):
        lines = Lines(model, settings, every, above)

        def on_epoch(record: Epoch) -> None:
            picture.add(record)
            if not as_json:
                lines.epoch(record)

        with held_back() as stopped:
            run = train(on_step=on_step or (None if as_json else lines.step), on_epoch=on_epoch)
    if not as_json:
        lines.end(run.log)
    if folder is None:
        _exit(stopped)
        return
    if run.log and math.isinf(run.perplexity):
        raise TrainingDiverged(
            f"training diverged: its perplexity is infinite after epoch {len(run.log)}; {RunFolder(folder).log} says "
            f"when it began; use a lower learning rate (now {settings.lr:g})"
        )
    picture.draw()
    if as_json:
        ending = {"output": str(folder), "interrupted": run.interrupted, "digest": model.digest()}
        write_json(run.summary() | ending)
        _exit(stopped)
        return
    if run.interrupted:
        about = "" if minutes is None else "about "
        out.print(
            f"stopped after {len(run.log)} of {about}{run.recipe.epochs} epochs; the model is saved; "
            f"elman train --resume {folder} goes on"
        )
    elif len(run.log) < run.recipe.epochs:
        out.print(f"ended after {len(run.log)} of {run.recipe.epochs} epochs: the held-out text gets no better")
    files = RunFolder(folder)
    written = (files.model, files.log, files.curve) if run.log else (files.model,)
    lowest = best(run.log)
    if lowest is not None:
        last = next(epoch for epoch in reversed(run.log) if epoch.val_perplexity is not None)
        out.print(
            f"best at epoch {lowest.epoch}: held-out perplexity {lowest.val_perplexity:.3f}, last "
            f"{last.val_perplexity:.3f}; the other commands take the best, best.safetensors"
        )
    out.print(f"{folder}/{'  '.join(path.name for path in written)}\ndigest {model.digest()}")
    _exit(stopped)


def _exit(stopped: list[int]) -> None:
    """A training that a signal stopped is not done: what waits for it must not go on."""
    if stopped:
        raise typer.Exit(128 + stopped[-1])


def _length(epochs: int, minutes: float | None) -> str:
    count = f"{epochs:,} epoch{'' if epochs == 1 else 's'}"
    return count if minutes is None else f"about {count} (the clock ends it, so no two runs are alike)"


def _size(text: Corpus) -> str:
    size = f"{len(text):,} {'bytes' if text.is_bytes else 'characters'}"
    if not text.records:
        return size
    count = text.num_records
    return f"{count:,} record{'' if count == 1 else 's'}, {size}"


def _vocabulary(model: LanguageModel, text: Corpus) -> str:
    from ..corpora import SAMPLE

    size = f"{model.vocab_size} in the vocabulary"
    if model.reading.vocabulary.unit != "token":
        return size
    return f"{size} of subwords" + (f", from its first {SAMPLE:,}" if len(text) > SAMPLE else "")


def _run_folder(output: Path | None, corpus: str, overwrite: bool) -> Path:
    """The folder to write: the one asked for, if it is free, or runs/CORPUS, runs/CORPUS-2, ..."""
    if output is not None:
        from ..runs import RunFolder

        if not overwrite and RunFolder(output).holds_run():
            raise InputError(f"{output} holds a run already; give another --output, --overwrite, or --resume {output}")
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
    with Progress(*columns, console=err.rich, transient=True, disable=not err.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def progress(done: int, total: int | None, address: str) -> None:
            if address not in tasks:
                tasks[address] = bar.add_task(address.rsplit("/", 1)[-1], total=total)
            bar.update(tasks[address], completed=done, total=total)

        yield progress
