"""`elman train-coder`: what it prints, what it writes, and samples that it refuses."""

from __future__ import annotations

import json
import re

import pytest
from compression_cases import english

from elman.cli import app
from elman.cli.shared.samples import read_samples, size_of
from elman.compression import load_predictor
from elman.errors import InputError

LINES = [b"%d: %s" % (i % 9, english(30, i).replace(b"\n", b" ")) for i in range(200)]


@pytest.fixture
def run(monkeypatch, tmp_path, capsysbinary):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\n".join(LINES) + b"\n")

    def call(*arguments) -> str:
        app([str(a) for a in arguments], standalone_mode=False)
        return capsysbinary.readouterr().out.decode()

    return call


def test_train_then_a_store_with_it(run, tmp_path):
    train = ("train-coder", "a.txt", "--max-size", "60K", "--epochs", "1")
    printed = run(*train, "-o", "a.model").splitlines()
    assert printed[0].startswith("200 samples, ")
    (held,) = (line for line in printed if line.startswith("bytes a sample, 10 held-out samples"))
    assert held.endswith("counted over 200")
    rows = [re.split(r"\s{2,}", line) for line in printed[printed.index(held) + 1 :] if re.search(r"\d\s{2,}", line)]
    costs = {row[0]: float(row[1]) for row in rows}
    assert costs["this model"] < costs["deflate"] < costs["as they are"] + 5
    assert printed[-1].startswith("a.model: ") or "the same bytes: --epochs 1" in printed[-1]
    with pytest.raises(InputError, match=r"a.model exists; -f writes over it"):
        run(*train, "-o", "a.model")
    before = (tmp_path / "a.model").read_bytes()
    assert run(*train, "-f", "-q", "-o", "a.model") == ""
    assert (tmp_path / "a.model").read_bytes() == before
    run("store", "make", "-m", "a.model", "a.txt")
    assert run("store", "get", "-m", "a.model", "a.txt.elr", "7").encode() == LINES[6] + b"\n"


def test_fields_folders_and_standard_input(run, tmp_path):
    rows = [{"text": f"größe {i}\nline", "n": i} for i in range(3)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read_samples(["a.jsonl"], "text") == ([row["text"].encode() for row in rows], 10)
    assert read_samples(["a.txt", "a.txt"], None) == ([*LINES, *LINES], 10)
    (tmp_path / "many").mkdir()
    for name in ("b", "a"):
        (tmp_path / "many" / name).write_bytes(name.encode() + b"\n\0")
    assert read_samples(["many"], None) == ([b"a\n\0", b"b\n\0"], 0)
    with pytest.raises(InputError, match="many is a folder: its files are samples"):
        read_samples(["many", "a.txt"], None)
    with pytest.raises(InputError, match="line 1: expected an object with the field 'no'; it has 'text', 'n'"):
        run("train-coder", "a.jsonl", "--field", "no", "-o", "x")


def test_whole_files(run, tmp_path):
    (tmp_path / "many").mkdir()
    for i, line in enumerate(LINES[:40]):
        (tmp_path / "many" / f"{i}.txt").write_bytes(line + b"\nmore\n")
    run("train-coder", "many", "--max-size", "60K", "--epochs", "1", "-o", "b.model")
    assert load_predictor("b.model").end == 0


def test_what_cannot_be(run, tmp_path):
    train = ("train-coder", "a.txt")
    for options, text in (
        (("-o", "x", "--minutes", "1", "--epochs", "1"), "--minutes decides the epochs"),
        (("-o", "x", "--max-size", "big"), "--max-size is 'big'; expected bytes"),
        (("-o", "x", "--epochs", "0"), "epochs must be above 0"),
        (("-o", "x", "--minutes", "0"), "minutes must be above 0"),
    ):
        with pytest.raises(InputError, match=text):
            run(*train, *options)
    (tmp_path / "same").write_bytes(b"same\n" * 50)
    with pytest.raises(InputError, match="of 50 samples only 1 are different"):
        run("train-coder", "same", "-o", "x")
    with pytest.raises(InputError, match="the model needs a file; name it with -o"):
        run("compress", "--train", "a.txt")
    with pytest.raises(InputError, match="--epochs goes with --train"):
        run("compress", "--epochs", "2", "a.txt")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("text", "size"), [("200000", 200_000), ("200K", 200_000), ("1.5M", 1_500_000), ("1MiB", 1 << 20), ("2kib", 2048)]
)
def test_sizes(text, size):
    assert size_of(text) == size
