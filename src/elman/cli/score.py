"""`elman score`: what texts cost under a model, in all, line by line or character by character."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import EmptyTextError, InputError
from ..sources import mask_of, refuse_same
from ..visible import visible
from .shared.against import compare_all, summarise
from .shared.console import (
    Encoding,
    EncodingErrors,
    Field,
    Json,
    ModelPath,
    PlainConsole,
    err,
    load_model,
    out,
    read_text,
    table,
)
from .shared.listing import choose, list_characters, list_lines, list_words, write_rows

if TYPE_CHECKING:
    from ..model import Model
    from ..scoring import Comparison, Score


def _listing(help: str, *names: str, **options: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="What is listed", **options)


def score(
    model: ModelPath,
    files: Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Files; - or none: stdin.")] = None,
    records: Annotated[
        bool | None,
        typer.Option(
            "--records/--no-records", help="Score each line by itself, or not. Left out: as the model was trained."
        ),
    ] = None,
    field: Field = None,
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    adaptive: Annotated[
        bool, typer.Option("--adaptive", help="Learn from each text while scoring it, as a compressor does; slow.")
    ] = False,
    json_: Json = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Write CSV: text exactly, also where a spreadsheet sees a formula.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Write a page that colours the text by cost.")
    ] = None,
    lines: Annotated[bool, _listing("List what every line costs.", "--lines")] = False,
    top: Annotated[
        int | None,
        _listing("List the N lines with the costliest 4 neighbouring characters, blank ones left out.", metavar="N"),
    ] = None,
    above: Annotated[
        float | None,
        _listing(
            "List the lines whose 4 costliest neighbours cost so much; those of stdin as they come. "
            "Status 1 if there are any.",
            metavar="BITS",
        ),
    ] = None,
    mask: Annotated[bool, _listing("List the costliest of lines that differ in digits only.", "--mask")] = False,
    words: Annotated[bool, _listing("List what every word costs, and how uncertain it was.", "--words")] = False,
    chars: Annotated[bool, _listing("List what every character costs.", "--chars")] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MODEL",
            help="Compare with this model: the log-likelihood ratio, by which --top then ranks; may be repeated.",
        ),
    ] = None,
) -> None:
    """Measure texts in bits per character, beside compressors and an n-gram model.

    A cost is -log2 p, in bits: what a coder would spend. A line's includes its line end;
    its burst is the most that 4 neighbouring characters of it cost.

    Example: elman score runs/log today.log --top 40
    """
    by_line = lines or top is not None or above is not None
    if (
        (lines or top is not None) + words + chars > 1
        or (lines and top is not None)
        or (above is not None) * (words + chars)
    ):
        raise InputError("--lines, --top, --above, --words and --chars list different things; give one of them")
    if mask and not by_line:
        raise InputError("--mask folds lines; give it with --lines, --top or --above")
    if against and (words or chars or above is not None):
        raise InputError("--against compares texts and lines; leave out --words, --chars and --above")
    if adaptive and (by_line or words or against):
        raise InputError("--adaptive scores whole texts; leave out --lines, --top, --above, --words and --against")
    if json_ and csv:
        raise InputError("give --json or --csv, not both")
    if top is not None and top < 1:
        raise InputError(f"--top must be at least 1, got {top}")
    if html is not None and not html.parent.is_dir():
        raise InputError(f"{html}: there is no folder {html.parent}; make it first")
    if html is not None:
        refuse_same(html, model, *(against or ()), *(files or ()))
    loaded, names, form = load_model(model), files or ["-"], "json" if json_ else "csv" if csv else "table"
    records = True if records is None and field else records  # what is in a row is a text
    if above is not None and names == ["-"] and top is None and not mask and html is None:
        if not (loaded.reading.records if records is None else records):
            raise InputError("--above takes each line by itself; give --records, or a model of records")
        from .interactive.watch import watch

        raise typer.Exit(int(watch(loaded, above, form, encoding, encoding_errors, field)))
    from ..scoring import ADAPTIVE, score_many

    others = {str(path): load_model(path) for path in against or ()}
    if records is None and others:  # one way for all, whichever comes first
        records = any(each.reading.records for each in (loaded, *others.values()))
    field = (loaded.reading.field or "") if others and field is None else field
    read = [(name, _text(loaded, name, (encoding, encoding_errors, field), by_line)) for name in names]
    names, texts = [name for name, text in read if text], [text for _, text in read if text]
    with err.status(f"reading {sum(map(len, texts)):,} characters") if err.is_terminal else nullcontext():
        scores = score_many(loaded, texts, records=records, names=names, adaptive=adaptive)
        compared = compare_all(others, names, scores, texts, (encoding, encoding_errors, field))
    by_file = [s.lines() for s in scores] if by_line else []
    ratios = next(iter(compared.values()), None)
    chosen = choose(by_file, top, above, mask, ratios) if by_line else []
    if html is not None:
        some = None if top is None and above is None else [(file, index) for file, index, _ in chosen]
        _write_page(html, loaded, str(model), scores, names, some, compared)
    if by_line:
        list_lines(names, by_file, chosen, form, mask, compared)
        if above is not None:
            raise typer.Exit(int(bool(chosen)))
    elif words:
        list_words(loaded, names, scores, form)
    elif chars:
        if adaptive:
            err.print(f"elman: {ADAPTIVE}")
        list_characters(names, scores, form, [_summary(*pair) for pair in zip(names, scores, strict=True)])
    elif compared:
        summarise(str(model), names, scores, compared, form)
    else:
        _summarise(loaded, names, scores, form)


def _text(model: Model, name: str, how: tuple[str | None, str, str | None], by_line: bool) -> str | bytes:
    """A text to score. An empty one has no lines, which is no error where lines are listed."""
    try:
        return read_text(model, name, *how)
    except EmptyTextError:
        if by_line:
            return ""
        raise


def _write_page(
    html: Path,
    model: Model,
    name: str,
    scores: Sequence[Score],
    names: Sequence[str],
    some: Sequence[tuple[int, int]] | None,
    compared: dict[str, list[Comparison]],
) -> None:
    """The page of all texts, or of some of their lines, (file, line) in this order; and what it holds, on stderr."""
    from ..files import write_atomically
    from ..pages import comparison_page, lines_page, surprisal_page

    texts = f"{len(names):,} text{'s' if len(names) > 1 else ''}"
    if compared and some is None:
        page, what = comparison_page(model, scores, names, compared, name), f"{texts}, compared"
    elif some is None:
        page, what = surprisal_page(model, scores, names), texts
    elif not some:
        err.print(f"elman: no line is to be shown; {html} is not written")
        return
    else:
        page, what = (
            lines_page(model, scores, names, some, compared),
            f"{len(some):,} line{'' if len(some) == 1 else 's'}, as listed",
        )
    write_atomically(html, page.encode("utf-8", "replace"), mask=mask_of(*names))
    err.print(f"{html}: {what}")


def _summary(name: str | None, score: Score) -> dict[str, Any]:
    return {
        "file": name,
        "characters": score.num_characters,
        "bytes": score.num_bytes,
        "tokens": len(score.surprisal),
        "bits": score.bits,
        "bits_per_char": score.bits_per_char,
        "bits_per_byte": score.bits_per_byte,
        "perplexity": score.perplexity,
        "unknown": score.unknown,
        "records": score.records,
        "adaptive": score.adaptive,
    }


def _summarise(model: Model, names: Sequence[str], scores: Sequence[Score], form: str) -> None:
    """A row for each file, with the baselines' bits per character, and one in all for several: its file is null."""
    from ..scoring import baselines, perplexity
    from ..text import Bytes

    rows, totals = [], []
    for name, result in zip(names, scores, strict=True):
        letters = Bytes() if isinstance(result.data, bytes) else model.reading.vocabulary
        bits = baselines(result.data, letters.encode(result.data), len(letters))
        totals.append(bits)
        rows.append(_summary(name, result) | {k: v / result.num_characters for k, v in bits.items()})
    if len(rows) > 1:
        total: dict[str, Any] = {"file": None} | {k: rows[0][k] for k in ("records", "adaptive")}
        total |= {k: sum(row[k] for row in rows) for k in ("characters", "bytes", "tokens", "unknown")}
        total["bits"] = math.fsum(itertools.chain.from_iterable(s.surprisal.tolist() for s in scores))
        total["bits_per_char"] = total["bits"] / total["characters"]
        total["bits_per_byte"] = total["bits"] / total["bytes"]
        total["perplexity"] = perplexity(total["bits"] / total["tokens"])
        total |= {k: sum(bits[k] for bits in totals) / total["characters"] for k in totals[0]}
        rows.append({k: total[k] for k in rows[0]})
    if form == "table":
        _print_summary(rows, list(totals[0]), model.reading.vocabulary.unit)
    else:
        write_rows(rows, form)


