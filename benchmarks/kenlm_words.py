"""Words a second of `elman.kenlm` beside kenlm, on one thread: python benchmarks/kenlm_words.py

kenlm reads trigrams with absolute discounting, estimated here from the first nine tenths of a text; Elman reads the
packaged model, or --model. Both score the lines of the last tenth, and the answers are checked: a score is the sum of
the words' scores. Needs the package kenlm, and a C++ compiler to build it.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("ELMAN_THREADS", "1")
import kenlm as real  # type: ignore[import-not-found]
from harness import machine, write

import elman
from elman import kenlm as ours

_DISCOUNT = 0.75


def arpa(lines: list[list[str]]) -> str:
    """Trigrams with absolute discounting, backing off, as an ARPA file."""
    counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(3)]
    for words in lines:
        padded = ["<s>", *words, "</s>"]
        for order in (1, 2, 3):
            counts[order - 1].update(tuple(padded[i : i + order]) for i in range(len(padded) - order + 1))
    del counts[0][("<s>",)]
    followers: list[dict[tuple[str, ...], Counter[str]]] = [defaultdict(Counter) for _ in range(3)]
    for order, found in enumerate(counts):
        for gram, count in found.items():
            followers[order][gram[:-1]][gram[-1]] += count

    def probability(context: Any, word: str) -> float:
        if not context:
            mine = followers[0][()]
            return max(mine[word] - _DISCOUNT, 0.25) / mine.total()
        if context not in followers[len(context)]:
            return probability(context[1:], word)
        mine = followers[len(context)][context]
        left = _DISCOUNT * len(mine) / mine.total()
        return max(mine[word] - _DISCOUNT, 0) / mine.total() + left * probability(context[1:], word)

    def backoff(gram: tuple[str, ...]) -> float:
        mine = followers[len(gram)].get(gram) if len(gram) < 3 else None
        return math.log10(_DISCOUNT * len(mine) / mine.total()) if mine else 0.0

    grams: list[list[tuple[str, ...]]] = [[("<unk>",), ("<s>",), *counts[0]], [*counts[1]], [*counts[2]]]
    parts = ["\\data\\", *(f"ngram {order}={len(each)}" for order, each in enumerate(grams, 1))]
    for order, each in enumerate(grams, 1):
        parts.append(f"\n\\{order}-grams:")
        for gram in each:
            fixed = {"<s>": -99.0, "<unk>": -7.0}.get(" ".join(gram))
            log10 = math.log10(probability(gram[:-1], gram[-1])) if fixed is None else fixed
            parts.append(f"{log10:.6f}\t{' '.join(gram)}" + (f"\t{backoff(gram):.6f}" if order < 3 else ""))
    return "\n".join([*parts, "\n\\end\\\n"])


def rate(call: Any, words: int, rounds: int) -> float:
    """Words a second of CPU time, the best of some rounds."""
    best = math.inf
    for _ in range(rounds):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return words / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", help="a text file")
    parser.add_argument("--model", default="english")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    text = str(elman.load_corpus(options.text, normalisation="none").text)
    lines = [line.split() for line in text.splitlines() if line.strip()]
    cut = len(lines) * 9 // 10
    sentences = [" ".join(words) for words in lines[cut:]]
    words = sum(len(words) + 1 for words in lines[cut:])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "m.arpa").write_text(arpa(lines[:cut]), "utf-8")
        theirs, mine = real.Model(f"{folder}/m.arpa"), ours.Model(options.model)
    for model in (theirs, mine):
        for sentence in sentences[:50]:
            total = math.fsum(each[0] for each in model.full_scores(sentence))
            assert math.isclose(total, model.score(sentence), rel_tol=1e-5), sentence
    contestants = {
        "kenlm, score": lambda: [theirs.score(sentence) for sentence in sentences],
        "elman, score": lambda: [mine.score(sentence) for sentence in sentences],
        "elman, scores": lambda: mine.scores(sentences),
    }
    rows = [
        {"what": name, "words_per_cpu_second": round(rate(call, words, options.rounds)), "words": words, **machine()}
        for name, call in contestants.items()
    ]
    for row in rows:
        print(f"{row['what']:14} {row['words_per_cpu_second']:>10,} words a second of CPU time")
    write("kenlm_words", rows)


if __name__ == "__main__":
    main()
