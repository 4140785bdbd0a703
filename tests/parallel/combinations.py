"""Every cell with every optimiser, kind of text and number of processes: one digest each. `make combinations`.

    python tests/parallel/combinations.py [--threads] [--part K/N]

Each number of processes trains a combination whole. Beside that, one process begins a run of it, and each further
number of them goes on from the last checkpoint for some steps; the last ends it, with the same digest. Processes are
connected by torch.distributed, with gloo, once for all trainings of a part: each meets the others only once. With
--threads the threads of one process take their place. --part takes the K-th of every N combinations.
"""

from __future__ import annotations

import argparse
import itertools
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import threads
from test_processes import LINES, RECIPE

import elman
from elman.corpora import load_mapped
from elman.parallel.alone import Alone
from elman.parallel.launch import Place
from elman.runs import read_checkpoint
from elman.training import resume

SIZES = (1, 3, 2, 7, 4)  # in this order they go on from each other's checkpoints
STEPS = 5  # of each, before the next goes on
CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
OPTIMISERS = {"sgd": 0.5, "adam": 0.003, "adamw": 0.003, "muon": 0.01}
TEXTS = ("text", "random windows", "mapped", "records")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", action="store_true", help="threads in place of processes")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="the K-th of every N combinations")
    options = parser.parse_args()
    first, step = map(int, options.part.split("/"))
    chosen = list(itertools.product(CELLS, OPTIMISERS, TEXTS))[first - 1 :: step]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        path.write_text(LINES)
        os.environ["XDG_CACHE_HOME"] = folder
        jobs = [partial(trained, *combination, path=path) for combination in chosen]
        found = [[*job(Alone())] for job in jobs]
        for size in SIZES[1:]:
            start = time.perf_counter()
            of_ranks = threads.run(size, partial(digests, jobs)) if options.threads else over_gloo(size, jobs)
            for of_rank in of_ranks:
                for equal, own in zip(found, of_rank, strict=True):
                    equal += own
            print(f"{size} processes: {len(jobs)} trainings in {time.perf_counter() - start:.1f} s", flush=True)
    for (cell, optimizer, kind), equal in zip(chosen, found, strict=True):
        assert len(equal) == sum(SIZES) + SIZES[-1]
        print(f"{cell:9} {optimizer:6} {kind:15} {', '.join(sorted({digest[:12] for digest in equal}))}")
    if differing := sum(len(set(equal)) > 1 for equal in found):
        sys.exit(f"combinations.py: {differing} of {len(chosen)} have several digests")
    sizes = ", ".join(map(str, sorted(SIZES)))
    print(
        f"{len(chosen)} combinations, each with one digest for {sizes} processes, and after going on from one another"
    )


class Killed(Exception):
    pass


def trained(cell: str, optimizer: str, kind: str, group: Any, path: Path) -> list[str]:
    """The digest of a whole training; from the last number of processes also that of the run which they took over."""
    recipe = RECIPE.replace(
        cell=cell,
        optimizer=optimizer,
        lr=OPTIMISERS[optimizer],
        weight_decay=0.1 if optimizer in ("adamw", "muon") else 0.0,
        partition="random" if kind == "random windows" else "sequential",
    )
    if kind == "mapped":
        corpus: elman.Corpus = load_mapped(path)
    else:
        corpus = elman.Corpus("t", LINES, "none", "here", kind == "records")
    model = elman.build_model(corpus, recipe)
    elman.fit(model, corpus, recipe, ranks=group)
    whole, run, count = model.digest(), path.with_name(f"{cell}-{optimizer}-{kind}"), 0

    def on_step(_: object) -> None:
        nonlocal count
        count += 1
        if count == STEPS and group.size != SIZES[-1]:
            raise Killed

    try:
        if group.size == SIZES[0]:
            model = elman.build_model(corpus, recipe)
            elman.fit(model, corpus, recipe, ranks=group, output=run, save_seconds=0.0, on_step=on_step)
        else:
            checkpoint = read_checkpoint(run)
            assert checkpoint.steps or checkpoint.run.log
            seconds = 60.0 if group.size == SIZES[-1] else 0.0  # nobody goes on from the last one's
            done = resume(checkpoint, corpus, ranks=group, save_seconds=seconds, on_step=on_step)
            return [whole, done.model.digest()]
    except Killed:
        assert group.size != SIZES[-1]
    return [whole]


def digests(jobs: list[Callable[[Any], list[str]]], group: Any) -> list[list[str]]:
    return [job(group) for job in jobs]


def over_gloo(size: int, jobs: list[Callable[[Any], list[str]]]) -> list[list[list[str]]]:
    """The digests of each process."""
    from ranks import Started  # pyright: ignore[reportMissingImports]

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = [Started(printed, (jobs, Place(rank, size, size, "127.0.0.1", port)), {}) for rank in range(size)]
    done = [process.wait() for process in started]
    assert all((status, err) == (0, "") for status, _, err in done), done
    return [[line.split() for line in out.splitlines()] for _, out, _ in done]


def printed(jobs: list[Callable[[Any], list[str]]], place: Place) -> None:
    from elman.torch.group import TorchGroup

    class Met(TorchGroup):
        """Connected already; it compares what the processes train."""

        @contextmanager
        def joined(self, what: Mapping[str, Any]) -> Iterator[None]:
            self._compare(what)
            yield

    group = Met(place)
    with TorchGroup.joined(group, {}):
        for found in digests(jobs, group):
            print(*found)


if __name__ == "__main__":
    main()
