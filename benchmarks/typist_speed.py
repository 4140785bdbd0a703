"""Microseconds of libelman's typist, called from C, on one core: python benchmarks/typist_speed.py TEXT

Needs libelman (cmake -S src/native/c -B build/libelman -DCMAKE_BUILD_TYPE=Release && cmake --build build/libelman), a C
compiler and packaging/talk. The alphabet has 30 symbols; of TEXT's first 12,000 characters that are among them, each
is asked for and entered. CPU time, the least of five rounds; bits show what a smaller width costs. Writes
results/typist_speed.csv.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from harness import machine, write

import elman
from elman.export import to_plain
from elman.typing import Primed

ROOT = Path(__file__).parents[1]
TALK = ROOT / "packaging" / "talk" / "elman_talk"
SYMBOLS = "abcdefghijklmnopqrstuvwxyz '.\n"
WAYS = ("8", "1e-4", "6", "5e-4", "4", "1e-3", "3", "3e-3", "2", "1e-2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--library", type=Path, default=ROOT / "build" / "libelman" / "libelman.a")
    options = parser.parse_args()
    text = "".join(each for each in options.text.read_text("utf-8").lower() if each in SYMBOLS)[:12_000]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model").write_bytes(to_plain(elman.load(TALK / "en.safetensors")))
        (folder / "ngrams").write_bytes(Primed.load(TALK / "en.ngrams").to_bytes())
        (folder / "text").write_text(text, "utf-8")
        source, include = ROOT / "benchmarks" / "typist_speed.c", ROOT / "src" / "native" / "c"
        compiled = ["cc", "-O2", source, f"-I{include}", options.library, "-lstdc++", "-lm", "-lpthread"]
        subprocess.run([*compiled, "-o", folder / "speed"], check=True)
        done = subprocess.run(
            [folder / "speed", folder / "model", folder / "ngrams", folder / "text", *WAYS],
            check=True,
            capture_output=True,
            text=True,
        )
    columns = ("width", "least", "microseconds", "copy_microseconds", "start_milliseconds", "bits_per_char")
    rows = [dict(zip(columns, line.split(), strict=True)) | machine() for line in done.stdout.splitlines()]
    for row in rows:
        print(*(row[column] for column in columns))
    write("typist_speed", rows)


if __name__ == "__main__":
    main()
