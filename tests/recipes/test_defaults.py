"""What `elman train` does when nobody says: recipe by the kind of text, epochs and batch by its size or by minutes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from command_line import refused, run

import elman
from elman.model import read_header
from elman.recipes import load_recipe, recipe_names
from elman.recipes.toml import to_toml
from elman.text import visible
from elman.training.choice import for_size, tokens_for

SMALL = ["--hidden-size", "8", "--epochs", "1"]


def corpus(size: int, records: bool = False) -> elman.Corpus:
    return elman.Corpus("t", ("Ada, b. 1815\n" * (size // 13 + 1))[:size], "none", "here", records)


def test_a_text_of_ones_own_is_left_as_it_is(tmp_path):
    (tmp_path / "Mine.txt").write_text("Ada Lovelace,\n\tb. 1815\n" * 200)
    done = run("train", "Mine.txt", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[:2]
    assert first == "Mine.txt: 4,600 characters, 19 in the vocabulary, normalisation none"
    recipe = load_recipe("modern")
    assert second == f"recipe modern: 1 epoch, batches of 4 x {recipe.seq_length}, {recipe.optimizer}, lr {recipe.lr:g}"
    model = elman.load(tmp_path / "runs" / "Mine")
    assert f"\n  - {visible(elman.generate(model, '', 50))}\n" in done.stdout  # what it writes, from nothing
    reading = model.reading
    assert {"A", "\n", "\t"} < set(reading.vocabulary.symbols)
    assert reading.normalisation == "none"


def test_a_named_corpus_keeps_the_books(tmp_path):
    done = run("train", *SMALL, cwd=tmp_path)
    assert done.stdout.splitlines()[1] == "recipe book: 1 epoch, batches of 32 x 35, sgd, lr 1"
    assert elman.load(tmp_path / "runs" / "traveller").reading.normalisation == "book"
    done = run("train", "traveller", "--recipe", "modern", *SMALL, cwd=tmp_path)
    recipe = load_recipe("modern")  # taken as it is, since it was asked for
    assert f"recipe modern: 1 epoch, batches of {recipe.batch_size} x {recipe.seq_length}" in done.stdout


def test_several_files(tmp_path):
    (tmp_path / "a.txt").write_text("one two three " * 100)
    (tmp_path / "b.txt").write_text("four five six " * 100)
    done = run("train", "a.txt", "b.txt", *SMALL, cwd=tmp_path)
    assert done.stdout.startswith("a.txt+1: 2,801 characters,"), done.stderr
    header = read_header(tmp_path / "runs" / "a")
    assert header["run"]["corpus"]["source"] == ["a.txt", "b.txt"]
    told = run("inspect", "runs/a", "-", "--length", "50", "--corpus", "a.txt", "--json", stdin="one two", cwd=tmp_path)
    assert json.loads(told.stdout)["memorisation"]["corpus"] == 1400


@pytest.mark.parametrize(
    ("size", "records", "of_30", "of_7", "batch"),
    [(3_000, False, 30, 10, 4), (12_000, False, 30, 10, 9), (100_000, False, 30, 7, 32), (2_000_000, False, 10, 7, 32),
     (50_000_000, False, 1, 1, 32), (1_300, True, 30, 10, 5), (13_000, True, 30, 7, 32)],
)  # fmt: skip
def test_epochs_and_batch_by_size(size, records, of_30, of_7, batch):
    recipe = load_recipe("modern").replace(batch_size=32, seq_length=64, epochs=30)
    chosen = for_size(recipe, corpus(size, records), {})
    assert (chosen.epochs, chosen.batch_size) == (of_30, batch)
    assert for_size(recipe.replace(epochs=7), corpus(size, records), {}).epochs == of_7
    given = {"epochs": recipe.epochs, "batch_size": 32, "val_fraction": 0.05, "val_blocks": 16}
    assert for_size(recipe, corpus(size, records), given) == recipe


@pytest.mark.parametrize(("size", "tokens"), [(199_999, "chars"), (200_000, "bpe:1000"), (500_000, "bpe:2000")])
def test_tokens_by_size(size, tokens):
    assert tokens_for(corpus(size)) == tokens
    assert tokens_for(corpus(size, records=True)) == "chars"
    assert tokens_for(elman.Corpus("t", b"Ada, b. 1815\n" * (size // 13), "none", "here")) == "chars"
    draw = random.Random(1)  # as in a script of thousands of signs, most subwords are parts of one
    signs = "".join(draw.choices([chr(0x4E00 + i) for i in range(3000)], k=size))
    assert tokens_for(elman.Corpus("t", signs, "none", "here")) == "chars"


def test_a_long_text_is_learned_in_subwords(tmp_path):
    draw, words = random.Random(2), [f"{a}{b}{c}" for a in "tsk" for b in "aeio" for c in ("ll", "nder", "m", "ring")]
    (tmp_path / "t.txt").write_text("".join(f"{' '.join(draw.choices(words, k=8))}.\n" for _ in range(5200)))
    told = run("train", "t.txt", *SMALL, "--output", "a", "--batch-size", "64", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert "in the vocabulary of subwords" in lines[0]
    assert lines[1].startswith("recipe subwords: 1 epoch, batches of 64 x 64")
    assert "in subwords; to learn characters, give --tokens chars\n" in told.stdout
    assert " bits/char)" in told.stdout
    assert "blocks spread over the text" in told.stdout
    header = read_header(tmp_path / "a")
    assert header["run"]["recipe"]["tokens"] == "bpe:1000"
    more = run("train", "--resume", "a", "--epochs", "2", cwd=tmp_path)
    assert more.returncode == 0, more.stderr
    assert "epoch    2" in more.stdout
    told = run("train", "t.txt", *SMALL, "--tokens", "chars", "--output", "b", cwd=tmp_path)
    assert told.stdout.splitlines()[1].startswith("recipe modern: ")
    assert "subwords" not in told.stdout
    text = elman.load_corpus(tmp_path / "t.txt", tokens="bpe:300")
    trained = elman.fit(elman.build_model(text, hidden_size=8), text, epochs=1, batch_size=64)
    assert trained.recipe == for_size(load_recipe("subwords"), text, {"batch_size": 64, "epochs": 1}).replace(
        tokens=text.vocabulary().setting, epochs=1, batch_size=64
    )


@pytest.mark.parametrize(
    ("size", "share", "blocks"),
    [(3_000, 0.1, 16), (150_000, 0.067, 16), (200_000, 0.05, 16), (1_000_000, 0.02, 16), (3_000_000, 0.02, 16),
     (12_500_000, 0.016, 16), (40_000_000, 0.005, 1)],
)  # fmt: skip
def test_what_is_held_out_by_size(size, share, blocks):
    recipe = load_recipe("modern")
    chosen = for_size(recipe, corpus(size), {})
    assert (chosen.val_fraction, chosen.val_blocks) == (share, blocks)
    given = recipe.replace(val_fraction=0.3, val_blocks=2)
    chosen = for_size(given, corpus(size), {"val_fraction": 0.3, "val_blocks": 2})
    assert (chosen.val_fraction, chosen.val_blocks) == (0.3, 2)
    assert for_size(recipe.replace(val_fraction=0.0), corpus(size), {}).val_fraction == 0.0
    assert for_size(recipe, corpus(size, True), {}).val_fraction == recipe.val_fraction


def test_the_help_is_in_groups():
    shown = run("train", "--help", env={"COLUMNS": "100", "PATH": "", "TERM": "dumb"}).stdout
    places = [shown.index(heading) for heading in ("The text", "The model", "The optimisation", "What is shown")]
    assert places == sorted(places)


def test_bytes_are_tokens_of_the_recipe(tmp_path):
    (tmp_path / "t").write_bytes(b"Ada \xff, b. 1815\r\n" * 200)
    digests = set()
    for number, chosen in enumerate((["--bytes"], ["--tokens", "bytes"], ["--bytes", "--tokens", "bytes"])):
        done = run("train", "t", *chosen, *SMALL, "--output", number, "--json", cwd=tmp_path)
        digests.add(json.loads(done.stdout)["digest"])
        assert read_header(tmp_path / str(number))["run"]["recipe"]["tokens"] == "bytes"
    assert len(digests) == 1
    done = run("train", "t", "--bytes", "--tokens", "chars", cwd=tmp_path)
    refused(done, "--bytes is short for --tokens bytes; leave it out, or --tokens chars")
    done = run("train", "t", "--from", "0", "--tokens", "chars", cwd=tmp_path)
    refused(done, "0 has tokens bytes; leave out --tokens, or --from")


def test_the_recipe_english_is_modern_on_bytes():
    changed: dict[str, Any] = {
        "tokens": "bytes",
        "epochs": 1,
        "val_fraction": 0.01,
        "val_blocks": 1,
        "output_dropout": 0.0,
        "weight_decay": 0.0,
    }
    assert load_recipe("english") == load_recipe("modern").replace(**changed)


@pytest.mark.parametrize("name", recipe_names())
def test_what_recipes_prints_is_a_recipe(name, tmp_path, command):
    (tmp_path / "my.toml").write_text(command("recipes", name))
    assert load_recipe(tmp_path / "my.toml") == load_recipe(name)
    (line,) = (line for line in command("recipes").splitlines() if line.split()[0] == name)
    assert len(line.split()) > 5
    assert line.rstrip().endswith(".")


def test_a_recipe_of_odd_values_is_toml(tmp_path):
    recipe = elman.Recipe(prompts=('a "b"\n\x07', "é"), lr=1e-30, clip=None, seed=2**63 - 1)
    (tmp_path / "r.toml").write_text(to_toml(recipe))
    assert load_recipe(tmp_path / "r.toml") == recipe


def test_info_is_a_table(tmp_path, command):
    (tmp_path / "t.txt").write_text("one two three\n" * 2000)
    command("train", tmp_path / "t.txt", *SMALL, "--output", tmp_path / "r")
    rows = [line.split(maxsplit=1) for line in command("info", tmp_path / "r").splitlines()]
    shown = {row[0]: row[1].rstrip() for row in rows if len(row) > 1}
    assert shown["characters"] == "28,000"
    assert shown["optimizer"] == "muon"
    assert shown["max_chars"] == "none"
    assert "{" not in str(rows)
