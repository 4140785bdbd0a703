"""How long is the whole of the book's job, and does it end at the same perplexity?

    ELMAN_DATA=FOLDER python benchmarks/book_job.py [--repeats 3] [--epochs 500]

500 epochs over the first 10,000 characters of The Time Machine (of the bundled story where that is neither in
ELMAN_DATA nor in the cache, and cannot be downloaded): one ReLU layer of 256, batch 32, 35 steps, SGD with rate 1,
gradients clipped to norm 1. Elman's `fit` against the same loop over torch.nn, with the same first weights and the same
batches, in turns. Neither writes samples or files. Results: results/book_job.csv, one row for each run.
"""

from __future__ import annotations

import argparse
import math
import sys
import time

import torch
from harness import machine, write
from rivals import torch_copy

import elman
from elman.batches import sequential_batches
from elman.kernels import _cpu


def with_elman(corpus: elman.Corpus, recipe: elman.Recipe) -> list[float]:
    """The perplexity of every epoch."""
    run = elman.fit(elman.build_model(corpus, recipe), corpus, recipe)
    return [epoch.train_perplexity for epoch in run.log]


def with_torch(corpus: elman.Corpus, recipe: elman.Recipe) -> list[float]:
    model = elman.build_model(corpus, recipe)
    ids, vocab, perplexities = corpus.vocabulary().encode(corpus.text), model.vocab_size, []
    rnn, output = torch_copy(model)
    parameters = [*rnn.parameters(), *output.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=recipe.lr)
    for epoch in range(1, recipe.epochs + 1):
        total, count, state = 0.0, 0, None
        for x, y in sequential_batches(ids, recipe.batch_size, recipe.seq_length, recipe.seed, epoch):
            hidden, state = rnn(torch.nn.functional.one_hot(torch.from_numpy(x), vocab).float(), state)
            state = state.detach()
            loss = torch.nn.functional.cross_entropy(output(hidden).flatten(0, 1), torch.from_numpy(y).reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip or math.inf)
            optimizer.step()
            total, count = total + loss.item() * y.size, count + y.size
        perplexities.append(math.exp(total / count))
    return perplexities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=500)
    arguments = parser.parse_args()
    torch.set_num_threads(_cpu.threads())
    try:
        corpus = elman.load_corpus("timemachine", max_chars=10_000)
    except elman.CorpusError:
        corpus = elman.load_corpus("traveller", max_chars=10_000)
    recipe = elman.Recipe(epochs=arguments.epochs, sample_every=0)
    contestants = {"elman fit": with_elman, "torch.nn": with_torch}
    for run in contestants.values():  # warm up; and all begin alike
        assert (
            abs(run(corpus, recipe.replace(epochs=1))[0] / with_elman(corpus, recipe.replace(epochs=1))[0] - 1) < 1e-4
        )
    rows = []
    for repeat in range(1, arguments.repeats + 1):
        for label, run in contestants.items():
            start = time.perf_counter()
            perplexities = run(corpus, recipe)
            seconds = time.perf_counter() - start
            rows.append(
                {
                    "corpus": corpus.name,
                    "characters": len(corpus.text),
                    "epochs": arguments.epochs,
                    "threads": _cpu.threads(),
                    "contestant": label,
                    "repeat": repeat,
                    "seconds": round(seconds, 3),
                    "first_perplexity": round(perplexities[0], 4),
                    "final_perplexity": round(perplexities[-1], 4),
                    **machine(),
                }
            )
            print(f"{corpus.name}  {label:<10} {seconds:7.2f} s  perplexity {perplexities[-1]:.4f}", file=sys.stderr)
    print(f"wrote {write('book_job', rows)}", file=sys.stderr)


if __name__ == "__main__":
    main()
