"""Kill trainings by SIGKILL at random moments and go on: does every one end with the digest of one that was not?

    python benchmarks/kills.py            # forty kills over all cells, optimisers and both kinds of data; some minutes

Moments are drawn by the clock, from the start of the process to a little beyond what the whole training takes. Exits
with status 1 where one digest or one line of a log differs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEXT = "".join(f"{i} {'abc' * (i % 7)} the traveller, {i * i % 1009}\n" for i in range(1500))
SIZES = [
    "--epochs",
    "6",
    "--hidden-size",
    "24",
    "--batch-size",
    "8",
    "--seq-length",
    "20",
    "--sample-every",
    "3",
    "--val-fraction",
    "0.1",
]
CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
OPTIMIZERS = {
    "sgd": "--lr 0.5 --schedule plateau",
    "adam": "--lr 0.01 --schedule cosine --warmup 20 --init-std 0",
    "adamw": "--lr 0.01 --weight-decay 0.01 --init-std 0 --num-layers 2 --dropout 0.2",
    "muon": "--lr 0.01 --schedule linear --average 0.98 --init-std 0 --output-dropout 0.2 --shards 2",
}
KINDS = {"text": [], "records": ["--records"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, left, wrong = random.Random(options.seed), options.kills, 0
    cases = list(itertools.product(CELLS, OPTIMIZERS, KINDS))
    draw.shuffle(cases)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "t.txt").write_text(TEXT)
        for number, case in enumerate(itertools.cycle(cases)):
            if left <= 0:
                break
            # Every case is killed, and as many as can be twice.
            kills = min(left, 1 + (number < options.kills - len(cases)))
            kills, same = attempt(Path(folder), number, case, kills, draw)
            left, wrong = left - kills, wrong + (not same)
            print(f"{' '.join(case):<24} {kills} kills  {'same' if same else 'DIFFERENT'}", flush=True)
    print(f"{options.kills} kills, {wrong} trainings ended differently")
    sys.exit(1 if wrong else 0)


def attempt(folder: Path, number: int, case: tuple[str, str, str], kills: int, draw: random.Random) -> tuple[int, bool]:
    """How often one training was killed, and whether it ended as another that was not."""
    cell, optimizer, kind = case
    settings = [*SIZES, "--cell", cell, "--optimizer", optimizer, *OPTIMIZERS[optimizer].split(), *KINDS[kind]]
    begin = time.perf_counter()
    train(folder, ["t.txt", *settings, "--output", f"whole{number}"]).communicate()
    whole, done = time.perf_counter() - begin, 0
    arguments = begun = ["t.txt", *settings, "--output", f"run{number}"]
    while done < kills:
        process = train(folder, [*arguments, "--save-every", "0.05"])
        try:
            process.wait(draw.uniform(0.1, 1.2) * whole)
            if done:
                break
            shutil.rmtree(folder / f"run{number}")  # it ended before it was to be killed: once more
            arguments = begun
        except subprocess.TimeoutExpired:
            process.kill()
            done += 1
        process.wait()
        run = folder / f"run{number}"
        if any(run.glob("checkpoint*.safetensors")):
            arguments = ["--resume", run.name]
    process = train(folder, arguments)
    _, shown = process.communicate()
    assert process.returncode == 0, shown.decode()
    return done, ending(folder / f"run{number}") == ending(folder / f"whole{number}")


def train(folder: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "elman", "train", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ending(run: Path) -> tuple[bytes, bytes, list[dict[str, object]]]:
    """The files of both models, and the log without its times."""
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for line in log:
        del line["seconds"], line["chars_per_second"]
    return (run / "model.safetensors").read_bytes(), (run / "best.safetensors").read_bytes(), log


if __name__ == "__main__":
    main()
