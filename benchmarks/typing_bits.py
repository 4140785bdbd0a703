"""Bits a character and microseconds of a typist beside PPM, on lines that neither has seen.

    cmake -S src/native/c -B build/libelman -DCMAKE_BUILD_TYPE=Release && cmake --build build/libelman
    python benchmarks/typing_bits.py MODEL train.txt test.txt --language en --ngrams en.ngrams

PPMd (variant H, pyppmd) of orders 5, 6 and 8 is primed with the training text and adapts. It codes symbols, as
Dasher's does: every character of the training text has a byte. Elman's typist is libelman's, with `--width` ways to cut
the text; it is static, and once more it learns each symbol after it was measured. Every line end counts. Microseconds
are CPU time for a distribution and an entry, the call from Python included; start and copy are timed alone. Writes
results/typing_bits.csv.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("ELMAN_THREADS", "1")
from harness import machine, write
from typist_library import Library, LibraryTypist

import elman
from elman.export import to_plain
from elman.typing import Primed

FLOOR = 1e-5
"""Smallest probability of a symbol, and the cost of one that the training text lacks."""


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


def typist_bits(typist: LibraryTypist, places: dict[str, int], text: str, learn: bool) -> tuple[float, float]:
    """Bits a character, and microseconds of CPU time for a distribution and an entry."""
    bits, start = 0.0, time.process_time()
    for symbol in text:
        place = places.get(symbol)
        bits -= math.log2(typist.probabilities()[place] if place is not None else FLOOR)
        if place is None:
            typist.read(symbol)
        elif learn:
            typist.learn(place)
        else:
            typist.enter(place)
    return bits / len(text), (time.process_time() - start) / len(text) * 1e6


def seconds(call: Callable[[], object], times: int) -> float:
    """The least CPU time of several calls."""
    found = []
    for _ in range(times):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def copies(typist: LibraryTypist, count: int) -> None:
    """Make copies and free them."""
    calls, handle = typist.library.calls, typist.handle
    for _ in range(count):
        calls.elman_typist_free(ctypes.c_void_p(calls.elman_typist_copy(handle)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--language", default="")
    parser.add_argument("--lines", type=int, help="measure the first so many lines only")
    parser.add_argument("--ngrams", type=Path, help="the file of elman.typing.prime")
    parser.add_argument("--library", type=Path, default=Path("build/libelman/libelman.so"))
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--least", type=float, default=1e-4)
    options = parser.parse_args()
    train, test = (path.read_text("utf-8") for path in (options.train, options.test))
    test = "".join(test.splitlines(keepends=True)[: options.lines])
    symbols = "".join(sorted(set(train)))
    places = {symbol: place for place, symbol in enumerate(symbols)}
    library = Library(options.library)
    library.calls.elman_set_threads(1)
    container = to_plain(elman.load(options.model))
    ngrams = Primed.load(options.ngrams).to_bytes() if options.ngrams else b""
    rows: list[dict[str, object]] = []

    def started() -> LibraryTypist:
        model = library.open(container)
        typist = LibraryTypist(library, model, symbols, FLOOR, options.width, options.least)
        if ngrams:
            typist.prime(ngrams)
        return typist

    def add(what: str, bits: float | None, microseconds: float | str = "") -> None:
        print(f"{what:24} {'' if bits is None else f'{bits:.4f} bits a character'} {microseconds} us", flush=True)
        row = {"language": options.language, "what": what, "bits_per_char": "" if bits is None else f"{bits:.4f}"}
        rows.append(row | {"microseconds": microseconds, "characters": len(test), **machine()})

    for order in (5, 6, 8):
        add(f"PPMd order {order}, primed", ppm_bits(train, test, order))
    what = "Elman with n-grams" if ngrams else "Elman"
    for name, learn in ((what, False), (f"{what}, learning", True)):
        bits, microseconds = typist_bits(started(), places, test, learn)
        add(name, bits, round(microseconds, 1))
    typist = started()
    add("a start", None, round(seconds(started, 5) * 1e6))
    add("a copy, made and freed", None, round(seconds(lambda: copies(typist, 1000), 20) * 1e3, 2))
    write("typing_bits", rows, keep="language")


if __name__ == "__main__":
    main()
