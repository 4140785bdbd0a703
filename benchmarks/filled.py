"""Tables of pages that are otherwise written by hand: results/*.csv between marks such as <!-- wheels:begin -->.

`table.py` calls this; nothing here is measured.
"""

from __future__ import annotations

import csv
import json
import re
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TALK = ROOT / "packaging" / "talk"
LANGUAGES = {
    "cy": "Welsh",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "it": "Italian",
    "ru": "Russian",
}
Row = dict[str, str]


def pages() -> dict[Path, str]:
    """The text of each page, with its tables."""
    parts = {
        DOCS / "how-to" / "machines.md": {
            "efficiency": efficiency(),
            "two": two_processes(),
            "hosts": hosts(),
        },
        DOCS / "how-to" / "serve.md": {"throughput": served(), "latency": latency()},
        DOCS / "how-to" / "typing.md": {"talk": talk(), "speed": speed()},
        DOCS / "reference" / "platforms.md": {"wheels": wheels()},
        DOCS / "reference" / "exports.md": {"export": exports()},
        TALK / "README.md": {"models": models()},
        DOCS / "how-to" / "training.md": {"search": search()},
    }
    return {path: _filled(path.read_text(encoding="utf-8"), tables) for path, tables in parts.items()}


def _filled(page: str, tables: dict[str, list[str]]) -> str:
    for name, lines in tables.items():
        begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
        page, found = re.subn(f"{begin}.*?{end}", lambda _: begin + "\n".join([*lines, end]), page, flags=re.S)  # noqa: B023
        assert found == 1, name
    return page


def read(name: str) -> list[Row]:
    path = ROOT / "results" / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def efficiency() -> list[str]:
    """The speed of N machines, divided by N times the speed of one: a row for each model and network."""
    rows = [row for row in read("processes") if row["how"] == "from the parts"]
    machines = sorted({int(row["processes"]) for row in rows})
    found = {(row["model"], row["gigabits"], int(row["processes"])): row for row in rows}
    body = []
    for model, gigabits in dict.fromkeys((row["model"], row["gigabits"]) for row in rows):
        values = [f"{float(found[model, gigabits, n]['efficiency']):.2f}" for n in machines]
        named = "" if gigabits != rows[0]["gigabits"] else model
        body.append([named, f"{gigabits} Gbit/s", *values])
        if gigabits == rows[-1]["gigabits"]:
            sent = [f"{int(found[model, gigabits, n]['bytes_sent']) / 1e6:.1f} MB" for n in machines]
            body.append(["", "a step's bytes", *sent])
    return table(["Model", "Network", *(f"{n} machines" for n in machines)], body)[:-1]


def two_processes() -> list[str]:
    """The speed of two of something on two cores, divided by twice the speed of one thread: by the clock."""
    rows = [row for row in read("processes") if row["how"] != "from the parts"]
    return table(
        ["Model", *(row["how"] for row in rows)],
        [[rows[0]["model"], *(f"{float(row['efficiency']):.2f}" for row in rows)]],
    )[:-1]


def search() -> list[str]:
    """What each variant of a small model gave: beside the same seeds of the row that it compares with."""
    found: dict[str, list[Row]] = {}
    for row in read("search"):
        found.setdefault(row["variant"], []).append(row)
    body = []
    for name, rows in found.items():
        nats = [float(row["nats"]) for row in rows]
        base = found["base in torch" if rows[0]["engine"] == "torch" else "base"]
        of_seed = {row["seed"]: float(row["nats"]) for row in base}
        gain = statistics.mean(of_seed[row["seed"]] - float(row["nats"]) for row in rows)
        cost = f"{int(rows[0]['multiply-adds a token']) / 1000:,.0f}"
        cpu = statistics.mean(float(row["CPU-seconds"]) for row in rows)
        spread = f"{min(nats):.3f} to {max(nats):.3f}" if len(nats) > 1 else "one"
        shown = f"{statistics.mean(nats):.3f}", spread, "" if rows is base else f"{gain:+.3f}"
        body.append([name, *shown, cost, rows[0]["steps"], f"{cpu:.0f}", rows[0]["engine"]])
    header = ["Variant", "nats", "seeds", "gain", "1000 multiply-adds a token", "steps", "CPU-s", "by"]
    return table(header, body)[:-1]


def served() -> list[str]:
    """Characters a second of `generate`, of the server and of a peer, with one and two threads of the kernel."""
    found, body = {row["what"]: row["value"] for row in read("serve")}, []
    names = {
        "generate": "`generate`, 64 texts in one call",
        "served": "`elman serve`",
        "peer": "llama.cpp's server, a model of the same size",
    }
    for threads in ("1 thread", "2 threads"):
        for name, shown in names.items():
            if (key := f"{name}, characters a second, {threads}") in found:
                rates = (found[key], found[f"{name}, characters a CPU second, {threads}"])
                body.append([f"{shown}, {threads}", *(f"{float(rate):,.0f}" for rate in rates)])
    return table(["64 clients, 200 characters each", "characters a second", "for each second of CPU"], body)[:-1]


