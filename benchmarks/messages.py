"""How small do messages and records get that are coded alone, with a model of at most 1 MB trained on others like them?

    python benchmarks/messages.py FOLDER [--only text,json,urls2] [--minutes 3 | --epochs 8] [--max-size N] [--others]

FOLDER holds messages-text-train.txt and -test.txt, messages-json-train.jsonl and -test.jsonl: every test message is
coded alone, its end included. And dbtext-NAME.txt: equal lines are dropped, 600 are drawn, and at most 2 MB of the
others are what there is to learn from. `train_coder` sees nothing else; what it holds out is a part of that.

Beside ours: deflate with a dictionary, zstd with the best of three, and PPMd, variants H and I, primed with all that
there is to learn from. Each codes every message. PPMd codes the message's end as ours does; its codes end within a
byte, and half a byte is added, since ours are rounded up to whole ones. zstd and PPMd where `zstandard` and `pyppmd`
are installed. The last column counts the model's file, or dictionary, over the messages of this test. Results:
results/messages.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import RESULTS, machine, write

from elman.coders import train_coder
from elman.coders.rivals import Result, optional, without_model
from elman.compression import Codec

RECORDS = ("urls2", "wiki", "l_comment", "hamlet")
LINES, LEARN = 600, 2_000_000
ORDER, PPMD_MEMORY = 6, 256 << 20
OURS = "contexts and past alone", "elman"


def sets(folder: Path) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """Name -> what there is to learn from, and what is coded."""
    found = {}
    for name, suffix in (("text", "txt"), ("json", "jsonl")):
        parts = [folder / f"messages-{name}-{part}.{suffix}" for part in ("train", "test")]
        if all(part.exists() for part in parts):
            found[name] = tuple(part.read_bytes().split(b"\n")[:-1] for part in parts)
    for name in RECORDS:
        if (folder / f"dbtext-{name}.txt").exists():
            found[name] = unseen((folder / f"dbtext-{name}.txt").read_bytes())
    return found


def unseen(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Lines of 2 MB at most, and 600 others, all of them different."""
    lines = list(dict.fromkeys(data.split(b"\n")))
    random.Random(0).shuffle(lines)
    lines = [line for line in lines if line]
    learn, size = [], 0
    for line in lines[LINES:]:
        size += len(line) + 1
        if size > LEARN:
            break
        learn.append(line)
    return learn, lines[:LINES]


def ppmd_primed(learn: list[bytes], messages: list[bytes]) -> list[Result]:
    """PPMd after all of it, on every message with its line end: by how much each makes the code longer, and half a
    byte, which rounding up to whole bytes costs on average. Both of its variants.

    Reading everything before each message would take hours, so one encoder reads it, and a fork of the process codes
    each message and ends with it.
    """
    ppmd = optional("pyppmd")
    if not ppmd:
        return []
    text = b"".join(line + b"\n" for line in learn)
    results = []
    for variant, encoder in (
        ("H", lambda: ppmd.Ppmd7Encoder(ORDER, PPMD_MEMORY)),
        ("I", lambda: ppmd.Ppmd8Encoder(ORDER, PPMD_MEMORY, ppmd.PPMD8_RESTORE_METHOD_RESTART)),
    ):
        primed = encoder()
        before = len(primed.encode(text))
        whole = _of_fork(lambda primed=primed: len(primed.flush()))
        rest = (_of_fork(lambda m=m, primed=primed: len(primed.encode(m + b"\n") + primed.flush())) for m in messages)
        total = sum(rest) - whole * len(messages)
        results.append(Result(f"PPMd {variant} primed, and half a byte", total / len(messages) + 0.5, before + whole))
    return results


def _of_fork(work: Callable[[], int]) -> int:
    """What `work` returns in a copy of this process, which changes nothing here."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, work().to_bytes(8, "little"))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    return int.from_bytes(data, "little")


def others(learn: list[bytes], messages: list[bytes]) -> list[Result]:
    """Every coder but ours, on every message."""
    return without_model(learn, messages) + ppmd_primed(learn, messages)


def measure(name: str, learn: list[bytes], messages: list[bytes], **how: Any) -> list[dict[str, Any]]:
    start = time.perf_counter()
    made = train_coder(learn, **how, say=lambda line: print(f"  {line}", flush=True))
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    codec = Codec(made.predictor)
    ready = time.perf_counter() - start
    start = time.perf_counter()
    codes = codec.encode_many(messages)
    rate = len(messages) / (time.perf_counter() - start)
    assert codec.decode_many(codes) == messages
    start = time.perf_counter()
    for message, code in zip(messages[:200], codes, strict=False):
        assert codec.encode(message) == code
    alone = min(200, len(messages)) / (time.perf_counter() - start)
    sizes = [len(code) for code in codes]
    results = [
        *others(learn, messages),
        Result(OURS[0], _mean(Codec(None, made.predictor.past).encode_many(messages))),
        Result(OURS[1], sum(sizes) / len(sizes), len(made.chosen.file)),
    ]
    hidden = made.chosen.network.hidden_size if made.chosen.network else 0
    print(
        f"  GRU {hidden}, {made.training.get('epochs', 0):g} epochs, {made.training.get('steps', 0)} steps, past "
        f"{len(made.predictor.past)} bytes; {seconds:.0f} s to train and measure, codec ready in {ready:.2f} s, "
        f"{rate:.0f} messages a second in a batch, {alone:.0f} one by one"
    )
    return [row_of(name, len(messages), r) for r in results]


def row_of(name: str, messages: int, r: Result) -> dict[str, Any]:
    print(f"{name:<10} {r.name:<36} {r.per_message:>8.2f} {r.counted(messages):>10.2f}", flush=True)
    return {
        "set": name, "messages": messages, "coder": r.name, "bytes_per_message": round(r.per_message, 3),
        "with_shared": round(r.counted(messages), 3), "shared_bytes": r.shared,
    }  # fmt: skip


def measured_before(name: str, messages: int) -> list[dict[str, Any]]:
    """Our rows of results/messages.csv: they stand where only the others are measured anew."""
    with (RESULTS / "messages.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name and int(row["messages"]) == messages]
    return [row for row in rows if row["coder"] in OURS]


def _mean(codes: list[bytes]) -> float:
    return sum(map(len, codes)) / len(codes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--epochs", type=float, help="the same numbers on every machine")
    parser.add_argument("--max-size", type=int, default=1_000_000)
    parser.add_argument("--others", action="store_true", help="measure the others alone, and keep our rows as they are")
    arguments = parser.parse_args()
    found = sets(arguments.folder)
    print(machine(), file=sys.stderr)
    names = arguments.only.split(",") if arguments.only else list(found)
    how = {"minutes": arguments.minutes, "epochs": arguments.epochs, "max_size": arguments.max_size}
    rows = []
    for name in names:
        learn, messages = found[name]
        if arguments.others:
            rows += [row_of(name, len(messages), r) for r in others(learn, messages)]
            rows += measured_before(name, len(messages))
        else:
            rows += measure(name, learn, messages, **how)
    write("messages", rows, keep="set")


if __name__ == "__main__":
    main()
