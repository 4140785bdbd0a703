"""The `elman` command: the only place that prints. Heavy imports wait until a command needs them."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from . import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .corpora import Corpus
    from .model import LanguageModel
    from .recipe import Recipe
    from .training import Epoch, Step

app = typer.Typer(
    help="Recurrent language models: concise, fast, exact.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Write JSON, for a program to read.")]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A .safetensors file, or a run's folder.")]
Bytes = Annotated[bool, typer.Option("--bytes", help="Take any file as bytes: 256 ids, nothing unknown.")]
EncodingErrors = Annotated[str, typer.Option(help="What to do with what is not UTF-8: strict or replace.")]


def main() -> None:
    """Run the command. Whatever a user can cause is one line on stderr and exit status 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except typer.Abort:
        sys.exit(130)
    except typer.TyperException as error:
        if error.format_message():
            _fail(ValueError(error.format_message() + " (see --help)"))
        sys.exit(2)  # no command: the help is printed already
    except (ValueError, OSError) as error:
        _fail(error)
    except RuntimeError as error:
        from .training import TrainingDiverged

        if not isinstance(error, TrainingDiverged):
            raise
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(error: Exception) -> None:
    if isinstance(error, BrokenPipeError):  # the reader went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    print("elman: " + " ".join(text.split()), file=sys.stderr)
    sys.exit(2)


