"""`elman quantise`: a model's weights in 8 bits or fewer, and what that costs."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..errors import InputError
from ..visible import visible
from .shared.console import Encoding, EncodingErrors, Field, Json, ModelPath, load_model, out, read_text, write_json
from .shared.inputs import keep_inputs, mask_for
from .shared.training_text import training_parts

if TYPE_CHECKING:
    from ..model import Model

Text = str | bytes
_MOST = 1_000_000  # characters of each text that measure


class _Texts(NamedTuple):
    first: Text | None
    """The text to quantise with."""
    measured: Sequence[Text]
    name: str
    """Name of the measured text."""


def quantise(
    model: ModelPath,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="File to write; left out: beside MODEL, as model.int8.safetensors."
        ),
    ] = None,
    bits: Annotated[int, typer.Option(metavar="N", help="Bits of a weight: 8, 6, 5 or 4.")] = 8,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Text to measure on; may be repeated. Left out: the training text."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite the file.")] = False,
    field: Field = None,
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
) -> None:
    """Make a model of integers, a quarter of the bytes.

    Its bits are the same on every machine, and every command but train takes it. The cost is measured on what was held
    out of the training text, or on --text. A ReLU RNN needs a text to quantise with, and fewer than 8 bits cost less
    with one: the training text, or the first half of --text, of which only the second half then measures.

    Example: elman quantise runs/story --bits 6
    """
    from ..model import model_path, read_header, save, without_ngrams
    from ..model.quantisation import quantise as to_integers
    from ..model.quantisation import takes_text

    source, loaded = model_path(model), load_model(model)
    target = output or source.with_name(f"{source.name.removesuffix('.safetensors')}.int{bits}.safetensors")
    keep_inputs(target, model, *(text or ()))
    if os.path.lexists(target) and not overwrite:
        raise InputError(f"{target} is there already; give another --output, or --overwrite")
    halve = takes_text(loaded, bits)
    if text:
        texts = [loaded.reading.prepare(read_text(loaded, name, encoding, encoding_errors, field)) for name in text]
        named = ", ".join(map(visible, text))
        given = _halves(loaded, texts, named) if halve else _Texts(None, texts, named)
    else:
        given = recorded(loaded, source, halve, field)
    small = to_integers(loaded, bits, given.first)
    summary = {**read_header(source)["run"], "quantised_from": loaded.digest()}
    try:
        save(small, target, summary, replace=overwrite, mask=mask_for(source))
    except FileExistsError:
        raise InputError(f"{target} is there already; give another --output, or --overwrite") from None
    sizes = [path.stat().st_size for path in (source, target)]
    facts: dict[str, Any] = {"output": str(target), **without_ngrams(small).header(), "digest": small.digest()}
    facts |= {"bytes_before": sizes[0], "bytes_after": sizes[1], "ratio": sizes[1] / sizes[0]}
    facts |= _cost(loaded, small, given)
    if json_:
        write_json(facts)
        return
    out.print(f"{visible(str(target))}: {small.cell} {small.num_layers} x {small.hidden_size}, {bits} bits a weight")
    if facts["characters"]:
        out.print(
            f"bits/char  {facts['bits_per_char_before']:.4f} -> {facts['bits_per_char_after']:.4f}, "
            f"{facts['difference']:+.4f}, on {facts['characters']:,} characters of {facts['measured_on']}"
        )
    else:
        out.print("bits/char  not measured: the training text was not read; give --text FILE")
    out.print(f"bytes      {sizes[0]:,} -> {sizes[1]:,}, a ratio of {facts['ratio']:.3f}\ndigest     {facts['digest']}")


def _halves(model: Model, texts: Sequence[Text], name: str) -> _Texts:
    """The first half of each text to quantise with, the second to measure; records stay whole."""
    first, second = [], []
    for text in texts:
        cut = len(text) // 2
        if model.reading.records:
            cut = 1 + (text.find("\n", cut) if isinstance(text, str) else text.find(b"\n", cut))
        first.append(text[:cut])
        second.append(text[cut:])
    empty: Any = texts[0][:0]
    return _Texts(empty.join(first), [text for text in second if text], f"the second half of {name}")


def recorded(model: Model, path: Path, halve: bool, field: str | None = None) -> _Texts:
    """The training text that the model's file names, if available, and what was held out of it."""
    try:
        trained, held_out = training_parts(model, path, None, field)
    except InputError:
        return _Texts(None, [], "")
    vocabulary = model.reading.vocabulary
    decode: Any = vocabulary.decode_bytes if vocabulary.reads_bytes else vocabulary.decode
    text, name = decode(trained), "the training text"
    if held_out is not None:
        return _Texts(text if halve else None, [decode(held_out)], "the held-out text")
    return _halves(model, [text], name) if halve else _Texts(None, [text], name)


def _cost(model: Model, small: Model, given: _Texts) -> dict[str, Any]:
    """Bits per character of both models on the same texts; None where there are none."""
    from ..scoring import score_many

    texts = [text[:_MOST] for text in given.measured]
    counts, costs = 0, [math.nan, math.nan]
    if texts:
        scores = [score_many(each, texts) for each in (model, small)]
        counts = sum(len(score.characters()[0]) for score in scores[0])
        costs = [math.fsum(score.bits for score in of) / counts for of in scores]
    before, after = costs if counts else (None, None)
    return {
        "measured_on": given.name if counts else None,
        "characters": counts,
        "bits_per_char_before": before,
        "bits_per_char_after": after,
        "difference": after - before if before is not None and after is not None else None,
    }
