"""`elman score --against MODEL`: several models on one text, as log-likelihood ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...visible import visible
from .console import out, read_text, table
from .listing import write_rows

if TYPE_CHECKING:
    from ...model import Model
    from ...scoring import Comparison, Score


def score_all(
    others: Mapping[str, Model],
    names: Sequence[str],
    scores: Sequence[Score],
    texts: Sequence[str | bytes],
    encoding: tuple[str | None, str, str | None],
) -> dict[str, list[Score]]:
    """Score every text under each other model. texts: as the first model reads them, not yet normalised. encoding:
    what to do about errors, and the field, as `read_text` takes them."""
    from ...scoring import score_many

    scored: dict[str, list[Score]] = {}
    for name, model in others.items() if scores else ():
        same = model.reading.is_bytes == isinstance(texts[0], bytes)
        mine = texts if same else [_again(model, *one, encoding) for one in zip(names, texts, strict=True)]
        scored[name] = score_many(model, mine, records=scores[0].records, names=names)
    return scored


def compare_all(scored: Mapping[str, Sequence[Score]], scores: Sequence[Score]) -> dict[str, list[Comparison]]:
    """Every text's ratio under each other model, by which `scored` is."""
    from ...scoring import compare

    return {name: [compare(one, two) for one, two in zip(scores, of, strict=True)] for name, of in scored.items()}


def _again(model: Any, name: str, text: str | bytes, encoding: tuple[str | None, str, str | None]) -> str | bytes:
    """A text that was read for a model of characters, for one of bytes, or the other way round."""
    if name != "-":
        return read_text(model, name, *encoding)
    if isinstance(text, str):
        return text.encode("utf-8", "surrogatepass")
    from ...corpora.files import decoded

    return "".join(decoded([text], "standard input", *encoding[:2]))


def summarise(
    first: str, names: Sequence[str], scores: Sequence[Score], compared: dict[str, list[Comparison]], form: str
) -> None:
    """A row for each text and other model."""
    rows = [
        {
            "file": name,
            "against": other,
            "characters": len(of[k].by_character),
            "bits": of[k].bits,
            "bits_per_char": of[k].bits_per_char,
            "low": of[k].low,
            "high": of[k].high,
            "lines": len(of[k].by_line),
            "unknown": of[k].unknown,
        }
        for other, of in compared.items()
        for k, name in enumerate(names)
    ]
    if form != "table":
        write_rows(rows, form)
        return
    shown = table()
    shown.add_column("file", overflow="fold")
    shown.add_column("against", overflow="fold")
    left_out = any(row["unknown"] for row in rows)
    for name in ("lines", *(["unknown"] if left_out else []), "ratio, bits", "95 % from", "to", "bits/char"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        bounds = ["-" if row[key] is None else f"{row[key]:,.1f}" for key in ("low", "high")]
        unknown = [f"{row['unknown']:,}"] if left_out else []
        cells = (f"{row['lines']:,}", *unknown, f"{row['bits']:,.1f}", *bounds, f"{row['bits_per_char']:+.4f}")
        shown.add_row(visible(row["file"]), visible(row["against"]), *cells)
    out.print(shown)
    out.print(
        f"ratio: log2 of how much likelier the text is to {visible(first)} than to the other; below 0, to the other.\n"
        "95 %: what the sum would be for as many lines drawn from these."
    )
    if left_out:
        out.print("unknown: characters that one of the two models has never seen; they are left out of the ratio.")
