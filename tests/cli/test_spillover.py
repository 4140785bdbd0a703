"""`score --words --spillover N`: the bits of the words before, within the line, and words without punctuation."""

from __future__ import annotations

import csv
import io
import json

import pytest
from command_line import refused, run
from small_models import save

TEXT = "the traveller, came down.\nhome again\n...\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("spillover") / "m.safetensors"
    save(path, records=True)
    return path


@pytest.mark.parametrize("against", [(), ("--html", "page.html")])
def test_columns_are_the_rows_before(model, tmp_path, against):
    plain = run("score", model, "-", "--words", "--json", stdin=TEXT)
    done = run("score", model, "-", "--words", "--spillover", 2, "--json", *against, stdin=TEXT, cwd=tmp_path)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [json.loads(line) for line in plain.stdout.splitlines()]
    assert len(rows) == 7
    for place, (row, base) in enumerate(zip(rows, expected, strict=True)):
        more = {
            f"bits_prev{k}": expected[place - k]["bits"] if place >= k and row["word"] > k else None for k in (1, 2)
        }
        assert row == {**base, **more}
        bare = {"traveller,": "traveller", "down.": "down"}.get(row["text"], row["text"])
        assert bare is not None
        assert (row["bare"], row["length"]) == (bare, len(bare))
        assert (row["bare_bits"] < row["bits"]) == (row["bare"] != row["text"])
    table = list(
        csv.DictReader(io.StringIO(run("score", model, "-", "--words", "--spillover", 1, "--csv", stdin=TEXT).stdout))
    )
    assert [row["bits_prev1"] for row in table] == [
        "" if r["bits_prev1"] is None else str(r["bits_prev1"]) for r in rows
    ]
    none = run("score", model, "-", "--words", "--spillover", 0, "--json", stdin=TEXT)
    assert json.loads(none.stdout.splitlines()[0]) == expected[0]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--spillover", 1), "--spillover is a number of words of --words, from 0 on; give both"),
        (("--words", "--spillover", -1), "--spillover is a number of words of --words"),
        (("--words", "--spillover", 1), "--spillover adds columns for programs; give --csv or --json"),
    ],
)
def test_what_does_not_fit(model, arguments, line):
    refused(run("score", model, "-", *arguments, stdin=TEXT), line)
