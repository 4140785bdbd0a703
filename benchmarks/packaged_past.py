"""Would a past of prose pay, shipped with the package, for texts that are compressed without a model?

    python benchmarks/packaged_past.py PROSE FILE... [--sizes 0,100000,340000,1300000]

PROSE is a text in plain English, or its .xz: its beginning is what contexts learn from before each FILE. Its own code
is what it would add to the package; the seconds are one core's, and each compression and decompression would take them.
Results: results/packaged_past.csv.
"""

from __future__ import annotations

import argparse
import lzma
import time
from pathlib import Path

import numpy as np
from harness import write

from elman.kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]


def coded(text: bytes, level: int) -> tuple[int, float]:
    """Bytes of the code of a text in one row, and the seconds."""
    start = time.process_time()
    code = _cpu.encode_block(np.frombuffer(text, np.uint8), level=level, rows=1, predictor=None, contract=2)
    return len(code), time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("prose", type=Path)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sizes", default="0,100000,340000,1300000")
    given = parser.parse_args()
    prose, rows = given.prose.read_bytes(), []
    prose = lzma.decompress(prose) if given.prose.suffix == ".xz" else prose
    for file in given.files:
        text = file.read_bytes()
        for level in (6, 9):
            for size in map(int, given.sizes.split(",")):
                past = prose[:size]
                alone, seconds = coded(past, level) if past else (0, 0.0)
                both, _ = coded(past + text, level)
                rows.append(
                    {
                        "file": file.name,
                        "level": level,
                        "past": size,
                        "past_coded": alone,
                        "past_s": round(seconds, 2),
                        "bits_per_byte": round(8 * (both - alone) / len(text), 3),
                    }
                )
                print(*rows[-1].values(), flush=True)
    write("packaged_past", rows)


if __name__ == "__main__":
    main()
