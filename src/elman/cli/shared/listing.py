"""Lists of `elman score`: lines, words and characters, as a table, JSON lines or CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from ...visible import visible
from .console import out, write_csv, write_json

if TYPE_CHECKING:
    from ...scoring import Comparison, Lines, Score, Span, Totals
    from ...text import Rows

_WIDTH = 160  # characters of a line that a listing for readers shows; on a terminal, what its width leaves
_BURST = "bold red"


def write_rows(rows: Iterable[dict[str, Any]], form: str) -> None:
    """Rows for a program: JSON lines or CSV."""
    if form == "csv":
        write_csv(rows)
        return
    for row in rows:
        write_json(row)


def choose(
    files: Sequence[Lines],
    top: int | None,
    above: float | None,
    masked: bool,
    ratios: Sequence[Comparison] | None = None,
) -> list[tuple[int, int, int]]:
    """(file, line from 0, how many are like it) of what is to be listed.

    Args:
        top: so many with the costliest bursts of all files, costliest first; None: in their order.
        above: only those whose burst costs so many bits.
        masked: of lines that differ in digits only, the costliest alone.
        ratios: of each file, what ranks its lines in place of bursts: those that speak most for the first model first.
    """
    if top is None and above is None and not masked:
        return [(file, index, 1) for file, of in enumerate(files) for index in range(len(of))]
    few = None if masked or ratios else top
    order = [(file, int(index)) for file, of in enumerate(files) for index in of.top(len(of) if few is None else few)]
    order.sort(key=lambda at: -(ratios[at[0]].by_line if ratios else files[at[0]].bursts)[at[1]])
    if above is not None:
        order = [at for at in order if files[at[0]].bursts[at[1]] >= above]
    counts = dict.fromkeys(order, 1)
    if masked:
        counts = _folded(files, order)
    chosen = [(file, index, count) for (file, index), count in counts.items()]
    return sorted(chosen) if top is None else chosen[:top]


def _folded(files: Sequence[Lines], order: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The first of each kind, and how many there are of it."""
    from ...scoring import mask

    firsts: dict[str, tuple[int, int]] = {}
    counts: dict[tuple[int, int], int] = {}
    for at in order:
        first = firsts.setdefault(mask(files[at[0]].text(at[1])), at)
        counts[first] = counts.get(first, 0) + 1
    return counts


def chosen_rows(
    names: Sequence[str],
    files: Sequence[Lines],
    chosen: Sequence[tuple[int, int, int]],
    masked: bool = False,
    against: Mapping[str, Sequence[Comparison]] | None = None,
    by_file: Sequence[Rows] = (),
) -> Iterator[dict[str, Any]]:
    """A row for each chosen line. against: for each other model, the comparison of every file. by_file: where the
    lines of each file began in it, which its row then says."""
    for at in chosen:
        row = _line(names, files, *at, masked, against or {})
        yield row | {"line": by_file[at[0]].line(row["line"])} if by_file else row


def list_lines(
    rows: Iterable[dict[str, Any]], form: str, masked: bool = False, against: Mapping[str, Any] | None = None
) -> None:
    """Lines, as they come. against: the other models, by name."""
    if form != "table":
        write_rows(rows, form)
        return
    heads = [f"{'bits':>10}  {'bits/char':>9}  {'burst':>7}", *(["like it"] if masked else []), *_heads(against or {})]
    out.print("  ".join([*heads, "line"]))
    for row in rows:
        print_line(row, list(against or {}))


def _heads(against: Mapping[str, Any]) -> list[str]:
    return ["  ratio" if len(against) == 1 else f"ratio {k}" for k, _ in enumerate(against, 1)]


