"""`elman rescore`: n-best lists with a model's score added, best hypothesis first."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from ..errors import InputError
from .shared.console import Encoding, EncodingErrors, Json, ModelPath, write, write_json
from .shared.inputs import keep_inputs


def rescore(
    model: ModelPath,
    nbest: Annotated[str, typer.Argument(metavar="[NBEST]", help="File with n-best lists; -: stdin.")] = "-",
    weight: Annotated[float, typer.Option(metavar="X", help="Weight of log10 p in the new total.")] = 1.0,
    best: Annotated[bool, typer.Option("--best", help="Print the text of each list's best hypothesis only.")] = False,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the new feature in Moses's format.")] = "Elman",
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
) -> None:
    """Add a model's score to n-best lists.

    The new total of a hypothesis is its total plus --weight times log10 p of its text with the line end, and each list
    is printed best first. Lists are Moses's (`0 ||| text ||| features ||| total`), or lines of score, tab, text with
    a blank line between lists; they are printed in the format that was read.

    Example: elman rescore english nbest.txt --weight 0.6 --best
    """
    if not math.isfinite(weight):
        raise InputError(f"--weight must be finite, got {weight}")
    keep_inputs(None, model, nbest)
    from ..corpora import load_corpus
    from ..kenlm import Model, read_nbest
    from ..kenlm import rescore as rescored

    scorer = Model(str(model))
    text = str(load_corpus(nbest, normalisation="none", encoding=encoding, encoding_errors=encoding_errors).text)
    hypotheses = list(read_nbest(text.split("\n"), "stdin" if nbest == "-" else nbest))  # all, before any is printed
    for number, group in enumerate(rescored(scorer, hypotheses, weight)):
        chosen = group[:1] if best else group
        if json_:
            for each in chosen:
                write_json({"list": each.group, "total": each.total, "log10": each.log10, "text": each.text})
        elif best:
            write(f"{chosen[0].text}\n")
        else:
            blank = "\n" if number and not chosen[0].moses else ""
            write(blank + "".join(f"{each.line(name)}\n" for each in chosen))
