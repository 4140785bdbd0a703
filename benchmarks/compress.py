"""How small do files get, how fast, and beside what?

    python benchmarks/compress.py FILE... [--model MODEL] [--levels 1,6,9] [--threads 2] [--rounds 3]
    python benchmarks/compress.py --lines FILE [--model MODEL] [--train FILE]

Files: each rival and each level of ours takes turns; every round trip is asserted, times are medians. Elman's size is
given twice where there is a model: alone, for two ends that both have it, and with the model's file added.

Lines: the lines of FILE, each coded alone, after a past: the lines of --train, or else 1,000 KB from the rest of FILE,
of which no line occurs among the 600 that are coded. Beside: zstd with a dictionary, where `zstandard` is installed,
and PPMd primed with the same past, where `pyppmd` is.

Rivals that are not installed are left out: gzip, bzip2, xz are Python's; zstandard, brotli, pyppmd; the command zpaq.
Results: results/compress.csv and results/compress_lines.csv.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import lzma
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import machine, write

from elman.compression import Codec, Predictor, compress, decompress
from elman.compression.rivals import optional

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
        found["zpaq -m5"] = (_zpaq, lambda code: b"")
    return found


def _zpaq(data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "x").write_bytes(data)
        subprocess.run(["zpaq", "a", "x.zpaq", "x", "-m5"], cwd=folder, check=True, capture_output=True)
        return (Path(folder) / "x.zpaq").read_bytes()


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
                start = time.perf_counter()
                code = encode(data)
                middle = time.perf_counter()
                back = decode(code)
                end = time.perf_counter()
                assert back == data or name.startswith("zpaq"), f"{name} lost {file}"
                sizes[name] = len(code)
                seconds[name][0].append(middle - start)
                seconds[name][1].append(end - middle)
        for name in coders:
            there, back = (len(data) / statistics.median(s) / 1e6 for s in seconds[name])
            counted = sizes[name] + (model_bytes if name.startswith("elman -m") else 0)
            rows.append(
                {
                    "file": file.name, "bytes": len(data), "coder": name, "coded": sizes[name],
                    "bits_per_byte": round(8 * sizes[name] / len(data), 4),
                    "with_model": round(8 * counted / len(data), 4),
                    "encode_MB_s": round(there, 3), "decode_MB_s": round(back, 3),
                }
            )  # fmt: skip
            print("{file:<20} {coder:<14} {coded:>9} {bits_per_byte:>8} bits/byte  {with_model:>8} with the model  "
                  "{encode_MB_s:>8} {decode_MB_s:>8} MB/s".format(**rows[-1]), flush=True)  # fmt: skip
    return rows


def unseen(file: Path, train: Path | None, size: int = 1_000_000) -> tuple[bytes, list[bytes]]:
    """A past, and at most 600 different lines that do not occur in it."""
    lines = file.read_bytes().split(b"\n")
    lines = lines[:-1] if not lines[-1] else lines
    if train:
        return train.read_bytes(), lines
    draw = random.Random(0)
    different = list(dict.fromkeys(lines))
    chosen = set(draw.sample(different, min(600, len(different) // 4)))
    rest = [line for line in lines if line not in chosen]
    kept, total = [], 0
    for line in draw.sample(rest, len(rest)):
        total += len(line) + 1
        if total > size:
            break
        kept.append(line)
    return b"".join(line + b"\n" for line in kept), [line for line in different if line in chosen]


def measure_lines(file: Path, train: Path | None, model: Predictor | None, level: int) -> list[dict[str, Any]]:
    past, lines = unseen(file, train)
    start = time.perf_counter()
    codec = Codec(model, past, level=level)
    ready = time.perf_counter()
    codes = codec.encode_many(lines)
    coded = time.perf_counter()
    assert codec.decode_many(codes) == lines
    back = time.perf_counter()
    for line, code in list(zip(lines, codes, strict=True))[:50]:
        assert codec.encode(line) == code
    alone = time.perf_counter()
    target = io.BytesIO()
    compress(io.BytesIO(past), target, level=9)
    totals = {"elman": sum(map(len, codes)), "raw": sum(map(len, lines))}
    if zstd := optional("zstandard"):
        dictionary = zstd.train_dictionary(110 << 10, past.split(b"\n")[:-1])
        coder = zstd.ZstdCompressor(level=19, dict_data=dictionary)
        totals["zstd, 110 KB dictionary"] = sum(len(coder.compress(line)) for line in lines)
    if ppmd := optional("pyppmd"):
        options = {"max_order": 6, "mem_size": 64 << 20}
        whole = len(ppmd.compress(past, **options))
        totals["PPMd primed"] = (
            sum(len(ppmd.compress(past + line, **options)) - whole for line in lines[:100])
            * len(lines)
            // len(lines[:100])
        )
    rows = [
        {
            "file": file.name,
            "bytes": len(lines),
            "coder": name,
            "coded": total,
            "bytes_per_line": round(total / len(lines), 3),
        }
        for name, total in totals.items()
    ]
    for row in rows:
        print("{file:<24} {coder:<24} {bytes_per_line:>9} bytes a line".format(**row))
    print(
        f"  past {len(past)} bytes, {len(target.getvalue())} coded; read in {ready - start:.2f} s; lines a second: "
        f"{len(lines) / (coded - ready):.0f} encoded, {len(lines) / (back - coded):.0f} decoded, "
        f"{50 / (alone - back):.0f} one by one"
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--lines", nargs="+", type=Path, default=[])
    parser.add_argument("--train", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--levels", default="1,6,9")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    model, model_bytes = None, 0
    if arguments.model:
        from elman.model import load, model_path

        model, model_bytes = Predictor.of(load(arguments.model)), model_path(arguments.model).stat().st_size
    levels = [int(level) for level in arguments.levels.split(",")]
    coders = rivals() | {f"elman -{level}": ours(None, level, arguments.threads) for level in levels}
    if model:
        coders |= {f"elman -m -{level}": ours(model, level, arguments.threads) for level in levels}
    print(machine(), file=sys.stderr)
    if arguments.files:
        write("compress", measure_files(arguments.files, coders, model_bytes, arguments.rounds))
    lines = [row for file in arguments.lines for row in measure_lines(file, arguments.train, model, levels[-1])]
    if lines:
        write("compress_lines", lines)


if __name__ == "__main__":
    main()
