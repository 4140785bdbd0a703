"""`elman export`: a model as what runs without Python, and a page that trains one."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..visible import visible
from .shared.commands import Command
from .shared.console import ModelPath, load_model, out
from .shared.inputs import keep_inputs, mask_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..model import QuantisedModel

export = typer.Typer(
    help="Take a model out of Python: as a page, for JavaScript, as C, as ONNX.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
)
Output = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="File to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite the file, or the folder.")]
Alone = Annotated[bool, typer.Option("--network-alone", help="Leave out the n-grams of MODEL.")]
Bits = Annotated[int, typer.Option(metavar="N", help="Bits of a weight, where MODEL is not quantised: 8, 6, 5 or 4.")]


@export.command(cls=Command)
def c(
    model: ModelPath,
    output: Output,
    bits: Bits = 8,
    choice: Annotated[
        str,
        typer.Option(metavar="HOW", help="How a token is chosen: floats, or integers, for processors without doubles."),
    ] = "floats",
    arduino: Annotated[
        bool, typer.Option("--arduino", help="Write a folder that Arduino's tools take as a library.")
    ] = False,
    network_alone: Alone = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a model as C99: one .c and one .h, without allocation, libm or global state.

    Names begin with the name of FILE. The code writes the text of `elman generate --seed` with the quantised MODEL;
    with --choice integers, the text of `elman generate --choice integers`.

    Example: elman export c runs/story -o story.c
    """
    from ..export import arduino_library, to_c

    if arduino:
        files: Mapping[Path, str] = {
            output / path: text
            for path, text in arduino_library(integer_model(model, bits, network_alone), output.name, choice).items()
        }
    else:
        if output.suffix != ".c":
            raise InputError(f"{output} does not end with .c; the header gets the same name with .h")
        code, header = to_c(integer_model(model, bits, network_alone), output.stem, choice)
        files = {output: code, output.with_suffix(".h"): header}
    write_files({path: text.encode() for path, text in files.items()}, model, overwrite)


@export.command(cls=Command)
def onnx(
    model: ModelPath,
    output: Output,
    form: Annotated[
        str, typer.Option(metavar="NAME", help="plain, or sherpa: an LSTM as sherpa-onnx reads language models.")
    ] = "plain",
    network_alone: Alone = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a model as ONNX: floats, opset 14, states in and out.

    Logits agree with Elman's to 2e-5. The file's metadata hold the vocabulary. Needs the extra elman[onnx].

    Example: elman export onnx runs/story -o story.onnx
    """
    from ..export import to_onnx

    write_files({output: to_onnx(_loaded(model, network_alone), form)}, model, overwrite)


@export.command(cls=Command)
def html(
    model: ModelPath,
    output: Output,
    bits: Bits = 8,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Name of the model; its file's if left out.")] = None,
    network_alone: Alone = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a page that runs a model: one file, which works from disk and makes no request.

    It writes the text of `elman generate --seed` with the quantised MODEL, and colours texts by surprisal.

    Example: elman export html runs/story -o story.html
    """
    from ..export import to_html

    page = to_html(integer_model(model, bits, network_alone), name or model.resolve().name.partition(".")[0])
    write_files({output: page.encode()}, model, overwrite)


@export.command(cls=Command)
def lab(output: Output, overwrite: Overwrite = False) -> None:
    """Write a page that trains a model: one file, which works from disk and makes no request.

    It takes a text or the bundled story, and gives a model file for the other commands. The weights have the bits of
    `elman train`.

    Example: elman export lab -o lab.html
    """
    from ..export import to_lab

    write_files({output: to_lab().encode()}, None, overwrite)


@export.command(cls=Command)
def js(
    model: ModelPath,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Folder to write the package to.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the package; FOLDER's if left out.")] = None,
    network_alone: Alone = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a package for npm: an ES module for Node, browsers and workers, with types and MODEL.

    Floats stay floats, and a quantised model, which is smaller and faster, integers.

    Example: elman export js runs/story/model.int8.safetensors -o story
    """
    from ..export import to_js

    files = to_js(_loaded(model, network_alone), name or output.resolve().name.lower())
    write_files({output / each: data for each, data in files.items()}, model, overwrite)


@export.command(cls=Command)
def plain(model: ModelPath, output: Output, network_alone: Alone = False, overwrite: Overwrite = False) -> None:
    """Write a model as the container that libelman opens, for programs in C.

    Floats stay floats, and a quantised model integers: the library computes the bits of MODEL.

    Example: elman export plain runs/story -o story.elman
    """
    from ..export import to_plain

    write_files({output: to_plain(_loaded(model, network_alone))}, model, overwrite)


def _loaded(path: Path, alone: bool) -> Any:
    """The model at `path`; alone: without its n-grams."""
    from ..model import without_ngrams

    loaded = load_model(path)
    return without_ngrams(loaded) if alone else loaded


def integer_model(path: Path, bits: int = 8, alone: bool = False) -> QuantisedModel:
    """The quantised model at `path`, or the one that `elman quantise --bits` makes of it; alone: without its n-grams.

    Raises:
        InputError: quantising needs a text, and the training text that the file names is not available.
    """
    from ..model import QuantisedModel, model_path, quantise, refuse_ngrams
    from ..model.quantisation import takes_text
    from .quantise import recorded

    loaded = _loaded(path, alone)
    refuse_ngrams(loaded, "an export")
    if isinstance(loaded, QuantisedModel):
        return loaded
    halve = takes_text(loaded, bits)
    text = recorded(loaded, model_path(path), halve).first if halve else None
    if text is None and loaded.cell == "rnn_relu":
        raise InputError(
            f"{path} is a ReLU RNN, which takes a text to quantise, and its training text was not read; "
            f"run elman quantise {path} --text FILE, and export what that writes"
        )
    return quantise(loaded, bits, text)


def write_files(files: Mapping[Path, bytes], model: Path | None, overwrite: bool) -> None:
    """Write all files or, where one cannot be written, none; then a line about each.

    Raises:
        InputError: one is there already, or is the model.
    """
    from ..files import staged

    for path in files:
        keep_inputs(path, model)
        if os.path.lexists(path) and not overwrite:
            raise InputError(f"{path} is there already; give another --output, or --overwrite")
    made: list[Path] = []
    try:
        for path in files:
            made += _folders(path.parent)
        with ExitStack() as stack:
            for path, data in files.items():
                stack.enter_context(staged(path, replace=overwrite, mask=mask_for(model))).write(data)
    except BaseException as error:
        for folder in reversed(made):
            if not any(folder.iterdir()):
                folder.rmdir()
        if isinstance(error, FileExistsError):
            raise InputError(f"{error.filename} is there already; give another --output, or --overwrite") from None
        raise
    for path, data in files.items():
        out.print(f"{visible(str(path))}: {len(data):,} bytes")


def _folders(folder: Path) -> list[Path]:
    """Make a folder with those above it: the ones that were not there, outermost first."""
    made = []
    while not folder.exists():
        made.append(folder)
        folder = folder.parent
    for each in reversed(made):
        each.mkdir()
    return made[::-1]
