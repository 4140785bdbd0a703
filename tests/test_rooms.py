"""`make rooms` draws every room, finds no arrow back and no circle, and would see one."""

from __future__ import annotations

import rooms
from test_imports import ROOMS


def test_no_arrow_back_and_no_circle():
    assert rooms.faults() == []
    assert [line.split()[0] for line in rooms.drawn().splitlines()] == list(ROOMS)
    assert any(line.startswith("model ") and "kernels" in line for line in rooms.drawn().splitlines())


def test_a_circle_and_an_arrow_back_are_seen(monkeypatch):
    real = rooms.arrows()
    wrong = {"text/records": {"text/reading"}, "text/reading": {"text/records"}, "model/file": {"training"}}
    monkeypatch.setattr(rooms, "arrows", lambda: real | wrong)
    first, second = rooms.faults()
    assert first == "model/file imports training, which comes after it"
    assert second.startswith("text: a circle of text/re")
