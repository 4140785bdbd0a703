"""Records beside a training list: shares counted by hand, distances against a plain loop."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import run
from small_models import save

import elman
from elman.inspection import nearest, records_report


def edits(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j - 1] + (x != y), before[j] + 1, row[-1] + 1))
    return row[-1]


def test_the_nearest_is_the_nearest_and_the_first():
    draw = np.random.Generator(np.random.Philox(1))
    records = ["".join(draw.choice(list("abcż "), draw.integers(0, 9))) for _ in range(700)]
    texts = ["".join(draw.choice(list("abcżd "), draw.integers(1, 12))) for _ in range(20)]
    for found, text in zip(nearest(texts, records), texts, strict=True):
        distances = [edits(text, record) for record in records]
        assert (found.text, found.edits) == (text, min(distances))
        assert found.nearest == records[distances.index(min(distances))]


def test_shares():
    vocabulary = elman.Vocabulary.from_text("abc\n")
    encode = vocabulary.encode
    report = records_report(encode("a\nab\nab\nbb\nc"), encode("a\nabc\na\n"), encode("a\nb\n"), vocabulary)
    assert (report.written, report.distinct, report.known, report.held_out_known, report.training) == (
        4,
        0.75,
        0.25,
        0.5,
        2,
    )
    assert [(n.text, n.nearest, n.edits) for n in report.nearest] == [("ab", "a", 1), ("bb", "a", 2)]
    assert records_report(encode("a\n"), encode("a\n"), None, vocabulary).held_out_known is None
    with pytest.raises(elman.InputError, match="no whole record"):
        records_report(encode("a"), encode("a\n"), None, vocabulary)


def test_the_command_speaks_of_records(tmp_path):
    names = "ada\nbo\ngrace\njean\n" * 9
    save(tmp_path / "m", names, records=True)
    (tmp_path / "list").write_text(names)
    options = ["inspect", tmp_path / "m", "-", "--length", "300", "--corpus", tmp_path / "list"]
    told = json.loads(run(*options, "--json", stdin="ada\n").stdout)["records"]
    assert told["training"] == 4
    assert len(told["nearest"]) == 10
    printed = run(*options, "--html", tmp_path / "p.html", stdin="ada\n")
    assert printed.returncode == 0, printed.stderr
    assert f"of {told['written']:,} records that the model wrote" in printed.stdout
    assert told["nearest"][0]["nearest"] in printed.stdout
    assert "<h2>Records</h2>" in (tmp_path / "p.html").read_text()
    save(tmp_path / "text", names)
    assert "records" not in json.loads(run("inspect", tmp_path / "text", *options[2:], "--json", stdin="ada\n").stdout)
