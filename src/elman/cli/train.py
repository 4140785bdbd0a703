"""`elman train`: a text to a run's folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, worded
from ..given import amount
from ..sources import refuse_same
from .shared.console import Bytes, Encoding, EncodingErrors, Json, Split
from .shared.inputs import files_read
from .shared.options import changes, with_recipe_options
from .shared.streams import option
from .shared.training_report import report
from .shared.training_source import IN_SUBWORDS, be_as_private_as, download_bar, load, run_folder, started, suited

if TYPE_CHECKING:
    from ..corpora import Corpus
    from ..model import LanguageModel
    from ..recipes import Recipe
    from ..runs import Checkpoint, Run


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
            "for your own text modern, or subwords from 200,000 characters on; records for records."
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
            metavar="N", help="Time limit instead of --epochs; of a text too long for it the last part is read."
        ),
    ] = None,
    every: Annotated[int, typer.Option(help="Print a line every so many epochs; 0: ten lines.")] = 0,
    as_bytes: Bytes = False,
    split: Split = None,
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
    from ..training.choice import BY_TIME, recipe_name
    from ..training.sizing import for_minutes
    from .shared.workers import to_go_on, working_together

    _check(every, save_every, minutes, as_bytes, split, settings)
    places, given = corpus or ["traveller"], changes(settings)
    with working_together(workers, "-" if "-" in places else None, minutes is not None) as ranks:
        how: dict[str, Any] = {"save_seconds": save_every, "ranks": ranks, "tensorboard": tensorboard}
        if resume is not None:
            others = {"--recipe": recipe, "--records": records, "--field": field, "--output": output, "--from": start}
            others |= {"--overwrite": overwrite, "--encoding": encoding}
            _resume(resume, corpus, given, minutes, others, every, json_, how)
            return
        records = records or bool(field)
        subwords = start is None and given.get("tokens", "").startswith("bpe:")
        name = recipe or recipe_name(all(map(is_named, places)), records, subwords)
        chosen = load_recipe(name).replace(**given)
        model, tokens = None, chosen.tokens
        if start is not None:
            model, chosen = started(start, chosen, settings, records)
            records, tokens = model.reading.records, model.reading.vocabulary
        of_model = model.reading.field if model and field is None else None
        reading = {"field": of_model or field or None, "or_lines": bool(of_model), "tokens": tokens}
        reading |= {"encoding": encoding, "encoding_errors": encoding_errors}
        text = load(places, chosen, records, reading)
        if recipe is None and name != "book":
            text, name, chosen = suited(text, name, chosen, given, start is None)
        notes = [IN_SUBWORDS] if recipe is None and name == "subwords" and "tokens" not in given else []
        if minutes is not None:
            free = recipe is None and name in ("modern", "subwords") and start is None
            sized = for_minutes(minutes, chosen, text, given if free else BY_TIME)
            chosen, how["minutes"] = sized.recipe, sized.minutes
            notes.append(worded(sized.left_out, ["minutes"], option))
        if output is not None:
            read = files_read(*places, start, recipe)
            for written in RunFolder(output).written:
                refuse_same(written, *read)
        be_as_private_as(*places, start)
        checkpoint = to_go_on(output, chosen, text)
        if checkpoint:
            _go_on(checkpoint, text, f"\ngoing on {_where(checkpoint)}", every, json_, how)
            return
        folder = run_folder(output, text.name, overwrite) if ranks.rank == 0 else None
        try:
            _train(text, name, chosen, model, every, json_, how | {"output": folder}, notes)
        except BaseException:
            for empty in (folder, folder.parent) if folder and output is None else ():
                with suppress(OSError):  # it has something in it
                    empty.rmdir()
            raise


def _check(
    every: int, save_every: float, minutes: float | None, as_bytes: bool, split: str | None, settings: dict[str, Any]
) -> None:
    """Raises InputError for options that cannot be. --bytes and --split become the setting that they are short for."""
    if every < 0:
        raise InputError(f"--every must be at least 0, got {every}")
    given_split = None if split is None else f"split:{split}"
    if not save_every >= 0:
        raise InputError(f"--save-every must be at least 0, got {save_every}")
    for name, tokens in (("bytes", "bytes" if as_bytes else None), ("split", given_split)):
        if tokens is not None:
            if settings["tokens"] not in (None, tokens):
                short = f"--{name} is short for --tokens {tokens}"
                raise InputError(f"{short}; leave it out, or --tokens {settings['tokens']}")
            settings["tokens"] = tokens
    if minutes is not None:
        amount("minutes", minutes)
        if "epochs" in changes(settings):
            raise InputError("--minutes decides the epochs; leave out --epochs")


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
    be_as_private_as(folder, *(corpus or ()))
    checkpoint = read_checkpoint(folder)
    if not corpus and not checkpoint.ours:
        ask_to_resume(folder, checkpoint)
    before = checkpoint.run.recipe.epochs, checkpoint.run.minutes
    patience = settings["patience"] or 0 if "patience" in settings else None
    further(checkpoint, settings.get("epochs"), patience, minutes)
    finished = worded(what_to_do(checkpoint), ("patience", "epochs", "minutes"), option) if checkpoint.finished else ""
    with download_bar() as progress:
        text = checkpoint.corpus(corpus if corpus and len(corpus) > 1 else corpus[0] if corpus else None, progress)
    run, more = checkpoint.run, f"\n{finished or 'going on ' + _where(checkpoint)}"
    if minutes is not None:
        more += f", for {minutes:g} minutes"
    if not finished and before != (run.recipe.epochs, run.minutes):
        changed = worded(new_schedule(checkpoint), ["schedule"], option)
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

    report(train, run.model, text, None, run.recipe, every, json_, more, path, run.log, run.minutes)


def _train(
    text: Corpus,
    name: str,
    recipe: Recipe,
    start: LanguageModel | None,
    every: int,
    as_json: bool,
    how: dict[str, Any],
    notes: list[str],
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

    more = added + "".join(f"\n{note}" for note in notes if note)
    report(train, model, text, name, recipe, every, as_json, more, how["output"], (), how.get("minutes"))
