"""A table of word counts: read as lists of frequencies have it, and used by `elman score --words --frequency`."""

from __future__ import annotations

import csv
import io
import math

import pytest

import elman
from elman.errors import InputError
from elman.scoring import is_word_table, word_table


def test_counts_are_read(tmp_path):
    (tmp_path / "list.TSV").write_text(
        '\ufeffWord\tFREQcount\tCDcount\nthe\t12\t3\nThe\t4\t1\n\n"o\'clock"\t7\t1\n', "utf-8"
    )
    assert is_word_table("list.TSV")
    assert not is_word_table("talk.txt")
    assert word_table(tmp_path / "list.TSV") == {"the": 16, "o'clock": 7}
    (tmp_path / "list.csv").write_text("rank,frequency,Spelling\n1,5,sea\n")
    assert word_table(tmp_path / "list.csv") == {"sea": 5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column is called word"),
        ("the,12\n", "its first line names the, 12"),
        ("word,rank\nthe,1\n", "no column is called count"),
        ("word,count\nthe,many\n", "line 2: expected a word"),
        ("word,count\nthe\n", "line 2: expected a word"),
        ("word,count\nthe,-1\n", "line 2: expected a word"),
        ("word,count\nthe,1.5\n", "line 2: expected a word"),
        ('word,count\n"the,1\n', "no table of words"),
        (b"word,count\n\xff,1\n", "no table of words"),
    ],
)
def test_what_is_no_table_is_refused_in_a_line(tmp_path, text, said):
    (tmp_path / "list.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said) as refused:
        word_table(tmp_path / "list.csv")
    assert str(tmp_path / "list.csv") in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_command_adds_the_column(tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    corpus = elman.Corpus("t", "the sea was calm\n" * 5, "none", "here", False)
    elman.save(elman.build_model(corpus, hidden_size=8), tmp_path / "m.safetensors")
    (tmp_path / "list.csv").write_text("word,count\nsea,99\nthe,1000\n")
    (tmp_path / "text").write_text("The sea, calm.\n")
    shown = command("score", "m.safetensors", "text", "--words", "--frequency", "list.csv", "--csv")
    rows = list(csv.DictReader(io.StringIO(shown)))
    assert [float(row["frequency"]) for row in rows] == [round(math.log10(1001), 6), 2.0, 0.0]
