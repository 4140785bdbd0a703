"""A model as a package for npm, used by Node as a user would."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
from command_line import PATIENCE
from exported import TEXT, model, small

import elman
from elman.compression import Codec
from elman.errors import InputError
from elman.export import to_js

PROGRAM = """
import { load } from "./story/index.js";
const model = await load(), text = process.argv[2];
let streamed = "";
for await (const piece of model.stream(text, { length: 300, seed: 7, temperature: 0.9 })) streamed += piece;
const generated = model.generate(text, { length: 300, seed: 7, temperature: 0.9 });
const { bits } = model.score(text), ids = model.encode(text);
const message = `${text}, \u00fc`, code = model.compress(message);
if (model.decompress(code) !== message) throw new Error("the message did not come back");
let refused = "";
try { model.decompressBytes(code, 3); } catch (error) { refused = error.message; }
const hidden = model.hidden(text, model.facts.layers - 1).map((h) => Array.from(h));
console.log(JSON.stringify({ code: Array.from(code), refused, hidden, generated, streamed, bits, ids,
  after: model.after(text, 3), greedy: model.generate(text, { length: 20, temperature: 0 }), facts: model.facts }));
"""


def used(folder, made, text: str):
    """What the program finds with the package of a model."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    package = folder / "story"
    package.mkdir()
    for name, data in to_js(made, "story").items():
        (package / name).write_bytes(data)
    (folder / "program.mjs").write_text(PROGRAM)
    done = subprocess.run(["node", "program.mjs", text], cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def models():
    yield "integers", small("gru")
    yield "floats", model("lstm", 2, 5)
    yield "bytes", small("rnn_tanh", tokens="bytes")
    lines = TEXT.replace(". ", ".\n")
    records = elman.Corpus("t", lines, "none", "here", True)
    built = elman.build_model(records, cell="gru", hidden_size=21, init_std=None, seed=5)
    yield "records", elman.quantise(built)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "made"), list(models()), ids=lambda x: x if isinstance(x, str) else "")
def test_node_has_the_bits_of_python(tmp_path, name, made):
    text = "the traveller é"
    found = used(tmp_path, made, text)
    expected = elman.generate(made, text, 300, seed=7, temperature=0.9)
    assert found["generated"] == expected
    assert found["streamed"] == expected
    assert found["greedy"] == elman.generate(made, text, 20, temperature=0)
    assert found["ids"] == made.reading.prompt(text).tolist()
    score = elman.score(made, text)
    assert found["bits"] == pytest.approx(score.bits, rel=1e-12)
    assert found["facts"]["records"] is (name == "records")
    assert bytes(found["code"]) == Codec(made).encode(f"{text}, ü".encode())
    assert "no code of a message of at most 3 bytes" in found["refused"]
    ids = made.reading.primed(made.reading.prompt(text))[:, None]
    assert np.shape(found["hidden"]) == (len(ids) - 1, made.hidden_size)
    if name in ("floats", "bytes"):  # a GRU's activations have more bits than what is multiplied
        hidden = made.hidden(ids)[0] if name == "floats" else made.activations(ids, 0)[0]
        np.testing.assert_array_equal(np.float32(found["hidden"]), hidden[1:, 0])
    assert found["after"][0]["p"] >= found["after"][1]["p"] >= found["after"][2]["p"] > 0


@pytest.mark.slow
def test_npm_packs_it(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    files = to_js(small("gru"), "story")
    for name, data in files.items():
        (tmp_path / name).write_bytes(data if name != "model.elman" else b"")
    done = subprocess.run(["npm", "pack", "--json", "--offline"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (packed,) = json.loads(done.stdout)
    assert packed["size"] < 200_000
    assert {each["path"] for each in packed["files"]} == set(files)


def test_refused():
    for name in ("", "Story", "../a", "a b"):
        with pytest.raises(InputError, match="npm takes small letters"):
            to_js(small("gru"), name)


def test_the_command(tmp_path, command):
    path = tmp_path / "model.safetensors"
    elman.save(small("gru"), path)
    command("export", "js", path, "-o", tmp_path / "story")
    assert json.loads((tmp_path / "story" / "package.json").read_text())["name"] == "story"
    assert sorted(each.name for each in (tmp_path / "story").iterdir()) == sorted(to_js(small("gru"), "story"))
