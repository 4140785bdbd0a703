"""How small do files get, how fast, and beside what?

    python benchmarks/compress.py FILE... [--model MODEL] [--levels 1,6,9] [--threads 1] [--rounds 3] [--only xz,elman]

Each rival and each level of ours takes turns; every round trip is asserted; times are medians of CPU seconds, which
include those that commands take. Elman's size is given twice where there is a model: alone, for two ends that both have
it, and with the model's file added.

Rivals that are not installed are left out: gzip, bzip2, xz are Python's; zstandard, brotli, pyppmd; the commands zpaq
and bzip3.
Results: results/compress.csv, where files and coders that were measured before stay. Messages and records by
themselves: benchmarks/messages.py.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import lzma
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import machine, write

from elman.coders.rivals import optional
from elman.compression import Predictor, compress, decompress

Coder = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


def rivals() -> dict[str, Coder]:
    found: dict[str, Coder] = {
        "gzip -9": (lambda data: gzip.compress(data, 9), gzip.decompress),
        "bzip2 -9": (bz2.compress, bz2.decompress),
        "xz -9e": (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    }
    if zstd := optional("zstandard"):
        found["zstd -19"] = (zstd.ZstdCompressor(level=19).compress, zstd.ZstdDecompressor().decompress)
    if brotli := optional("brotli"):
        found["brotli -11"] = (brotli.compress, brotli.decompress)
    if ppmd := optional("pyppmd"):
        found["PPMd o6"] = (
            lambda data: ppmd.compress(data, max_order=6, mem_size=256 << 20),
            lambda code: ppmd.decompress(code, max_order=6, mem_size=256 << 20),
        )
    if shutil.which("zpaq"):
        found["zpaq -m5"] = (_zpaq, _unzpaq)
    if shutil.which("bzip3"):
        found["bzip3 -b16"] = _piped("bzip3", "-e", "-b", "16"), _piped("bzip3", "-d")
    return found


def _piped(*command: str) -> Callable[[bytes], bytes]:
    return lambda data: subprocess.run(command, input=data, check=True, capture_output=True).stdout


def _zpaq(data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x").write_bytes(data)
        subprocess.run(["zpaq", "a", "x.zpaq", "x", "-m5", "-t1"], cwd=folder, check=True, capture_output=True)
        return (Path(folder) / "x.zpaq").read_bytes()


def _unzpaq(code: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x.zpaq").write_bytes(code)
        subprocess.run(["zpaq", "x", "x.zpaq", "-t1"], cwd=folder, check=True, capture_output=True)
        return (Path(folder) / "x").read_bytes()


def cpu_seconds() -> float:
    """Of this process and of the commands that it has run."""
    return sum(os.times()[:4])


def ours(model: Predictor | None, level: int, threads: int) -> Coder:
    def encode(data: bytes) -> bytes:
        target = io.BytesIO()
        compress(io.BytesIO(data), target, model, level=level, threads=threads)
        return target.getvalue()

    def decode(code: bytes) -> bytes:
        target = io.BytesIO()
        decompress(io.BytesIO(code), target, model, threads=threads)
        return target.getvalue()

    return encode, decode


def measure_files(files: list[Path], coders: dict[str, Coder], model_bytes: int, rounds: int) -> list[dict[str, Any]]:
    rows = []
    for file in files:
        data = file.read_bytes()
        seconds: dict[str, list[list[float]]] = {name: [[], []] for name in coders}
        sizes = {}
        for _ in range(rounds):
            for name, (encode, decode) in coders.items():
                start = cpu_seconds()
                code = encode(data)
                middle = cpu_seconds()
                back = decode(code)
                end = cpu_seconds()
                assert back == data, f"{name} lost {file}"
                sizes[name] = len(code)
                seconds[name][0].append(middle - start)
                seconds[name][1].append(end - middle)
        for name in coders:
            there, back = (statistics.median(s) for s in seconds[name])
            counted = sizes[name] + (model_bytes if name.startswith("elman -m") else 0)
            rows.append(
                {
                    "file": file.name, "bytes": len(data), "coder": name, "coded": sizes[name],
                    "bits_per_byte": round(8 * sizes[name] / len(data), 4),
                    "with_model": round(8 * counted / len(data), 4),
                    "encode_cpu_s": round(there, 2), "decode_cpu_s": round(back, 2),
                }
            )  # fmt: skip
            print("{file:<20} {coder:<14} {coded:>9} {bits_per_byte:>8} bits/byte  {with_model:>8} with the model  "
                  "{encode_cpu_s:>8} {decode_cpu_s:>8} CPU s".format(**rows[-1]), flush=True)  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--levels", default="1,6,9")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="coders whose names begin so, by commas")
    arguments = parser.parse_args()
    model, model_bytes = None, 0
    if arguments.model:
        from elman.model import load, model_path

        model, model_bytes = Predictor.of(load(arguments.model)), model_path(arguments.model).stat().st_size
    levels = [int(level) for level in arguments.levels.split(",")]
    coders = rivals() | {f"elman -{level}": ours(None, level, arguments.threads) for level in levels}
    if model:
        coders |= {f"elman -m -{level}": ours(model, level, arguments.threads) for level in levels}
    coders = {name: coder for name, coder in coders.items() if name.startswith(tuple(arguments.only.split(",")))}
    print(machine(), file=sys.stderr)
    write("compress", measure_files(arguments.files, coders, model_bytes, arguments.rounds), keep=("file", "coder"))


if __name__ == "__main__":
    main()
