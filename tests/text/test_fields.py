"""Records out of JSON lines and CSV: values, what is left out, and what is refused with its line."""

from __future__ import annotations

import gzip

import pytest

import elman
from elman.text import Rows, csv_field, field_lines, json_field


def test_a_field_of_json_lines():
    text = '{"s": "fix: a"}\n\n{"s": "two\\n lines", "t": 1}\n'
    assert json_field(text, "s", "x") == "fix: a\ntwo lines\n"
    with pytest.raises(ValueError, match=r"x, line 3: expected an object with a string in 't'; it has 's', 't'"):
        json_field('{"t": "a"}\n\n{"s": "b", "t": 1}', "t", "x")
    with pytest.raises(ValueError, match="x, line 1: not JSON"):
        json_field("{", "t", "x")


def test_nested_and_null_fields():
    text = '{"a": {"b": "one", "c": 1}}\n{"a": null}\n{"a": {"b": null}}\n{"a.b": "two"}\n'
    text += '{"a": {"b": "three"}, "a.c": 1}\n'
    assert json_field(text, "a.b", "x") == "one\ntwo\nthree\n"
    assert json_field('{"a.b": {"c.d": "x"}}', "a.b.c.d", "x") == "x\n"
    with pytest.raises(ValueError, match=r"line 1: expected .* in 'a\.z'; it has 'a\.b', 'd'"):
        json_field('{"a": {"b": "x"}, "d": {}}', "a.z", "x")
    for wrong in ('{"a": "x"}', '{"a": ["b"]}', "[1]", "null", '{"a": {"b": 1}}', '{"a": {"b": ["x"]}}'):
        with pytest.raises(ValueError, match="line 1: expected an object with a string"):
            json_field(wrong, "a.b", "x")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_column(delimiter):
    rows = [["id", "text"], ["1", "plain"], [], ["2", '"a ""quoted"" one"'], ["3", '"two\n lines, here"'], ["4", ""]]
    text = "".join(delimiter.join(row) + "\r\n" for row in rows)
    assert csv_field(text, "text", "x") == 'plain\na "quoted" one\ntwo lines, here\n\n'
    assert csv_field(text, "id", "x") == "1\n2\n3\n4\n"
    with pytest.raises(ValueError, match="x: there is no column 'name'; its first line has 'id', 'text'"):
        csv_field(text, "name", "x")


def test_a_cell_may_be_long():
    assert csv_field("a,b\n1," + "x" * 200_000, "b", "x") == "x" * 200_000 + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no column 'b'; its first line has none"),
        ("a,b\n1\n", "line 2: 1 columns, and 'b' is column 2"),
        ('a,b\n1,"x\n', "line 2: not CSV"),
        ("a,b\n1,\ud800\n", "line 2: half a surrogate pair"),
    ],
)
def test_what_is_no_csv(text, message):
    with pytest.raises(ValueError, match=message):
        csv_field(text, "b", "x")


def test_the_name_of_a_file_says_what_it_is(tmp_path):
    (tmp_path / "n.csv").write_bytes("\ufeffname,born\nAda,1815\n".encode())
    (tmp_path / "n.tsv.gz").write_bytes(gzip.compress(b"born\tname\n1906\tGrace\n"))
    (tmp_path / "n.jsonl").write_text('{"name": "Jean"}\n')
    places = [tmp_path / name for name in ("n.csv", "n.tsv.gz", "n.jsonl")]
    assert elman.load_corpus(places, field="name", normalisation="none").text == "Ada\nGrace\nJean\n"
    with pytest.raises(elman.CorpusError, match=r"n\.csv: there is no column 'q'"):
        elman.load_corpus(tmp_path / "n.csv", field="q")


TABLE = 'id;text;cond\r\n1;"two\nlines";a\r\n\r\n2;;b\r\n3;"x;y";c\r\n'
OBJECTS = '{"id": 1, "text": "two\\nlines", "in": {"cond": "a"}}\n\n{"id": 9, "text": null, "in": {"cond": 0}}\n'
OBJECTS += '{"id": 3, "text": "", "in": {"cond": ["c"]}}\n'


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_rows_keep_their_line_and_other_columns(size):
    parts = [TABLE[i : i + size] for i in range(0, len(TABLE), size)]
    rows = Rows(["cond", "id"])
    assert list(field_lines(parts, "text", "x", rows=rows)) == ["two lines\n", "\n", "x;y\n"]
    assert [rows.line(n) for n in (1, 2, 3)] == [2, 5, 6]
    assert [rows.columns(n) for n in (1, 2, 3)] == [{"cond": c, "id": i} for c, i in zip("abc", "123", strict=True)]
    rows.forget(3)
    rows.forget(2)
    assert (rows.line(3), rows.columns(3)) == (6, {"cond": "c", "id": "3"})
    parts, rows = [OBJECTS[i : i + size] for i in range(0, len(OBJECTS), size)], Rows(["in.cond", "id"])
    assert list(field_lines(parts, "text", "x", rows=rows)) == ["two lines\n", "\n"]
    assert [(rows.line(n), rows.columns(n)) for n in (1, 2)] == [
        (1, {"in.cond": "a", "id": 1}),
        (4, {"in.cond": ["c"], "id": 3}),
    ]


@pytest.mark.parametrize(
    ("source", "text", "message"),
    [
        ("x.csv", "text,id\na,1\n", "x.csv: there is no column 'cond'; its first line has 'text', 'id'"),
        ("x.csv", "text,cond,cond\na,1,2\n", "x.csv: 2 columns are called 'cond'; expected one"),
        ("x.csv", "text,id,cond\na,1\n", "x.csv, line 2: 2 columns, and 'cond' is column 3"),
        ("x", '{"text": "a", "cond": 1}\n{"text": "a"}\n', "x, line 2: expected an object with the field 'cond'"),
        ("x", "lines\n", "x, line 1: not JSON"),
    ],
)
def test_a_column_to_keep_that_is_not_there(source, text, message):
    with pytest.raises(elman.InputError, match=message):
        list(field_lines([text], "text", source, or_lines=True, rows=Rows(["cond"])))
