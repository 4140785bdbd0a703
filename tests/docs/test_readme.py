"""What the README says is run: its Python with fewer epochs, its commands as they stand but for the epochs."""

from __future__ import annotations

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PATIENCE

import elman

README = Path(__file__).parents[2] / "README.md"
pytestmark = pytest.mark.skipif(not README.is_file(), reason="the tests run outside a checkout, without its README")

MADE = {
    "> story.txt": "story.txt",
    "compress -v": "story.txt.elz",
    "> again.txt": "again.txt",
    "store make": "README.md.elr",
}
"""The files of the commands that print nothing."""


def test_the_ten_lines(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("epochs=500", "epochs=2"), "README.md", "exec"), {})
    perplexity, text, bits = capsys.readouterr().out.splitlines()
    assert 1 < float(perplexity) < 40
    assert len(text) == 50
    assert 0 < float(bits) < 20
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.slow
def test_the_commands_and_what_they_print(tmp_path):
    text = README.read_text(encoding="utf-8")
    commands = re.findall(r"^    ((?:elman|python3 -c) .*?)(?:\s+#.*)?$", text, re.M)
    commands = [command for command in commands if not command.startswith("elman serve")]  # test_served.py runs it
    assert len(commands) >= 15
    (tmp_path / "README.md").write_bytes(README.read_bytes())
    printed = []
    for command in commands:
        if command.startswith("elman train"):
            command += " --epochs 1 --max-chars 4000"
        python = shlex.quote(sys.executable)
        line = re.sub(r"^elman", f"{python} -m elman.cli", command).replace("python3", python, 1)
        done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        makes = [name for word, name in MADE.items() if word in command]
        assert done.stdout or makes, command
        assert all((tmp_path / name).stat().st_size for name in makes), command
        printed += (done.stdout + done.stderr).splitlines()
    (shown,) = re.findall(r"print\n\n((?:    .*\n)+)\non every machine", text)
    for line in shown.splitlines():
        assert line.strip() == "..." or line[4:] in printed


def test_the_numbers_are_those_of_the_results():
    for script in ("table.py", "bars.py"):
        done = subprocess.run([sys.executable, README.parent / "benchmarks" / script, "--check"], timeout=PATIENCE)
        assert done.returncode == 0, f"run python benchmarks/{script}"


def test_the_front_page_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


def test_the_options_on_the_pages_exist(command, monkeypatch):
    """Every option that these pages give to a command is one of its own."""
    monkeypatch.setenv("COLUMNS", "200")
    pages = [page for page in sorted((README.parent / "docs").rglob("*.md")) if "generated" not in page.parts]
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in re.findall(
            r"(?<![\w/-])elman (?:train|generate|serve|score|inspect|quantise|runs|plot|compress|decompress|store|"
            r"message|train-coder) [^\n`|]*",
            text,
        ):
            words = line.split()
            name = " ".join(words[1 : 3 if words[1] in ("store", "message") else 2])
            options = re.findall(r"(?<=\s)--[a-z][a-z-]*", line)
            if options:
                assert set(options) <= set(re.findall(r"--[a-z][a-z-]*", helped(name, command))), line


def test_the_python_of_the_pages():
    text = (README.parent / "docs" / "how-to" / "pages.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    corpus = elman.load_corpus("traveller", max_chars=2000)
    model = elman.build_model(corpus, hidden_size=8, init_std=None)
    exec(compile(code.replace("20_000", "300"), "pages.md", "exec"), {"model": model, "corpus": corpus})


@functools.cache
def helped(name, command):
    return command(*name.split(), "--help")
