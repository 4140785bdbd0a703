"""`elman score` and `elman train --records` as commands: what they list, at size too, and what they refuse."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import os

import numpy as np
import pytest
from command_line import refused, run
from small_models import save

import elman
from elman import kernels
from elman.scoring import ngram_bits

TEXT = "ada\nbo\ngrace\njean\n" * 5
ODD = "ada\nbo\n\nqqqqq\njean\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model of records, one of a text without a line end, and two files of lines."""
    folder = tmp_path_factory.mktemp("score")
    save(folder / "records", TEXT + "q", records=True)
    save(folder / "text", "ada bo")
    (folder / "a").write_text(TEXT)
    (folder / "b").write_text(ODD)
    return folder


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_summary_is_the_librarys_beside_the_baselines(files, command):
    model = elman.load(files / "records")
    names = [str(files / "a"), str(files / "b")]
    one, two, total = rows(command("score", files / "records", *names, "--json"))
    for row, name, text in ((one, names[0], TEXT), (two, names[1], ODD)):
        score = elman.score(model, text)
        assert (row["file"], row["characters"], row["bits"]) == (name, len(text), score.bits)
        assert (row["perplexity"], row["unknown"], row["records"]) == (score.perplexity, 0, True)
        assert row["gzip"] == 8 * len(gzip.compress(text.encode(), 9)) / len(text)
        ids = model.reading.vocabulary.encode(text)
        assert row["6-gram"] == pytest.approx(ngram_bits(ids, model.vocab_size).sum() / len(text))
    size = len(TEXT) + len(ODD)
    assert (total["file"], total["characters"], total["perplexity"]) == (None, size, 2 ** total["bits_per_char"])
    assert total["bits"] == pytest.approx(one["bits"] + two["bits"], rel=1e-15)
    for name in ("gzip", "bzip2", "xz", "6-gram"):
        assert total[name] == pytest.approx((one[name] * len(TEXT) + two[name] * len(ODD)) / size)
    table = list(csv.DictReader(io.StringIO(command("score", files / "records", *names, "--csv"))))
    assert [float(row["bits"]) for row in table] == [one["bits"], two["bits"], total["bits"]]
    printed = command("score", files / "records", *names)
    assert [line.split()[-6] for line in printed.splitlines()[1:4]] == [
        f"{row['bits_per_char']:.4f}" for row in (one, two, total)
    ]
    assert "adaptive" in printed
    assert "each line by itself" in printed
    assert "unknown" not in printed


def test_lines(files, command):
    got = rows(command("score", files / "records", files / "b", "--lines", "--json"))
    by_line = elman.score(elman.load(files / "records"), ODD).lines()
    assert [(r["line"], r["text"], r["characters"]) for r in got] == [
        *((1, "ada", 4), (2, "bo", 3), (3, "", 1), (4, "qqqqq", 6), (5, "jean", 5))
    ]
    assert [r["bits"] for r in got] == list(by_line.bits)
    assert [r["bits_per_char"] for r in got] == [r["bits"] / r["characters"] for r in got]
    table = command("score", files / "records", files / "b", "--lines").splitlines()[1:]
    costs = [f"{got[3]['bits']:.2f}", f"{got[3]['bits_per_char']:.3f}", f"{got[3]['burst']:.2f}"]
    assert table[3].split() == [*costs, f"{files / 'b'}:4:", "qqqqq"]
    read = list(csv.DictReader(io.StringIO(command("score", files / "records", files / "b", "--lines", "--csv"))))
    assert [float(r["bits"]) for r in read] == [r["bits"] for r in got]


def test_the_top_of_several_files(files, command):
    both = [files / "b", files / "a"]
    every = [r for r in rows(command("score", files / "records", *both, "--lines", "--json")) if r["text"]]
    top = rows(command("score", files / "records", *both, "--top", 3, "--json"))
    assert top == sorted(every, key=lambda r: -r["burst"])[:3]


def test_carried_or_line_by_line(files, command):
    model = elman.load(files / "records")
    for option, records in (("--no-records", False), ("--records", True)):
        (row,) = rows(command("score", files / "records", files / "a", option, "--json"))
        assert row["bits"] == elman.score(model, TEXT, records=records).bits


def test_characters(files, command):
    score = elman.score(elman.load(files / "text"), "ada")
    (files / "c").write_text("ada")
    (row,) = rows(command("score", files / "text", files / "c", "--chars", "--json"))
    assert (row["text"], row["surprisal"]) == ("ada", [round(float(b), 6) for b in score.surprisal])
    printed = command("score", files / "text", files / "c", "--chars")
    assert printed == "".join(f"{c!r}\t{b:.3f}\n" for c, b in zip("ada", score.surprisal, strict=True))
    read = list(csv.DictReader(io.StringIO(command("score", files / "text", files / "c", "--chars", "--csv"))))
    assert [(r["place"], r["character"]) for r in read] == [("1", "a"), ("2", "d"), ("3", "a")]


def test_a_page(files, command):
    command("score", files / "records", files / "b", "--html", files / "page.html")
    assert "</html>" in (files / "page.html").read_text()


