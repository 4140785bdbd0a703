"""Bits a character of a typist beside PPM, on lines that neither has seen.

    cmake -S src/native/c -B build/libelman -DCMAKE_BUILD_TYPE=Release && cmake --build build/libelman
    python benchmarks/typing_bits.py de train.txt test.txt

DE is the language of a model of packaging/talk. PPMd (variant H, pyppmd) of orders 5, 6 and 8 is primed with the
training text and adapts. It codes symbols, as Dasher's does: every character of the training text has a byte. Elman's
typist is libelman's, with `--width` ways to cut the text; it is static, and then learns each symbol after it was
measured. Every line end counts. Two texts are measured, each after the training text alone: the test's lines, and
those of benchmarks/phrases, which were written for this. The training text has none of them. Writes
results/typing_bits.csv.
"""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

os.environ.setdefault("ELMAN_THREADS", "1")
from harness import machine, write
from typist_library import Library, LibraryTypist

import elman
from elman.export import to_plain
from elman.typing import Primed

FLOOR = 1e-5
"""Smallest probability of a symbol, and the cost of one that the training text lacks."""


ROOT = Path(__file__).parents[1]
TALK = ROOT / "packaging" / "talk" / "elman_talk"
ORDERS = (5, 6, 8)


def ppm_bits(train: str, tests: dict[str, str], order: int) -> dict[str, float]:
    """Bits a character of each test after the training text."""
    import pyppmd

    symbols = sorted(set(train))
    if len(symbols) > 255:
        raise SystemExit("the training text has more than 255 different characters, which do not fit into bytes")
    code = {symbol: bytes([place]) for place, symbol in enumerate(symbols)}
    other = bytes([len(symbols)])

    def size(text: str) -> int:
        encoder = pyppmd.Ppmd7Encoder(order, 64 << 20)
        return len(encoder.encode(b"".join(code.get(each, other) for each in text)) + encoder.flush())

    primed = size(train)
    return {name: (size(train + test) - primed) * 8 / len(test) for name, test in tests.items()}


def typist_bits(typist: LibraryTypist, places: dict[str, int], text: str, learn: bool) -> float:
    """Bits a character."""
    bits = 0.0
    for symbol in text:
        place = places.get(symbol)
        bits -= math.log2(typist.probabilities()[place] if place is not None else FLOOR)
        if place is None:
            typist.read(symbol)
        elif learn:
            typist.learn(place)
        else:
            typist.enter(place)
    return bits / len(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("language")
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--library", type=Path, default=ROOT / "build" / "libelman" / "libelman.so")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--least", type=float, default=1e-4)
    options = parser.parse_args()
    train = options.train.read_text("utf-8")
    paths = {"test": options.test, "other phrases": ROOT / "benchmarks" / "phrases" / f"{options.language}.txt"}
    tests = {name: path.read_text("utf-8") for name, path in paths.items()}
    known = set(train.splitlines()).intersection(tests["other phrases"].splitlines())
    if known:
        raise SystemExit(f"the training text has {sorted(known)}")
    symbols = "".join(sorted(set(train)))
    places = {symbol: place for place, symbol in enumerate(symbols)}
    library = Library(options.library)
    library.calls.elman_set_threads(1)
    container = to_plain(elman.load(TALK / f"{options.language}.safetensors"))
    ngrams = Primed.load(TALK / f"{options.language}.ngrams").to_bytes()
    rows: list[dict[str, object]] = []

    def add(what: str, bits: dict[str, float]) -> None:
        print(f"{what:24} {bits}", flush=True)
        for name, each in bits.items():
            row = {"language": options.language, "text": name, "what": what, "bits_per_char": f"{each:.4f}"}
            rows.append(row | {"characters": len(tests[name]), **machine()})

    for order in ORDERS:
        add(f"PPMd order {order}, primed", ppm_bits(train, tests, order))
    for what, learn in (("Elman with n-grams", False), ("Elman with n-grams, learning", True)):
        bits = {}
        for name, test in tests.items():
            typist = LibraryTypist(library, library.open(container), symbols, FLOOR, options.width, options.least)
            typist.prime(ngrams)
            bits[name] = typist_bits(typist, places, test, learn)
        add(what, bits)
    write("typing_bits", rows, keep="language")


if __name__ == "__main__":
    main()
