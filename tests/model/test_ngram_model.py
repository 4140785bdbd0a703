"""A model with n-grams: by brute force, everywhere that takes a model, in its file, quantised, and from `fit`."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import tracemalloc
from collections import Counter
from typing import Any

import numpy as np
import pytest
from every_cut import probability

import elman
from elman import kernels
from elman.compression import Predictor
from elman.generation import Prefixes, Streams, Text, beam_search, complete
from elman.kenlm import Model as KenLM
from elman.model import NgramModel, Ngrams, container, file, read_header, without_ngrams
from elman.model.counts import SHARES, Kept, levels, pruned, weights
from elman.model.ngrams import CLASSES, SURE
from elman.runs import read_checkpoint
from elman.training.mixing import fitted

TEXT = "the sea is wide and the sky is low.\nthe ship is at sea, and the sea is the sky.\n" * 6
CORPUS = elman.Corpus("t", TEXT, "none", "here")
LONGEST = 4


def network(cell: Any = "gru", tokens: str = "chars", **settings) -> elman.LanguageModel:
    corpus = CORPUS if tokens == "chars" else CORPUS.cut_into(tokens)
    return elman.build_model(corpus, cell=cell, hidden_size=7, init_std=None, seed=3, **settings)


def mixed(alone, longest: int = LONGEST, most: int = 150) -> NgramModel:
    """With n-grams of the text's first part, and weights of all sizes."""
    ids, V = alone.reading.primed(alone.reading.vocabulary.encode(TEXT)).astype(np.int64), alone.vocab_size
    counted = len(ids) * 3 // 4
    made = levels(ids, longest, -1, counted)
    kept = pruned(made, weights(made, counted, V), most, V, whole=True)
    return NgramModel(
        alone, Ngrams.of_kept(V, kept, np.random.default_rng(1).uniform(0.1, 0.9, (longest, CLASSES, CLASSES)))
    )


def by_brute_force(model: NgramModel, ids: list[int], p: np.ndarray) -> np.ndarray:
    """The mixture (V,) after `ids`, of which the network says p (V,): from the arrays of the file alone."""
    arrays, V = model.ngrams.to_arrays(), model.vocab_size
    shares: dict[tuple[int, ...], float] = {}
    paths: list[tuple[int, ...]] = [()]
    for order in range(model.ngrams.longest):
        symbols, bytes_ = arrays[f"{order}.symbol"].tolist(), arrays[f"{order}.share"].tolist()
        many = [len(symbols)] if order == 0 else arrays[f"{order - 1}.children"].tolist()
        parents = [path for path, count in zip(paths, many, strict=True) for _ in range(count)]
        paths = [(*parent, symbol) for parent, symbol in zip(parents, symbols, strict=True)]
        shares |= {path: float(SHARES[byte]) for path, byte in zip(paths, bytes_, strict=True)}
    theirs, known, largest = np.full(V, 1 / V), 0, 0.0
    for order in range(model.ngrams.longest):
        context = tuple(ids[len(ids) - order :]) if order <= len(ids) else None
        after = {path[-1]: share for path, share in shares.items() if path[:-1] == context}
        if after:
            theirs *= 1 - sum(after.values())
            for symbol, share in after.items():
                theirs[symbol] += share
            known, largest = order, max(after.values())
    w = arrays["weights"][known, *(sum(each >= bound for bound in SURE) for each in (largest, p.max()))] / 65536
    return w * p + (1 - w) * theirs


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh"])
@pytest.mark.parametrize("bits", [None, 8, 4])
@pytest.mark.parametrize("tokens", ["chars", "bpe:262"])
def test_every_probability_is_the_one_by_brute_force(cell, bits, tokens):
    alone = network(cell, tokens)
    model = mixed(alone if bits is None else elman.quantise(alone, bits))
    ids = model.reading.primed(model.reading.vocabulary.encode(TEXT[300:360])).astype(np.int64)
    logits, _ = model.alone(ids[:, None])
    found, _ = model(ids[:, None])
    for t in range(len(ids) - 1):
        p = np.exp(model.alone.log_softmax(logits[t, 0]).astype(np.float64))
        expected = by_brute_force(model, ids[: t + 1].tolist(), p)
        np.testing.assert_allclose(np.exp(found[t, 0].astype(np.float64)), expected, rtol=2e-5, atol=1e-9)
        assert expected.sum() == pytest.approx(1, abs=1e-5)
    mean, nats, _ = model.loss(ids[:-1, None], ids[1:, None])
    np.testing.assert_allclose(nats[:, 0], -found[np.arange(len(ids) - 1), 0, ids[1:]], rtol=1e-5, atol=1e-6)
    assert mean == pytest.approx(nats.mean())


