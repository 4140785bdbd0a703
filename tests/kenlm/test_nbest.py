"""`elman rescore`: what it prints is what a sum by hand gives, in both formats."""

from __future__ import annotations

import json

import pytest
from command_line import refused, run
from small_models import save

from elman import kenlm

MOSES = """\
0 ||| the sea ||| LM= -7.5 WordPenalty= -2 ||| -3.25
0 ||| teh esa ||| LM= -7 WordPenalty= -2 ||| -3
1 ||| home again ||| LM= -2 ||| -1.5 ||| 0=0 1=1
"""
PLAIN = "-3.25\tthe sea\n-3\tteh esa\n\n\n-1.5\thome again\n"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("nbest") / "m.safetensors"
    save(path, records=True)
    return path


def totals(path, weight):
    model = kenlm.Model(path)
    given = {"the sea": -3.25, "teh esa": -3.0, "home again": -1.5}
    return {text: (total + weight * model.score(text), model.score(text)) for text, total in given.items()}


@pytest.mark.parametrize("weight", [0.5, -2, 0])
def test_totals_by_hand_and_the_order(path, weight):
    expected = totals(path, weight)
    done = run("rescore", path, "--weight", weight, stdin=MOSES)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" ||| ") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["0", "0", "1"]
    for row in rows:
        total, log10 = expected[row[1]]
        assert float(row[3]) == pytest.approx(total, rel=1e-8)
        name, value = row[2].split()[-2:]
        assert name == "Elman="
        assert float(value) == pytest.approx(log10, rel=1e-8)
    assert rows[0][2].startswith("LM= -7")
    assert rows[2][4] == "0=0 1=1"
    assert rows[0][1] == max(("the sea", "teh esa"), key=lambda text: expected[text][0])

    done = run("rescore", path, "-", "--weight", weight, stdin=PLAIN)
    lines = done.stdout.split("\n")
    assert [line.partition("\t")[2] for line in lines] == [rows[0][1], rows[1][1], "", rows[2][1], ""]
    assert float(lines[0].partition("\t")[0]) == pytest.approx(expected[rows[0][1]][0], rel=1e-8)


def test_what_comes_out_can_be_rescored(path, tmp_path):
    (tmp_path / "n.txt").write_text(MOSES)
    once = run("rescore", path, tmp_path / "n.txt", "--weight", 0.25).stdout
    twice = run("rescore", path, "--weight", 0.25, "--name", "Second", stdin=once).stdout
    assert " Elman= " in twice
    assert " Second= " in twice
    at_once = run("rescore", path, "--weight", 0.5, "--json", stdin=MOSES).stdout
    expected = [json.loads(line)["total"] for line in at_once.splitlines()]
    assert [float(line.split(" ||| ")[3]) for line in twice.splitlines()] == pytest.approx(expected, rel=1e-6)


def test_the_best_of_each_list(path):
    assert run("rescore", path, "--weight", 0, "--best", stdin=MOSES).stdout == "teh esa\nhome again\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0 ||| a ||| -1\n", "stdin: line 1: 3 fields with ||| between them; expected at least 4"),
        ("-1\ta\nb\n", "stdin: line 2: no tab; expected score, tab, text"),
        ("-1\ta\nb\tc\n", "stdin: line 2: the score is 'b'; expected a number"),
        ("0 ||| a ||| F= 1 ||| nan\n", "stdin: line 1: the score is 'nan'; expected a number"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_printed(path, text, line):
    done = run("rescore", path, stdin=text)
    refused(done, line)
    assert not done.stdout


def test_a_weight_that_is_no_number(path):
    refused(run("rescore", path, "--weight", "nan", stdin=MOSES), "--weight must be finite, got nan")
