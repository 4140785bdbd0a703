"""Execute the exercises' notebooks in full, and bring the numbers in their prose and their page up to date.

    python notebooks/exercises/run.py [1 4_sampling ...] [--check]

A notebook's last code cell prints its `numbers` as JSON. Prose quotes one as `<!--=key:.2f-->1.23<!--=-->`;
docs/explanation/exercises.md puts the notebook's number before the key, `<!--=2.key:.2f-->`. What is between the marks
is written here alone. With --check nothing is executed or written: exit status 1 says that prose and numbers differ.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbclient
import nbformat
from PIL import Image

from elman.files import write_atomically

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "explanation" / "exercises.md"
_MARK = re.compile(r"<!--=([\w.]+)(?::([^>]*))?-->(.*?)<!--=-->")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebooks(names: list[str]) -> list[Path]:
    """Those of these numbers or names, all if none is given."""
    paths = sorted(FOLDER.glob("[0-9]_*.ipynb"))
    for name in names:
        if not any(name in (path.stem, path.stem[0]) for path in paths):
            raise SystemExit(f"no exercise {name!r}; expected some of {', '.join(path.stem for path in paths)}")
    return [path for path in paths if not names or path.stem in names or path.stem[0] in names]


def execute(notebook: Any) -> None:
    """Run every cell, in place. No trace of when or where is left; what came on stderr is passed on and not kept."""
    os.environ.pop("ELMAN_QUICK", None)
    with tempfile.TemporaryDirectory() as folder:
        client = nbclient.NotebookClient(
            notebook, timeout=None, record_timing=False, coalesce_streams=True, resources={"metadata": {"path": folder}}
        )
        client.execute()
    notebook.metadata = nbformat.from_dict(_METADATA)
    for i, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{i}", {}
        if cell.cell_type == "code":
            for output in cell.outputs:
                print(output.text if output.get("name") == "stderr" else "", end="", file=sys.stderr)
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]


def shrink(notebook: Any) -> None:
    """Pictures as PNG alone, with a palette of 64 colours: curves and bars look the same at a third of the size."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            output.data.pop("image/svg+xml", None)
            picture, smaller = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))), io.BytesIO()
            picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(smaller, "png", optimize=True)
            output.data["image/png"] = base64.b64encode(smaller.getvalue()).decode() + "\n"


def numbers(notebook: Any) -> dict[str, Any]:
    """What the last code cell printed."""
    last = [cell for cell in notebook.cells if cell.cell_type == "code"][-1]
    return json.loads("".join(output.text for output in last.outputs if output.output_type == "stream"))


def filled(text: str, values: dict[str, Any], where: str) -> str:
    """`text` with what stands between marks replaced by the values."""

    def value(match: re.Match[str]) -> str:
        key, spec, _ = match.groups(default="")
        if key not in values:
            raise SystemExit(f"{where} quotes {key!r}, which is not among the numbers; known: {', '.join(values)}")
        mark = f"{key}:{spec}" if spec else key
        return f"<!--={mark}-->{format(values[key], spec)}<!--=-->"

    return _MARK.sub(value, text)


def check_lines(text: str, where: str) -> None:
    """Refuse a line that begins with a mark: Markdown takes it for a block of HTML, and breaks the paragraph."""
    for line in text.splitlines():
        if line.startswith("<!--"):
            raise SystemExit(
                f"{where}: a line begins with {line[:40]!r}, which breaks its paragraph; begin it with a word"
            )


def differences(before: str, after: str) -> list[str]:
    pairs = zip(_MARK.findall(before), _MARK.findall(after), strict=True)
    return [f"{old[0]} is {new[2]} but the text says {old[2]}" for old, new in pairs if old != new]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="numbers or names of notebooks; all if left out")
    parser.add_argument("--check", action="store_true", help="execute nothing; compare prose and numbers")
    arguments = parser.parse_args()
    stale = []
    for path in notebooks(arguments.names):
        notebook = nbformat.read(path, as_version=4)
        if not arguments.check:
            print(f"executing {path.name}", file=sys.stderr)
            execute(notebook)
            shrink(notebook)
        found = numbers(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                check_lines(cell.source, path.name)
                before, cell.source = cell.source, filled(cell.source, found, path.name)
                stale += [f"{path.name}: {line}" for line in differences(before, cell.source)]
        if not arguments.check:
            write_atomically(path, (nbformat.writes(notebook) + "\n").encode())
    page = PAGE.read_text(encoding="utf-8")
    known = {
        f"{path.stem[0]}.{key}": value
        for path in notebooks([])
        for key, value in numbers(nbformat.read(path, as_version=4)).items()
    }
    check_lines(page, PAGE.name)
    text = filled(page, known, PAGE.name)
    stale += [f"{PAGE.name}: {line}" for line in differences(page, text)]
    if not arguments.check:
        write_atomically(PAGE, text.encode())
        return 0
    print("\n".join(stale), end="\n" if stale else "", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
