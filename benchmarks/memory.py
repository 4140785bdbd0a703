"""Peak memory of training on a large text: resident, of one process from start to end, by the kind of tokens.

    python benchmarks/memory.py --text english.txt --megabytes 50 2000 --tokens chars bytes bpe:4096

Makes a file of that size by repeating the text, starts a process that reads it as `elman train` does (in memory below
100 MB, mapped above) and trains for some steps, and then another one, which finds what the first left in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESS = """
import itertools, json, resource, sys, time
import elman
from elman.corpora import load_corpus, load_mapped, size_on_disk

class Enough(Exception):
    pass

path, tokens, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = time.perf_counter()
load = load_mapped if size_on_disk(path) >= 100_000_000 else load_corpus
corpus = load(path, normalisation="none", tokens=tokens)
recipe = elman.load_recipe("modern").replace(tokens=tokens, val_fraction=0.001)
model = elman.build_model(corpus, recipe)
count = itertools.count(1)

def on_step(step):
    global ready
    number = next(count)
    if number == 1:
        ready = time.perf_counter() - start
    if number == steps:
        raise Enough

try:
    elman.fit(model, corpus, recipe, on_step=on_step)
except Enough:
    pass
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"characters": len(corpus), "vocabulary": model.vocab_size, "ready": ready, "peak": peak}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[50, 2000])
    parser.add_argument("--tokens", nargs="+", default=["chars", "bytes", "bpe:4096"])
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    text = given.text.read_bytes()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'MB':>5}  {'tokens':<10} {'vocabulary':>10}  {'first start':>11}  {'peak':>8}  {'second':>8}  {'peak':>8}")
    with tempfile.TemporaryDirectory() as folder:
        path, cache = Path(folder) / "text", Path(folder) / "cache"
        for megabytes in given.megabytes:
            with open(path, "wb") as file:
                times, rest = divmod(megabytes * 1_000_000, len(text))
                for _ in range(times):
                    file.write(text)
                file.write(text[:rest].rpartition(b"\n")[0])
            for tokens in given.tokens:
                found = [start(path, tokens, given.steps, cache) for _ in range(2)]
                print(
                    f"{megabytes:>5}  {tokens:<10} {found[0]['vocabulary']:>10,}"
                    + "".join(
                        f"  {run['ready']:>{w}.1f} s  {run['peak']:>5.0f} MB"
                        for run, w in zip(found, (9, 6), strict=True)
                    ),
                    flush=True,
                )


def start(path: Path, tokens: str, steps: int, cache: Path) -> dict[str, float]:
    command = [sys.executable, "-c", PROCESS, str(path), tokens, str(steps)]
    env = os.environ | {"XDG_CACHE_HOME": str(cache)}
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
