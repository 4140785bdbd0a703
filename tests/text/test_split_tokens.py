"""Tokens by a regular expression: lossless, the same wherever a text is cut, kept in the file, safe from its author."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import numpy as np
import pytest
from command_line import refused, run

import elman
from elman.corpora import cached, files, load_mapped, mapped
from elman.export.plain import to_plain
from elman.text import SplitTokens, Vocabulary, find_tokens
from elman.typing import Typist

SMILES = r"\[[^\]]+]|Br|Cl|%\d\d"
RINGS = ("c1ccccc1", "C1CCOCC1", "c1cc[nH]c1", "c1ccncc1", "C%12CC%12")
ENDS = ("", "Cl", "Br", "O", "C(=O)O", "[N+](=O)[O-]", "[C@@H](N)C")
TEXT = "".join(f"{start}{ring}{end}\n" for start in ("", "CC", "ClC") for ring in RINGS for end in ENDS)
SMALL = ("--hidden-size", 8, "--batch-size", 4, "--seq-length", 9, "--val-fraction", "0.1")


def spelt(vocabulary: Vocabulary, text: str) -> list[str]:
    return [vocabulary.name(id) for id in vocabulary.encode(text).tolist()]


def test_tokens_are_what_the_expression_matches():
    vocabulary = find_tokens([TEXT], SMILES)
    for line in TEXT.splitlines():
        assert spelt(vocabulary, line) == re.findall(f"{SMILES}|.", line)
    counts = [len(re.findall(re.escape(token), TEXT)) for token in vocabulary.tokens]
    assert counts == sorted(counts, reverse=True)
    assert set(vocabulary.tokens) == set(re.findall(SMILES, TEXT))
    assert spelt(vocabulary, "[2H]Cl\nC") == ["[", "2", "H", "]", "Cl", "\n", "C"]  # the text had no [2H]


def test_music():
    vocabulary = find_tokens(["X:1\nK:G\n^F2 G,,2 | c'4 [GBd]\n"], r"[_=^]*[A-Ga-g][,']*\d*|[A-Z]:")
    assert spelt(vocabulary, "K:^F2c'4|") == ["K:", "^F2", "c'4", "|"]


def test_the_longest_token_is_taken():
    vocabulary = SplitTokens(["ab", "abcd", "cd"], "abcd|ab|cd")
    assert spelt(vocabulary, "abcabcdcd") == ["ab", "c", "abcd", "cd"]


def test_no_text_is_lost_wherever_it_is_cut():
    draw = random.Random(4)
    vocabulary = find_tokens([TEXT + "é海é海 Ωx Ωx\n"], SMILES + "|é海")
    assert {"é海", "Ω"} < set(vocabulary.tokens)
    alphabet = ["Cl", "[nH]", "[n", "B", "r", "é海", "é", "Ω", "\n", "\0", "😀", "\r\n"]
    for _ in range(200):
        text = "".join(draw.choices(alphabet, k=draw.randrange(40)))
        ids = vocabulary.encode(text)
        assert vocabulary.decode(ids) == text
        assert vocabulary.characters(ids) == len(text)
        cuts = sorted(draw.choices(range(len(text) + 1), k=3))
        data, parts = text.encode(), [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        cut = draw.randrange(len(data) + 1)
        for pieces in (parts, [data[:cut], b"", data[cut:]]):
            assert np.concatenate(list(vocabulary.encode_parts(pieces))).tolist() == ids.tolist()
        noise = draw.randbytes(draw.randrange(200))
        assert vocabulary.decode_bytes(vocabulary.encode(noise)) == noise
    half = "C\ud800Cl"
    assert vocabulary.decode_bytes(vocabulary.encode(half)) == half.encode("utf-8", "surrogatepass")
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary


def test_tokens_are_found_wherever_the_text_is_cut():
    whole = find_tokens([TEXT], SMILES)
    assert find_tokens([TEXT[i : i + 7] for i in range(0, len(TEXT), 7)], SMILES) == whole
    assert find_tokens([TEXT.encode()], SMILES) == whole


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "the expression is ''; expected 1 to 500 characters"),
        ("a" * 501, "expected 1 to 500 characters"),
        ("\ud800", "expected 1 to 500 characters"),
        ("[", "no regular expression of Python's re: unterminated character set"),
        ("(" * 490, "no regular expression"),
        ("a{99999999999}", "no regular expression"),
        ("Xe", "matches nothing in the text that is longer than a character"),
        ("C", "matches nothing in the text that is longer than a character"),
        ("x*", "matches nothing in the text that is longer than a character"),
        ("C{65,}", "matches 70 characters at once; expected at most 64 characters"),
    ],
)
def test_expressions_that_cannot_be(expression, message):
    with pytest.raises(elman.InputError, match=re.escape(message)) as caught:
        find_tokens([TEXT + "C" * 70], expression)
    assert "\n" not in str(caught.value)


def test_too_many_tokens():
    numbers = "".join(f"{k}\n" for k in range(10, 65_400))
    with pytest.raises(elman.InputError, match="expected at most 64 characters and 65,280 tokens"):
        find_tokens([numbers], r"\d+")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": None}, "'tokens', a list of strings"),
        ({"expression": 3}, "'tokens', a list of strings"),
        ({"expression": "a" * 501}, "expected 1 to 500 characters"),
        ({"expression": ""}, "expected 1 to 500 characters"),
        ({"tokens": [3]}, "a token is 3"),
        ({"tokens": ["a"]}, "two bytes or more"),
        ({"tokens": [""]}, "two bytes or more"),
        ({"tokens": ["a\nb"]}, "without line ends"),
        ({"tokens": ["a\ud800"]}, "expected a string"),
        ({"tokens": ["ab", "ab"]}, "lists a token twice"),
        ({"tokens": ["a" * 65]}, "65 characters; expected at most 64"),
        ({"tokens": ["ab"] * 65_281}, "65,281 tokens besides the bytes; expected at most 65,280"),
    ],
)
def test_damaged_files_are_refused(changes, message):
    data = {"kind": "split", "symbols": [], "tokens": ["ab"], "expression": "ab"} | changes
    with pytest.raises(elman.InputError, match=message):
        Vocabulary.from_dict(data)


def test_no_expression_of_a_file_is_run():
    hostile = [("a" * k) + chr(0x100 + k) for k in range(1, 64)]
    data = {"kind": "split", "symbols": [], "tokens": hostile, "expression": "(a+)+$"}
    vocabulary = Vocabulary.from_dict(data)
    text = "a" * 20_000 + "!"  # on which (a+)+$ would never end
    assert vocabulary.decode(vocabulary.encode(text)) == text


def test_a_model_of_them(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(TEXT, "utf-8", newline="")
    (tmp_path / "u.txt").write_text(TEXT[::-1].lstrip() + "\n", "utf-8", newline="")
    small = [*SMALL, "--schedule", "constant"]
    printed = command("train", "t.txt", "--records", "--split", SMILES, *small, "--epochs", 2, "--output", "a")
    assert "in the vocabulary of tokens" in printed
    model = elman.load("a")
    assert isinstance(model, elman.LanguageModel)
    vocabulary = model.reading.vocabulary
    assert vocabulary == find_tokens([TEXT], SMILES)
    assert vocabulary.setting == f"split:{SMILES}"
    command("train", "t.txt", "--records", "--tokens", f"split:{SMILES}", *small, "--epochs", 1, "--output", "b")
    command("train", "--resume", "b", "--epochs", 2)
    assert elman.load("b").fingerprint() == model.fingerprint()
    command("train", "u.txt", "--from", "a", "--epochs", 1, "--batch-size", 4, "--output", "c")
    assert elman.load("c").reading == model.reading
    score = elman.score(model, TEXT)
    text, bits = score.characters()
    assert text == TEXT
    assert len(bits) == len(text)
    assert bits.sum() == pytest.approx(score.bits)
    assert json.loads(command("score", "a", "t.txt", "--json"))["bits"] == score.bits
    assert "".join(elman.generation.stream(model, "Cl", 90, seed=2)) == elman.generate(model, "Cl", 90, seed=2)
    assert len(command("generate", "a", "--new", "2", "--corpus", "t.txt", "--temperature", "2").splitlines()) == 2
    command("inspect", "a", "t.txt", "--length", "60", "--corpus", "t.txt", "--html", "i.html")
    command("score", "a", "t.txt", "--top", "2", "--html", "p.html")
    command("quantise", "a", "--output", "q.safetensors", "--text", "t.txt")
    assert elman.score(elman.load("q.safetensors"), TEXT).bits == pytest.approx(score.bits, rel=0.1)
    assert f"{len(vocabulary)} split" in command("info", "q.safetensors")
    assert sum(Typist(model, "Clr[nH]\n", width=None).distribution().values()) == pytest.approx(1)
    assert to_plain(model)[:8] == b"ELMANMDL"


def test_training_on_from_a_file_whose_expression_is_none(tmp_path):
    model = elman.LanguageModel(elman.GRU(257, 2), elman.Reading(SplitTokens(["Cl"], "[\n\x1b")))
    elman.save(model, tmp_path / "m.safetensors", {})
    (tmp_path / "t.txt").write_text(TEXT, "utf-8", newline="")
    done = run("train", "t.txt", "--from", "m.safetensors", "--tokens", "chars", cwd=tmp_path)
    refused(done, r"m.safetensors has tokens split:[\n\x1b; leave out --tokens, or --from")
    done = run("train", "t.txt", "--from", "m.safetensors", *SMALL[2:], "--epochs", 1, "--output", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert elman.load(tmp_path / "r").reading == model.reading


def test_what_they_are_refused_for():
    vocabulary = SplitTokens(["ab"], "ab")
    model = elman.LanguageModel(elman.GRU(257, 2), elman.Reading(vocabulary))
    with pytest.raises(elman.InputError, match="the text was cut into others"):
        elman.model.extend(model, SplitTokens(["cd"], "cd"))
    with pytest.raises(elman.InputError, match=r"tokens must be chars, bytes, bpe:N, split:REGEX or the path"):
        elman.load_corpus("traveller", tokens="words")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--split", "["), "tokens split:[: no regular expression of Python's re: unterminated character set"),
        (("--split", ""), "the expression is ''; expected 1 to 500 characters"),
        (
            ("--split", "ab", "--tokens", "chars"),
            "--split is short for --tokens split:ab; leave it out, or --tokens chars",
        ),
        (("--split", "ab", "--bytes"), "--split is short for --tokens split:ab; leave it out, or --tokens bytes"),
        (("--split", "Xe"), "tokens split:Xe matches nothing in the text that is longer than a character"),
    ],
)
def test_one_line_and_status_2(tmp_path, arguments, message):
    (tmp_path / "t.txt").write_text(TEXT, "utf-8", newline="")
    refused(run("train", "t.txt", "--output", "r", *arguments, cwd=tmp_path), message)
    assert not (tmp_path / "r").exists()


def test_mapped_is_that_in_memory(tmp_path, monkeypatch):
    for module in (mapped, cached):
        monkeypatch.setattr(module, "cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(mapped, "_BLOCK", 7)
    monkeypatch.setattr(files, "BLOCK", 7)
    (tmp_path / "t.txt").write_text(TEXT, "utf-8", newline="")
    how: dict[str, Any] = {"normalisation": "none", "tokens": f"split:{SMILES}"}
    there, here = load_mapped(tmp_path / "t.txt", **how), elman.load_corpus(tmp_path / "t.txt", **how)
    vocabulary = there.vocabulary()
    assert vocabulary == here.vocabulary() == find_tokens([TEXT], SMILES)
    assert np.array_equal(there.ids(vocabulary), here.ids(vocabulary))
    monkeypatch.setattr(mapped, "long_tokens", None)  # not found again
    assert load_mapped(tmp_path / "t.txt", **how).vocabulary() == vocabulary
