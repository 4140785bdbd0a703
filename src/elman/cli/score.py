"""`elman score`: what texts cost under a model, in all, line by line or character by character."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from .interactive.following import Following
from .shared.calibration import threshold
from .shared.console import Encoding, EncodingErrors, Field, Json, ModelPath, load_model
from .shared.inputs import keep_inputs
from .shared.piecewise import Listed, stream
from .shared.whole import print_whole
from .shared.word_listing import check_columns


def _listing(help: str, *names: str, **options: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="What is listed", **options)


def _following(help: str, *names: str, **options: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="Growing files", **options)


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
    above_: Annotated[
        str | None,
        _listing(
            "List the lines whose 4 costliest neighbours cost so much; auto: what `elman calibrate` found. Those of "
            "stdin come as they are read. Status 1 if there are any.",
            "--above",
            metavar="BITS",
        ),
    ] = None,
    mask: Annotated[bool, _listing("List the costliest of lines that differ in digits only.", "--mask")] = False,
    words: Annotated[bool, _listing("List what every word costs, and how uncertain it was.", "--words")] = False,
    spillover: Annotated[int | None, _listing("Add to --words the bits of the N words before it.", metavar="N")] = None,
    keep: Annotated[
        list[str] | None,
        _listing("Add to --words this column of CSV, or key of JSON lines; may be repeated.", metavar="NAME"),
    ] = None,
    frequency: Annotated[
        str | None,
        _listing(
            "Add to --words log10 of how often the word occurs, plus 1, in this text or by this table of counts "
            "(.csv or .tsv).",
            metavar="TEXT",
        ),
    ] = None,
    chars: Annotated[bool, _listing("List what every character costs.", "--chars")] = False,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="MODEL",
            help="Compare with this model: the log-likelihood ratio, by which --top then ranks; with --words, bits. "
            "May be repeated.",
        ),
    ] = None,
    follow_: Annotated[
        bool,
        _following("Go on with lines that are added to the files, also after a rotation; with --above.", "--follow"),
    ] = False,
    place: Annotated[
        str | None, _following("File that keeps how far the files were read, for the next start.", metavar="PLACE")
    ] = None,
    from_end: Annotated[bool, _following("Begin at the end of files whose place is not known.", "--from-end")] = False,
    limit: Annotated[int | None, _following("Most odd lines to write a minute; the rest is counted.")] = None,
    exec_: Annotated[
        str | None,
        _following("Run this for each odd line, which it gets as JSON on standard input.", "--exec", metavar="CMD"),
    ] = None,
    metrics: Annotated[
        str | None,
        _following("File to keep counts in, for Prometheus's node exporter: lines, odd lines, bits.", metavar="FILE"),
    ] = None,
) -> None:
    """Measure texts in bits per character, beside compressors and an n-gram model.

    A cost is -log2 p, in bits: what a coder would spend. A line's includes its line end;
    its burst is the most that 4 neighbouring characters of it cost.

    Example: elman score runs/log today.log --top 40
    """
    above = None
    if above_ is not None:
        above = threshold(above_, model)
    what = Listed(
        lines or top is not None or above is not None, top, above, words, chars, spillover, tuple(keep or ()), frequency
    )
    following = Following(follow_, place, from_end, limit, exec_, metrics)
    following.check(what, lines, mask or bool(against) or adaptive or html is not None, files or ["-"])
    _refuse(what, lines, mask, bool(against), adaptive, json_ and csv, html)
    for output in (None, html) if html is not None else (None,):
        keep_inputs(output, model, *(against or ()), *(files or ["-"]), *([frequency] if frequency else []))
    for kept in (place, metrics):
        if kept is not None:
            keep_inputs(kept, model, *(files or ["-"]))
    loaded, names, form = load_model(model), files or ["-"], "json" if json_ else "csv" if csv else "table"
    if words:
        check_columns(what.keep, spillover, frequency, form)
    if keep and not (loaded.reading.field if field is None else field):
        raise InputError("--keep takes columns of rows; give --field, the column of the texts, as well")
    records = True if records is None and field else records  # what is in a row is a text
    if follow_ and above is not None:
        following.run(loaded, names, above, form, (encoding, encoding_errors, field), records)
    if above is not None and names == ["-"] and top is None and not mask and html is None:
        if not (loaded.reading.records if records is None else records):
            raise InputError("--above takes each line by itself; give --records, or a model of records")
        from .interactive.watch import watch

        raise typer.Exit(int(watch(loaded, above, form, encoding, encoding_errors, field)))
    how = (encoding, encoding_errors, field)
    if html is None and not (against or adaptive or mask or (chars and json_)):
        raise typer.Exit(int(stream(loaded, names, how, records, what, form) and above is not None))
    some = print_whole(loaded, model, names, how, records, what, form, html, mask, adaptive, against or [])
    raise typer.Exit(int(some and above is not None))


def _refuse(
    what: Listed, lines: bool, mask: bool, against: bool, adaptive: bool, two_forms: bool, html: Path | None
) -> None:
    """Raises InputError for options that exclude each other."""
    by_line, top, above, words, chars = what.lines, what.top, what.above, what.words, what.chars
    if (
        (lines or top is not None) + words + chars > 1
        or (lines and top is not None)
        or (above is not None) * (words + chars)
    ):
        raise InputError("--lines, --top, --above, --words and --chars list different things; give one of them")
    if what.spillover is not None and (not words or what.spillover < 0):
        raise InputError("--spillover is a number of words of --words, from 0 on; give both")
    if (what.keep or what.frequency is not None) and not words:
        raise InputError(f"{'--keep' if what.keep else '--frequency'} adds columns to --words; give both")
    if mask and not by_line:
        raise InputError("--mask folds lines; give it with --lines, --top or --above")
    if against and (chars or above is not None):
        raise InputError("--against compares texts, lines and words; leave out --chars and --above")
    if adaptive and (by_line or words or against):
        raise InputError("--adaptive scores whole texts; leave out --lines, --top, --above, --words and --against")
    if two_forms:
        raise InputError("give --json or --csv, not both")
    if top is not None and top < 1:
        raise InputError(f"--top must be at least 1, got {top}")
    if above is not None and math.isnan(above):
        raise InputError("--above must be a number of bits, got nan, than which no line costs more")
    if html is not None and not html.parent.is_dir():
        raise InputError(f"{html}: there is no folder {html.parent}; make it first")
