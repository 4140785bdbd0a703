"""Archives, stores and models as they were once written: each must be read for ever.

golden/compression_rows.json was written when every block had up to 12 rows, and stores were of versions 1 and 2;
golden/stores.json, stores of versions 3 and 4, when a past began to be coded as it is learned. Nothing writes them
anew.
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

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = json.loads((FOLDER / "compression_rows.json").read_text())
STORES = {"rows": GOLDEN["stores"], "one pass": json.loads((FOLDER / "stores.json").read_text())}
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
@pytest.mark.parametrize("written", STORES)
def test_stores(tmp_path, written, name):
    past, label = name.split(", ")
    data = base64.b85decode(STORES[written][name])
    assert data[4] in ((1, 2) if written == "rows" else (3, 4))
    (tmp_path / "s.elr").write_bytes(data)
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
