"""Texts that join, grow and leave: each has the bits that it has alone, whatever else is in the batch."""

from __future__ import annotations

import numpy as np
import pytest

import elman
from elman import kernels
from elman.generation import Batch, Piece, Prefixes, Sampling, Text, assembled, complete, likely, stop_strings
from elman.generation.batch import well_cut

TEXT = "abca bcab cabc aabb ccab. née\n"
SETTINGS = [
    {},
    {"temperature": 0},
    {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.01},
    {"repetition_penalty": 1.5},
    {"presence_penalty": 1.0, "frequency_penalty": 0.25},
    {"logit_bias": {"a": -2.0, 3: 1.5}},
    {"allowed_ids": [2, 3, 5]},
    {"temperature": 0, "frequency_penalty": 0.5, "repetition_penalty": 1.1},
]


def make(cell="gru", text: str | bytes = TEXT, bits=0, records=False):
    corpus = elman.Corpus("t", text, "none", "here", records)
    model = elman.build_model(corpus, cell=cell, hidden_size=9, num_layers=2, init_std=None)  # type: ignore[arg-type]
    model.initialise(3, None)
    model.output.weight *= 3.0
    return elman.quantise(model, bits=bits) if bits else model


def mixed(model, count=24) -> list[Text]:
    rng = np.random.default_rng(5)
    texts = []
    for k in range(count):
        prompt = model.reading.prompt("".join(rng.choice(list("abc ."), size=int(rng.integers(0, 40)))))
        sampling = Sampling(**SETTINGS[k % len(SETTINGS)], seed=k)
        tops = {"top": [None, 0, 3][k % 3], "prompt_top": [None, 2][k % 2]}
        texts.append(
            Text(prompt, int(rng.integers(0, 40)), sampling, k % 5, stop_strings(model, "ab" if k % 4 else ()), **tops)
        )
        texts[-1].whole = k % 7 < 3
    return texts


def again(text: Text) -> Text:
    return Text(text.prompt, text.length, text.sampling, text.number, text.stops, text.top, text.prompt_top)


def bits(done) -> tuple:
    reports = (done.likely, done.prompt_likely)
    numbers = [None if r is None else tuple(getattr(r, n).tobytes() for n in vars(r)) for r in reports]
    return done.text, done.finish_reason, done.stop, done.ids.tobytes(), *numbers


def alone(model, text: Text) -> tuple:
    return bits(next(complete(model, [[again(text)]]))[1])


CASES = [
    ("cpu", "gru", 0, TEXT),
    ("cpu", "lstm", 0, TEXT.encode()),
    ("cpu", "gru", 8, TEXT),
    ("cpu", "rnn_tanh", 4, TEXT),
    ("reference", "gru", 8, TEXT),  # NumPy's floats promise no bits
]


@pytest.mark.parametrize(("backend", "cell", "number_bits", "data"), CASES)
def test_company_changes_no_bit(backend, cell, number_bits, data):
    if backend == "cpu" and not kernels.has_native():
        pytest.skip("built without the native kernel")
    with kernels.use(backend):
        model = make(cell, data, number_bits)
        texts = mixed(model)
        want = [alone(model, text) for text in texts]
        assert len({w[0] for w in want}) > 12
        # They join at different steps; every third is cut on its way, and a few are read from known prefixes.
        batch, parts = Batch(model, rows=7, seconds=1e-4, prefixes=Prefixes(1 << 16)), dict[Text, list[Piece]]()
        left, cut, joined = list(texts), [text for text in mixed(model) if text.length > 5][::3], list[Text]()
        step = 0
        while left or not batch.idle:
            if step % 2 == 0 and left:
                batch.join([left.pop(0)])
            if step % 3 == 0 and cut and step > 3:
                cut[-1].cut = "gone"
                cut.pop()
            elif step % 3 == 1 and cut and cut[-1] not in joined:
                batch.join([cut[-1]])
                joined.append(cut[-1])
            for piece in batch.step():
                parts.setdefault(piece.text, []).append(piece)
            step += 1
        assert [bits(assembled(text, parts[text])) for text in texts] == want


