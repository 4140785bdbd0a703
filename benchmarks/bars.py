"""results/*.csv -> docs/speed.svg, the bars of the README: a step of training and generation, beside others.

python benchmarks/bars.py [--check]

Bars of a group share one scale. The colours follow the reader's light or dark theme. With --check nothing is written;
exit status 1 says that the picture does not show the results.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape

from table import ROOT, Row, best_jax, model, read

PICTURE = ROOT / "docs" / "speed.svg"
_LEFT, _LONGEST, _WIDTH = 176, 400, 720
_BAR, _ROW, _GAP, _HEAD = 12, 17, 12, 26
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#24292f}.head{font-weight:600}.name,.value{fill:#57606a}"
    ".ours{fill:#0969b5}.theirs{fill:#afb8c1}"
    "@media (prefers-color-scheme:dark){text{fill:#d1d7e0}.name,.value{fill:#9198a1}"
    ".ours{fill:#6cb6ff}.theirs{fill:#59636e}}"
)


@dataclass(frozen=True)
class Bar:
    name: str
    value: float
    label: str
    ours: bool


def train_step() -> list[tuple[str, list[Bar]]]:
    """A group for each of the book's RNN, GRU and LSTM: milliseconds a step."""
    groups = []
    for section in ("book", "gru", "lstm"):
        rows = [r for r in read("train_step") if r["section"] == section]
        cell = next((r["cell"] for r in rows), "")
        found = {r["contestant"]: r for r in rows if r["cell"] == cell}
        if found:
            named = {"Elman": found["elman fit"], "JAX, jitted": best_jax(found), "torch.nn": found.get("torch.nn")}
            bars = [_milliseconds(name, row, name == "Elman") for name, row in named.items() if row]
            groups.append((f"{model(found['elman fit'])}: a step of training, lower is better", bars))
    return groups


def _milliseconds(name: str, row: Row, ours: bool) -> Bar:
    value = float(row["median_ms"])
    return Bar(name, value, f"{value:.2f} ms", ours)


def generation() -> list[tuple[str, list[Bar]]]:
    """Characters a second, one after another."""
    rows = {r["contestant"]: r for r in read("generate") if r["section"] == "rnn"}
    named = {"Elman": "elman", "JAX, the loop jitted": "jax scan", "NumPy": "numpy", "torch.nn cells": "torch.nn cells"}
    bars = [
        Bar(name, float(rows[key]["median_chars_per_s"]), f"{int(rows[key]['median_chars_per_s']):,}", name == "Elman")
        for name, key in named.items()
        if key in rows
    ]
    return [(f"{model(rows['elman'])}: characters generated a second, higher is better", bars)] if bars else []


def drawn(groups: list[tuple[str, list[Bar]]]) -> str:
    y, parts = 4, []
    for title, bars in groups:
        parts.append(f'<text class="head" x="8" y="{y + 14}">{escape(title)}</text>')
        y += _HEAD
        longest = max(bar.value for bar in bars)
        for bar in bars:
            width, base = max(1.0, bar.value / longest * _LONGEST), y + _BAR - 2
            parts.append(f'<text class="name" x="{_LEFT - 8}" y="{base}" text-anchor="end">{escape(bar.name)}</text>')
            kind = "ours" if bar.ours else "theirs"
            parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2"/>')
            parts.append(f'<text class="value" x="{_LEFT + width + 6:.1f}" y="{base}">{escape(bar.label)}</text>')
            y += _ROW
        y += _GAP
    size = f'viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}"'
    title = "<title>Speed beside torch.nn, JAX and NumPy</title>"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n{title}\n<style>{_STYLE}</style>\n'
    return head + "\n".join(parts) + "\n</svg>\n"


def main() -> None:
    picture = drawn(train_step() + generation())
    if "--check" in sys.argv[1:]:
        sys.exit(int(PICTURE.read_text(encoding="utf-8") != picture))
    PICTURE.write_text(picture, encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
