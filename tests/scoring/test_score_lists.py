"""What `elman score` lists: bursts and where they are, words, masked lines, a stream, two models on one text."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from command_line import refused, run
from page_data import unpack
from rich.cells import cell_len
from small_models import save

import elman
from elman.pages import comparison_page, lines_page, surprisal_page
from elman.scoring import BURST, Score, compare, mask, sequence_entropies, word_bits, words

TEXT = "ada\nbo\ngrace\njean\n" * 5
ODD = "ada 12\nbo\n\nqqqqq\nada 7\ngrace\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lists")
    save(folder / "records", TEXT + "q 127", records=True)
    save(folder / "text", TEXT + "q 127")
    save(folder / "bytes", (TEXT + "q").encode())
    save(folder / "book", TEXT.replace("\n", " "), normalisation="book")
    (folder / "b").write_text(ODD)
    return folder


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["records", "text", "bytes"])
def test_a_burst_is_where_it_says(files, name):
    text = "añada żż bo\n日\n" + ODD
    score = elman.score(elman.load(files / name), text)
    lines = score.lines()
    shown, bits = score.characters()
    begin = 0
    for index, line in enumerate(shown.splitlines(keepends=True)):
        of_line = bits[begin : begin + len(line)]
        begin += len(line)
        first, end = lines.burst_span(index)
        assert 0 <= first < end <= len(line)
        if name == "bytes":
            assert lines.bursts[index] <= of_line[first:end].sum() + 1e-9
            assert len(line[first:end].encode()) <= BURST + 6
        else:
            assert end - first == min(BURST, end)
            assert lines.bursts[index] == pytest.approx(of_line[first:end].sum())


def test_lines_say_where_their_burst_is(files, command):
    (row, *_) = rows(command("score", files / "records", files / "b", "--top", 1, "--json"))
    lines = elman.score(elman.load(files / "records"), ODD).lines()
    assert (row["burst_at"] - 1, row["burst_at"] - 1 + row["burst_length"]) == lines.burst_span(row["line"] - 1)
    assert list(row)[-1] == "text"
    long = "ada " * 100 + "qq 12 " + "bo " * 100
    (files / "long").write_text(long + "\n")
    printed = command("score", files / "records", files / "long", "--lines").splitlines()[1]
    assert len(printed) < 400
    (row,) = rows(command("score", files / "records", files / "long", "--lines", "--json"))
    assert long[row["burst_at"] - 1 : row["burst_at"] + row["burst_length"] - 2] in printed


def test_a_terminal_shows_the_burst_in_colour(files):
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "300"}
    done = run("score", files / "records", files / "b", "--top", "1", env=environment, fresh=True)
    assert "\x1b[1;31m" in done.stdout


def test_mask_folds_what_differs_in_digits(files, command):
    assert mask("a 12 b7") == mask("a 3 b99") == "a 0 b0"
    every = rows(command("score", files / "records", files / "b", "--lines", "--json"))
    folded = rows(command("score", files / "records", files / "b", "--lines", "--mask", "--json"))
    ada = max((r for r in every if r["text"].startswith("ada")), key=lambda r: r["burst"])
    assert [(r["line"], r["like_it"]) for r in folded] == sorted([(ada["line"], 2), (2, 1), (4, 1), (6, 1)])
    top = rows(command("score", files / "records", files / "b", "--top", 2, "--mask", "--json"))
    assert [r["line"] for r in top] == [r["line"] for r in sorted(folded, key=lambda r: -r["burst"])][:2]
    assert "like it" in command("score", files / "records", files / "b", "--top", 2, "--mask")


@pytest.mark.parametrize("form", ["--json", "--csv", "--records"])
def test_a_stream_is_answered_line_by_line(files, form):
    every = elman.score(elman.load(files / "records"), ODD).lines()
    above = float(np.sort(every.bursts)[-2])
    expected = [i for i in range(len(every)) if every.bursts[i] >= above]
    command = [sys.executable, "-m", "elman.cli", "score", str(files / "records"), "-", "--above", str(above), form]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    if form == "--csv":
        expected = [-1, *expected]
    for number, line in enumerate(ODD.splitlines(keepends=True)):
        process.stdin.write(line)
        process.stdin.flush()
        if number in expected:
            while expected and expected[0] <= number:  # answered before the next line is written
                got = process.stdout.readline()
                index = expected.pop(0)
                assert (f"{every.text(index)}" if index >= 0 else "burst_at") in got
    process.stdin.close()
    assert process.stdout.read() == ""
    assert process.wait(60) == 1
    process.stdout.close()


def test_the_status_says_whether_a_line_was_odd(files):
    assert run("score", files / "records", "--above", "1e6", stdin=ODD).returncode == 0
    assert run("score", files / "records", "--above", "1e6", stdin=ODD).stdout == ""
    done = run("score", files / "records", "--above", "0", "--json", stdin="ada\nbo")
    assert [row["line"] for row in rows(done.stdout)] == [1, 2]
    assert done.returncode == 1
    done = run("score", files / "records", files / "b", "--above", "0", "--json")
    assert [row["line"] for row in rows(done.stdout)] == [1, 2, 4, 5, 6]
    assert done.returncode == 1
    assert run("score", files / "records", files / "b", "--above", "1e6").returncode == 0
    refused(
        run("score", files / "text", "--above", "3", stdin=ODD), "--above takes each line by itself; give --records"
    )


def watched(files, data: bytes, *more, name="records"):
    """What a watcher says of these bytes of a log, line numbers and texts, and how it ended."""
    command = [sys.executable, "-m", "elman.cli", "score", str(files / name), "-", "--above", "0", "--json", *more]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    return [(r["line"], r["text"]) for r in rows(done.stdout.decode())], done.returncode, done.stderr.decode()


@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_no_byte_ends_a_watcher(files, errors):
    data = b"ada\nb\xe9 x\n\xff\xfe\n\x00\x1b[2J\nbo \xc3"
    expected = [(1, "ada"), (2, "b\ufffd x"), (3, "\ufffd\ufffd"), (4, "\x00\x1b[2J"), (5, "bo \ufffd")]
    assert watched(files, data, "--encoding-errors", errors) == (expected, 1, "")
    assert watched(files, data, "--records", name="bytes") == (expected, 1, "")
    assert watched(files, b"\xe9t\xe9\n", "--encoding", "latin-1") == ([(1, "été")], 1, "")
    assert watched(files, "ada\nżó".encode("utf-16"), "--encoding", "utf-16") == ([(1, "ada"), (2, "żó")], 1, "")


def test_a_line_without_end_is_cut(files, monkeypatch):
    from elman.cli.interactive import watch

    monkeypatch.setattr(watch, "_LONGEST", 10)
    blocks = iter([b"ada\nbo bo", b" bo bo", b" bo", b" grace\njean", b"\nada", b""])
    monkeypatch.setattr(watch, "_read", lambda: next(blocks))
    decoder = watch._decoder(False, None, "strict")
    assert "".join(watch._batches(decoder)) == "ada\nbo bo bo b\njean\nada"


def test_a_watcher_refuses_what_it_cannot_read_before_it_waits(files):
    for option, value, message in (
        ("--encoding", "nope", "standard input cannot be read as nope, replace: unknown encoding: nope"),
        ("--encoding", "rot13", "standard input cannot be read as rot13"),
        ("--encoding-errors", "nope", "unknown error handler name 'nope'"),
    ):
        refused(run("score", files / "records", "--above", "3", option, value, stdin=ODD), message)
    save(files / "unending", "one line")
    refused(run("score", files / "unending", "--above", "3", "--records", stdin=ODD), "has never seen a line end")


def test_an_empty_log_has_no_odd_lines(files):
    (files / "empty").write_text("")
    for options in (["--above", "0"], ["--lines"], ["--top", "3"], ["--above", "0", "--mask"]):
        done = run("score", files / "records", files / "empty", *options, "--json")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("score", files / "records", "--above", "0", stdin="").returncode == 0
    listed = run(
        "score", files / "records", files / "empty", files / "b", "--lines", "--json", "--against", files / "text"
    )
    assert [r["line"] for r in rows(listed.stdout)] == [1, 2, 3, 4, 5, 6]
    refused(run("score", files / "records", files / "empty"), "empty is empty; expected a text")


@pytest.mark.parametrize("name", ["records", "text", "bytes"])
def test_words(files, name):
    model = elman.load(files / name)
    text = "  ada bo\n\ngrace jean "
    score = elman.score(model, text)
    shown, bits = score.characters()
    found = words(model, score)
    assert [(w.text, w.line, w.number) for w in found] == [("ada", 1, 1), ("bo", 1, 2), ("grace", 3, 1), ("jean", 3, 2)]
    for word in found:
        assert shown[word.place - 1 :].startswith(word.text)
        assert word.bits == pytest.approx(bits[word.place - 1 : word.place + len(word.text)].sum())
    assert word_bits(score, score) == [word.bits for word in found]
    assert 0 < found[0].entropy <= math.log2(model.vocab_size)


def test_words_of_models_that_normalise_differently(files):
    """Costs of the same words side by side, each as its model reads it; not of texts that have other words."""
    model, folded = elman.load(files / "text"), elman.load(files / "book")
    score, other = elman.score(model, "Ada  Bo\nGrace"), elman.score(folded, "Ada  Bo\nGrace")
    assert word_bits(other, score) == [word.bits for word in words(folded, other)]
    shown = run(
        "score", files / "text", "-", "--words", "--json", "--against", files / "book", stdin="Ada  Bo\nGrace"
    ).stdout
    assert [list(row["against"].values()) for row in rows(shown)] == [
        [round(cost, 6)] for cost in word_bits(other, score)
    ]
    with pytest.raises(elman.InputError, match="as 3 and 2 words, which have no common list; compare models with one"):
        word_bits(elman.score(model, "ada bo"), score)


def test_words_without_punctuation(files):
    model = elman.load(files / "text")
    score = elman.score(model, "(ada), bo's ... -")
    _, bits = score.characters()
    found = words(model, score)
    assert [(w.bare, w.length, w.place) for w in found] == [("ada", 3, 1), ("bo's", 4, 8), ("...", 3, 13), ("-", 1, 17)]
    assert found[0].bare_bits == pytest.approx(bits[1:5].sum())
    assert [w.bare_bits for w in found[1:]] == [w.bits for w in found[1:]]


def test_an_entropy_is_the_mean_cost(files):
    model = elman.load(files / "text")
    ids = model.reading.primed(model.reading.vocabulary.encode("ada"))
    found = sequence_entropies(model, ids, np.array([0]), np.array([3]))
    for t in range(3):
        p = np.array([p for _, p in elman.after(model, "ada"[:t], 999)])
        assert found[t] == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)
    assert words(model, elman.score(model, "ada"))[0].entropy == pytest.approx(found[0] / math.log(2))


def test_words_as_a_command(files, command):
    model = elman.load(files / "records")
    expected = words(model, elman.score(model, ODD))
    got = rows(command("score", files / "records", files / "b", "--words", "--json"))
    assert [(r["text"], r["line"], r["word"], r["place"], r["bits"]) for r in got] == [
        (w.text, w.line, w.number, w.place, round(w.bits, 6)) for w in expected
    ]
    table = list(csv.DictReader(io.StringIO(command("score", files / "records", files / "b", "--words", "--csv"))))
    assert [float(r["entropy"]) for r in table] == [r["entropy"] for r in got]
    assert "entropy" in command("score", files / "records", files / "b", "--words")


def test_the_page_of_the_top_lines(files, command):
    for name in ("records", "text"):
        page = files / f"{name}.html"
        command("score", files / name, files / "b", "--top", 3, "--html", page)
        data, arrays = unpack(page.read_text())
        top = rows(command("score", files / name, files / "b", "--top", 3, "--json"))
        assert [f["name"] for f in data["files"]] == [f"{files / 'b'}:{row['line']}" for row in top]
        score = elman.score(elman.load(files / name), ODD)
        lines = score.lines()
        model = elman.load(files / name)
        _, everything = unpack(surprisal_page(model, [score], ["b"]))
        for f, row in zip(data["files"], top, strict=True):
            begin, count = int(lines.starts[row["line"] - 1]), row["characters"]
            part = slice(f["start"], f["end"] - 1)
            assert "".join(map(chr, arrays["codes"][part])) == ODD[begin : begin + count]
            for key in arrays:
                assert arrays[key][part].tolist() == everything[key][begin : begin + count].tolist(), key
    done = run("score", files / "records", files / "b", "--top", "3", "--html", files / "x.html")
    assert done.stderr == f"{files / 'x.html'}: 3 lines, as listed\n"
    with pytest.raises(elman.InputError, match="no line is chosen"):
        lines_page(elman.load(files / "text"), [score], ["b"], [])


def test_two_models_on_one_text(files, tmp_path, command):
    one, two = elman.load(files / "records"), save(tmp_path / "other", "ada\nbo\ngrace\nq 127\n" * 9, records=True)
    first, second = elman.score(one, ODD), elman.score(two, ODD)
    found = compare(first, second)
    assert found.bits == pytest.approx(second.bits - first.bits)
    assert found.by_line.sum() == pytest.approx(found.bits)
    assert found.low < found.bits < found.high  # type: ignore[operator]
    assert (found.low, found.high) != (compare(first, second, 1).low, compare(first, second, 1).high)
    (row,) = rows(command("score", files / "records", files / "b", "--against", tmp_path / "other", "--json"))
    assert (row["bits"], row["low"], row["high"], row["lines"]) == (found.bits, found.low, found.high, 6)
    lines = rows(command("score", files / "records", files / "b", "--against", tmp_path / "other", "--lines", "--json"))
    assert [r["ratio"][str(tmp_path / "other")] for r in lines] == list(found.by_line)
    top = command("score", files / "records", files / "b", "--against", tmp_path / "other", "--top", 2, "--json")
    full = [i for i in np.argsort(-found.by_line) if i != 2]  # the third line is blank
    assert [r["line"] for r in rows(top)] == [i + 1 for i in full[:2]]
    assert "95 %" in command("score", files / "records", files / "b", "--against", tmp_path / "other")
    command("score", files / "records", files / "b", "--against", tmp_path / "other", "--html", tmp_path / "p.html")
    data, arrays = unpack((tmp_path / "p.html").read_text())
    layer = data["layers"][1]
    assert layer["name"] == f"against {tmp_path / 'other'}"
    got = arrays[layer["array"]][:-1] * layer["scale"] / 127
    np.testing.assert_allclose(got, found.by_character, atol=0.51 * layer["scale"] / 127)
    assert comparison_page(one, [first], ["b"], {str(tmp_path / "other"): [found]}).count("</html>") == 1


def test_models_that_read_differently_are_not_compared(files, tmp_path):
    model = elman.build_model(elman.Corpus("t", "ada bo q", "book", "here"), hidden_size=5, init_std=None)
    elman.save(model, tmp_path / "book")
    refused(run("score", files / "text", files / "b", "--against", tmp_path / "book"), "read the text differently")
    done = run("score", files / "text", "-", "--against", files / "bytes", "--json", stdin="ada\nbo\n")
    assert done.returncode == 0, done.stderr
    models = [elman.load(files / name) for name in ("text", "bytes")]
    one = compare(elman.score(models[0], "ada\nbo\n"), elman.score(models[1], "ada\nbo\n"))
    assert rows(done.stdout)[0]["bits"] == pytest.approx(one.bits)
    alone = compare(elman.score(models[0], "ada"), elman.score(models[1], "ada"))
    assert (alone.low, alone.high) == (None, None)


def test_an_interval_covers_as_often_as_it_says():
    draw = np.random.Generator(np.random.Philox(3))
    covered = 0
    for _ in range(100):
        values = draw.normal(0.5, 1.0, 60)
        low, high = interval(values)
        covered += low <= 0.5 * 60 <= high
    assert 85 <= covered <= 100


def interval(values):
    text = "a\n" * len(values)
    zero = Score(text, np.zeros(2 * len(values)), 0)
    other = Score(text, np.repeat(values / 2, 2), 0)
    found = compare(zero, other)
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--mask", "--mask folds lines"),
        ("--words --chars", "give one of them"),
        ("--lines --top 3", "give one of them"),
        ("--above 3 --words", "give one of them"),
        ("--against x --chars", "--against compares texts, lines and words; leave out"),
        ("--against no-such-model", "no-such-model: no such file"),
    ],
)
def test_refusals(files, options, expected):
    refused(run("score", files / "records", *options.split(), stdin=TEXT), expected)


def test_unknown_characters_are_left_out_of_a_comparison(files, command, tmp_path):
    one, two = (elman.load(files / name) for name in ("text", "bytes"))
    text = "ada bo\n日本 ada\nżó\n"
    scores = [elman.score(model, text) for model in (one, two)]
    there, back = compare(*scores), compare(*reversed(scores))  # type: ignore
    unknown = [c not in one.reading.vocabulary.symbols for c in text]
    assert there.unknown == back.unknown == sum(unknown) > 3
    (_, a), (_, b) = (score.characters() for score in scores)
    expected = np.where(unknown, 0, b - a)
    np.testing.assert_array_equal(there.by_character, expected)
    np.testing.assert_array_equal(there.by_character, -back.by_character)
    np.testing.assert_allclose(there.by_line, [expected[:7].sum(), expected[7:14].sum(), expected[14:].sum()])
    assert (there.bits, there.low, there.high) == (-back.bits, pytest.approx(-back.high), pytest.approx(-back.low))  # type: ignore
    assert there.bits_per_char == pytest.approx(there.bits / (len(text) - sum(unknown)))
    of_none = elman.score(one, "日本"), elman.score(two, "日本")
    assert (compare(*of_none).bits, compare(*of_none).bits_per_char) == (0, 0)
    (tmp_path / "t").write_text(text)
    for first, second in (("text", "bytes"), ("bytes", "text"), ("records", "text"), ("text", "records")):
        (row,) = rows(command("score", files / first, tmp_path / "t", "--against", files / second, "--json"))
        (other,) = rows(command("score", files / second, tmp_path / "t", "--against", files / first, "--json"))
        assert (row["bits"], row["unknown"]) == (-other["bits"], other["unknown"])
        shown = command("score", files / first, tmp_path / "t", "--against", files / second)
        assert "left out of the ratio" in shown
    assert (
        "unknown" not in command("score", files / "text", files / "b", "--against", files / "bytes").split("ratio:")[0]
    )


def test_the_page_of_lines_says_by_what_it_is_ranked(files, command, tmp_path):
    def table(path):
        page = path.read_text()
        heads = re.findall("<th>([^<]*)", page.split("</thead>")[0])
        cells = [re.findall("<td>(?:<a[^>]*>)?([^<]*)", row) for row in re.findall("<tr><td><a.*", page)]
        return heads, [dict(zip(heads, row, strict=True)) for row in cells], unpack(page)[0]["files"]

    top = rows(command("score", files / "records", files / "b", "--top", 3, "--json"))
    command("score", files / "records", files / "b", "--top", 3, "--html", tmp_path / "p")
    heads, cells, packed = table(tmp_path / "p")
    assert heads == ["file", "burst", "characters", "bits", "bits/char", "perplexity", "unknown"]
    assert [(c["file"], c["burst"]) for c in cells] == [
        (f"{files / 'b'}:{r['line']}", f"{r['burst']:.2f}") for r in top
    ]
    assert [file["line"] for file in packed] == [r["line"] for r in top]
    against = ("--top", 3, "--against", files / "text")
    ranked = rows(command("score", files / "records", files / "b", *against, "--json"))
    command("score", files / "records", files / "b", *against, "--html", tmp_path / "q")
    _, cells, _ = table(tmp_path / "q")
    ratio = f"ratio to {files / 'text'}"
    assert [c[ratio] for c in cells] == [f"{r['ratio'][str(files / 'text')]:.1f}" for r in ranked]


def test_the_page_of_two_models_names_them(files, command, tmp_path):
    command("score", files / "text", files / "b", "--against", files / "bytes", "--html", tmp_path / "p")
    page = (tmp_path / "p").read_text()
    one, two = (str(files / name) for name in ("text", "bytes"))
    assert f"<title>{one} against {two}: {files / 'b'}</title>" in page
    layer = unpack(page)[0]["layers"][1]
    assert layer["note"] == f"red: likelier to {one}, blue: likelier to {two}; by so many bits"
    unknown = compare(
        elman.score(elman.load(files / "text"), ODD), elman.score(elman.load(files / "bytes"), ODD)
    ).unknown
    assert ("have no colour" in page) == (unknown > 0)
    (files / "zh").write_text("ada\n日本\n")
    command("score", files / "text", files / "zh", "--against", files / "bytes", "--html", tmp_path / "p")
    assert f"have no colour; compared 2 to {two}" in (tmp_path / "p").read_text()


def test_a_line_fits_into_a_terminal(files, tmp_path):
    (tmp_path / "t").write_text("ada bo grace jean " * 20 + "\n" + "日本" * 80 + "\n" + "\x01" * 90 + "\n")
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "100"}
    done = run("score", files / "records", tmp_path / "t", "--lines", env=environment, fresh=True)
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in done.stdout.splitlines()]
    assert len(lines) == 4
    assert all(cell_len(line) <= 100 for line in lines)
    assert max(map(cell_len, lines)) > 90