def latency() -> list[str]:
    """What a request costs, how long one client waits, and what a server takes that nobody asks."""
    found = {row["what"]: row["value"] for row in read("serve")}
    rates = (float(found[f"{name}, characters a CPU second, 1 thread"]) for name in ("served", "generate"))
    whole, alone = (200_000 / rate for rate in rates)
    stream, one = (
        float(found[f"{what}, ms, median"]) for what in ("first byte of a stream", "answer of one character")
    )
    idle = float(found["CPU seconds in 5 idle seconds"])
    return [
        f"Measured on {found['processor'].replace('(R)', '')}. A request takes {whole:.1f} ms of CPU, of which "
        f"{whole - alone:.1f} ms are HTTP, JSON and the batch.",
        f"A single client has the first byte of a stream after {stream:.1f} ms (median) and an answer of one character "
        f"after {one:.1f} ms.",
        f"A server that nobody asks takes {idle:.2f} s of CPU in 5 s.",
    ]


def hosts() -> list[str]:
    """Bytes that each of four hosts sent in a step, beside those computed and those that its device counted."""
    body = []
    for row in read("hosts"):
        a_step = f"{int(row['sent_a_step']):,}"
        wire = f"{100 * (int(row['on_the_wire']) / int(row['sent']) - 1):.1f} % more"
        body.append(
            [f"{float(row['gigabits']):g} Gbit/s", row["host"], f"{int(row['computed_a_step']):,}", a_step, wire]
        )
    return table(["Network", "Host", "Bytes a step, computed", "sent", "counted by its device"], body)[:-1]


def exports() -> list[str]:
    """What an exported model weighs and how fast it runs; in a table of its own, on each processor of a board."""
    rows = read("export")
    boards = list(dict.fromkeys(row["where"] for row in rows if row["what"].startswith("flash")))
    found = {(row["what"], row["where"]): float(row["value"]) for row in rows}
    whats = [what for what, where in found if where in boards[:1]]
    others = [
        [row["what"], row["where"], f"{number:,.0f} {row['unit']}" if number >= 1000 else f"{number:.2g}"]
        for row in rows
        if (number := float(row["value"])) and row["where"] not in boards
    ]
    counted = [[what, *(f"{found[what, board]:,.0f}" for board in boards)] for what in whats]
    head = "The GRU 1 x 64 of `python benchmarks/export.py`:"
    return [head, "", *table(["", "where", ""], others), *table(["C with `-Os`", *boards], counted)[:-1]]


def wheels() -> list[str]:
    """Each wheel that was built, with its size, its kernel, the programs that looked it over, and what ran it."""
    body, before = [], ""
    for row in read("wheels"):
        name = row["wheel"].split("-", 2)[2].removesuffix(".whl")
        first = [f"`{name}`", f"{int(row['bytes']) / 1e6:.1f} MB", f"`{row['kernel']}`", row["audited"] or "-"]
        body.append([*(first if name != before else [""] * len(first)), row["on"], row["proof"]])
        before = name
    header, _, *rows = table(["Wheel", "Size", "Kernel", "Looked over by", "Ran on", "What that showed"], body)[:-1]
    return [header, "| --- | ---: | --- | --- | --- | --- |", *rows]


def _talk_bits() -> dict[tuple[str, str, str], float]:
    """Bits a character by language, text and what was measured."""
    return {(row["language"], row["text"], row["what"]): float(row["bits_per_char"]) for row in read("typing_bits")}


def talk() -> list[str]:
    """The typist beside PPM, in each language of the package."""
    bits, body = _talk_bits(), []
    for code, name in LANGUAGES.items():
        for text in ("test", "other phrases"):
            if (code, text, "Elman with n-grams") not in bits:
                continue
            five, eight = (bits[code, text, f"PPMd order {order}, primed"] for order in (5, 8))
            ours = [bits[code, text, f"Elman with n-grams{learning}"] for learning in ("", ", learning")]
            numbers = [f"{each:.3f}" for each in (five, eight, *ours)]
            body.append(["" if text != "test" else name, text, *numbers, f"{ours[0] / eight:.3f}"])
    return table(["", "text", "PPM of order 5", "of order 8", "typist", "learning", "typist / PPM of order 8"], body)[
        :-1
    ]


def speed() -> list[str]:
    """A symbol of libelman's typist, by the ways that it follows."""
    return table(
        ["ways (`width`)", "`least`", "microseconds", "bits a character"],
        [[row["width"], row["least"], row["microseconds"], row["bits_per_char"]] for row in read("typist_speed")],
    )[:-1]


def models() -> list[str]:
    """The files of the package of models of talk."""
    bits, body = _talk_bits(), []
    for code, parts in sorted(json.loads((TALK / "elman_talk" / "models.json").read_text("utf-8")).items()):
        files = [
            f"{parts[part]['bytes']:,} bytes, SHA-256 `{parts[part]['sha256'][:8]}`" for part in ("model", "ngrams")
        ]
        static, learning = (bits[code, "test", f"Elman with n-grams{each}"] for each in ("", ", learning"))
        ppm = bits[code, "test", "PPMd order 8, primed"]
        body.append([f"{LANGUAGES[code]} (`{code}`)", *files, f"{static:.3f}, {learning:.3f} learning", f"{ppm:.3f}"])
    return table(["language", "model", "n-grams", "bits a character", "PPM of order 8"], body)[:-1]
