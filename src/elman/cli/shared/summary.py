"""Summary of `elman score`: a row for each text, and one in all, beside the baselines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...visible import visible
from .console import PlainConsole, out, table
from .listing import summary, write_rows

if TYPE_CHECKING:
    from ...model import Model
    from ...scoring import Baselines, Span


def summarise_texts(model: Model, names: Sequence[str], pieces: Iterable[Span], form: str) -> None:
    """A row for each file, with the baselines' bits per character, and one in all for several: its file is null."""
    from ...scoring import Baselines as Others
    from ...scoring import Totals
    from ...text import Bytes

    rows, in_all, packed = list[dict[str, Any]](), Totals(), dict[str, float]()
    for number, of_one in groupby(pieces, key=lambda piece: piece.text):
        totals = Totals()
        with ExitStack() as stack:
            others: Baselines | None = None
            for piece in of_one:
                like, data = piece.score, piece.score.data
                letters = Bytes() if isinstance(data, bytes) else model.reading.vocabulary
                others = others or stack.enter_context(Others(len(letters)))
                others.add(data, letters.encode(data))
                totals.add(like)
            bits = others.bits() if others else {}
        rows.append(summary(names[number], totals, like) | {k: v / totals.characters for k, v in bits.items()})
        in_all.merge(totals)
        packed = {k: packed.get(k, 0) + v for k, v in bits.items()}
    if len(rows) > 1:
        rows.append(summary(None, in_all, like) | {k: v / in_all.characters for k, v in packed.items()})
    if form == "table":
        _print_summary(rows, list(packed), model.reading.vocabulary.unit)
    else:
        write_rows(rows, form)


def _print_summary(rows: list[dict[str, Any]], baselines: Sequence[str], unit: str) -> None:
    """unit: what the model's tokens are."""
    from ...scoring import ADAPTIVE
    from ...scoring.compressors import BLOCK

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
    if any(row["characters"] > BLOCK for row in rows):
        out.print(f"The n-gram model begins anew after every {BLOCK:,} characters; without that it could do better.")
