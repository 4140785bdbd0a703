"""How texts are read: a model's field, as much of a file as is needed, rows as they come, and what is chosen."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import sys
import time
from pathlib import Path

import command_line
import pytest

import elman
from elman.cli.shared.console import write_csv, write_json
from elman.corpora import cached_files, files, load_mapped, named, read_text
from elman.model.file import describe
from elman.scoring import mask
from elman.text import (
    Reading,
    Vocabulary,
    csv_field,
    field_lines,
    json_field,
    normalise,
    normalised_parts,
    record_lines,
    row_reader,
)
from elman.text import fields as module
from elman.text.subwords import word_lists
from elman.text.tokenizer_file import _normalises
from elman.training.choice import choose

SMALL = ("--hidden-size", 8, "--epochs", 1, "--batch-size", 2, "--seq-length", 8, "--sample-every", 0)
ROWS = [{"id": 7 * i, "m": f"GET /item/{i % 9} 200 {i}ms"} for i in range(120)]
LINES = "".join(row["m"] + "\n" for row in ROWS)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Files of the same records: JSON lines, CSV, packed ones, and plain lines; `elman` there, with an empty cache."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    as_json = "".join(json.dumps(row) + "\n" for row in ROWS)
    Path("a.jsonl").write_text(as_json)
    Path("a.csv").write_text("id;m\n" + "".join(f'{row["id"]};"{row["m"]}"\n' for row in ROWS))
    Path("a.csv.gz").write_bytes(gzip.compress(Path("a.csv").read_bytes()))
    Path("a.jsonl.xz").write_bytes(lzma.compress(as_json.encode()))
    Path("a.txt").write_text(LINES)
    Path("a.txt.gz").write_bytes(gzip.compress(LINES.encode()))

    def call(*arguments, stdin="", status=0):
        done = command_line.run(*arguments, stdin=stdin)
        assert done.returncode == status, done.stderr
        return done

    return call


def bits(done):
    return json.loads(done.stdout.splitlines()[-1])["bits"]


def test_every_command_reads_the_models_field(run):
    run("train", "a.jsonl", "--field", "m", *SMALL, "--output", "r")
    model = elman.load("r")
    assert model.reading.field == "m"
    expected = bits(run("score", "r", "a.txt", "--json"))
    for name in ("a.jsonl", "a.csv", "a.csv.gz", "a.jsonl.xz", "a.txt.gz"):
        assert bits(run("score", "r", name, "--json")) == expected, name
    for name in ("a.jsonl", "a.csv", "a.txt"):  # of standard input the first line decides
        assert bits(run("score", "r", "-", "--json", stdin=Path(name).read_text())) == expected, name
    assert bits(run("score", "r", "a.jsonl", "--field", "", "--json")) > expected
    assert bits(run("score", "english", "a.csv", "--field", "m", "--json")) == bits(
        run("score", "english", "a.txt", "--records", "--json")
    )
    for name in ("a.jsonl", "a.csv.gz"):
        done = run("generate", "r", "--new", 1, "--corpus", name, "--length", 1, "--temperature", 0)
        assert "digests differ" not in done.stderr, name
    changed = run("generate", "r", "--new", 1, "--corpus", "a.csv", "--field", "id", "--length", 1, "--temperature", 0)
    assert "a.csv is not the text that the model's file names" in changed.stderr
    told = json.loads(run("inspect", "r", "a.csv", "--corpus", "a.jsonl", "--length", 300, "--json").stdout)
    assert told["characters"] == len(LINES)
    small = json.loads(run("quantise", "r", "--text", "a.csv", "-o", "q", "--json").stdout)
    assert small["characters"] == len(LINES)
    assert elman.load("q").reading.field == "m"
    run("train", "a.csv", "--from", "r", *SMALL[2:], "--output", "again")
    assert "id" not in elman.load("again").reading.vocabulary.symbols
    assert len(elman.load("again").reading) == len(model.reading)
    watched = run("score", "r", "-", "--above", 0, "--json", stdin='{"m": "one"}\nno row\n{"m": 1}\n', status=1)
    assert [json.loads(line)["text"] for line in watched.stdout.splitlines()] == ["one", "no row", '{"m": 1}']


def test_stores_read_packed_files_and_columns(run):
    for name, field in (("a.txt.gz", ()), ("a.csv.gz", ("--field", "m")), ("a.jsonl", ("--field", "m"))):
        run("compress", "--records", *field, name, "-o", "s.elr", "-f", "--past", "a.txt.gz")
        assert run("get", "s.elr").stdout == LINES
    run("get", "s.elr", "--append", "a.txt.gz")
    assert run("get", "s.elr").stdout == 2 * LINES


def test_the_field_decides_no_ids_and_old_files_have_none():
    reading = Reading(Vocabulary.from_text("ab\n"), "none", True)
    with_field = Reading(reading.vocabulary, "none", True, "a.b")
    assert "field" not in reading.to_dict()
    assert Reading.from_dict(reading.to_dict()) == reading
    assert Reading.from_dict(with_field.to_dict()) == with_field
    with pytest.raises(elman.InputError, match="the field of a model's texts is a string; got 3"):
        Reading.from_dict(reading.to_dict() | {"field": 3})
    corpus = elman.Corpus("t", "ab\n" * 9, "none", "here", True, {"name_or_path": "/x", "field": "a"})
    plain = elman.Corpus("t", "ab\n" * 9, "none", "here", True)
    one, two = (elman.build_model(c, hidden_size=3) for c in (corpus, plain))
    assert one.fingerprint() == two.fingerprint()  # an archive of one is one of the other
    assert describe(one) == describe(two) | {"field": "a"}
    assert describe(one)["needs"] == describe(two)["needs"]


def test_what_is_chosen_for_a_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("traveller").write_text("The  Traveller\n" * 99)
    own, book = elman.load_corpus(tmp_path / "traveller"), elman.load_corpus("traveller", 999)
    assert (own.normalisation, book.normalisation) == ("none", "book")
    assert str(own.text).startswith("The  Traveller\n")
    assert choose(book, None, {}) == elman.load_recipe("book")
    assert choose(book, None, {"epochs": 3}).epochs == 3
    modern = elman.load_recipe("modern")
    assert choose(own, None, {"epochs": 1, "batch_size": 9}) == modern.replace(epochs=1, batch_size=9)
    assert choose(own, None, {}).epochs != modern.epochs  # by its size
    assert choose(own, "modern", {}) == modern
    records = elman.load_corpus("traveller", records=True)
    assert choose(records, None, {"epochs": 1, "batch_size": 9}).prompts == elman.load_recipe("records").prompts
    model = elman.build_model(own, "modern", hidden_size=4)
    assert (model.layer.cell, model.reading.normalisation) == (modern.cell, "none")
    log = elman.fit(model, own, "modern", epochs=1, batch_size=2, seq_length=9)
    assert log.recipe.optimizer == modern.optimizer
    with pytest.raises(elman.InputError, match="no recipe 'moderm'"):
        elman.fit(model, own, "moderm")


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
@pytest.mark.parametrize("how", [{}, {"tokens": "bytes"}, {"records": True}, {"normalisation": "book"}])
def test_as_much_of_a_file_is_read_as_is_needed(tmp_path, monkeypatch, pack, how):
    suffix = {gzip.compress: ".gz", lzma.compress: ".xz", bytes: ""}[pack]
    path = tmp_path / f"t{suffix}"
    path.write_bytes(pack(b"some Words on a line\n" * 100_000))
    taken = []
    real = files.bounded
    monkeypatch.setattr(files, "BLOCK", 1000)
    monkeypatch.setattr(files, "bounded", lambda *a, **b: (taken.append(len(x)) or x for x in real(*a, **b)))
    text = elman.load_corpus(path, 500, **how).text
    assert len(text) >= 480
    if suffix or how.get("normalisation") != "book":
        assert sum(taken) <= 2_000_000  # of normalised text a chunk is made at once
    if how.get("normalisation") != "book":
        assert sum(taken) <= 3000
    whole = elman.load_corpus(path, **how).text
    assert whole[: len(text)] == text


def test_fields_are_read_as_far_as_they_are_needed(tmp_path, monkeypatch):
    (tmp_path / "t.jsonl").write_text('{"m": "one"}\n' * 5000 + "no JSON\n")
    monkeypatch.setattr(files, "BLOCK", 1000)
    monkeypatch.setattr("elman.corpora._LINES", 10)
    assert elman.load_corpus(tmp_path / "t.jsonl", 12, field="m").text == "one\n" * 3
    with pytest.raises(elman.CorpusError, match="line 5001: not JSON"):
        elman.load_corpus(tmp_path / "t.jsonl", field="m")


def test_a_run_of_spaces_is_gone_through_once():
    """What a pattern tries is counted by the runs that it hands over: one each, however long."""
    for size in (10, 1000, 100_000):
        found = module._SPACES.findall("a" + " " * size + "b" + "\t" * size)
        assert [len(run) for run in found] == [size, size]
        assert module._unbroken("a" + " " * size + "b") == "a" + " " * size + "b"
        assert module._unbroken("a" + " " * size + "\r\n" + " " * size + "b") == "a b"
    assert module._unbroken("\n\na \n b\t c\r") == " a b\t c "


@pytest.mark.parametrize(
    "work",
    [
        lambda n: json_field(json.dumps({"m": "a" + " " * n + "b\n"}), "m", "x"),
        lambda n: csv_field('m,n\n"a' + " " * n + 'b\n",1\n', "m", "x"),
        lambda n: named.without_licence("*** START OF THIS\n" * n),
        lambda n: named.without_licence("*** START OF THIS ***" + "*** " * n),
        lambda n: normalise("a" + " " * n + "\n" * n, "book"),
        lambda n: list(normalised_parts(["x" * 9] * n, "book")),
        lambda n: record_lines("a" + " " * n + "\n" * n + "b", "book"),
        lambda n: list(word_lists(["a" + " " * n, "'" * n])),
        lambda n: mask("1" * n + " " * n),
    ],
)
def test_work_grows_with_the_length_of_a_line(work):
    """Sixteen times the text: a quadratic pattern would take 256 times the processor's time."""

    def seconds(size):
        start = time.process_time()
        work(size)
        return time.process_time() - start

    assert seconds(64_000) <= 64 * min(seconds(4000) for _ in range(3)) + 1.0


