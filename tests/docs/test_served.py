"""What the page on serving and the README show of a server is run: every curl line, and what it printed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command_line import PATIENCE
from test_shown import shown

pytest.importorskip("uvicorn", reason="the extra elman[serve] is not installed")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "serve.md"
pytestmark = [
    pytest.mark.skipif(not PAGE.is_file(), reason="the tests run outside a checkout, without its docs"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]
CHANGING = ("id", "created", "timings")


@pytest.fixture(scope="module")
def started():
    """The port of a server, and the line that it says to try."""
    process = subprocess.Popen(
        [sys.executable, "-m", "elman.cli", "serve", "english", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    first, hint = process.stderr.readline(), process.stderr.readline()
    reader = threading.Thread(target=process.stderr.read, daemon=True)
    reader.start()
    yield first.rpartition(":")[2].strip(), hint.partition("try: ")[2]
    process.terminate()
    assert process.wait(60) == 0
    reader.join()
    process.stderr.close()


@pytest.fixture
def port(started):
    return started[0]


def run(line: str, port: str, folder: Path) -> bytes:
    line = line.replace(":8080", f":{port}")
    return subprocess.run(line, shell=True, cwd=folder, capture_output=True, timeout=PATIENCE, check=True).stdout


def lasting(line: str | bytes) -> dict:
    return {key: value for key, value in json.loads(line).items() if key not in CHANGING}


def test_the_curl_lines_print_what_they_show(port, tmp_path):
    commands = [(line, printed) for line, printed in shown(PAGE.read_text(encoding="utf-8")) if printed]
    assert len(commands) == 6
    for line, (expected,) in commands:
        assert lasting(run(line, port, tmp_path)) == lasting(expected), line


def test_the_other_curl_lines_work(port, tmp_path):
    lines = [line for line, printed in shown(PAGE.read_text(encoding="utf-8")) if "curl" in line and not printed]
    assert len(lines) == 3
    (tmp_path / "story.txt").write_bytes((ROOT / "README.md").read_bytes())
    found = {line: run(line.replace("producer", "echo '\"The sea.\"'"), port, tmp_path) for line in lines}
    stream, packed, back = found.values()
    assert json.loads(stream)["characters"] == 8
    assert packed == back == b""
    assert (tmp_path / "story.txt.elz").stat().st_size < (tmp_path / "story.txt").stat().st_size / 2


def test_the_lines_of_the_readme(port, tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^    (curl localhost:8080.*)$", text, re.M)
    assert re.search(r"^    elman serve english ", text, re.M)
    choice = json.loads(run(line, port, tmp_path))["choices"][0]
    assert len(choice["text"]) == 50


def test_the_line_that_the_server_says_to_try(started, tmp_path):
    port, line = started
    assert line.startswith("curl ")
    assert len(json.loads(run(line, port, tmp_path))["choices"][0]["text"]) == 50


def test_what_is_deployed_can_be_read():
    """YAML by its indentation alone, with no library: every line is a key, an item or a continuation."""
    text = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(r"```yaml\n(.*?)```", text, re.S)) == 3
    (docker,) = re.findall(r"```dockerfile\n(.*?)```", text, re.S)
    assert "USER nobody" in docker
    (unit,) = re.findall(r"```ini\n(.*?)```", text, re.S)
    assert {"[Unit]", "[Service]", "[Install]"} <= set(unit.splitlines())
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    names: dict = {}
    exec(compile(code, "serve.md", "exec"), names)
    assert callable(names["app"])
