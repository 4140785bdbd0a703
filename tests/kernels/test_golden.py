"""Every operation, a training for each recipe and its model's uses have their golden results (elman.golden)."""

from __future__ import annotations

import cases
import pytest

from elman import golden
from elman.golden import uses
from elman.kernels.integer import DEFINED

GOLDEN = golden.expected("floats")


@pytest.mark.parametrize("name", cases.OPERATIONS)
def test_operation(name):
    assert cases.digest(cases.OPERATIONS[name]()) == GOLDEN[f"operations/{name}"]


@pytest.mark.parametrize("name", cases.RECIPES)
def test_training_and_its_uses(name):
    model = cases.train(name)
    assert model.digest() == GOLDEN[f"trainings/{name}"]
    assert cases.text(model) == GOLDEN[f"texts/{name}"]
    assert dict(uses.results(name, model)) == {key: GOLDEN[key] for key in of_uses(name)}


def of_uses(name):
    integers = ("integers",) if cases.RECIPES[name]["cell"] in DEFINED else ()
    return {f"{part}/{name}" for part in ("beams", "scores", "adaptive", "words", *integers, "n-grams")}


def test_nothing_is_left_out():
    trained = {f"{part}/{name}" for part in ("trainings", "texts") for name in cases.RECIPES}
    used = set().union(*(of_uses(name) for name in cases.RECIPES))
    assert set(GOLDEN) == {f"operations/{name}" for name in cases.OPERATIONS} | trained | used
