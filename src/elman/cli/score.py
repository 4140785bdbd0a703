"""`elman score`: what texts cost under a model, in all, line by line or character by character."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from ..errors import InputError
from ..text import visible
from .console import (
    Encoding,
    EncodingErrors,
    Json,
    ModelPath,
    PlainConsole,
    err,
    load_model,
    out,
    read_text,
    write_csv,
    write_json,
)

if TYPE_CHECKING:
    from ..model import LanguageModel
    from ..scoring import Lines, Score

_WIDTH = 160  # characters of a line that a listing for readers shows


def score(
    model: ModelPath,
    files: Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Files; - or none: stdin.")] = None,
    records: Annotated[
        bool | None,
        typer.Option("--records/--no-records", help="Each line by itself. Left out: as the model was trained."),
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="List what every line costs.")] = False,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="List the N lines with the dearest 4 neighbouring characters, blank ones left out."
        ),
    ] = None,
    chars: Annotated[bool, typer.Option("--chars", help="List what every character costs.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Write a page that colours the text by cost.")
    ] = None,
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False,
) -> None:
    """Bits per character and perplexity of texts, beside what compressors and an n-gram model reach.

    A cost is -log2 p, in bits: what a coder would spend. A line's includes its line end;
    its burst is the most that 4 neighbouring characters of it cost.

    Example: elman score runs/log today.log --top 40
    """
    if lines + chars + (top is not None) > 1:
        raise InputError("--lines, --top and --chars list different things; give one of them")
    if json_ and csv:
        raise InputError("give --json or --csv, not both")
    if top is not None and top < 1:
        raise InputError(f"--top must be at least 1, got {top}")
    if html is not None and not html.parent.is_dir():
        raise InputError(f"{html}: there is no folder {html.parent}; make it first")
    from ..scoring import score_many

    loaded, names = load_model(model), files or ["-"]
    texts = [read_text(loaded, name, encoding, encoding_errors) for name in names]
    with err.status(f"reading {sum(map(len, texts)):,} characters") if err.is_terminal else nullcontext():
        scores = score_many(loaded, texts, records=records, names=names)
    if html is not None:
        from ..files import write_atomically
        from ..pages import surprisal_page

        write_atomically(html, surprisal_page(loaded, scores, names).encode("utf-8", "replace"))
    form = "json" if json_ else "csv" if csv else "table"
    if lines or top is not None:
        _list_lines(names, [s.lines() for s in scores], top, form)
    elif chars:
        _list_characters(names, scores, form)
    else:
        _summarise(loaded, names, scores, form)


def _summary(name: str | None, score: Score) -> dict[str, Any]:
    return {
        "file": name,
        "characters": len(score.surprisal),
        "bits": score.bits,
        "bits_per_char": score.bits_per_char,
        "perplexity": score.perplexity,
        "unknown": score.unknown,
        "records": score.records,
    }


def _summarise(model: LanguageModel, names: Sequence[str], scores: Sequence[Score], form: str) -> None:
    """A row for each file, with the baselines' bits per character, and one in all for several: its file is null."""
    from ..scoring import baselines, perplexity

    rows, totals = [], []
    for name, result in zip(names, scores, strict=True):
        bits = baselines(result.data, model.reading.vocabulary.encode(result.data), model.vocab_size)
        totals.append(bits)
        rows.append(_summary(name, result) | {k: v / len(result.surprisal) for k, v in bits.items()})
    if len(rows) > 1:
        total: dict[str, Any] = {"file": None, "records": rows[0]["records"]}
        total |= {k: sum(row[k] for row in rows) for k in ("characters", "unknown")}
        total["bits"] = math.fsum(np.concatenate([s.surprisal for s in scores]))
        total["bits_per_char"] = total["bits"] / total["characters"]
        total["perplexity"] = perplexity(total["bits_per_char"])
        total |= {k: sum(bits[k] for bits in totals) / total["characters"] for k in totals[0]}
        rows.append({k: total[k] for k in rows[0]})
    if form == "table":
        _print_summary(rows, list(totals[0]), model.reading.vocabulary.kind)
    else:
        _write(rows, form)


def _write(rows: Iterable[dict[str, Any]], form: str) -> None:
    """Rows for a program: JSON lines or CSV."""
    if form == "csv":
        write_csv(rows)
        return
    for row in rows:
        write_json(row)


def _print_summary(rows: list[dict[str, Any]], baselines: Sequence[str], kind: str) -> None:
    unit, unknown = ("byte", False) if kind == "bytes" else ("char", any(row["unknown"] for row in rows))
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    named = ["bytes" if kind == "bytes" else "characters", *(["unknown"] if unknown else [])]
    for name in (*named, f"bits/{unit}", "perplexity", *baselines):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            "in all" if row["file"] is None else visible(row["file"]),
            f"{row['characters']:,}",
            *([f"{row['unknown']:,}"] if unknown else []),
            f"{row['bits_per_char']:.4f}",
            f"{row['perplexity']:.4f}",
            *(f"{row[name]:.3f}" for name in baselines),
        )
    wide = out if out.is_terminal else PlainConsole(width=1000)  # a file or a pipe has no edge to fold at
    wide.print(table)
    out.print(
        f"bits/{unit} and perplexity: the model's, which learnt from its training text beforehand"
        f"{'; each line by itself' if rows[0]['records'] else ''}.\n"
        f"{', '.join(baselines)}: bits/{unit} of the same text, adaptive: each starts from nothing and learns from it."
    )


def _list_lines(names: Sequence[str], files: Sequence[Lines], top: int | None, form: str) -> None:
    """All lines in their order, or the dearest of all files."""
    if top is None:
        chosen = ((file, index) for file, of in enumerate(files) for index in range(len(of)))
    else:
        best = [(file, int(index)) for file, of in enumerate(files) for index in of.top(top)]
        chosen = sorted(best, key=lambda at: -files[at[0]].bursts[at[1]])[:top]
    rows = (
        {
            "file": names[file],
            "line": index + 1,
            "characters": int(files[file].lengths[index]),
            "bits": float(files[file].bits[index]),
            "bits_per_char": float(files[file].bits[index] / files[file].lengths[index]),
            "burst": float(files[file].bursts[index]),
            "text": files[file].text(index),
        }
        for file, index in chosen
    )
    if form != "table":
        _write(rows, form)
        return
    print(f"{'bits':>10}  {'bits/char':>9}  {'burst':>7}  line")
    for row in rows:
        text = row["text"] if len(row["text"]) <= _WIDTH else row["text"][: _WIDTH - 1] + "…"
        where = visible(f"{row['file']}:{row['line']}: {text}")
        print(f"{row['bits']:>10.2f}  {row['bits_per_char']:>9.3f}  {row['burst']:>7.2f}  {where}")


def _list_characters(names: Sequence[str], scores: Sequence[Score], form: str) -> None:
    for name, result in zip(names, scores, strict=True):
        text, bits = result.characters()
        costs = np.round(bits, 6).tolist()
        if form == "json":
            write_json(_summary(name, result) | {"text": text, "surprisal": costs})
        elif form == "csv":
            write_csv(_character_rows(name, text, costs))
        else:
            print("\n".join(f"{c!r}\t{b:.3f}" for c, b in zip(text, costs, strict=True)))


def _character_rows(name: str, text: str, costs: Sequence[float]) -> Iterator[dict[str, Any]]:
    for place, (character, bits) in enumerate(zip(text, costs, strict=True), 1):
        yield {"file": name, "place": place, "character": character, "bits": bits}
