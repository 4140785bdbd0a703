"""Digests pinned in tests/golden/kernels.json: of every operation, of a training run per cell, of a text from each."""

from __future__ import annotations

import json
from pathlib import Path

import cases
import pytest

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "kernels.json").read_text())


@pytest.mark.parametrize("name", cases.OPERATIONS)
def test_operation(name):
    assert cases.digest(cases.OPERATIONS[name]()) == GOLDEN["operations"][name]


@pytest.mark.parametrize("name", cases.RECIPES)
def test_training_and_text(name):
    model = cases.train(name)
    assert model.digest() == GOLDEN["trainings"][name]
    assert cases.text(model) == GOLDEN["texts"][name]


def test_nothing_is_left_out():
    assert set(GOLDEN["operations"]) == set(cases.OPERATIONS)
    assert set(GOLDEN["trainings"]) == set(GOLDEN["texts"]) == set(cases.RECIPES)