def test_a_licence_is_cut_off():
    assert named.without_licence("x *** START OF y ***\n the text\n*** END OF z *** x") == "the text"
    assert named.without_licence("***END OF x ***START OF y") == "***END OF x ***START OF y"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,a\n1,2,3\n", "2 columns are called 'a'; expected one"),
        ("x" * 99 + ",b\n", r"its first line has 'x{40}\.\.\.', 'b'"),
        (",".join(f"c{i}" for i in range(99)) + "\n", r"'c19', \.\.\.$"),
        ('"a""b",c\n"x\n', "there is no column"),
    ],
)
def test_odd_columns(text, message):
    with pytest.raises(elman.InputError, match=message):
        list(field_lines([text], "a", "x.csv"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("x.csv", '"m";"n"\n"1,5";2\n', ["1,5"]),  # quotes that end before another delimiter
        ("x.csv", "m\r\na\r\n\r\nb", ["a", "b"]),
        ("x.csv", "m,n\ra,1\rb,2\r", ["a", "b"]),
        ("x.csv", "m,n\na\0b,1\n", ["a\0b"]),
        ("x.csv", 'm,n\n"a\r\n b",1\n', ["a b"]),
        ("x", "n,m\n1,a\n", ["a"]),
        ("x", '\n {"m": "a"}\n', ["a"]),
        ("x.jsonl", '{"n": NaN, "m": "a"}\r\n{"m": null}\r\n', ["a"]),
        ("x.jsonl", '{"m": "a", "m": "b"}', ["b"]),
    ],
)
def test_odd_rows(name, text, expected):
    for size in (1, 3, 1000):
        parts = [text[i : i + size] for i in range(0, len(text), size)]
        assert [line.removesuffix("\n") for line in field_lines(parts, "m", name)] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"m": NaN}', "line 1: expected an object with a string in 'm'"),
        ('{"m": "a"}\n\0\n', "line 2: not JSON"),
        ('{"m": ' + "9" * 5000 + "}", "line 1: not JSON"),
        ('{"m": ' + "[" * 100_000, "line 1: not JSON"),
        ('{"x": 1}\n', "line 1: expected an object with a string in 'm'; it has 'x'"),
        ("n,o\n1,2\n", "line 1: not JSON"),
    ],
)
def test_what_is_no_row(text, message):
    with pytest.raises(elman.InputError, match=message) as caught:
        list(field_lines([text], "m", "x"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_rows_as_they_come_never_stop_a_reader():
    read = row_reader("m")
    for line, value in (
        ("", ""),
        ('{"m": "a\\n b"}', "a b"),
        ("{", "{"),
        ('{"m": 2}', '{"m": 2}'),
        ('{"m":"\\ud800"}',) * 2,
    ):
        assert read(line) == value
    assert read('{"m": ' + "[" * 50_000) == '{"m": ' + "[" * 50_000
    read = row_reader("m")
    assert [read(line) for line in ("n;m", "1;a", "2", '3;"b;c"')] == ["", "a", "2", "b;c"]


@pytest.mark.parametrize(
    "step",
    [
        None,
        [],
        {},
        {"type": "Sequence", "normalizers": []},
        {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": []}, None]},
    ],
)
def test_a_normaliser_without_steps_does_nothing(step):
    assert not _normalises(step)
    assert _normalises({"type": "Sequence", "normalizers": [step, {"type": "NFC"}]})


def test_the_cache_notices_what_was_changed(run):
    import os

    corpus = load_mapped("a.txt")
    ids = corpus.ids(corpus.vocabulary()).copy()
    for damage in (lambda b: b[:-1], lambda b: b + b"\0", lambda b: bytes([b[0] ^ 1]) + b[1:], lambda b: b""):
        for path in cached_files():
            path.write_bytes(damage(path.read_bytes()))
            again = load_mapped("a.txt")
            assert (again.ids(again.vocabulary()) == ids).all()
            assert again.digest() == corpus.digest()
    before = os.stat("a.txt")
    Path("a.txt").write_text(LINES.replace("GET", "PUT"))
    os.utime("a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load_mapped("a.txt").digest() != corpus.digest()


def test_the_cache_is_shown_and_cleared(run, tmp_path):
    assert json.loads(run("cache", "--json").stdout)["files"] == 0
    load_mapped("a.txt")
    load_mapped("a.txt", tokens="bytes")
    folder = Path("cache/elman")
    others = [folder / "mine", folder / "ids" / "notes.json", folder / "ids" / ("0" * 32 + ".ids.bak")]
    for other in others:
        other.write_text("kept")
    (folder / "ids" / ("0" * 32 + ".ids")).symlink_to(tmp_path / "a.txt")
    told = json.loads(run("cache", "--json").stdout)
    assert (told["files"], told["folder"]) == (4, str(tmp_path / "cache" / "elman"))
    assert told["bytes"] == sum(path.stat().st_size for path in cached_files())
    assert run("cache", "--clear").stdout.endswith("bytes, deleted\n")
    assert cached_files() == []
    assert all(other.exists() for other in others)
    assert Path("a.txt").read_text() == LINES


def test_a_terminal_obeys_no_text(monkeypatch):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    text = "\x1b[2J\x9b31m\x7f=1+1"
    write_json({"text": text})
    assert json.loads(screen.getvalue())["text"] == text
    write_csv([{text: text, "n": -1.5}])
    assert not {"\x1b", "\x9b", "\x7f"} & set(screen.getvalue())
    assert "-1.5" in screen.getvalue()


def test_read_text_of_what_is_empty(tmp_path):
    (tmp_path / "e.jsonl").write_text('{"m": null}\n')
    reading = Reading(Vocabulary.bytes())
    with pytest.raises(elman.CorpusError, match="is empty; expected a text"):
        read_text(reading, tmp_path / "e.jsonl", field="m")
    (tmp_path / "e.jsonl").write_text('{"m": "é"}\n')
    assert read_text(reading, tmp_path / "e.jsonl", field="m") == "é\n".encode()
