"""Bits a character and microseconds of `elman.Typist` beside PPM, on lines that neither has seen.

    python benchmarks/typing_bits.py MODEL train.txt test.txt --language en

PPMd (variant H, pyppmd) of orders 5, 6 and 8 is primed with the training text and adapts. It codes symbols, as
Dasher's does: every character of the training text has a byte. Elman's model is static, and once more it learns each
line after it was measured. Every line end counts. Writes results/typing_bits.csv.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from pathlib import Path

os.environ.setdefault("ELMAN_THREADS", "1")
from harness import machine, write

import elman


def ppm_bits(train: str, test: str, order: int) -> float:
    """Bits a character of the test after the training text."""
    import pyppmd

    symbols = sorted(set(train))
    if len(symbols) > 255:
        raise SystemExit("the training text has more than 255 different characters, which do not fit into bytes")
    code = {symbol: bytes([place]) for place, symbol in enumerate(symbols)}
    other = bytes([len(symbols)])
    primed, both = (b"".join(code.get(each, other) for each in text) for text in (train, train + test))
    sizes = [
        len((encoder := pyppmd.Ppmd7Encoder(order, 64 << 20)).encode(data) + encoder.flush()) for data in (primed, both)
    ]
    return (sizes[1] - sizes[0]) * 8 / len(test)


def typist_bits(model: elman.Model, train: str, lines: list[str], learn: bool) -> tuple[float, float]:
    """Bits a character, and microseconds of CPU time for a distribution and an entry."""
    typist = elman.Typist(model, "".join(sorted(set(train))))
    bits, count, spent = 0.0, 0, 0.0
    for line in lines:
        start = time.process_time()
        for symbol in line:
            bits -= math.log2(typist.distribution().get(symbol, typist.floor))
            typist.enter(symbol)
        spent += time.process_time() - start
        count += len(line)
        if learn:
            typist.learn(line.removesuffix("\n"))
    return bits / count, spent / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--language", default="")
    parser.add_argument("--lines", type=int, help="measure the first so many lines only")
    options = parser.parse_args()
    train, test = (path.read_text("utf-8") for path in (options.train, options.test))
    lines = test.splitlines(keepends=True)[: options.lines]
    model, test = elman.load(options.model), "".join(lines)
    rows: list[dict[str, object]] = []

    def add(what: str, bits: float, microseconds: float | str = "") -> None:
        print(f"{what:22} {bits:.4f} bits a character")
        row = {"language": options.language, "what": what, "bits_per_char": f"{bits:.4f}"}
        rows.append(row | {"microseconds": microseconds, "characters": len(test), **machine()})

    for order in (5, 6, 8):
        add(f"PPMd order {order}, primed", ppm_bits(train, test, order))
    for what, learn in (("Elman", False), ("Elman, learning", True)):
        bits, microseconds = typist_bits(model, train, lines, learn)
        add(what, bits, round(microseconds))
    write("typing_bits", rows, keep="language")


if __name__ == "__main__":
    main()
