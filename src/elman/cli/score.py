"""`elman score`: what texts cost under a model."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from .console import EncodingErrors, Json, ModelPath, load_model, out


def score(
    model: ModelPath,
    files: Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Files; - or none: stdin.")] = None,
    chars: Annotated[bool, typer.Option("--chars", help="Also the surprisal of every character.")] = False,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
) -> None:
    """Bits per character and perplexity of texts, under a model."""
    from ..corpora import load_corpus
    from ..scoring import score as cost

    loaded = load_model(model)
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
