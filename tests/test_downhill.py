"""The way of the data runs downhill: what a room does, it does by calling rooms before it, hardly ever one after it."""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from test_imports import ROOMS

import elman
from elman.compression import Predictor, compress, decompress
from elman.inspection import memorisation, sample, units

PACKAGE = str(Path(elman.__file__).parent)
ORDER = list(ROOMS)
TEXT = "the traveller came down to the sea.\nand went home again.\n" * 20


def room(frame: FrameType | None) -> str | None:
    """The room that a frame's code is in; None: none, or what all rooms share."""
    path = frame.f_code.co_filename if frame else ""
    name = Path(path).parent.relative_to(PACKAGE).as_posix() if path.startswith(PACKAGE) else ""
    return name if name in ROOMS else None


def uphill(work: Callable[[], Any]) -> set[str]:
    """Run it, and return the calls from a room into a later one, each once: caller and callee."""
    found = set()

    def trace(frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or frame.f_code.co_name == "<module>":
            return
        if frame.f_code.co_flags & inspect.CO_GENERATOR:
            return  # a generator that is asked for its next value: values come downhill
        here, before = room(frame), room(frame.f_back)
        if frame.f_back and here and before and ORDER.index(here) > ORDER.index(before):
            found.add(f"{before}.{frame.f_back.f_code.co_qualname} -> {here}.{frame.f_code.co_qualname}")

    work()  # imports and caches
    sys.setprofile(trace)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


@pytest.fixture(scope="module")
def model():
    corpus = elman.Corpus("t", TEXT, "none", "here")
    return elman.build_model(corpus, cell="gru", hidden_size=8, init_std=None, seed=5)


def train(model: elman.LanguageModel, folder: Path) -> None:
    corpus = elman.Corpus("t", TEXT, "none", "here")
    recipe = elman.load_recipe("book").replace(
        hidden_size=8, epochs=1, batch_size=4, seq_length=9, val_fraction=0.2, sample_every=1, prompts=("the",)
    )
    elman.fit(elman.build_model(corpus, recipe), corpus, recipe, output=folder / "r")


def generate(model: elman.LanguageModel, folder: Path) -> None:
    elman.generate(model, "the", 20, temperature=0.8, seed=1)
    elman.generate(model, ["the", "sea"], 20)
    elman.beam_search(model, "the", 9)


def score(model: elman.LanguageModel, folder: Path) -> None:
    found = elman.score(model, TEXT)
    elman.scoring.words(model, found)  # type: ignore[attr-defined]
    found.lines().top(3)
    elman.score(model, [TEXT, "sea"], records=True)
    elman.after(model, "the")


def inspected(model: elman.LanguageModel, folder: Path) -> None:
    ids = model.reading.vocabulary.encode(TEXT)
    units(model, elman.score(model, TEXT))
    memorisation(sample(model, 60), ids)


def compressed(model: elman.LanguageModel, folder: Path) -> None:
    codec, packed, read = elman.Codec(model), io.BytesIO(), io.BytesIO()
    assert codec.decode(codec.encode(b"the sea")) == b"the sea"
    predictor = Predictor.of(model)
    compress(io.BytesIO(TEXT.encode()), packed, predictor)
    packed.seek(0)
    decompress(packed, read, predictor)
    assert read.getvalue() == TEXT.encode()


@pytest.mark.parametrize("work", [train, generate, score, inspected, compressed])
def test_the_way_of_the_data(work, model, tmp_path):
    found = uphill(lambda: work(model, tmp_path))
    assert len(found) <= 1, sorted(found)


def test_a_call_uphill_is_seen(model):
    def from_below() -> None:
        code = compile("def f(g): g('book')", f"{PACKAGE}/text/below.py", "exec")
        names: dict[str, Any] = {}
        exec(code, names)
        names["f"](elman.load_recipe)

    assert any(call == "text.f -> recipes.load_recipe" for call in uphill(from_below))
