"""Quantised models: what they cost, that every command takes them, and that their bits are those of the definition."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import kernels
from elman.cli import main
from elman.inspection import activations, units
from elman.kernels import integer, likelihood
from elman.model import container, read_header
from elman.model.quantisation import ROWS, STEPS, calibration_rows
from elman.model.rounding import relu_ranges
from elman.scoring import words

TEXT = "the traveller came down to the sea.\nand went home again.\n\nwas it there?\n" * 6
CELLS = ("rnn_relu", "rnn_tanh", "gru", "lstm")
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "quantised.json"


def floats(cell: str, text: str | bytes = TEXT, records: bool = False, **settings) -> elman.LanguageModel:
    corpus = elman.Corpus("t", text, "none", "here", records)
    return elman.build_model(corpus, **{"cell": cell, "hidden_size": 9, "num_layers": 2, "init_std": None} | settings)


def made(cell: str, bits: int = 8, **settings) -> elman.QuantisedModel:
    return elman.quantise(floats(cell, **settings), bits, TEXT)


@pytest.fixture(scope="module")
def trained():
    """Small, on a bundled text; the last tenth of it is not learnt."""
    corpus = elman.load_corpus("traveller")
    models = {}
    for cell in ("gru", "lstm"):
        models[cell] = elman.build_model(corpus, cell=cell, hidden_size=32)
        elman.fit(models[cell], corpus, epochs=6, seq_length=20, optimizer="adam", lr=0.01, val_fraction=0.1)
    return models, corpus.text[: -len(corpus) // 10], corpus.text[-len(corpus) // 10 :]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize(("bits", "most"), [(8, 0.002), (6, 0.015), (4, 0.5)])
def test_what_it_costs(trained, cell, bits, most):
    models, learnt, held_out = trained
    before = elman.score(models[cell], held_out).bits_per_char
    assert before < 3.5
    assert abs(elman.score(elman.quantise(models[cell], bits, learnt), held_out).bits_per_char - before) < most


@pytest.mark.parametrize("cell", CELLS)
def test_a_score_is_the_definitions(cell):
    """Whole, cut and side by side; -ln p by the plain loop."""
    model = made(cell)
    ids = model.reading.vocabulary.encode(TEXT).astype(np.int64)
    n = model.network.network
    logits, _ = integer.run(n, model.reading.primed(ids)[:-1, None], integer.begin_state(n, 1))
    by_hand = likelihood.nats(logits, ids[:, None])[:, 0] / np.log(2)
    score = elman.score(model, TEXT)
    assert (score.surprisal == by_hand).all()
    assert (elman.score(model, [TEXT, TEXT[:50]])[1].surprisal == score.surprisal[:50]).all()
    assert (-model.log_softmax(logits[:, 0])[np.arange(len(ids)), ids] / np.log(2) == by_hand).all()
    inputs = model.reading.primed(ids)[:-1, None]
    mean, nats, _ = model.loss(inputs, np.where(np.arange(len(ids)) < 9, ids, -1)[:, None])
    assert (nats[9:] == 0).all()
    assert mean == pytest.approx(by_hand[:9].mean() * np.log(2), rel=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_bits_are_the_same_with_any_threads_and_backend(threads):
    _cpu = pytest.importorskip("elman.kernels._cpu", reason="the native kernel is not built")
    model, before = made("lstm", 6), _cpu.threads()
    ids = np.arange(40).reshape(10, 4) % model.vocab_size
    with kernels.use("reference"):
        plain, shown = model(ids), model.activations(ids, 0)[0]
        assert not hasattr(model.decoder(1), "generate")
    _cpu.set_threads(threads)
    try:
        logits, state = model(ids)
        assert (logits == plain[0]).all()
        assert all((a == b).all() for a, b in zip(state, plain[1], strict=True))
        assert (model.activations(ids, 0)[0] == shown).all()
        first, kept = model(ids[:3])
        assert (np.concatenate([first, model(ids[3:], kept)[0]]) == logits).all()
    finally:
        _cpu.set_threads(before)


@pytest.mark.parametrize("cell", CELLS)
def test_generation_is_the_plain_loops(cell):
    model = made(cell)
    settings = {"length": 40, "num_samples": 3, "seed": 5, "top_p": 0.95, "repetition_penalty": 1.1}
    text = elman.generate(model, "the ", **settings)
    with kernels.use("reference"):
        plain = elman.generate(model, "the ", **settings | {"temperature": 0})  # type: ignore
    assert len(text) == 3
    assert elman.generate(model, "the ", **settings | {"temperature": 0}) == plain  # type: ignore
    greedy = elman.generate(model, "the", 8, temperature=0)
    (best,) = elman.beam_search(model, "the", 8, 1)
    assert best.text == greedy
    assert best.bits == pytest.approx(elman.score(model, "the" + greedy).surprisal[3:].sum(), rel=1e-6)
    (likeliest, p), *_ = elman.after(model, "the")
    assert likeliest == greedy[0]
    assert -np.log2(p) == pytest.approx(elman.score(model, "the" + likeliest).surprisal[-1], rel=1e-6)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layer", [0, 1])
def test_units_are_nearly_the_floats(cell, layer):
    model = floats(cell)
    small = elman.quantise(model, 8, TEXT)
    exact, shown = (activations(m, elman.score(m, TEXT), layer, None) for m in (model, small))
    if cell == "rnn_relu":  # in shares of each unit's range, which is measured on pieces of the text
        pieces = calibration_rows(model.reading, model.reading.vocabulary.encode(TEXT))
        most, awake = relu_ranges(model.layer.weights(), pieces, None)[layer], exact.max(0) > 0
        exact, shown = exact[:, awake] / most[awake], shown[:, awake]
    assert np.abs(exact - shown).max() < (0.1 if cell == "rnn_relu" else 0.05)
    assert np.abs(exact).max() > 0.1
    found, values = units(small, elman.score(small, TEXT), layer)
    assert values.shape == (len(TEXT), len(found))


@pytest.mark.parametrize("bits", [8, 6, 5, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_a_file_there_and_back(cell, bits, tmp_path):
    model = made(cell, bits)
    elman.save(model, tmp_path / "m", {"corpus": {"name": "t"}})
    loaded = elman.load(tmp_path / "m")
    assert isinstance(loaded, elman.QuantisedModel)
    assert (loaded.digest(), loaded.fingerprint(), repr(loaded)) == (model.digest(), model.fingerprint(), repr(model))
    assert loaded.reading == model.reading
    ids = np.arange(12).reshape(6, 2)
    assert (loaded(ids)[0] == model(ids)[0]).all()
    assert made(cell, 8).digest() != made(cell, bits, seed=1).digest()
    header = read_header(tmp_path / "m")
    assert (header["bits"], header["contract"], header["needs"]) == (bits, 1, ["integer 1"])


def test_an_older_version_would_refuse_it(tmp_path, monkeypatch):
    elman.save(made("gru"), tmp_path / "m")
    monkeypatch.setattr(container, "KNOWN", frozenset())
    with pytest.raises(elman.ModelFileError, match="it needs 'integer 1', which this version lacks; upgrade Elman"):
        elman.load(tmp_path / "m")


def golden() -> dict[str, str]:
    """A file that is read for ever, and what its model writes and costs."""
    data = base64.b64decode(json.loads(GOLDEN.read_text())["file"])
    path = Path("golden.safetensors")
    path.write_bytes(data)
    model = elman.load(path)
    written = elman.generate(model, "the ", 60, seed=3, temperature=0.8)
    return {
        "file": base64.b64encode(data).decode(),
        "fingerprint": model.fingerprint(),
        "text": written,
        "bits": elman.score(model, TEXT).bits.hex(),
    }


def test_nothing_moved(integer_isa, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert golden() == json.loads(GOLDEN.read_text())


def test_records_and_bytes():
    names = floats("gru", "anna\nhanna\nnina\n", records=True)
    small = elman.quantise(names, 6, "anna\nhanna\nnina\n")
    assert elman.score(small, "anna\nnina").records
    assert {record.text for record in elman.generation.new_records(small, {"anna"}, 3, length=9)} - {"anna"}  # type: ignore[attr-defined]
    raw = elman.quantise(floats("lstm", TEXT.encode()), 8)
    score = elman.score(raw, "é there")
    assert [word.text for word in words(raw, score)] == ["é", "there"]


def test_what_a_text_is_sampled_into():
    reading = elman.Reading(elman.Vocabulary.bytes())
    ids = np.arange(20_000).astype(np.uint8)
    pieces = calibration_rows(reading, ids)
    assert pieces.shape == (STEPS, ROWS)
    assert (np.diff(pieces[1:], axis=0) % 256 == 1).all()
    assert calibration_rows(reading, ids[:7]).T.tolist() == [[10, *range(7)]]
    lines = elman.Reading(elman.Vocabulary.bytes(), records=True)
    pieces = calibration_rows(lines, np.frombuffer(b"some name\n" * 900, np.uint8))
    assert pieces.shape == (STEPS, ROWS)
    assert (pieces[0] == ord("\n")).all()


def test_what_is_refused(tmp_path):
    model = floats("rnn_relu")
    small = elman.quantise(model, 8, TEXT)
    for match, call in {
        "a ReLU RNN is quantised with a text": lambda: elman.quantise(model),
        "bits is 7; expected one of 8, 6, 5, 4": lambda: elman.quantise(model, 7, TEXT),
        "quantised already, to 8 bits": lambda: elman.quantise(small),
        "a quantised model cannot be trained": lambda: elman.fit(small, TEXT),  # type: ignore[arg-type]
        r"token ids must be in 0\.\.\d+, got 99 at \(0, 0\)": lambda: small(np.full((1, 1), 99)),
        r"the state of this input is int8 \(2, 3, 9\); call begin_state\(3\)": lambda: small(
            np.zeros((1, 3), int), small.begin_state(2)
        ),
        "the network has .* ids but the vocabulary 256": lambda: elman.QuantisedModel(
            small.network, elman.Reading(elman.Vocabulary.bytes())
        ),
    }.items():
        with pytest.raises(elman.InputError, match=match):
            call()


# --- the command ---


@pytest.fixture
def folder(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text(TEXT)
    elman.save(floats("gru"), "m.safetensors", {"corpus": {"name": "t"}})
    return tmp_path


def refused(capsys, monkeypatch, *arguments) -> str:
    monkeypatch.setattr(sys, "argv", ["elman", *map(str, arguments)])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_the_command_measures_and_writes(folder, command, capsys, monkeypatch):
    shown = command("quantise", "m.safetensors", "--text", "t.txt")
    before, after = Path("m.safetensors").stat().st_size, Path("m.int8.safetensors").stat().st_size
    assert shown.startswith("m.int8.safetensors: gru 2 x 9, 8 bits a weight\nbits/char  ")
    assert f"on {len(TEXT)} characters of t.txt" in shown
    assert f"bytes      {before:,} -> {after:,}, a ratio of {after / before:.3f}" in shown
    model, small = elman.load("m.safetensors"), elman.load("m.int8.safetensors")
    assert f"digest     {small.digest()}" in shown
    assert read_header("m.int8.safetensors")["run"] == {"corpus": {"name": "t"}, "quantised_from": model.digest()}

    facts = json.loads(command("quantise", "m.safetensors", "--bits", 6, "--text", "t.txt", "-o", "six", "--json"))
    half = TEXT[len(TEXT) // 2 :]
    costs = [elman.score(each, half).bits_per_char for each in (model, elman.load("six"))]
    assert [facts["bits_per_char_before"], facts["bits_per_char_after"]] == pytest.approx(costs, rel=1e-12)
    assert facts["difference"] == facts["bits_per_char_after"] - facts["bits_per_char_before"]
    assert (facts["bits"], facts["contract"], facts["measured_on"]) == (6, 1, "the second half of t.txt")
    assert elman.load("six").digest() == elman.quantise(model, 6, TEXT[: len(TEXT) // 2]).digest()  # type: ignore[arg-type]

    again = ("quantise", "m.safetensors", "--text", "t.txt")
    assert "is there already; give another --output, or --overwrite" in refused(capsys, monkeypatch, *again)
    command(*again, "--overwrite")
    itself = (*again, "-o", "m.safetensors", "--overwrite")
    assert "m.safetensors is also read; give the output another name" in refused(capsys, monkeypatch, *itself)
    assert "quantised already, to 8 bits" in refused(capsys, monkeypatch, "quantise", "m.int8.safetensors")
    assert "cannot be trained" in refused(capsys, monkeypatch, "train", "t.txt", "--from", "m.int8.safetensors")


def test_the_training_text_is_taken_where_it_is_known(folder, command, capsys, monkeypatch):
    assert "not measured: the training text was not read; give --text FILE" in command("quantise", "m.safetensors")
    command("train", "traveller", "--hidden-size", 8, "--epochs", 1, "--val-fraction", 0.1, "--output", "r")
    shown = command("quantise", "r")  # the book's cell, ReLU
    assert shown.startswith("r/best.int8.safetensors: rnn_relu 1 x 8, 8 bits a weight\n")
    assert "on 1,236 characters of the held-out text" in shown
    elman.save(floats("rnn_relu"), "relu", {})
    assert "a ReLU RNN is quantised with a text" in refused(capsys, monkeypatch, "quantise", "relu")


@pytest.mark.parametrize("records", [False, True])
def test_every_command_takes_it(folder, command, records):
    text = "".join(f"{name}\n" for name in ("anna", "hanna", "nina", "ina")) * 20 if records else TEXT
    Path("t.txt").write_text(text)
    elman.save(elman.quantise(floats("lstm", text, records), 8), "q", {"corpus": {"source": "t.txt"}})
    model = elman.load("q")
    assert (
        command("generate", "q", "an", "--length", 20, "--seed", 4)
        == "an" + elman.generate(model, "an", 20, seed=4) + "\n"
    )
    assert command("generate", "q", "an", "--beam", 3, "--length", 5).count("\n") >= 3
    assert f"{elman.score(model, text).bits_per_char:.4f}" in command("score", "q", "t.txt")
    for options in (["--lines"], ["--top", 3], ["--words"], ["--chars"], ["--against", "m.safetensors"]):
        assert command("score", "q", "t.txt", *options, "--csv").count("\n") > 1
    command("score", "q", "t.txt", "--html", "p.html")
    assert "lstm 2 x 9" in Path("p.html").read_text()
    facts = json.loads(command("inspect", "q", "t.txt", "--corpus", "t.txt", "--length", 200, "--layer", 0, "--json"))
    assert facts["activation"] == "tanh(c)"
    assert len(facts["units"]) > 1
    if records:
        assert command("generate", "q", "--new", 2, "--corpus", "t.txt", "--length", 9).count("\n") <= 2
    facts = json.loads(command("info", "q", "--json"))
    assert (facts["bits"], facts["contract"], facts["digest"]) == (8, 1, model.digest())
    if kernels.has_native():
        assert "integers by " in facts["backend"]


def test_a_cell_without_an_integer_form_is_one_line(monkeypatch):
    from elman.kernels import CELLS
    from elman.model.rounding import to_integers

    monkeypatch.setitem(CELLS, "mgu", CELLS["gru"])
    with pytest.raises(elman.InputError, match="the cell mgu has no integer form, so its models cannot be quantised"):
        to_integers("mgu", [], (np.zeros((2, 3), np.float32), None))
