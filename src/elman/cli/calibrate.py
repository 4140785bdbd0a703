"""`elman calibrate`: from how many bits on a line is odd, measured on ordinary lines and kept in the model's file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .shared.calibration import KEY
from .shared.console import Encoding, EncodingErrors, Field, Json, ModelPath, load_model, out, read_text, write_json
from .shared.inputs import keep_inputs, mask_for


def calibrate(
    model: ModelPath,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Ordinary lines, which the model has not read.")
    ],
    quantile: Annotated[
        float, typer.Option(metavar="X", help="Share of these lines that are not odd, below 1.")
    ] = 0.999,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Model file to write; left out: MODEL is changed."),
    ] = None,
    field: Field = None,
    encoding: Encoding = None,
    encoding_errors: EncodingErrors = "strict",
    json_: Json = False,
) -> None:
    """Store in a model from how many bits on a line is odd.

    The bits are the quantile of the lines' bursts, so of lines like these about one in a thousand is above. They serve
    `elman score --above auto`. The weights and what they compute stay as they are.

    Example: elman calibrate runs/log yesterday.log --quantile 0.9999
    """
    import numpy as np

    from ..files import write_atomically
    from ..model import model_path, named_models
    from ..model.file import read, to_bytes
    from ..scoring import score

    if not 0 < quantile < 1:
        raise InputError(f"--quantile must be above 0 and below 1, got {quantile}")
    path = model_path(model)
    if output is None and path in named_models().values():
        raise InputError(f"{model} comes with the package and is not changed; give --output FILE")
    keep_inputs(output or path, *files)
    loaded = load_model(model)
    texts = [read_text(loaded, name, encoding, encoding_errors, field) for name in files]
    scored = [score(loaded, text, records=True).lines() for text in texts]
    bursts = np.array([b for lines in scored for i, b in enumerate(lines.bursts.tolist()) if lines.text(i)])
    least = math.ceil(1 / (1 - quantile) - 1e-9)
    if len(bursts) < least:
        raise InputError(
            f"{len(bursts):,} lines say nothing of a quantile of {quantile}; expected at least {least:,}: give more, "
            "or a lower --quantile"
        )
    found = {"burst": float(np.quantile(bursts, quantile)), "quantile": quantile, "lines": len(bursts)}
    header, tensors = read(path)
    write_atomically(output or path, to_bytes(header | {KEY: found}, tensors), mask=mask_for(path))
    if json_:
        write_json({"file": str(output or path), **found})
    else:
        out.print(
            f"{output or path}: {found['lines']:,} lines, of which {quantile:.4%} are below {found['burst']:.2f} bits"
        )
