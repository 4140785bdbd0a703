"""Every cell with every optimiser, kind of text and number of processes: one digest each. `make combinations`."""

from __future__ import annotations

import itertools
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from test_processes import LINES, RECIPE
from threads import run

import elman
from elman.corpora import load_mapped
from elman.recipes import Recipe

SIZES = (1, 2, 3, 4, 7)
CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
OPTIMISERS = {"sgd": 0.5, "adam": 0.003, "adamw": 0.003, "muon": 0.01}
TEXTS = ("text", "random windows", "mapped", "records")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_text(LINES)
        os.environ["XDG_CACHE_HOME"] = folder
        for cell, optimizer, kind in itertools.product(CELLS, OPTIMISERS, TEXTS):
            start = time.perf_counter()
            recipe = RECIPE.replace(
                cell=cell,
                optimizer=optimizer,
                lr=OPTIMISERS[optimizer],
                partition="random" if kind == "random windows" else "sequential",
            )
            work = partial(trained, recipe=recipe, kind=kind, path=path)
            digests = {digest for size in SIZES for digest in run(size, work)}
            assert len(digests) == 1, f"{cell} {optimizer} {kind}: {digests}"
            seconds = time.perf_counter() - start
            print(f"{cell:9} {optimizer:6} {kind:15} {digests.pop()[:12]}  {seconds:.1f} s", flush=True)


def trained(group: Any, recipe: Recipe, kind: str, path: Path) -> str:
    if kind == "mapped":
        corpus: elman.Corpus = load_mapped(path)
    else:
        corpus = elman.Corpus("t", LINES, "none", "here", kind == "records")
    model = elman.build_model(corpus, recipe)
    elman.fit(model, corpus, recipe, ranks=group)
    return model.digest()


if __name__ == "__main__":
    main()