def test_kept_n_grams_are_the_most_useful_ones_that_fit():
    ids = network().reading.vocabulary.encode(TEXT).astype(np.int64)
    V = 30
    made = levels(ids, 3, -1, len(ids))
    every = pruned(made, np.full((3, 128), 0.25), 10**6, V, whole=True)
    counts = [Counter(tuple(ids[i : i + n].tolist()) for i in range(len(ids) - n + 1)) for n in (1, 2, 3)]
    assert [len(level.symbol) for level in every] <= [len(of) for of in counts]
    paths: list[tuple[int, ...]] = [()]
    for order, level in enumerate(every):
        paths = [(*paths[a], b) for a, b in zip(level.parent.tolist(), level.symbol.tolist(), strict=True)]
        for path, share in zip(paths, level.share, strict=True):
            total = sum(n for other, n in counts[order].items() if other[:-1] == path[:-1])
            assert share == pytest.approx(0.75 * counts[order][path] / total)
    for most in (1, 10, 57, 80):
        some = pruned(made, np.full((3, 128), 0.25), most, V, whole=True)
        assert 0 < sum(len(level.symbol) for level in some) <= most


def test_a_share_in_a_byte_is_never_larger():
    shares = np.array([1.0, 0.99, 0.917004043204671, 0.5, 0.1, 1e-5, 1e-12])
    bytes_ = Kept(np.zeros(7, np.int64), np.zeros(7, np.int64), shares).bytes
    assert bytes_.tolist() == [0, 1, 1, 8, 27, 133, 255]
    assert (SHARES[bytes_][:-1] <= shares[:-1]).all()


def test_weights_are_the_likeliest():
    rng = np.random.default_rng(4)
    own, theirs = rng.uniform(0.01, 1, 4000), rng.uniform(0.01, 1, 4000)
    kinds = rng.integers(0, 2, 4000)
    own[kinds == 1] *= 0.3
    found = fitted(kinds, own, theirs, 2)
    for kind in (0, 1):
        grid = np.linspace(0.01, 0.99, 99)
        at = kinds == kind
        costs = [-np.log(w * own[at] + (1 - w) * theirs[at]).sum() for w in grid]
        assert found[kind] == pytest.approx(grid[np.argmin(costs)], abs=0.03)


@pytest.fixture(params=[None, 8])
def model(request) -> NgramModel:
    return mixed(network("lstm") if request.param is None else elman.quantise(network("lstm"), request.param))


def test_however_it_is_called_the_bits_are_the_same(model, monkeypatch):
    ids = model.reading.primed(model.reading.vocabulary.encode(TEXT[:90])).astype(np.int64)[:, None]
    whole, last = model(ids)
    parts, state = [], None
    for some in np.split(ids, [1, 2, 40]):
        logits, state = model(some, state)
        parts.append(logits)
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert state is not None
    for a, b in zip(state, last, strict=True):
        np.testing.assert_array_equal(a, b)
    monkeypatch.setattr("elman.model.mixed._VALUES", 1)
    np.testing.assert_array_equal(model(ids)[0], whole)
    side_by_side = np.concatenate([ids[::-1], ids, ids[::-1]], axis=1)
    np.testing.assert_array_equal(model(side_by_side)[0][:, 1], whole[:, 0])
    decoder = model.decoder(1)
    decoder.read(ids[:50])
    np.testing.assert_array_equal(decoder.logits, whole[49])
    other = decoder.like(decoder.state, decoder.logits)
    other.read(ids[50:])
    np.testing.assert_array_equal(other.logits, whole[-1])
    np.testing.assert_array_equal(decoder.logits, whole[49])