def test_the_loop_in_python_draws_what_the_kernel_draws(monkeypatch):
    if not kernels.has_native():
        pytest.skip("built without the native kernel")
    model = make()
    texts = mixed(model)
    want = [alone(model, text) for text in texts]
    monkeypatch.delattr("elman.kernels.native_decoder.NativeDecoder.generate")
    assert [alone(model, text) for text in texts] == want


def test_what_is_reported_is_the_models_own_distribution():
    model = make("lstm")
    text = Text(model.reading.prompt("ab ca"), 30, Sampling(seed=4, top_k=2, logit_bias={"a": 5.0}), 0, (), 4, 3)
    done = next(complete(model, [[text]]))[1]
    ids = model.reading.primed(np.concatenate((text.prompt, done.ids)))
    logits, _ = model(ids[:-1, None])
    want = likely(model, logits[:, 0], ids[1:], 4)
    cut = len(text.prompt)
    assert done.likely is not None
    assert done.prompt_likely is not None
    assert np.array_equal(done.likely.logprobs, want.logprobs[cut:])
    assert np.array_equal(done.likely.top, want.top[cut:])
    assert np.array_equal(done.prompt_likely.logprobs, want.logprobs[:cut])
    assert np.array_equal(done.prompt_likely.top, want.top[:cut, :3])
    score = elman.score(model, model.reading.vocabulary.decode(ids[1:]))
    assert np.allclose(-want.logprobs / np.log(2), score.surprisal, rtol=1e-6)
    assert (
        want.ranks
        == [1 + (row > own).sum() for row, own in zip(model.log_softmax(logits[:, 0]), want.logprobs, strict=True)]
    ).all()


@pytest.mark.parametrize("seconds", [1e-9, 1.0])
def test_the_stop_string_that_is_whole_first_ends_a_text(seconds):
    """However many characters a step writes: "abc" begins before "b", which is whole before it."""
    model = make()
    bias = {c: -100.0 for c in TEXT if c not in "abc"}
    text = elman.generate(model, "", 300, seed=2, logit_bias=bias)
    for stops in ("abc", "b"), ("bca", "ab"), ("aab", "ab", "b"):
        first = min((text.find(s) + len(s), text.find(s)) for s in stops if s in text)
        one = Text(model.reading.prompt(""), 300, Sampling(seed=2, logit_bias=bias), 0, stops)
        done = next(complete(model, [[one]], seconds=seconds))[1]
        assert (done.text, done.finish_reason, len(done.ids)) == (text[: first[1]], "stop", first[0])


@pytest.mark.parametrize("stops", [(), ("zz",)])
def test_a_text_that_is_handed_on_whole_is_one_piece_also_where_it_is_cut(stops):
    model = make(text=TEXT.encode())
    want = Text(model.reading.prompt("ab"), 300, Sampling(seed=2), top=2)
    whole = next(complete(model, [[want]]))[1]
    text, batch = Text(want.prompt, 300, want.sampling, stops=stops, top=2, whole=True), Batch(model, seconds=1e-9)
    batch.join([text])
    while text.written < 20:
        assert not batch.step()
    text.cut = "gone"
    (piece,) = batch.step()
    assert piece.last
    assert batch.idle
    done = assembled(text, [piece])
    assert (done.finish_reason, done.ids.tolist()) == ("gone", whole.ids[: text.written].tolist())
    assert done.text == model.reading.vocabulary.decode(done.ids)
    assert done.likely is not None
    assert whole.likely is not None
    assert done.likely.logprobs.tolist() == whole.likely.logprobs[: text.written].tolist()


