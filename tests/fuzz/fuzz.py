"""Fuzzing of every file that Elman reads: `make fuzz MINUTES=60`, or fuzz.py [--minutes M] [--replay FILE...].

Inputs are a function of (kind, seed, number). A child process makes and reads them, under a bound on its memory and on
the CPU time of each; one that it does not survive, or that raises what is no ElmanError, is written to build/fuzz as a
file that --replay reads again. Status 1 if there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

FINDINGS = Path("build/fuzz")
MARK = "at "


def work(kind_name: str, seed: int, start: int, count: int, folder: Path, replayed: Path | None = None) -> None:
    """What a child does: a line before and after each input."""
    from kinds import KINDS, one_line

    from elman.errors import ElmanError

    kind = KINDS[kind_name]
    (folder / "seeds").mkdir(parents=True, exist_ok=True)
    seeds = kind.seeds(folder / "seeds")
    own = folder / "own"
    own.mkdir(exist_ok=True)
    for data in seeds:  # what is imported late is imported now, and what is allocated once
        with contextlib.suppress(ElmanError):
            kind.read(own, data)
    os.chdir(own)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + kind.memory, used + kind.memory))
    current = folder / "current"
    for number in range(start, start + count):
        draw = random.Random(f"{kind_name} {seed} {number}")
        print(f"{MARK}{number}", flush=True)
        current.unlink(missing_ok=True)
        began, data = time.process_time(), b""
        signal.setitimer(signal.ITIMER_PROF, kind.seconds)  # whose signal ends the process
        try:
            data = kind.change(draw, draw.choice(seeds)) if replayed is None else replayed.read_bytes()
            current.write_bytes(data)
            try:
                kind.read(own, data)
                result = "read"
            except ElmanError as error:
                one_line(error)
                result = "refused"
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            result = f"raised {type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {error}"
            result = " ".join(result.split())[:400]
            if os.environ.get("FUZZ_TRACE"):
                traceback.print_exc()
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(f"= {result}", flush=True)
        if os.environ.get("FUZZ_TRACE"):
            print(f"{time.process_time() - began:.2f} s, {len(data)} bytes", flush=True)


def run(
    kind: str, seed: int, start: int, count: int, replayed: Path | None = None
) -> tuple[int, list[str], dict[str, int]]:
    """Read `count` inputs from `start` on: how many were, a line for each finding, and how many ended in which way."""
    findings: list[str] = []
    results: dict[str, int] = {}
    places: dict[str, int] = {}
    last = start - 1
    while last < start + count - 1:
        with tempfile.TemporaryDirectory(prefix="elman-fuzz-") as folder:
            left = [str(number) for number in (seed, last + 1, start + count - last - 1)]
            command = [sys.executable, __file__, "--work", kind, *left, folder, *([str(replayed)] if replayed else [])]
            env = {**os.environ, "ELMAN_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
            pipes: dict[str, Any] = {
                "stdin": subprocess.DEVNULL,
                "capture_output": True,
                "text": True,
                "errors": "replace",
            }
            child = subprocess.run(command, env=env, **pipes)
            if os.environ.get("FUZZ_TRACE"):
                sys.stderr.write(child.stderr)
            lines, number, result = child.stdout.splitlines(), None, None
            for line in lines:
                if line.startswith(MARK):
                    number, result = int(line[len(MARK) :]), None
                elif line.startswith("= "):
                    result = line[2:]
                    results[result.split(" ")[0]] = results.get(result.split(" ")[0], 0) + 1
                    if result.startswith("raised"):
                        places[result.split(":")[0]] = places.get(result.split(":")[0], 0) + 1
                        if places[result.split(":")[0]] == 1:  # the first at each place
                            findings.append(keep(kind, seed, number, result, None))
            if number is None:
                return last - start + 1, [f"{kind}: its seeds are not read: {child.stderr[-800:]}"], results
            last = number
            if result is None:
                how = "took too long" if child.returncode == -signal.SIGPROF else f"ended it with {child.returncode}"
                held = Path(folder) / "current"
                tail = " ".join(child.stderr.split())[-300:]
                findings.append(
                    keep(kind, seed, number, f"{how}; {tail}", held.read_bytes() if held.exists() else None)
                )
    return last - start + 1, findings, results


def keep(kind: str, seed: int, number: int | None, what: str, data: bytes | None) -> str:
    """Write a finding's file, from which it is replayed; its line."""
    FINDINGS.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{seed}-{number}"
    if data is not None:
        name += "-" + hashlib.sha256(data).hexdigest()[:8]
        (FINDINGS / f"{name}.bin").write_bytes(data)
    (FINDINGS / f"{name}.txt").write_text(f"{kind} {seed} {number}\n{what}\n")
    return f"{name}: {what}"


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        kind, seed, start, count, folder, *file = sys.argv[2:]
        work(kind, int(seed), int(start), int(count), Path(folder), Path(file[0]) if file else None)
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--seed", type=int, default=None, help="another one each time, unless given")
    parser.add_argument(
        "--replay", nargs="+", type=Path, default=[], metavar="FILE", help="of build/fuzz: .txt or .bin"
    )
    options = parser.parse_args()
    if options.replay:
        found = []
        for path in options.replay:
            kind, seed, number = path.name.removesuffix(path.suffix).split("-")[:3]
            data = path.with_suffix(".bin")
            _, lines, results = run(kind, int(seed), int(number), 1, data.resolve() if data.exists() else None)
            print(f"{path.name}: {'; '.join(lines) or results}")
            found += lines
        return bool(found)
    from kinds import KINDS

    names = options.kinds.split(",") if options.kinds else list(KINDS)
    seed = int.from_bytes(os.urandom(4)) if options.seed is None else options.seed
    end, start, batch, total, found = time.monotonic() + 60 * options.minutes, 0, 400, 0, []
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    print(f"seed {seed}", flush=True)
    while time.monotonic() < end:
        for name in names:
            done, lines, results = run(name, seed, start, batch)
            total += done
            found += lines
            for result, count in results.items():
                counts[name][result] = counts[name].get(result, 0) + count
            for line in lines:
                print(line, flush=True)
            if time.monotonic() >= end:
                break
        start += batch
    for name, results in counts.items():
        print(f"{name}: {', '.join(f'{count} {result}' for result, count in sorted(results.items()))}")
    print(f"{total} inputs, {len(found)} findings{f', in {FINDINGS}' if found else ''}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