def test_scores_beams_and_what_comes_next_agree(model, tmp_path):
    text = TEXT[20:140]
    score = elman.score(model, text)
    ids = model.reading.primed(model.reading.vocabulary.encode(text)).astype(np.int64)
    logits = model(ids[:-1, None])[0][:, 0]
    expected = -logits[np.arange(len(ids) - 1), ids[1:]].astype(np.float64) / math.log(2)
    np.testing.assert_allclose(score.surprisal, expected, rtol=1e-5, atol=1e-6)
    assert score.bits != elman.score(model.alone, text).bits
    assert [s.bits for s in elman.score(model, [text, text[:50]])] == [score.bits, elman.score(model, text[:50]).bits]
    (likeliest, p), *_ = elman.after(model, "the s")
    assert p == pytest.approx(float(np.exp(model(model.reading.primed(
        model.reading.prompt("the s")).astype(np.int64)[:, None])[0][-1, 0].max())), rel=1e-5)  # fmt: skip
    assert elman.generate(model, "the s", 1, temperature=0) == likeliest
    best = beam_search(model, "the s", 6, 5)[0]
    assert best.bits == pytest.approx(elman.score(model, "the s" + best.text).bits - elman.score(model, "the s").bits)
    elman.save(model, tmp_path / "m.safetensors")
    words = KenLM(tmp_path / "m.safetensors")
    assert words.score("the sea is") == pytest.approx(-elman.score(model, "the sea is\n").bits * math.log10(2))


def test_a_text_is_the_same_alone_and_in_company(model):
    alone = [elman.generate(model, prompt, 20, seed=5) for prompt in ("the ", "and the s", "")]
    assert elman.generate(model, ["the ", "and the s", ""], 20, seed=5) == alone
    streams = Streams(model, np.zeros((0, 2), np.int64), elman.Sampling(seed=5, choice="integers"))
    assert streams.advance(7).shape == (7, 2)


def test_costs_of_a_prompt_and_of_what_is_written_are_the_scores(model):
    """As a server reports them."""
    prompt = model.reading.prompt("the sea is")
    text = Text(prompt, 6, elman.Sampling(seed=3), top=2, prompt_top=1)
    ((_, done),) = complete(model, [[text]], prefixes=Prefixes(1 << 20))
    assert done.prompt_likely is not None
    assert done.likely is not None
    costs = -np.concatenate([done.prompt_likely.logprobs, done.likely.logprobs]) / math.log(2)
    np.testing.assert_allclose(costs, elman.score(model, "the sea is" + done.text).surprisal, rtol=1e-4, atol=1e-6)
    prefixes = Prefixes(1 << 20)
    texts = [Text(prompt, 6, elman.Sampling(seed=3)) for _ in range(2)]
    written = [next(complete(model, [[each]], prefixes=prefixes))[1].text for each in texts]  # the second's is known
    assert written == [done.text] * 2
    assert prefixes.hits


def test_adaptive_scores_begin_with_the_mixture():
    model = mixed(network())
    text = TEXT[100:160]
    first = elman.score(model, text[:1], adaptive=True).surprisal[0]
    assert first == pytest.approx(elman.score(model, text).surprisal[0], rel=1e-6)
    learned = elman.score(model, text * 3, adaptive=True)
    assert learned.bits < elman.score(model, text * 3).bits
    assert learned.bits != elman.score(model.alone, text * 3, adaptive=True).bits
    with pytest.raises(elman.InputError, match="a quantised model cannot be trained"):
        elman.score(elman.quantise(model), text, adaptive=True)


def test_a_typist_uses_them_and_its_network_learns():
    model = mixed(network())
    typist, alone = elman.Typist(model, floor=0), elman.Typist(model.alone, floor=0)
    for each in (typist, alone):
        each.enter("the s")
    assert typist.probabilities().sum() == pytest.approx(1)
    assert not np.allclose(typist.probabilities(), alone.probabilities())
    tuned = elman.Typist(model, tune=True)
    tuned.learn("the ship is at sea")
    assert isinstance(tuned._habits.model, NgramModel)
    assert tuned._habits.model.alone.digest() != model.alone.digest()


def test_a_quantised_model_has_the_same_bits_without_kernels():
    model = mixed(elman.quantise(network("lstm")))
    text, ids = TEXT[40:200], model.reading.vocabulary.encode(TEXT[:60]).astype(np.int64)[:, None]
    native = elman.score(model, text).surprisal, model(ids)[0]
    with kernels.use("reference"):
        np.testing.assert_array_equal(elman.score(model, text).surprisal, native[0])
        np.testing.assert_array_equal(model(ids)[0], native[1])


def test_without_kernels_floats_are_close():
    model = mixed(network())
    native = elman.score(model, TEXT[40:200]).bits
    with kernels.use("reference"):
        assert elman.score(model, TEXT[40:200]).bits == pytest.approx(native, rel=1e-5)


GOLDEN = ["0x1.042810904c6ccp+8", "0x1.05a957cf336c7p+8"]


