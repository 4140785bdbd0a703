"""Keep what is known of built wheels in results/wheels.csv: `elman self-test --json | packaging/listed.py WHEEL`.

After WHEEL may come the names of the programs that looked it over, and what ran Python. A row has a wheel, its size,
what ran it, what that showed, and a digest of the kernel's sources; it replaces an earlier row of the same wheel on the
same system. docs/reference/platforms.md shows them.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "wheels.csv"


def kernel() -> str:
    """The first digits of the SHA-256 of the sources of the kernel, which tell wheels of different ones apart."""
    digest = hashlib.sha256()
    sources = [path for path in (ROOT / "src" / "native").rglob("*") if path.suffix in (".cpp", ".h", ".cmake", ".txt")]
    for path in [ROOT / "CMakeLists.txt", *sorted(sources)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def put(wheel: Path, on: str, proof: str, audited: str = "", *, alone: bool = False) -> None:
    """Write the row; with `alone`, in place of all of the wheel. Without `audited`, what an earlier one says stays."""
    rows: list[dict[str, str]] = []
    if RESULTS.exists():
        with RESULTS.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    same = [row for row in rows if row["wheel"] == wheel.name]
    audited = audited or next((row["audited"] for row in same), "")
    rows = [row for row in rows if row["wheel"] != wheel.name or (not alone and row["on"] != on)]
    known = {"wheel": wheel.name, "bytes": str(wheel.stat().st_size), "on": on, "proof": proof, "audited": audited}
    rows.append({**known, "kernel": kernel()})
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[-1], lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["wheel"], row["on"])))


def put_tested(wheel: Path, told: dict[str, Any], audited: str = "", under: str = "") -> None:
    """Write what `elman self-test --json` told where the wheel is installed.

    Raises:
        AssertionError: a result differed, or there is no kernel.
    """
    checked = told["checked"]
    assert checked, "nothing was checked"
    assert told["kernel"].startswith("cpu"), told["kernel"]
    assert not any(one["wrong"] for one in checked), checked
    isas = [isa for isa in dict.fromkeys(one["isa"] for one in checked) if isa != "plain"]
    proof = f"installed; self-test: {sum(one['count'] for one in checked)} results equal with {', '.join(isas)}"
    put(wheel, f"Python {told['python'].split()[0]}{under}", proof, audited)


if __name__ == "__main__":
    put_tested(Path(sys.argv[1]), json.load(sys.stdin), *sys.argv[2:])
