"""Odd lines in real logs: a model of records beside a parser of log templates (drain3) and a list of keywords.

    python benchmarks/odd_lines.py LOG... [--epochs 8] [--output results/odd_lines.csv]

Each LOG's first half is learned, the next fifth sets the threshold (`elman calibrate`, 0.99), and the rest is watched.
Odd lines of six kinds are planted there by this script, five of each, changed from lines of the watched part itself.
A detector is better the more of them it finds (recall) with the fewer false alarms among the log's own lines. Rows are
added to those of other logs in results/odd_lines.csv. drain3 is asked whether a line begins a new template.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import harness

import elman

KEYWORDS = re.compile(
    r"error|fail|fatal|denied|refused|exception|critical|panic|segfault|attack|invalid|illegal|unauthori[sz]ed", re.I
)
TIME = re.compile(r"^(?:\[[^]]*\d{4}\]|\w{3} +\d+ [\d:]+|[\d/]+ [\d:]+(?: \d+)?) ")
"""The time at the head of a line, which no detector sees: a day that was never seen makes every line odd."""
EACH, QUANTILE = 5, 0.99
MASKS = ((r"\d{1,3}(?:\.\d{1,3}){3}", "IP"), (r"0x[0-9a-fA-F]+", "HEX"), (r"[-+]?\d+", "NUM"))


def misspelt(draw: random.Random, line: str) -> str:
    """Exchange two different neighbouring letters of a word."""
    places = [
        m.start() + 1 for m in re.finditer(r"[a-z](?=[a-z]{3})", line) if line[m.start() + 1] != line[m.start() + 2]
    ]
    at = draw.choice(places)
    return line[:at] + line[at + 1] + line[at] + line[at + 2 :]


def exchanged(draw: random.Random, line: str) -> str:
    """Exchange two neighbouring fields."""
    fields = line.split(" ")
    at = draw.choice([i for i in range(len(fields) - 1) if fields[i] != fields[i + 1]])
    fields[at], fields[at + 1] = fields[at + 1], fields[at]
    return " ".join(fields)


def injected(draw: random.Random, line: str) -> str:
    """Put a payload into a field."""
    fields = line.split(" ")
    at = draw.randrange(len(fields) // 2, len(fields))
    fields[at] += draw.choice([";id|sh", "' OR 1=1 --", "<script>alert(1)</script>", "%00", "../../../etc/shadow"])
    return " ".join(fields)


def cut(draw: random.Random, line: str) -> str:
    """Keep a beginning, as of a process that died while it wrote."""
    return line[: draw.randrange(len(line) // 4, 3 * len(line) // 4)]


def unseen(draw: random.Random, line: str) -> str:
    """Another event after the same heading."""
    events = [
        "Out of memory: Killed process 4242 (java)", "configuration reloaded by operator", "clock moved by 86400 s",
        "listening on 0.0.0.0:31337", "user root added to group wheel",
    ]  # fmt: skip
    return line[: len(line) // 3] + " " + draw.choice(events)


def numbered(draw: random.Random, line: str) -> str:
    """A number of another size."""
    found = draw.choice(list(re.finditer(r"\d+", line)))
    return line[: found.start()] + draw.choice(["-1", "4294967296", "99999999999999"]) + line[found.end() :]


KINDS = {f.__name__: f for f in (misspelt, exchanged, injected, cut, unseen, numbered)}


def planted(draw: random.Random, lines: list[str]) -> list[tuple[str, str]]:
    """The lines and the odd ones among them: (text, kind), the kind of the log's own ones empty."""
    found = [(line, "") for line in lines]
    for kind, change in KINDS.items():
        for _ in range(EACH):
            odd = change(draw, draw.choice([line for line in lines if re.search(r"\d", line) and len(line) > 30]))
            found.insert(draw.randrange(len(found) + 1), (odd, kind))
    return found


def by_model(log: str, lines: list[list[str]], watched: list[str], epochs: int) -> list[bool]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, part in zip(("learned", "ordinary"), lines, strict=True):
            (place / name).write_text("".join(line + "\n" for line in part))
        command = [sys.executable, "-m", "elman.cli"]
        run, more = str(place / "run"), ["--hidden-size", "128", "--epochs", str(epochs), "--every", "0"]
        subprocess.run([*command, "train", str(place / "learned"), "--records", "--output", run, *more], check=True)
        calibrated = [*command, "calibrate", run, str(place / "ordinary"), "--quantile", str(QUANTILE)]
        subprocess.run(calibrated, check=True)
        (place / "watched").write_text("".join(line + "\n" for line in watched))
        score = [*command, "score", run, str(place / "watched"), "--above", "auto", "--csv"]
        listed = subprocess.run(score, stdout=subprocess.PIPE, text=True)
        assert listed.returncode in (0, 1), "1 says that there are odd lines"
        odd = {int(row["line"]) for row in csv.DictReader(listed.stdout.splitlines())}
    return [number in odd for number in range(1, len(watched) + 1)]


def by_drain(known: list[str], watched: list[str]) -> list[bool]:
    from drain3 import TemplateMiner

    miner = TemplateMiner()

    def masked(line: str) -> str:
        for pattern, name in MASKS:
            line = re.sub(pattern, f"<{name}>", line)
        return line

    for line in known:
        miner.add_log_message(masked(line))
    return [miner.add_log_message(masked(line))["change_type"] == "cluster_created" for line in watched]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--output", type=Path, default=harness.RESULTS / "odd_lines.csv")
    options = parser.parse_args()
    rows: list[dict[str, str]] = []
    if options.output.exists():
        with options.output.open(newline="") as file:
            rows = list(csv.DictReader(file))
    for path in options.logs:
        lines = [TIME.sub("", line) for line in path.read_text(errors="replace").splitlines() if line]
        half, rest = len(lines) // 2, len(lines) * 7 // 10
        marked = planted(random.Random(path.name), lines[rest:])
        watched = [line for line, _ in marked]
        found = {"elman": by_model(path.name, [lines[:half], lines[half:rest]], watched, options.epochs)}
        found["keywords"] = [KEYWORDS.search(line) is not None for line in watched]
        try:
            found["drain3"] = by_drain(lines[:rest], watched)
        except ModuleNotFoundError:
            print("drain3 is not installed; pip install drain3")
        rows = [row for row in rows if row["log"] != path.stem]
        for name, odd in found.items():
            row = {"log": path.stem, "detector": name}
            for kind in KINDS:
                row[kind] = str(sum(o for o, (_, k) in zip(odd, marked, strict=True) if k == kind))
            row["found"] = str(sum(int(row[kind]) for kind in KINDS))
            row["of"] = str(EACH * len(KINDS))
            row["false"] = str(sum(o for o, (_, k) in zip(odd, marked, strict=True) if not k))
            row["lines"] = str(len(lines) - rest)
            print(row, flush=True)
            rows.append(row)
    with options.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(elman.__version__)


if __name__ == "__main__":
    main()
