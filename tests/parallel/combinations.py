"""Every cell with every optimiser, kind of text and number of processes: one digest each. `make combinations`.

    python tests/parallel/combinations.py [--threads]

Processes are connected by torch.distributed, with gloo. With --threads the threads of one process take their place.
"""

from __future__ import annotations

import itertools
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import threads
from test_processes import LINES, RECIPE

import elman
from elman.corpora import load_mapped
from elman.parallel.alone import Alone
from elman.parallel.launch import Place
from elman.recipes import Recipe

SIZES = (1, 2, 3, 4, 7)
CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
OPTIMISERS = {"sgd": 0.5, "adam": 0.003, "adamw": 0.003, "muon": 0.01}
TEXTS = ("text", "random windows", "mapped", "records")


def main() -> None:
    run = threads.run if "--threads" in sys.argv else over_gloo
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
            digests = {work(Alone()), *(digest for size in SIZES[1:] for digest in run(size, work))}
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


def over_gloo(size: int, work: Callable[[Any], str]) -> list[str]:
    """The digest of each process."""
    from ranks import Started  # pyright: ignore[reportMissingImports]

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = [Started(one, (work, Place(rank, size, size, "127.0.0.1", port)), {}) for rank in range(size)]
    done = [process.wait() for process in started]
    assert all((status, err) == (0, "") for status, _, err in done), done
    return [out.strip() for _, out, _ in done]


def one(work: Callable[[Any], str], place: Place) -> None:
    from elman.torch.group import TorchGroup

    print(work(TorchGroup(place)))


if __name__ == "__main__":
    main()
