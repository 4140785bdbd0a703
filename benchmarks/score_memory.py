"""Peak memory of `elman score`: resident, of one process from start to end, by the size of the log and what is asked.

    python benchmarks/score_memory.py LOG... [--megabytes 12 40] [--cells rnn_relu lstm] [--hidden-size 256]

Lines of the LOGs are drawn, and half of their digits anew, as in a real log of that size. The model is untrained:
training changes no size.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

import elman

PROCESS = """
import resource, sys
from elman.cli import main
try:
    sys.argv[0] = "elman"
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def write_log(path: Path, lines: list[str], size: int) -> None:
    draw = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            for line in draw.choices(lines, k=1000):
                file.write(re.sub(r"\d", lambda found: draw.choice((found[0], str(draw.randrange(10)))), line) + "\n")


def peak_mb(*arguments: object) -> float:
    """Of `elman score` with these arguments."""
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, "score", *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return int(str(done.stderr).split()[-1]) * (1 if sys.platform == "darwin" else 1024) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("logs", type=Path, nargs="+", metavar="LOG")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[12, 40])
    parser.add_argument("--cells", nargs="+", default=["rnn_relu", "lstm"])
    parser.add_argument("--hidden-size", type=int, default=256)
    given = parser.parse_args()
    lines = [line for log in given.logs for line in log.read_text("utf-8", "replace").splitlines() if line]
    corpus = elman.Corpus("log", "\n".join(lines), "none", "log", True)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        for megabytes in given.megabytes:
            write_log(log, lines, megabytes * 1_000_000)
            for cell in given.cells:
                model = elman.build_model(corpus, cell=cell, hidden_size=given.hidden_size)
                elman.save(model, Path(folder) / "model.safetensors")
                for asked in ([], ["--top", 40]):
                    peak = peak_mb(Path(folder) / "model.safetensors", log, *asked)
                    rows.append(
                        {
                            "cell": cell,
                            "hidden": given.hidden_size,
                            "log_mb": megabytes,
                            "asked": " ".join(map(str, asked)) or "totals",
                            "peak_mb": round(peak),
                            **harness.machine(),
                        }
                    )
                    print(*list(rows[-1].values())[:5], flush=True)
    print(harness.write("score_memory", rows, keep="log_mb"))


if __name__ == "__main__":
    main()
