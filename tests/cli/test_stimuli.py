"""`score --words` of stimuli in a table: the file's lines, its other columns, and several models beside one another."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from command_line import refused, run
from small_models import save

import elman
from elman.scoring import words

TABLE = 'id,text,cond\n7,"the sea,\nwent.",a\n\n8,,b\n9,"home again","x,y"\n'
OBJECTS = '{"id": 7, "text": "the sea", "in": {"cond": [1]}}\n\n{"id": 8, "text": null, "in": {"cond": 0}}\n'
OBJECTS += '{"id": 9, "text": "home", "in": {"cond": true}}\n'
TEXTS = "the sea, went.\n\nhome again\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("stimuli")
    for name, records in (("m", True), ("other", False)):
        save(made / name, records=records)
    save(made / "third", text="home again, and went to the sea so.\n", records=True)
    (made / "items.csv").write_text(TABLE)
    (made / "more.jsonl").write_text(OBJECTS)
    return made


def listed(*arguments, cwd, stdin=""):
    done = run("score", "m", *arguments, cwd=cwd, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(*arguments, cwd, stdin=""):
    return [json.loads(line) for line in listed(*arguments, "--json", cwd=cwd, stdin=stdin).splitlines()]


@pytest.mark.parametrize("whole", [(), ("--html", "page.html")])
@pytest.mark.parametrize("piped", [False, True])
def test_columns_and_lines_of_the_file(folder, whole, piped):
    source, text = ("-", TABLE) if piped else ("items.csv", "")
    options = ("--words", "--field", "text", "--keep", "cond", "--keep", "id", *whole)
    found = rows(source, *options, cwd=folder, stdin=text)
    model = elman.load(folder / "m")
    expected = words(model, elman.score(model, TEXTS, records=True))
    assert [(r["text"], r["place"], r["bits"]) for r in found] == [
        (w.text, w.place, round(w.bits, 6)) for w in expected
    ]
    assert [(r["line"], r["word"], r["id"], r["cond"]) for r in found] == [
        (2, 1, "7", "a"), (2, 2, "7", "a"), (2, 3, "7", "a"), (6, 1, "9", "x,y"), (6, 2, "9", "x,y"),
    ]  # fmt: skip
    table = list(csv.DictReader(io.StringIO(listed(source, *options, "--csv", cwd=folder, stdin=text))))
    assert [(r["line"], r["cond"], r["bare"]) for r in table] == [(str(r["line"]), r["cond"], r["bare"]) for r in found]


def test_keys_of_json_lines(folder):
    options = ("more.jsonl", "items.csv", "--words", "--field", "text", "--keep", "id")
    assert [(r["file"], r["line"], r["id"]) for r in rows(*options, cwd=folder)[:3]] == [
        ("more.jsonl", 1, 7), ("more.jsonl", 1, 7), ("more.jsonl", 4, 9),
    ]  # fmt: skip
    options = ("more.jsonl", "--words", "--field", "text", "--keep", "in.cond")
    assert [r["in.cond"] for r in rows(*options, cwd=folder)] == [[1], [1], True]
    table = csv.DictReader(io.StringIO(listed(*options, "--csv", cwd=folder)))
    assert [json.loads(r["in.cond"]) for r in table] == [[1], [1], True]


def test_rows_of_a_large_file_stay_with_their_words(folder, monkeypatch):
    monkeypatch.setattr("elman.scoring.stream._PIECE", 200)
    table = "text,id\n" + "".join(f'"the\nsea {"again " * (i % 3)}",{i}\n' for i in range(60))
    found = rows("-", "--words", "--field", "text", "--keep", "id", cwd=folder, stdin=table)
    assert [(r["id"], r["line"]) for r in found if r["word"] == 2] == [(str(i), 2 + 2 * i) for i in range(60)]


@pytest.mark.parametrize("options", [("--lines",), ("--lines", "--mask"), ("--above", -1)])
def test_lines_are_those_of_the_file(folder, options):
    done = run("score", "m", "items.csv", "--field", "text", *options, "--json", cwd=folder)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["line"] for r in found if r["text"]] == [2, 6]


def test_the_page_and_the_list_name_the_same_lines(folder):
    done = rows("items.csv", "--field", "text", "--top", 1, "--html", "top.html", cwd=folder)
    assert f"items.csv:{done[0]['line']}" in (folder / "top.html").read_text()
    assert done[0]["line"] in (2, 6)


def test_several_models_side_by_side(folder):
    against = ("--against", "other", "--against", "third")
    options = ("items.csv", "--words", "--field", "text", "--keep", "id", "--spillover", 1)
    found, alone = rows(*options, *against, cwd=folder), rows(*options, cwd=folder)
    assert [{k: v for k, v in row.items() if k != "against"} for row in found] == alone
    for name in ("other", "third"):
        model = elman.load(folder / name)
        expected = [w.bits for w in words(model, elman.score(model, TEXTS, records=True))]
        assert [r["against"][name] for r in found] == pytest.approx(expected, abs=1e-6)
    table = list(csv.DictReader(io.StringIO(listed(*options, *against, "--csv", cwd=folder))))
    assert [float(r["against third"]) for r in table] == [r["against"]["third"] for r in found]
    shown = listed("items.csv", "--words", "--field", "text", *against, cwd=folder).splitlines()
    assert shown[0].split() == ["line", "word", "place", "bits", "bits", "2", "bits", "3", "entropy", "text"]
    assert math.isclose(float(shown[1].split()[4]), found[0]["against"]["other"], abs_tol=0.005)
    assert shown[-2:] == ["bits 2: other", "bits 3: third"]


@pytest.mark.parametrize("whole", [(), ("--against", "other")])
def test_frequencies_are_of_words_without_case_and_punctuation(folder, whole):
    (folder / "corpus.txt").write_text("The sea. (the SEA!) the\nsea's " + "went " * 99 + "...")
    options = ("items.csv", "--words", "--field", "text", "--frequency", "corpus.txt", *whole)
    counts = {"the": 3, "sea": 2, "went": 99}
    found = rows(*options, cwd=folder)
    assert [r["frequency"] for r in found] == [round(math.log10(1 + counts.get(r["bare"], 0)), 6) for r in found]
    assert found[2]["frequency"] == 2
    assert found[3]["frequency"] == 0
    assert "frequency" not in rows("items.csv", "--words", "--field", "text", cwd=folder)[0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--frequency", "items.csv"), "--frequency adds columns to --words; give both"),
        (("--words", "--frequency", "items.csv"), "--frequency adds columns for programs; give --csv or --json"),
        (("--words", "--frequency", "none.txt", "--csv"), "none.txt"),
        (("--keep", "id"), "--keep adds columns to --words; give both"),
        (("--words", "--keep", "id", "--csv"), "--keep takes columns of rows; give --field"),
        (("--words", "--keep", "id", "--field", "text"), "--keep adds columns for programs; give --csv or --json"),
        (
            ("--words", "--keep", "text", "--field", "text", "--csv"),
            "--keep text: the list has a column 'text' already",
        ),
        (("--words", "--keep", "q", "--field", "text", "--csv"), "there is no column 'q'"),
        (("--words", "--keep", "id", "--field", "text", "--csv", "--no-records"), "--keep takes each row by itself"),
    ],
)
def test_what_does_not_fit(folder, arguments, line):
    refused(run("score", "m", "items.csv", *arguments, cwd=folder), line)
