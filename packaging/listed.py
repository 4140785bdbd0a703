"""Keep what is known of a built wheel in results/wheels.csv: `packaging/listed.py WHEEL ON PROOF`.

ON names what ran it, and PROOF says what that showed. A row replaces an earlier one of the same wheel and ON.
docs/reference/platforms.md lists them.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "results" / "wheels.csv"


def put(wheel: Path, on: str, proof: str, *, alone: bool = False) -> None:
    """Write the row; with `alone`, it replaces every earlier one of the wheel."""
    rows: list[dict[str, str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            rows = [
                row for row in csv.DictReader(file) if row["wheel"] != wheel.name or (not alone and row["on"] != on)
            ]
    rows.append({"wheel": wheel.name, "bytes": str(wheel.stat().st_size), "on": on, "proof": proof})
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["wheel"], row["on"])))


if __name__ == "__main__":
    put(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
