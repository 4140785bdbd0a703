"""`elman compress`, `decompress` and `get`: the habits of gzip and zstd."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import typer
from command_line import run as commands_run
from compression_cases import english, inputs, predictor

from elman.cli import app
from elman.cli import compress as compress_command
from elman.cli.shared import archives, stores
from elman.compression import Store
from elman.errors import CompressedError, InputError


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a command in a folder of its own; what it wrote to standard output."""
    monkeypatch.chdir(tmp_path)
    gru = predictor(H=8)
    for module in (compress_command, archives, stores):
        monkeypatch.setattr(module, "predictor_of", lambda model, quiet=True: None if model is None else gru)

    def call(*arguments, stdin: bytes = b"", terminal: bool = False) -> bytes:
        output = io.BytesIO()
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        stdout = SimpleNamespace(
            buffer=output, isatty=lambda: terminal, write=lambda text: output.write(text.encode()), flush=lambda: None
        )
        monkeypatch.setattr(sys, "stdout", stdout)
        app([str(a) for a in arguments], standalone_mode=False)
        return output.getvalue()

    return call


def facts(store):
    return json.loads(commands_run("store", "info", store, "--json").stdout)


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
    run("store", "make", "a")
    assert run("store", "get", "a.elr") == b"\n".join(lines) + b"\n"
    assert run("store", "get", "a.elr", 1, "199-") == b"\n".join([lines[0], lines[198], lines[199]]) + b"\n"
    assert facts("a.elr")["lines"] == 200
    run("store", "append", "a.elr", "-", stdin=b"one more\n")
    assert run("store", "get", "a.elr", "201") == b"one more\n"
    for number, text in (("0", "no 0"), ("300", "no 300"), ("x", "not a line's number"), ("5-3", "no 5-3")):
        with pytest.raises(InputError, match=text):
            run("store", "get", "a.elr", number)


def test_a_field_of_json_lines(run, tmp_path):
    rows = [{"text": "größer", "n": 1}, {"text": "line\nend", "n": 2}]
    (tmp_path / "a").write_text("\n".join(map(json.dumps, rows)))
    run("store", "make", "--field", "text", "a")
    assert run("store", "get", "a.elr") == "größer\nline\nend\n".encode()
    with pytest.raises(InputError, match="line 1: expected an object with the field 'no'; it has 'text', 'n'"):
        run("store", "make", "-f", "--field", "no", "a")


def command(*arguments: str, cwd) -> bytes:
    """In a process of its own: standard output as it really is."""
    done = subprocess.run([sys.executable, "-m", "elman", *arguments], cwd=cwd, capture_output=True)
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_text_is_given_back_to_the_byte_with_and_without_a_last_line_end(run, tmp_path):
    for text in (b"", b"a", b"a\n", b"a\n\n", b"\n", b"a\r\nb\r", b"a\0b\nc\xff"):
        (tmp_path / "a").write_bytes(text)
        run("store", "make", "-f", "a")
        assert run("store", "get", "a.elr") == text
    (tmp_path / "more").write_bytes(b"one\ntwo")
    run("store", "append", "a.elr", "more")
    assert run("store", "get", "a.elr") == b"a\0b\nc\xff\none\ntwo"
    assert run("store", "get", "a.elr", "3") == b"one\n"
    assert run("store", "get", "a.elr", "4") == run("store", "get", "a.elr", "4-") == b"two"


def test_a_field_with_line_ends_comes_back_as_one_record(run, tmp_path):
    values = ["boom\n  at f\n", "ok", "", "größe \x1b[31m\x9b\u2028", "tab\tend"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"m": value}) + "\n" for value in values))
    run("store", "make", "--field", "m", "a.jsonl", "-o", "s.elr")
    assert facts("s.elr")["lines"] == 5
    for null in ("-0", "--null"):
        assert run("store", "get", "s.elr", null) == b"".join(value.encode() + b"\0" for value in values)
    rows = [json.loads(line) for line in command("store", "get", "s.elr", "--json", cwd=tmp_path).split(b"\n")[:-1]]
    assert rows == [{"line": i, "text": value} for i, value in enumerate(values, 1)]