def test_a_list_is_what_each_alone_gives():
    model = make()
    prompts = ["ab", "", "cab aab", "ab"]
    together = elman.generate(model, prompts, 20, seed=3, stop="cc", num_samples=2)
    assert together == [elman.generate(model, prompt, 20, seed=3, stop="cc", num_samples=2) for prompt in prompts]
    assert elman.generate(model, prompts, 20, seed=3)[0] == together[0][0] or "cc" in together[0][0]
    assert elman.generate(model, [], 20) == []


def test_penalties_are_taken_as_often_as_the_text_has_an_id():
    model = make()
    ids = model.reading.vocabulary.encode("c")
    greedy = {"temperature": 0, "logit_bias": {"c": 50.0}}
    assert elman.generate(model, "", 8, **greedy) == "c" * 8
    first = elman.generate(model, "", 8, **greedy, presence_penalty=100.0)
    assert first[0] == "c"
    assert first.count("c") == 1
    counted = elman.generate(model, "", 30, **greedy, frequency_penalty=9.0)
    assert counted[:5] == "ccccc"
    assert "c" * 8 not in counted
    assert elman.generate(model, "cccc", 1, **greedy, presence_penalty=100.0) == "c", "the prompt does not count"
    with pytest.raises(ValueError, match=r"allowed_ids: the model has no id 99"):
        elman.generate(model, "", 1, allowed_ids=[*ids, 99])
    with pytest.raises(ValueError, match=r"frequency_penalty must be in"):
        elman.generate(model, "", 1, frequency_penalty=float("nan"))


def test_a_prefix_is_found_to_the_last_bit_and_forgotten_in_order():
    model, known = make(), Prefixes(100_000)
    prompt = model.reading.prompt("ab ca" * 200)
    texts = [Text(prompt[:n], 5, Sampling(seed=n)) for n in (700, 900, 900, 1000, 300)]
    want = [alone(model, text) for text in texts]
    for text, expected in zip(texts, want, strict=True):
        assert bits(next(complete(model, [[text]], prefixes=known))[1]) == expected
    # 512 of 701; 701 of 901; all; 901 of 1001; 256 of 301
    assert (known.queries, known.hits) == (701 + 901 + 901 + 1001 + 301, 0 + 701 + 901 + 901 + 256)
    small = Prefixes(9_000)
    for n in range(50):
        small.put(prompt[: n + 1], (np.zeros((1, 1, 100), np.float32),), np.zeros((1, 50), np.float32))
        assert small._size <= 9_000
    assert small.longest(prompt[:50]) is not None
    assert small.longest(prompt[:5]) is None


@pytest.mark.parametrize("seed", range(40))
def test_a_call_ends_where_others_would_grow_in_vain(seed):
    rng = np.random.default_rng(seed)
    left, most = rng.integers(1, 200, rng.integers(1, 64)), int(rng.integers(1, 250))
    cuts = [min(most, int(left.max())), *left[left < most].tolist()]
    assert well_cut(left, most) == max(cut for cut in cuts if np.maximum(cut - left, 0).sum() <= 50)


def test_what_nobody_sees_waits_unless_it_would_end_first():
    model = make()
    batch = Batch(model, 4, 1e-9, unseen=(1e-9, 2))
    texts = [Text(model.reading.prompt("a"), length, Sampling(seed=length), whole=True) for length in (40, 30, 35, 5)]
    seen = Text(model.reading.prompt("b"), 50, Sampling())
    for text in texts[:3]:
        batch.join([text])
    batch.step()
    assert batch.running == 2
    batch.join([texts[3]])
    batch.join([seen])
    batch.step()
    assert batch.running == 2, "the first that waits goes first"
    texts[2].cut = "gone"
    batch.step()
    assert batch.running == 4, "a short one, and one that is seen"
    ended = []
    while not batch.idle:
        ended += [(piece.text, piece.ids.tobytes()) for piece in batch.step() if piece.last]
    assert [text for text, _ in ended] == [texts[3], texts[1], texts[0], seen]
    for text, ids in ended[:3]:
        assert ids == next(complete(model, [[again(text)]]))[1].ids.tobytes()
        assert text.written == text.length
