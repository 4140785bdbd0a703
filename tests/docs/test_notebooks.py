"""Every notebook runs, in its quick form; what is committed was executed in full, and its prose quotes its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import PATIENCE
from scripts import script

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
ROOT = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(ROOT.rglob("*.ipynb"))
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="the tests run outside a checkout, without its notebooks")


@pytest.fixture(scope="module")
def runner():
    with script(ROOT / "exercises" / "run.py") as module:
        yield module


@pytest.mark.filterwarnings("ignore")  # the kernel's transport warns about the event loop
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("ELMAN_QUICK", "1")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": tmp_path}}).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_was_executed(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error" or o.get("name") == "stderr"]
    assert path.stat().st_size < 400_000


def test_prose_quotes_the_stored_numbers(runner, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["run.py", "--check"])
    assert runner.main() == 0, capsys.readouterr().err


def test_a_mark_takes_its_number(runner):
    before = "it costs <!--=bits:.2f-->9.99<!--=--> bits, **<!--=times-->2<!--=--> times**"
    after = runner.filled(before, {"bits": 1.234, "times": 3}, "here")
    assert after == "it costs <!--=bits:.2f-->1.23<!--=--> bits, **<!--=times-->3<!--=--> times**"
    assert runner.differences(before, after) == [
        "bits is 1.23 but the text says 9.99",
        "times is 3 but the text says 2",
    ]
    with pytest.raises(SystemExit, match="here quotes 'times', which is not among the numbers; known: bits"):
        runner.filled(before, {"bits": 1.0}, "here")


def test_no_line_begins_with_a_mark(runner):
    """Markdown takes such a line for a block of HTML, which breaks the paragraph."""
    runner.check_lines("it is <!--=a-->1<!--=-->\n| <!--=a-->1<!--=--> |", "here")
    with pytest.raises(SystemExit, match="here: a line begins with '<!--=a-->1<!--=-->'"):
        runner.check_lines("it is\n<!--=a-->1<!--=-->", "here")
    for path in (*NOTEBOOKS, ROOT.parent / "docs" / "explanation" / "exercises.md"):
        cells = [{"cell_type": "markdown", "source": path.read_text(encoding="utf-8")}]
        for cell in nbformat.read(path, as_version=4).cells if path.suffix == ".ipynb" else cells:
            if cell["cell_type"] == "markdown":
                runner.check_lines(cell["source"], path.name)