def _version(value: bool) -> None:
    if value:
        out.print(f"elman {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None: ...


@app.command()
def train(
    corpus: Annotated[
        str,
        typer.Argument(help="A named corpus, a file, a folder, a .gz, an http(s) address, or - for stdin."),
    ] = "traveller",
    recipe: Annotated[str, typer.Option(help="A packaged recipe or a TOML file; `elman recipes` lists them.")] = "book",
    output: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Folder to write; runs/CORPUS if left out.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Write over a run that is there.")] = False,
    cell: Annotated[str | None, typer.Option(help="rnn_relu (also: rnn), rnn_tanh, gru or lstm.")] = None,
    hidden_size: Annotated[int | None, typer.Option(help="Hidden units of each layer.")] = None,
    num_layers: Annotated[int | None, typer.Option(help="Recurrent layers.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Between layers, while training.")] = None,
    seq_length: Annotated[int | None, typer.Option(help="Steps of truncated back-propagation.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Sequences side by side.")] = None,
    partition: Annotated[str | None, typer.Option(help="sequential or random.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd, adam or adamw.")] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="For adamw.")] = None,
    clip: Annotated[float | None, typer.Option(help="Largest norm of the whole gradient; 0: no clipping.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the text.")] = None,
    val_fraction: Annotated[float | None, typer.Option(help="Share of the text, its end, to hold out.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides all that is random.")] = None,
    max_chars: Annotated[int | None, typer.Option(help="Train on the first so many characters.")] = None,
    normalisation: Annotated[str | None, typer.Option(help="book (lower-case, white space collapsed) or none.")] = None,
    prompt: Annotated[
        list[str] | None, typer.Option(help="Prompt to continue while training; may be repeated.")
    ] = None,
    sample_every: Annotated[int | None, typer.Option(help="Epochs between continuations; 0: none.")] = None,
    length: Annotated[int | None, typer.Option(help="Characters of a continuation.")] = None,
    every: Annotated[int, typer.Option(help="Print a line every so many epochs; 0: ten lines.")] = 0,
    as_bytes: Bytes = False,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
) -> None:
    """Train a model on a text; write RUN/model.safetensors, log.jsonl and curve.svg."""
    from .corpora import load_corpus
    from .recipe import load_recipe

    changes = {
        "cell": "rnn_relu" if cell == "rnn" else cell,
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "dropout": dropout,
        "seq_length": seq_length,
        "batch_size": batch_size,
        "partition": partition,
        "optimizer": optimizer,
        "lr": lr,
        "weight_decay": weight_decay,
        "epochs": epochs,
        "val_fraction": val_fraction,
        "seed": seed,
        "max_chars": max_chars,
        "normalisation": normalisation,
        "prompts": prompt or None,
        "sample_every": sample_every,
        "sample_length": length,
    }
    settings = load_recipe(recipe).replace(**{k: v for k, v in changes.items() if v is not None})
    if clip is not None:
        settings = settings.replace(clip=clip or None)
    with _download_bar() as progress:
        text = load_corpus(
            corpus,
            settings.max_chars,
            normalisation=settings.normalisation,
            as_bytes=as_bytes,
            encoding_errors=encoding_errors,
            progress=progress,
        )
    _train(
        text,
        settings,
        _run_folder(output, text.name, overwrite),
        every or max(1, settings.epochs // 10),
        json_,
    )


def _train(text: Corpus, settings: Recipe, folder: Path, every: int, as_json: bool) -> None:
    from .kernels import serving
    from .plots import save_curve
    from .training import build_model, fit

    model = build_model(text, settings)
    backend, why = serving(model.output.weight)
    say = err if as_json else out
    say.print(
        f"{text.name}: {len(text):,} characters, {model.vocab_size} in the vocabulary, "
        f"normalisation {text.normalisation}\n"
        f"{settings.cell} {settings.num_layers} x {settings.hidden_size}, "
        f"{sum(p.numel() for p in model.parameters()):,} parameters; backend {backend} ({why})"
    )
    with _training_bar() as (on_step, above):

        def on_epoch(record: Epoch) -> None:
            if record.epoch % every == 0 or record.epoch == settings.epochs:
                held_out = "" if record.val_perplexity is None else f", held-out {record.val_perplexity:.3f}"
                above(
                    f"epoch {record.epoch:>4}  perplexity {record.train_perplexity:.3f}{held_out}  "
                    f"{record.seconds:.1f} s  {record.chars_per_second:,.0f} characters/s"
                )
            for prompt, continuation in record.samples.items():
                above(f"  - {prompt}{continuation}")

        run = fit(model, text, settings, output=folder, on_step=on_step, on_epoch=None if as_json else on_epoch)
    if run.log:
        save_curve(run.log, folder / "curve.svg", f"{text.name}, {settings.cell} {settings.hidden_size}")
    if as_json:
        ending = {"output": str(folder), "interrupted": run.interrupted, "digest": model.digest()}
        print(json.dumps(run.summary() | ending, ensure_ascii=False))
        return
    if run.interrupted:
        out.print(f"stopped by Ctrl-C after {len(run.log)} of {settings.epochs} epochs; the model is saved")
    out.print(f"{folder}/model.safetensors  log.jsonl  curve.svg\ndigest {model.digest()}")


@app.command()
def generate(
    model: ModelPath,
    prompt: Annotated[str, typer.Argument(help="Text to continue.")] = "",
    prompt_option: Annotated[str | None, typer.Option("--prompt", help="The same, as an option.")] = None,
    length: Annotated[int, typer.Option(help="Characters to write.")] = 200,
    temperature: Annotated[float, typer.Option(help="Divides the logits; 0 is greedy.")] = 1.0,
    alpha: Annotated[float, typer.Option(help="The book's p^alpha, renormalised.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Keep the k likeliest characters.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Keep the likeliest characters up to this probability.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the draws.")] = 0,
    json_: Json = False,
) -> None:
    """Continue a prompt."""
    from .generation import generate as continue_text
    from .generation import unknown_characters

    loaded = _load(model)
    prompt = prompt if prompt_option is None else prompt_option
    unseen = unknown_characters(loaded, prompt)
    if unseen:
        err.print(f"elman: the model has never seen {unseen!r}; read as <unk>", markup=False)
    text = continue_text(
        loaded, prompt, length, temperature=temperature, alpha=alpha, top_k=top_k, top_p=top_p, seed=seed
    )
    if json_:
        print(json.dumps({"prompt": prompt, "text": text, "unknown": unseen}, ensure_ascii=False))
    else:
        print(prompt + text)


@app.command()
def score(
    model: ModelPath,
    files: Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Files; - or none: stdin.")] = None,
    chars: Annotated[bool, typer.Option("--chars", help="Also the surprisal of every character.")] = False,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
) -> None:
    """Bits per character and perplexity of texts, under a model."""
    from .corpora import load_corpus
    from .scoring import score as cost

    loaded = _load(model)
    table = Table("file", "characters", "bits", "bits/char", "perplexity", "unknown", box=None, pad_edge=False)
    as_bytes = loaded.vocabulary is not None and loaded.vocabulary.kind == "bytes"
    for file in files or ["-"]:
        text = load_corpus(file, normalisation="none", as_bytes=as_bytes, encoding_errors=encoding_errors).text
        result = cost(loaded, text)
        row = {
            "file": file,
            "characters": len(result.surprisal),
            "bits": result.bits,
            "bits_per_char": result.bits_per_char,
            "perplexity": result.perplexity,
            "unknown": result.unknown,
        }
        if json_:
            if chars:
                row["text"], row["surprisal"] = result.text, [round(float(b), 6) for b in result.surprisal]
            print(json.dumps(row, ensure_ascii=False))
        elif chars:
            for character, bits in zip(result.text, result.surprisal, strict=False):
                print(f"{character!r}\t{bits:.3f}")
        table.add_row(
            file,
            f"{row['characters']:,}",
            f"{result.bits:,.1f}",
            f"{result.bits_per_char:.4f}",
            f"{result.perplexity:.4f}",
            f"{result.unknown:,}",
        )
    if not json_:
        out.print(table)


@app.command()
def info(model: ModelPath, json_: Json = False) -> None:
    """What a model file holds, and which backend serves it here."""
    from .kernels import serving
    from .modelfile import read_header

    header, loaded = read_header(_model_path(model)), _load(model)
    vocabulary, (backend, why) = header.pop("vocabulary"), serving(loaded.output.weight)
    facts = {
        **{k: v for k, v in header.items() if k != "run"},
        "vocabulary": f"{len(loaded.vocabulary or ())} {vocabulary['kind']}",
        "parameters": sum(p.numel() for p in loaded.parameters()),
        "digest": loaded.digest(),
        "backend": f"{backend} ({why})",
    }
    if json_:
        print(json.dumps(facts | {"symbols": vocabulary["symbols"], "run": header["run"]}, ensure_ascii=False))
        return
    for name, value in [*facts.items(), *((f"run.{k}", v) for k, v in header["run"].items())]:
        out.print(f"{name:<22} {value}", markup=False)


@app.command()
def corpora(json_: Json = False) -> None:
    """The corpora that have names."""
    from .corpora import corpora as known

    if json_:
        print(json.dumps(known()))
        return
    table = Table("name", "what", "where", box=None, pad_edge=False)
    for row in known():
        table.add_row(row["name"], row["what"], row["where"] or "to be downloaded")
    out.print(table)


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Show the settings of this one.")] = None,
) -> None:
    """The packaged recipes, or the settings of one."""
    from .recipe import load_recipe, recipe_names

    if name is None:
        out.print("\n".join(recipe_names()))
        return
    for key, value in dataclasses.asdict(load_recipe(name)).items():
        out.print(f"{key} = {value!r}", markup=False)


def _model_path(path: Path) -> Path:
    return path / "model.safetensors" if path.is_dir() else path


def _load(path: Path) -> LanguageModel:
    from .modelfile import load

    return load(_model_path(path))


def _run_folder(output: Path | None, corpus: str, overwrite: bool) -> Path:
    """The folder to write: the one asked for, if it is free, or runs/CORPUS, runs/CORPUS-2, ..."""
    if output is not None:
        if not overwrite and (output / "model.safetensors").exists():
            raise ValueError(f"{output} holds a run already; give another --output, or --overwrite")
        return output
    stem = Path("runs") / Path(corpus).stem
    number, folder = 1, stem
    while folder.exists() and not overwrite:
        number += 1
        folder = stem.with_name(f"{stem.name}-{number}")
    return folder


@contextmanager
def _download_bar() -> Iterator[Callable[[int, int | None, str], None]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
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
        out.print(line, markup=False)

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


if __name__ == "__main__":
    main()