def test_any_bytes_for_a_model_of_bytes(tmp_path, command):
    data = b"\x00\xff\xfe\x01" * 50
    save(tmp_path / "m", data)
    (tmp_path / "f").write_bytes(data)
    (row,) = rows(command("score", tmp_path / "m", tmp_path / "f", "--json"))
    assert row["bits"] == elman.score(elman.load(tmp_path / "m"), data).bits
    assert "bits/byte" in command("score", tmp_path / "m", tmp_path / "f")


@pytest.mark.slow
def test_a_line_of_10_mb(tmp_path, command):
    text = "ab" * 5_000_000
    model = elman.build_model(elman.Corpus("t", "ab\n", "none", "here", True), hidden_size=1, init_std=None)
    elman.save(model, tmp_path / "m")
    (tmp_path / "f").write_text(text)
    (row,) = rows(command("score", tmp_path / "m", tmp_path / "f", "--top", 1, "--json"))
    assert (row["text"], row["characters"]) == (text, len(text) + 1)
    # After some steps the state only alternates between two values, and so do the costs.
    few = elman.score(elman.load(tmp_path / "m"), text[:1000]).surprisal
    expected = math.fsum(few[:500]) + (len(text) - 500) / 2 * math.fsum(few[500:502])
    assert row["bits"] == pytest.approx(expected, rel=1e-5)
    assert len(command("score", tmp_path / "m", tmp_path / "f", "--top", 1).splitlines()[1]) < 400


def test_train_on_a_field_and_on_lines(tmp_path, command):
    records = ["ada", "bo", "grace"] * 20
    (tmp_path / "j").write_text("".join(json.dumps({"name": r}) + "\n" for r in records))
    (tmp_path / "l").write_text("".join(f"{r}\n" for r in records))
    small = ("--hidden-size", 9, "--epochs", 1)
    printed = command("train", tmp_path / "l", "--records", "--output", tmp_path / "one", *small)
    assert printed.startswith(
        "l: 60 records, 260 characters, 10 in the vocabulary, normalisation none\nrecipe records: 1 epoch, "
    )
    command("train", tmp_path / "j", "--field", "name", "--output", tmp_path / "two", *small)
    one, two = (elman.load(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.reading.records
    assert two.reading.records
    assert one.digest() == two.digest()


def test_neither_threads_nor_the_batch_change_a_bit(files):
    names = [str(files / "a"), str(files / "b")]
    outputs = [
        run("score", files / "records", *names, "--lines", "--json", env={**os.environ, "ELMAN_THREADS": count}).stdout
        for count in ("1", "3")
    ]
    assert outputs[0] == outputs[1]
    model = elman.load(files / "records")
    if kernels.serving()[0] == "cpu":
        alone = [bits for text in (TEXT, ODD) for bits in elman.score(model, text).lines().bits]
        assert [r["bits"] for r in rows(outputs[0])] == alone


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("score records missing", "missing: no such file"),
        ("score records empty", "empty is empty"),
        ("score records binary", "not UTF-8: byte 0xff at offset 1"),
        ("score missing a", "missing: no such file"),
        ("score a a", "not a .safetensors file"),
        ("score text a --records", "has never seen a line end"),
        ("score records a --lines --top 3", "give one of them"),
        ("score records a --json --csv", "not both"),
        ("score records a --above nan", "--above must be a number of bits, got nan"),
        ("score records a --top 0", "--top must be at least 1"),
        ("score records a --html no/page.html", "no folder no"),
        ("train fields --field name", "fields, line 3: expected an object with a string in 'name'; it has 'nome'"),
        ("train a --field name", "a, line 1: not JSON"),
        ("score records fields --field nome", "fields, line 1: expected an object with a string in 'nome'"),
        ("train blank --records", "blank is empty"),
    ],
)
def test_refusals(files, arguments, expected):
    (files / "empty").write_text("")
    (files / "blank").write_text("\n\n")
    (files / "binary").write_bytes(b"\x00\xff\xfe\x01" * 50)
    (files / "fields").write_text('{"name": "ada"}\n\n{"nome": "bo"}\n')
    refused(run(*arguments.split(), cwd=files), expected)


@pytest.mark.slow
def test_many_lines(tmp_path, command):
    rng = np.random.default_rng(3)
    names = ["ada", "bo", "grace", "jean"]
    save(tmp_path / "m", TEXT, records=True)
    for name in ("a", "b"):
        (tmp_path / name).write_text("".join(f"{names[i]}\n" for i in rng.integers(0, 4, 25_000)))
    *_, total = rows(command("score", tmp_path / "m", tmp_path / "a", tmp_path / "b", "--json"))
    lines = rows(command("score", tmp_path / "m", tmp_path / "a", tmp_path / "b", "--lines", "--json"))
    assert len(lines) == 50_000
    assert math.fsum(r["bits"] for r in lines) == pytest.approx(total["bits"], rel=1e-12)
    assert len({r["bits"] for r in lines}) == 4  # the same line costs the same bits wherever it stands
