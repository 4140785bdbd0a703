"""How small do messages and records get that are coded alone, with a model of at most 1 MB trained on others like them?

    python benchmarks/messages.py FOLDER [--only text,json,urls2] [--minutes 3 | --epochs 8] [--max-size 1000000]

FOLDER holds messages-text-train.txt and -test.txt, messages-json-train.jsonl and -test.jsonl: every test message is
coded alone, its end included. And dbtext-NAME.txt: equal lines are dropped, 600 are drawn, and at most 2 MB of the
others are what there is to learn from. `train_coder` sees nothing else; what it holds out is a part of that.

Beside ours: deflate and zstd with dictionaries, and PPMd primed with all that there is to learn from, whose codes end
within a byte and are not rounded up to whole ones, as ours are. zstd and PPMd where `zstandard` and `pyppmd` are
installed. The last column counts the model's file, or dictionary, over the messages of this test. Results:
results/messages.csv.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

from harness import machine, write

from elman.coders import train_coder
from elman.coders.rivals import Result, optional, rivals
from elman.compression import Codec

RECORDS = ("urls2", "wiki", "l_comment", "hamlet")
LINES, LEARN = 600, 2_000_000


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
    """PPMd after all of it, on 100 messages: by how much each makes the code longer, with a line end and without."""
    ppmd = optional("pyppmd")
    if not ppmd:
        return []
    text, options = b"".join(line + b"\n" for line in learn), {"max_order": 6, "mem_size": 256 << 20}
    whole = len(ppmd.compress(text, **options))
    some = messages[:: max(1, len(messages) // 100)]
    results = []
    for name, end in (("no end", b""), ("with an end", b"\n")):
        total = sum(len(ppmd.compress(text + message + end, **options)) - whole for message in some)
        results.append(Result(f"PPMd primed, {name}, {len(some)} of them", total / len(some), whole))
    return results


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
    results = [r for r in rivals(learn, messages, sizes) if "PPMd" not in r.name] + ppmd_primed(learn, messages)
    results += [
        Result("contexts and past alone", _mean(Codec(None, made.predictor.past).encode_many(messages))),
        Result("elman", sum(sizes) / len(sizes), len(made.chosen.file)),
    ]
    hidden = made.chosen.network.hidden_size if made.chosen.network else 0
    print(
        f"  GRU {hidden}, {made.training.get('epochs', 0):g} epochs, {made.training.get('steps', 0)} steps, past "
        f"{len(made.predictor.past)} bytes; {seconds:.0f} s to train and measure, codec ready in {ready:.2f} s, "
        f"{rate:.0f} messages a second in a batch, {alone:.0f} one by one"
    )
    for r in results:
        print(f"{name:<10} {r.name:<36} {r.per_message:>8.2f} {r.counted(len(messages)):>10.2f}", flush=True)
    return [
        {
            "set": name, "messages": len(messages), "coder": r.name, "bytes_per_message": round(r.per_message, 3),
            "with_shared": round(r.counted(len(messages)), 3), "shared_bytes": r.shared,
        }
        for r in results
    ]  # fmt: skip


def _mean(codes: list[bytes]) -> float:
    return sum(map(len, codes)) / len(codes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--epochs", type=float, help="the same numbers on every machine")
    parser.add_argument("--max-size", type=int, default=1_000_000)
    arguments = parser.parse_args()
    found = sets(arguments.folder)
    print(machine(), file=sys.stderr)
    names = arguments.only.split(",") if arguments.only else list(found)
    how = {"minutes": arguments.minutes, "epochs": arguments.epochs, "max_size": arguments.max_size}
    rows = [row for name in names for row in measure(name, *found[name], **how)]
    write("messages", rows, keep="set")


if __name__ == "__main__":
    main()
