"""`elman inspect`: what a model's hidden units do over a text, and how much of its writing it has memorised."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from ..visible import visible
from .shared.console import (
    Encoding,
    EncodingErrors,
    Field,
    Json,
    ModelPath,
    load_model,
    out,
    read_text,
    table,
    write_json,
)
from .shared.inputs import keep_inputs, mask_for
from .shared.training_text import TrainingText, training_parts

if TYPE_CHECKING:
    from ..inspection import RecordReport, Report

_WIDTH = 120  # characters of an overlap that are shown


def inspect(
    model: ModelPath,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A text to look at; - is stdin.")],
    html: Annotated[
        Path | None,
        typer.Option(metavar="PAGE", help="Write a page: the text coloured by hidden units, and the report."),
    ] = None,
    layer: Annotated[
        int | None, typer.Option(metavar="N", help="Layer whose units are shown, from 0; left out: the last.")
    ] = None,
    units: Annotated[
        str | None,
        typer.Option(
            metavar="LIST", help="Hidden units, as in 3,17,40; if left out, those that visible features explain best."
        ),
    ] = None,
    corpus: TrainingText = None,
    field: Field = None,
    length: Annotated[int, typer.Option(help="Characters to write and look up in the training text.")] = 20_000,
    temperature: Annotated[float, typer.Option(metavar="X", help="Temperature of that writing.")] = 1.0,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Seed of the writing, and of the texts that it is compared with.")
    ] = 0,
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
) -> None:
    """Show what hidden units do over a text, and what the model has memorised.

    Memorised is what occurs word for word in the training text and is longer than chance gives: than any such string of
    the held-out text or, where less was held out than is written, of a 6-gram model's. For a model of records: how many
    of those that it writes are in the training list, and what in it is nearest to the others.

    Example: elman inspect runs/story README.md --html page.html
    """
    if html is not None and not html.parent.is_dir():
        raise InputError(f"{html}: there is no folder {html.parent}; make it first")
    if html is not None:
        keep_inputs(html, model, file, corpus)
    keep_inputs(None, model, file, corpus)
    chosen = None if units is None else _indices(units)
    import numpy as np

    from ..inspection import kind, memorisation, quotations, records_report, sample
    from ..inspection import units as look
    from ..scoring import after, score
    from ..text import Bytes

    loaded = load_model(model)
    training_text, held_out = training_parts(loaded, model, corpus, field)
    text = read_text(loaded, file, encoding, encoding_errors, field)
    cost = score(loaded, text)
    found, values = look(loaded, cost, layer, chosen)
    layer = loaded.num_layers - 1 if layer is None else layer
    written = sample(loaded, length, temperature, seed)
    vocabulary = loaded.reading.vocabulary
    others = {"this text": vocabulary.encode(cost.data)}
    if vocabulary.unit == "token":  # what is word for word the same is measured in bytes
        spelt = lambda ids: np.frombuffer(vocabulary.decode_bytes(ids), dtype=np.uint8)  # noqa: E731
        written, training_text, others = spelt(written), spelt(training_text), {k: spelt(v) for k, v in others.items()}
        held_out, vocabulary = None if held_out is None else spelt(held_out), Bytes()
    report = memorisation(written, training_text, held_out, others, seed)
    of_records = None
    if loaded.reading.records:
        of_records = records_report(written, training_text, held_out, vocabulary)
    if html is not None:
        from ..files import write_atomically
        from ..pages import inspection_page

        page = inspection_page(loaded, cost, file, layer, found, values, report, of_records)
        write_atomically(html, page.encode(), mask=mask_for(file, model, corpus))  # it quotes both texts
    facts: dict[str, Any] = {
        "file": file,
        "characters": cost.num_characters,
        "bits_per_char": cost.bits_per_char,
        "perplexity": cost.perplexity,
        "next": [{"token": token, "probability": p} for token, p in after(loaded, "" if cost.records else cost.data)],
        "layer": layer,
        "activation": kind(loaded),
        "units": [vars(unit) for unit in found],
    }
    overlaps = quotations(report, vocabulary)
    if json_:
        facts |= {"records": dataclasses.asdict(of_records)} if of_records else {}
        write_json(facts | {"memorisation": _as_json(report, overlaps)})
    else:
        _print(facts, report, overlaps)
        if of_records:
            _print_records(of_records)


def _indices(units: str) -> list[int]:
    try:
        return [int(index) for index in units.split(",")]
    except ValueError:
        raise InputError(f"--units: expected numbers with commas between, as in 3,17,40; got {units!r}") from None


def _as_json(report: Report, overlaps: list[dict[str, Any]]) -> dict[str, Any]:
    import numpy as np

    counts = {name: np.unique(m.lengths, return_counts=True) for name, m in report.matches.items()}
    return {
        "corpus": len(report.corpus),
        "baseline": report.baseline,
        "bound": report.bound,
        "expected_longest": report.expected_longest,
        "texts": [
            row | {"lengths": {int(n): int(c) for n, c in zip(*counts[row["text"]], strict=True)}}
            for row in report.rows()
        ],
        "overlaps": overlaps,
    }


def _print(facts: dict[str, Any], report: Report, overlaps: list[dict[str, Any]]) -> None:
    coming = ", ".join(f"'{visible(n['token'])}' {100 * n['probability']:.1f} %" for n in facts["next"])
    out.print(
        f"{facts['file']}: {facts['characters']:,} characters, {facts['bits_per_char']:.4f} bits/char\n"
        f"after its end: {coming}\n",
    )
    rows = table("unit", "feature", "explained", "by chance")
    for unit in facts["units"]:
        rows.add_row(str(unit["index"]), unit["feature"] or "-", f"{unit['explained']:.2f}", f"{unit['chance']:.2f}")
    out.print(f"{facts['activation']} of layer {facts['layer']}", rows)
    out.print(
        f"\nthe longest string at each position that occurs in the training text ({len(report.corpus):,} characters)"
    )
    rows = table("text", "characters", "median", "99 %", "longest", f"in more than {report.bound}")
    for row in report.rows():
        rows.add_row(
            row["text"],
            f"{row['characters']:,}",
            f"{row['median']:,.0f}",
            f"{row['p99']:,.0f}",
            f"{row['longest']:,}",
            f"{100 * row['beyond']:.1f} %",
        )
    out.print(rows)
    out.print(f"shuffled: theory expects a longest of about {report.expected_longest:.0f}\n")
    out.print("the longest overlaps" + (f", {report.counted}" if report.counted else ""))
    for o in overlaps:
        place = f"line {o['line']:,}" if o["line"] else f"character {o['place']:,}"
        text = visible(o["text"])
        out.print(f"{o['length']:>6,}  {place}: {text[:_WIDTH]}{'...' if text[_WIDTH:] else ''}")


def _print_records(report: RecordReport) -> None:
    held_out = (
        "" if report.held_out_known is None else f"; of the held-out records, {100 * report.held_out_known:.1f} %"
    )
    out.print(
        f"\nof {report.written:,} records that the model wrote, {100 * report.known:.1f} % are in the training list of "
        f"{report.training:,}{held_out}\n{100 * report.distinct:.1f} % are no repetition\n\n"
        "new ones, and the nearest in the list"
    )
    rows = table("edits", "written", "nearest")
    for row in report.nearest:
        rows.add_row(str(row.edits), visible(row.text)[:_WIDTH], visible(row.nearest)[:_WIDTH])
    out.print(rows)