def test_bytes_that_are_no_utf_8_come_back_from_json(run, tmp_path):
    lines = [b"\xff\xfe", b"a\xe9b", b"\xed\xa0\x80", bytes(range(1, 10))]
    (tmp_path / "a").write_bytes(b"\n".join(lines) + b"\n")
    run("store", "make", "a")
    rows = command("store", "get", "a.elr", "--json", cwd=tmp_path).split(b"\n")[:-1]
    assert [json.loads(row)["text"].encode("utf-8", "surrogateescape") for row in rows] == lines


def test_the_first_lines_are_a_range_and_no_option(run, tmp_path):
    lines = [b"line %d\n" % i for i in range(1, 41)]
    (tmp_path / "a").write_bytes(b"".join(lines))
    run("store", "make", "a")
    for arguments, expected in (
        (("a.elr", "-3"), lines[:3]),
        (("a.elr", "-30"), lines[:30]),
        (("a.elr", "-10", "2"), [*lines[:10], lines[1]]),
        (("a.elr", "--", "-3"), lines[:3]),
        (("a.elr", "-0", "-2"), [b"line 1\0", b"line 2\0"]),
        (("a.elr", "-0", "39-"), [b"line 39\0", b"line 40\0"]),
    ):
        assert run("store", "get", *arguments) == b"".join(expected), arguments
    for arguments, text in (
        (("a.elr", "-41"), "lines 1 to 40; there is no 1-41"),
        (("a.elr", "1" * 5000), "not a line's number"),
        (("a.elr", "١"), "not a line's number"),
        (("a.elr", "-0", "--json"), "--null and --json exclude each other"),
    ):
        with pytest.raises(InputError, match=text):
            run("store", "get", *arguments)
    with pytest.raises(typer.TyperException, match="No such option"):
        run("store", "get", "a.elr", "--nul")
    (tmp_path / "-3").write_bytes(b"of a file named -3\n")
    run("store", "append", "a.elr", "./-3")
    assert run("store", "get", "a.elr", 41) == b"of a file named -3\n"


def test_a_terminal_gets_no_control_characters_from_a_store(run, tmp_path):
    (tmp_path / "a").write_bytes(b"\x1b[2Jred\x07 \xc2\x9b31m caf\xc3\xa9 \xff\r\tx\nend\n")
    run("store", "make", "a")
    shown = run("store", "get", "a.elr", terminal=True)
    assert shown == "\\x1b[2Jred\\x07 \\x9b31m café \\xff\\x0d\tx\nend\n".encode()
    assert run("store", "get", "a.elr", "-0", terminal=True).count(b"\\x00") == 2
    assert run("store", "get", "a.elr") == (tmp_path / "a").read_bytes()


def test_four_commands_that_append_at_once_lose_nothing(run, tmp_path):
    lines = [b"line %d" % i for i in range(50)]
    (tmp_path / "a").write_bytes(b"\n".join(lines) + b"\n")
    run("store", "make", "-1", "a")
    children = []
    for who in range(4):
        (tmp_path / f"new{who}").write_bytes(b"of %d\n" % who)
        call = [sys.executable, "-m", "elman", "store", "append", "a.elr", f"new{who}"]
        children.append(subprocess.Popen(call, cwd=tmp_path))
    assert [child.wait() for child in children] == [0] * 4
    there = run("store", "get", "a.elr").splitlines()
    assert there[:50] == lines
    assert sorted(there[50:]) == [b"of %d" % who for who in range(4)]


def test_other_commands_say_what_an_archive_and_a_store_are(tmp_path):
    (tmp_path / "a").write_text("a line\n" * 30)
    assert commands_run("compress", "a", cwd=tmp_path).returncode == 0
    assert commands_run("store", "make", "a", cwd=tmp_path).returncode == 0
    for name, reader in (("a.elz", "archive; `elman decompress`"), ("a.elr", "store of lines; `elman store get`")):
        for command in (("score", "english", name), ("info", name), ("train", name), ("train", "--bytes", name)):
            done = commands_run(*command, cwd=tmp_path)
            assert done.returncode == 2, done
            assert f"elman: {name}: not a " in done.stderr, done
            assert reader in done.stderr, done
    assert not (tmp_path / "runs").exists()
    with pytest.raises(CompressedError, match=r"an archive.*`elman decompress`"):
        Store(tmp_path / "a.elz")