def test_the_golden_scores():
    """The bits of floats on every machine with a kernel, and of integers on every machine, whatever the NumPy."""
    found = [elman.score(mixed(each), TEXT[40:240]).bits for each in (network(), elman.quantise(network("lstm")))]
    first = 0 if kernels.serving()[0] == "cpu" else 1
    assert [each.hex() for each in found][first:] == GOLDEN[first:]


# --- The file ---


def test_round_trip(tmp_path, model):
    elman.save(model, tmp_path / "m")
    loaded = elman.load(tmp_path / "m")
    assert isinstance(loaded, NgramModel)
    assert (loaded.digest(), loaded.fingerprint(), repr(loaded)) == (model.digest(), model.fingerprint(), repr(model))
    assert elman.score(loaded, TEXT).bits == elman.score(model, TEXT).bits
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.digest() == model.digest()
    assert model.digest() != model.alone.digest() != mixed(model.alone, most=140).digest() != model.digest()
    elman.save(loaded.alone, tmp_path / "alone")
    assert elman.load(tmp_path / "alone").digest() == model.alone.digest()


def test_an_older_version_refuses_the_file_in_one_line(tmp_path, model, monkeypatch):
    elman.save(model, tmp_path / "m")
    monkeypatch.setattr(container, "KNOWN", container.KNOWN - {"ngrams 1"})
    with pytest.raises(elman.ModelFileError, match=r"it needs 'ngrams 1', which this version lacks; upgrade Elman$"):
        elman.load(tmp_path / "m")


def craft(path, header, tensors) -> None:
    path.write_bytes(container.to_bytes(header, tensors))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("ngrams.weights"), "11 arrays of n-grams of up to 4 tokens; expected 12"),
        (lambda t: t.update({"ngrams.weights": t["ngrams.weights"][:2]}), r"ngrams.weights is uint16 \(2, 7, 7\)"),
        (lambda t: t["ngrams.weights"].fill(0), "the n-grams' weights are no 4 x 7 x 7 shares above 0"),
        (lambda t: t["ngrams.0.share"].fill(0), "the n-grams' shares are more than a whole"),
        (lambda t: t["ngrams.2.symbol"].fill(200), "the n-grams are not in the order of their tokens"),
        (lambda t: t["ngrams.1.symbol"].sort(), "the n-grams are not in the order of their tokens"),
        (lambda t: t["ngrams.0.children"].fill(255), r"n-grams of 2 tokens are told of, and there are others"),
        (
            lambda t: t.update({"ngrams.1.share": t["ngrams.1.share"][1:]}),
            r"ngrams.1.share is uint8 \(\d+,\)",
        ),
        (lambda t: t.update({"ngrams.9.share": t.pop("ngrams.3.share")}), "ngrams.3.share is missing"),
        (lambda t: t.update({"ngrams.0.symbol": t["ngrams.0.symbol"].astype(np.int8)}), "ngrams.0.symbol is int8"),
    ],
)
def test_a_tree_that_is_none_is_refused(tmp_path, model, change, message):
    elman.save(model, tmp_path / "m")
    header, tensors = file.read(tmp_path / "m")
    tensors = {name: array.copy() for name, array in tensors.items()}
    change(tensors)
    craft(tmp_path / "n", header, tensors)
    with pytest.raises(elman.ModelFileError, match=message) as caught:
        elman.load(tmp_path / "n")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ngrams", [None, 3, "x", [], {}, {"longest": 0}, {"longest": 17}, {"longest": 2**40},
                                    {"longest": "4"}, {"longest": True}, {"longest": 3}])  # fmt: skip
def test_a_header_that_says_something_else_is_refused(tmp_path, model, ngrams):
    elman.save(model, tmp_path / "m")
    header, tensors = file.read(tmp_path / "m")
    craft(tmp_path / "n", header | {"ngrams": ngrams}, tensors)
    with pytest.raises(elman.ModelFileError) as caught:
        elman.load(tmp_path / "n")
    assert "\n" not in str(caught.value)
    del header["ngrams"]
    craft(tmp_path / "n", header, tensors)
    with pytest.raises(elman.ModelFileError):
        elman.load(tmp_path / "n")


def loaded_or_refused(path) -> elman.Model | None:
    try:
        return elman.load(path)
    except elman.ModelFileError as error:
        if "\n" in str(error):
            raise
        return None


