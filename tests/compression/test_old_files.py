"""Archives, stores and models written when every block had up to 12 rows: each must be read for ever.

golden/compression_rows.json was written by that version. Nothing writes it anew: today's archives have other bytes.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from compression_cases import english, integers, predictor

from elman.compression import Store, decompress, load_predictor
from elman.compression.blocks import BLOCK, HEADER, rows_for

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "compression_rows.json").read_text())
MODELS = {"contexts": lambda: None, "gru": lambda: predictor(H=8), "integer gru": lambda: integers(H=8)}


def text(size: int) -> bytes:
    piece = english(1500)
    return b"".join(b"%d %s" % (i, piece[i % 700 :]) for i in range(size // 800 + 1))[:size]


def lines(count: int) -> list[bytes]:
    return [b"%03d %s" % (i, english(40, i % 9).replace(b"\n", b" ")) for i in range(count)]


@pytest.mark.parametrize("name", GOLDEN["archives"])
def test_archives(name):
    size, label = int(name.split()[0]), name.split(", ")[1]
    archive, target = base64.b85decode(GOLDEN["archives"][name]), io.BytesIO()
    assert BLOCK.unpack_from(archive, HEADER.size + 4)[:2] == (2, rows_for(size))
    decompress(io.BytesIO(archive), target, MODELS[label]())
    assert target.getvalue() == text(size)


@pytest.mark.parametrize("name", GOLDEN["stores"])
def test_stores(tmp_path, name):
    past, label = name.split(", ")
    (tmp_path / "s.elr").write_bytes(base64.b85decode(GOLDEN["stores"][name]))
    with Store(tmp_path / "s.elr", MODELS[label]()) as store:
        assert list(store) == (lines(150) * 8 if past == "its own choice" else lines(70))


@pytest.mark.parametrize(
    ("name", "size", "end"),
    [("a past of 140000 bytes", 140_000, 10), ("a past of 20000 bytes, end 0", 20_000, 0)],
)
def test_models(tmp_path, name, size, end):
    (tmp_path / "m.safetensors").write_bytes(base64.b85decode(GOLDEN["models"][name]))
    found = load_predictor(tmp_path / "m.safetensors")
    assert (found.past, found.end) == (text(size).replace(b"\n", bytes([end])), end)
