"""Every operation, a training for each recipe and a text from each have their golden digests (elman.golden)."""

from __future__ import annotations

import cases
import pytest

from elman import golden

GOLDEN = golden.expected("floats")


@pytest.mark.parametrize("name", cases.OPERATIONS)
def test_operation(name):
    assert cases.digest(cases.OPERATIONS[name]()) == GOLDEN[f"operations/{name}"]


@pytest.mark.parametrize("name", cases.RECIPES)
def test_training_and_text(name):
    model = cases.train(name)
    assert model.digest() == GOLDEN[f"trainings/{name}"]
    assert cases.text(model) == GOLDEN[f"texts/{name}"]


def test_nothing_is_left_out():
    trained = {f"{part}/{name}" for part in ("trainings", "texts") for name in cases.RECIPES}
    assert set(GOLDEN) == {f"operations/{name}" for name in cases.OPERATIONS} | trained
