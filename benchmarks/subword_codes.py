"""How small does `compress` make a text with a model of subwords, how fast, and beside models of bytes?

    python benchmarks/subword_codes.py NAME=MODEL... FILE... [--levels 3,6,9]

MODEL is a model's file or a run; FILE is a text that it has not seen, such as the last tenth of the one that it
learned. Every round trip is asserted; times are CPU microseconds of one core, for each byte of the text.
Results: results/subword_codes.csv, where models and files that were measured before stay.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from compress import cpu_seconds, ours
from harness import machine, write

import elman
from elman.compression import Predictor


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("arguments", nargs="*", metavar="NAME=MODEL... FILE...")
    parser.add_argument("--levels", default="3,6,9")
    given = parser.parse_args()
    models = dict(each.split("=", 1) for each in given.arguments if "=" in each)
    print(machine())
    rows = []
    for name, path in models.items():
        model = elman.load(path)
        for file in (Path(each) for each in given.arguments if "=" not in each):
            data = file.read_bytes()
            for level in map(int, given.levels.split(",")):
                encode, decode = ours(Predictor.of(model), level, 1)
                start = cpu_seconds()
                code = encode(data)
                middle = cpu_seconds()
                assert decode(code) == data, f"{name} lost {file}"
                there, back = (seconds / len(data) * 1e6 for seconds in (middle - start, cpu_seconds() - middle))
                rows.append(
                    {
                        "model": name,
                        "tokens": model.reading.vocabulary.setting,
                        "units": model.hidden_size,
                        "file": file.name,
                        "bytes": len(data),
                        "level": level,
                        "coded": len(code),
                        "bits_per_byte": round(8 * len(code) / len(data), 4),
                        "encode_us": round(there, 1),
                        "decode_us": round(back, 1),
                    }
                )
                print(*rows[-1].values())
    write("subword_codes", rows, keep="model")


if __name__ == "__main__":
    main()
