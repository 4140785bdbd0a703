"""`elman compress`, `decompress` and `get`: the habits of gzip and zstd."""

from __future__ import annotations

import io
import json
import os
import sys
from types import SimpleNamespace

import pytest
import typer
from compression_cases import english, inputs, predictor

from elman.cli import compress as commands
from elman.errors import CompressedError, InputError

app = typer.Typer()
for function in (commands.compress, commands.decompress, commands.get):
    app.command()(function)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a command in a folder of its own; what it wrote to standard output."""
    monkeypatch.chdir(tmp_path)
    gru = predictor(H=8)
    monkeypatch.setattr(commands, "_predictor", lambda model: None if model is None else gru)

    def call(*arguments, stdin: bytes = b"", terminal: bool = False) -> bytes:
        output = io.BytesIO()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        stdout = SimpleNamespace(
            buffer=output, isatty=lambda: terminal, write=lambda text: output.write(text.encode()), flush=lambda: None
        )
        monkeypatch.setattr(commands.out, "_file", stdout)
        monkeypatch.setattr(sys, "stdout", stdout)
        app([str(a) for a in arguments], standalone_mode=False)
        return output.getvalue()

    return call


def test_files_there_and_back(run, tmp_path):
    for name, data in inputs().items():
        (tmp_path / name).write_bytes(data)
        os.chmod(tmp_path / name, 0o640)
        os.utime(tmp_path / name, ns=(10**18, 10**18 + 7))
        run("compress", "-m", "x", name)
        assert (tmp_path / name).exists()
        (tmp_path / name).unlink()
        run("decompress", "--model", "x", name + ".elz")
        assert (tmp_path / name).read_bytes() == data
        assert (tmp_path / name).stat().st_mtime_ns == 10**18 + 7
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640


def test_pipes_levels_and_threads(run):
    data = english(5_000)
    sizes = []
    for level in ("-1", "-4", "-9"):
        archive = run("compress", level, "-T", "2", stdin=data)
        assert run("compress", "-d", stdin=archive) == run("decompress", "-c", "-", stdin=archive) == data
        sizes.append(len(archive))
    assert sizes[0] > sizes[2]


def test_remove_output_and_list(run, tmp_path):
    (tmp_path / "a").write_bytes(english(3_000))
    run("compress", "--rm", "-o", "b.elz", "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.elz"]
    listed = run("decompress", "-l", "b.elz").decode().split()
    assert listed[listed.index("name") + 2] == "3000"
    run("decompress", "-t", "b.elz")
    run("decompress", "b.elz")
    assert (tmp_path / "b").read_bytes() == english(3_000)


def test_nothing_is_written_over_or_to_a_terminal(run, tmp_path):
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "a.elz").write_bytes(b"old")
    with pytest.raises(InputError, match=r"a.elz exists; -f writes over it"):
        run("compress", "a")
    assert (tmp_path / "a.elz").read_bytes() == b"old"
    run("compress", "-f", "a")
    with pytest.raises(InputError, match="a exists; -f writes over it"):
        run("decompress", "a.elz")
    with pytest.raises(InputError, match="refusing to write an archive to a terminal"):
        run("compress", "-c", "a", terminal=True)
    with pytest.raises(InputError, match=r"has the suffix \.elz already"):
        run("compress", "a.elz")
    with pytest.raises(InputError, match="lacks the suffix"):
        run("decompress", "a")
    with pytest.raises(FileNotFoundError):
        run("compress", "missing")


def test_damage_leaves_no_file(run, tmp_path):
    (tmp_path / "a").write_bytes(english(2_000))
    run("compress", "a")
    data = bytearray((tmp_path / "a.elz").read_bytes())
    data[100] ^= 4
    (tmp_path / "b.elz").write_bytes(data)
    for options in ((), ("-t",)):
        with pytest.raises(CompressedError, match=r"b.elz: the archive is damaged"):
            run("decompress", *options, "b.elz")
    with pytest.raises(CompressedError, match="made without a model"):
        run("decompress", "-m", "x", "-c", "a.elz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.elz", "b.elz"]


def test_records(run, tmp_path):
    lines = [english(30, i).replace(b"\n", b" ") for i in range(200)]
    (tmp_path / "a").write_bytes(b"\n".join(lines) + b"\n")
    run("compress", "--records", "a")
    assert run("get", "a.elr") == b"\n".join(lines) + b"\n"
    assert run("get", "a.elr", 1, "199-") == b"\n".join([lines[0], lines[198], lines[199]]) + b"\n"
    assert run("get", "a.elr", "--count") == b"200\n"
    run("get", "a.elr", "--append", "-", stdin=b"one more\n")
    assert run("get", "a.elr", "201") == b"one more\n"
    for number, text in (("0", "no 0"), ("300", "no 300"), ("x", "not a line's number"), ("5-3", "no 5-3")):
        with pytest.raises(InputError, match=text):
            run("get", "a.elr", number)


def test_a_field_of_json_lines(run, tmp_path):
    rows = [{"text": "größer", "n": 1}, {"text": "line\nend", "n": 2}]
    (tmp_path / "a").write_text("\n".join(map(json.dumps, rows)))
    run("compress", "--records", "--field", "text", "a")
    assert run("get", "a.elr") == "größer\nline\nend\n".encode()
    with pytest.raises(InputError, match="line 1: expected an object with the field 'no'; it has 'text', 'n'"):
        run("compress", "-f", "--records", "--field", "no", "a")
