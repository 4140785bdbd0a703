"""The kernel for browsers and Node trains with the bits of `fit`, and its model file is Elman's."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import elman
from elman.export.html import WEB
from elman.model.container import read_header
from elman.recipes import Recipe, load_recipe

pytestmark = pytest.mark.slow
RELAXED = "--experimental-wasm-relaxed-simd"
RECIPES: dict[str, dict[str, Any]] = {
    "book": {},
    "modern": {"normalisation": "book", "prompts": ("the ",)},
    "rnn_tanh": {"cell": "rnn_tanh", "num_layers": 2, "embedding_size": 7, "dropout": 0.3, "hidden_dropout": 0.2},
    "lstm": {
        **{"cell": "lstm", "num_layers": 2, "init_std": None, "optimizer": "adamw", "weight_decay": 0.1, "lr": 0.01},
        **{"schedule": "cosine", "warmup": 5, "weight_dropout": 0.2, "average": 0.9},
    },
}
SMALL: dict[str, Any] = {"hidden_size": 19, "batch_size": 5, "seq_length": 11, "epochs": 2, "sample_every": 1}
DEMO = "06e0296e9c19"
"""The digest that `elman train traveller` ends with."""


def by_node(folder: Path, text: str, recipe: Recipe, *flags: str, further: Any = None) -> tuple[dict[str, Any], Path]:
    """What the program says of a training, and the model file that it wrote."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if flags and subprocess.run(["node", *flags, "-e", "0"], capture_output=True).returncode:
        pytest.skip(f"this node has no {' '.join(flags)}")
    shutil.copytree(WEB, folder, dirs_exist_ok=True)
    shutil.copy(Path(__file__).with_name("training.mjs"), folder)
    (folder / "package.json").write_text('{"type": "module"}')
    asked = {"text": text, "recipe": dataclasses.asdict(recipe), "further": further}
    (folder / "asked.json").write_text(json.dumps(asked))
    command = ["node", *flags, "training.mjs", "asked.json", "made.safetensors"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder / "made.safetensors"


@pytest.mark.parametrize("flags", [(), (RELAXED,)], ids=["plain", "relaxed"])
@pytest.mark.parametrize("name", RECIPES)
def test_node_trains_with_the_bits_of_python(tmp_path, name, flags):
    corpus = elman.load_corpus("traveller", max_chars=1_500)
    recipe = load_recipe(name if name in ("book", "modern") else "book").replace(**SMALL | RECIPES[name])
    further = {"epochs": 1, "seed": 3} if name == "lstm" else None
    found, file = by_node(tmp_path, str(corpus.text), recipe, *flags, further=further)
    if flags:
        assert found["module"] == "elman-relaxed.wasm"
    model = elman.build_model(corpus, recipe)
    run = elman.fit(model, corpus, recipe)
    assert found["digest"] == model.digest()
    assert [line["samples"] for line in found["log"]] == [line.samples for line in run.log]
    for line, expected in zip(found["log"], run.log, strict=True):
        assert line["train_perplexity"] == pytest.approx(expected.train_perplexity, rel=1e-12)
        held_out = expected.val_bits_per_char
        assert line["val_bits_per_char"] == (None if held_out is None else pytest.approx(held_out, rel=1e-12))
    made = elman.load(file)
    assert made.digest() == model.digest()
    assert elman.generate(made, "the ", 100, seed=7) == found["model"]
    assert read_header(file)["run"]["recipe"]["cell"] == recipe.cell
    if further:
        elman.fit(model, corpus, recipe.replace(**further))
        assert found["further"] == model.digest()


def test_the_whole_book(tmp_path):
    if "ELMAN_WHOLE_BOOK" not in os.environ:
        pytest.skip("it takes minutes: make test-lab")
    found, _ = by_node(tmp_path, str(elman.load_corpus("traveller").text), load_recipe("book"), RELAXED)
    assert found["digest"].startswith(DEMO)
    print(f"{found['steps']:,} steps in {found['seconds']:.1f} s")