def test_mutated_arrays_are_refused_or_used_in_bounded_memory(tmp_path, model):
    elman.save(model, tmp_path / "m")
    header, whole = file.read(tmp_path / "m")
    names, rng, used = [name for name in whole if name.startswith("ngrams.")], random.Random(2), 0
    tracemalloc.start()
    for _ in range(300):
        tensors = {name: array.copy() for name, array in whole.items()}
        for _ in range(rng.choice((1, 1, 2, 5))):
            flat = tensors[rng.choice(names)].reshape(-1)
            flat[rng.randrange(len(flat))] = rng.randrange(np.iinfo(flat.dtype).max + 1)
        craft(tmp_path / "n", header, tensors)
        loaded = loaded_or_refused(tmp_path / "n")
        if loaded is None:
            continue
        used += 1
        assert 0 < elman.score(loaded, TEXT[:60]).bits < 60 * 100
        assert len(elman.generate(loaded, "the", 5)) == 5
    assert tracemalloc.get_traced_memory()[1] < 30 << 20
    tracemalloc.stop()
    assert 20 < used < 280


# --- Training ---

HOW = {"hidden_size": 8, "epochs": 2, "batch_size": 4, "seq_length": 16, "val_fraction": 0.3, "ngrams": 4,
       "ngrams_kept": 300, "prompts": (), "optimizer": "adam", "lr": 0.02}  # fmt: skip


@pytest.fixture(scope="module")
def long() -> elman.Corpus:
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(2, 6))) for _ in range(60)]
    return elman.Corpus("t", " ".join(rng.choices(words, k=900)) + "\n", "none", "here")


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.parametrize("tokens", ["chars", "bpe:270"])
def test_fit_counts_what_it_trains_on_and_chooses_on_what_it_holds_out(tmp_path, long, records, tokens):
    corpus = long
    if records:
        corpus = elman.Corpus("t", long.text.replace(" ", "\n"), "none", "here", True)
    if tokens != "chars":
        corpus = corpus.cut_into(tokens)
    recipe = elman.Recipe().replace(**HOW)
    model = elman.build_model(corpus, recipe)
    run = elman.fit(model, corpus, recipe, output=tmp_path / "run")
    assert run.mixed is not None
    assert run.ngrams is not None
    assert run.mixed.alone is model is run.model
    assert 0 < len(run.mixed.ngrams) <= 300
    measured = [epoch.val_perplexity or math.inf for epoch in run.log]
    assert run.ngrams["val_perplexity_alone"] == pytest.approx(min(measured), rel=1e-5)
    assert run.ngrams["val_perplexity"] < run.ngrams["val_perplexity_alone"]
    last, best = (elman.load(tmp_path / "run" / f"{name}.safetensors") for name in ("model", "best"))
    assert last.digest() == run.mixed.digest()
    assert isinstance(best, NgramModel)
    assert elman.load(tmp_path / "run").digest() == best.digest()
    header = read_header(tmp_path / "run")
    assert header["run"]["ngrams"] == run.ngrams
    assert header["ngrams"]["kept"] == len(best.ngrams)
    again = elman.fit(elman.build_model(corpus, recipe), corpus, recipe)  # without a folder
    assert again.mixed is not None
    assert again.mixed.digest() == run.mixed.digest()


def test_the_network_does_not_depend_on_them(long):
    with_them = elman.build_model(long, elman.Recipe().replace(**HOW))
    elman.fit(with_them, long, elman.Recipe().replace(**HOW))
    without = elman.build_model(long, elman.Recipe().replace(**HOW))
    elman.fit(without, long, elman.Recipe().replace(**HOW | {"ngrams": None}))
    assert with_them.digest() == without.digest()


def test_a_run_that_was_stopped_ends_with_the_same_file(tmp_path, long, default_signals):
    recipe = elman.Recipe().replace(**HOW)
    elman.fit(elman.build_model(long, recipe), long, recipe, output=tmp_path / "whole")

    def stop(step) -> None:
        if step.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        elman.fit(elman.build_model(long, recipe), long, recipe, output=tmp_path / "parts", on_step=stop)
    assert isinstance(elman.load(tmp_path / "parts"), NgramModel)  # of the network so far
    assert not read_checkpoint(tmp_path / "parts").finished
    elman.resume(tmp_path / "parts", long)
    for name in ("model", "best"):
        whole, parts = (file.read(tmp_path / run / f"{name}.safetensors")[1] for run in ("whole", "parts"))
        assert whole.keys() == parts.keys()
        for key in whole:
            np.testing.assert_array_equal(whole[key], parts[key])