def _print_summary(rows: list[dict[str, Any]], baselines: Sequence[str], unit: str) -> None:
    """unit: what the model's tokens are."""
    from ..scoring import ADAPTIVE

    counts = ["characters", *(["tokens"] if unit == "token" else ["bytes"] if unit == "byte" else [])]
    counts += ["unknown"] if any(row["unknown"] for row in rows) else []
    shown = table()
    shown.add_column("file", overflow="fold")
    for name in (*counts, "bits/char", "bits/byte", "perplexity", *baselines):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            "in all" if row["file"] is None else visible(row["file"]),
            *(f"{row[name]:,}" for name in counts),
            *(f"{row[name]:.4f}" for name in ("bits_per_char", "bits_per_byte", "perplexity")),
            *(f"{row[name]:.3f}" for name in baselines),
        )
    wide = out if out.is_terminal else PlainConsole(width=1000)  # a file or a pipe has no edge to fold at
    wide.print(shown)
    of = {"byte": "bits and perplexity (of a byte)", "token": "bits and perplexity (of a token)"}
    beforehand = "which learnt from its training text beforehand"
    how = f"{ADAPTIVE}, from each by itself" if rows[0]["adaptive"] else beforehand
    out.print(
        f"{of.get(unit, 'bits and perplexity')}: the model's, {how}"
        f"{'; each line by itself' if rows[0]['records'] else ''}.\n"
        f"{', '.join(baselines)}: bits/char of the same text, adaptive: each starts from nothing and learns from it."
    )
