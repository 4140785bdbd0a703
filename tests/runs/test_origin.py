"""A checkpoint is this user's where its signature is that of this user's key; no text breaks the check."""

from __future__ import annotations

import pytest

from elman.runs import origin

LOADED = {"name_or_path": "/tmp/t.txt", "max_chars": None}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_only_the_signature_of_the_same_fields_is_ours():
    signed = origin.signature(LOADED)
    assert origin.is_ours(LOADED, signed)
    assert not origin.is_ours(LOADED | {"max_chars": 1}, signed)
    assert not origin.is_ours(LOADED, None)


@pytest.mark.parametrize("signed", ["", "é" * 64, "\ud800", "\x00", "0" * 64])
def test_what_a_stranger_wrote_is_not_ours(signed):
    assert not origin.is_ours(LOADED, signed)