def test_what_they_need_is_said(long):
    with pytest.raises(elman.InputError, match=r"^ngrams needs a text to measure on; set val_fraction, to 0.1 say"):
        elman.Recipe().replace(ngrams=4)
    for wrong in (0, 17, -1, 2.5):
        with pytest.raises(elman.InputError, match="ngrams must be"):
            elman.Recipe().replace(val_fraction=0.1, ngrams=wrong)
    recipe = elman.Recipe().replace(**HOW | {"val_fraction": 0.01})
    with pytest.raises(elman.InputError, match="at least 100 tokens, on which their share is chosen; it has"):
        elman.fit(elman.build_model(long, recipe), long, recipe)


# --- What takes the network alone, or refuses ---


def test_training_goes_on_with_the_network(long):
    model = mixed(network())
    before = model.alone.digest()
    run = elman.fit(model, TEXT, epochs=1, batch_size=2, seq_length=10)
    assert run.model is model.alone
    assert model.alone.digest() != before
    assert run.mixed is None


@pytest.mark.parametrize("what", ["C", "ONNX", "a page", "the package", "the plain container"])
def test_an_export_refuses_in_one_line(what):
    from elman import export

    model = mixed(network())
    small = elman.quantise(model)
    calls = {
        "C": lambda: export.to_c(small, "m"),  # type: ignore[arg-type]
        "ONNX": lambda: export.to_onnx(model),  # type: ignore[arg-type]
        "a page": lambda: export.to_html(small),  # type: ignore[arg-type]
        "the package": lambda: export.to_js(small, "m"),
        "the plain container": lambda: export.to_plain(model),
    }
    with pytest.raises(
        elman.InputError, match=f"^{what} has no n-grams, and this model is mixed with some; `network_alone` leaves"
    ):
        calls[what]()


def test_an_archive_is_made_by_the_network_alone():
    model = elman.build_model(CORPUS, cell="gru", hidden_size=6, init_std=None)
    pytest.importorskip("elman.kernels._cpu")
    assert Predictor.of(mixed(model)).digest == Predictor.of(model).digest


def command(*given: object, cwd) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "elman", *map(str, given)], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_the_commands(tmp_path, long):
    (tmp_path / "t.txt").write_text(long.text)
    settings = [f"--{name.replace('_', '-')}={value}" for name, value in HOW.items() if name != "prompts"]
    done = command("train", "t.txt", "--recipe", "modern", "-o", "run", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"\nwith \d+ n-grams of up to 4 tokens: held-out perplexity [\d.]+; every other number", done.stdout
    )
    info = command("info", "run", cwd=tmp_path).stdout
    assert "n-grams, on the held-out part" in info
    assert "of up to 4 tokens" in info
    assert json.loads(command("info", "run", "--json", cwd=tmp_path).stdout)["ngrams"]["longest"] == 4
    packed = command("compress", "-m", "run", "t.txt", cwd=tmp_path)
    assert packed.stderr == "elman: the n-grams of run are left out: its network alone codes\n"
    assert command("decompress", "-c", "-m", "run", "t.txt.elz", cwd=tmp_path).stdout == long.text
    refused = command("export", "html", "run", "-o", "m.html", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "--network-alone" in refused.stderr
    assert command("export", "html", "run", "-o", "m.html", "--network-alone", cwd=tmp_path).returncode == 0
    quantised = command("quantise", "run", "--text", "t.txt", cwd=tmp_path)
    assert quantised.returncode == 0, quantised.stderr
    assert isinstance(elman.load(tmp_path / "run" / "best.int8.safetensors"), NgramModel)
    small = command("score", "run/best.int8.safetensors", "t.txt", "--against", "run", "--words", cwd=tmp_path)
    assert small.returncode == 0, small.stderr
    again = command("train", "t.txt", "--from", "run", "-o", "next", "--epochs", "1", cwd=tmp_path)
    assert "training starts from the network of run; --ngrams counts n-grams anew" in again.stderr
    assert without_ngrams(elman.load(tmp_path / "next")) is not None


@pytest.mark.parametrize("text", ["", "th"])
def test_characters_after_a_text_are_summed_over_subwords(text):
    model = mixed(network(tokens="bpe:280"))
    whole = probability(model, text.encode()) if text else 1.0
    for character, p in elman.after(model, text, 4):
        assert p == pytest.approx(probability(model, (text + character).encode()) / whole, rel=1e-5)
