"""`elman self-test`: whether this installation computes the bits that every other one computes."""

from __future__ import annotations

import platform

import typer

from .shared.console import Json, err, out, write_json


def self_test(json_: Json = False) -> None:
    """Compare this installation's results with the golden ones, bit for bit.

    It takes about ten seconds. Every instruction set of the processor is tried, with 1 and with 3 threads. Status 1 if
    a result differs.

    Example: elman self-test
    """
    import numpy as np

    from .. import __version__, kernels
    from ..golden import check, processor

    backend, why = kernels.serving()
    facts = {
        "elman": __version__,
        "python": f"{platform.python_version()} ({platform.system()} {platform.machine()})",
        "numpy": np.__version__,
        "processor": processor(),
        "kernel": f"{backend} ({why})",
    }
    if not json_:
        for name, fact in facts.items():
            out.print(f"{name:10}{fact}")
    checked = []
    for part in check():
        checked.append(part)
        if not json_:
            threads = f"{part.threads} thread{'s' if part.threads > 1 else ''}"
            found = f"{len(part.wrong)} of {part.count} results differ" if part.wrong else f"{part.count} results equal"
            out.print(f"{part.kernel:10}{part.isa:12}{threads:11}{found}")
    wrong = [part for part in checked if part.wrong]
    if json_:
        write_json({**facts, "checked": [vars(part) for part in checked], "passed": not wrong})
    elif backend != "cpu":
        out.print("Without the native kernel only integers have promised bits: NumPy's definition was compared.")
    if wrong:
        for part in wrong:
            err.print(f"differ: {part.kernel}, {part.isa}, threads {part.threads}: {'; '.join(part.wrong)}")
        err.print(
            "elman: models trained and archives written here may differ from other machines'; please report "
            "these lines, and where this installation came from"
        )
        raise typer.Exit(1)