def print_line(row: dict[str, Any], against: Sequence[str] = ()) -> None:
    """A line for readers; on a terminal its burst is coloured."""
    parts = [f"{row['bits']:>10.2f}  {row['bits_per_char']:>9.3f}  {row['burst']:>7.2f}"]
    parts += [f"{row['like_it']:>7,}"] if "like_it" in row else []
    parts += [f"{row['ratio'][name]:>7.1f}" for name in against]
    start = f"{'  '.join([*parts, ''])}{visible(str(row['file']))}:{row['line']}: "
    width = max(20, out.width - _cells(start)) if out.is_terminal else _WIDTH
    begin = row["burst_at"] - 1
    text, end = row["text"], begin + row["burst_length"]
    first = max(0, min(begin - width // 2, len(text) - width)) if end > width - 1 else 0
    last = min(len(text), first + width - (first > 0)) - (first + width < len(text))
    start += ("…" if first else "") + visible(text[first:begin])
    burst, rest = visible(text[begin:end]), visible(text[end:last]) + ("…" if last < len(text) else "")
    if not out.is_terminal:
        out.print(start + burst + rest)
        return
    from rich.text import Text

    shown = Text.assemble(start, (burst, _BURST), rest)
    shown.truncate(out.width, overflow="ellipsis")  # escapes, and characters of two columns, take more
    out.print(shown)


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _line(
    names: Sequence[str],
    files: Sequence[Lines],
    file: int,
    index: int,
    count: int,
    masked: bool,
    against: Mapping[str, Sequence[Comparison]],
) -> dict[str, Any]:
    row = line_row(names[file], files[file], index)
    if masked:
        row["like_it"] = count
    if against:
        row["ratio"] = {name: float(of[file].by_line[index]) for name, of in against.items()}
    return row | {"text": row.pop("text")}


def line_row(name: str, lines: Lines, index: int, number: int | None = None) -> dict[str, Any]:
    """number: of the line, from 1; None: its index and 1."""
    begin, end = lines.burst_span(index)
    return {
        "file": name,
        "line": index + 1 if number is None else number,
        "characters": int(lines.lengths[index]),
        "bits": float(lines.bits[index]),
        "bits_per_char": float(lines.bits[index] / lines.lengths[index]),
        "burst": float(lines.bursts[index]),
        "burst_at": begin + 1,
        "burst_length": end - begin,
        "text": lines.text(index),
    }


def summary(name: str | None, totals: Totals, like: Score) -> dict[str, Any]:
    """A row. like: one of the scores that were added, for how they were made."""
    return {
        "file": name,
        "characters": totals.characters,
        "bytes": totals.bytes,
        "tokens": totals.tokens,
        "bits": totals.bits,
        "bits_per_char": totals.bits_per_char,
        "bits_per_byte": totals.bits_per_byte,
        "perplexity": totals.perplexity,
        "unknown": totals.unknown,
        "records": like.records,
        "adaptive": like.adaptive,
    }


def list_characters(names: Sequence[str], pieces: Iterable[Span], form: str) -> None:
    """A row for each character; as JSON an object for each text, which is one piece, its summary with them."""
    from ...scoring import Totals as Sums

    if form == "csv":
        write_csv(_character_rows(names, pieces))
        return
    for piece in pieces:
        text, costs = _characters(piece)
        if form == "json":
            totals = Sums()
            totals.add(piece.score)
            write_json(summary(names[piece.text], totals, piece.score) | {"text": text, "surprisal": costs})
        else:
            print("\n".join(f"{c!r}\t{b:.3f}" for c, b in zip(text, costs, strict=True)))


def _characters(piece: Span) -> tuple[str, list[float]]:
    text, bits = piece.score.characters()
    return text, bits.round(6).tolist()


def _character_rows(names: Sequence[str], pieces: Iterable[Span]) -> Iterator[dict[str, Any]]:
    for number, of_one in groupby(pieces, key=lambda piece: piece.text):
        characters = chain.from_iterable(zip(*_characters(piece), strict=True) for piece in of_one)
        for place, (character, bits) in enumerate(characters, 1):
            yield {"file": names[number], "place": place, "character": character, "bits": bits}
