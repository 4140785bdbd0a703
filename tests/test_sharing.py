"""What is public pickles and copies, before and after it was used, and does for threads what its docstring says."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import elman

TEXT = "abc abd\nbad cab\n" * 40
IDS = np.arange(24).reshape(12, 2) % 6


def corpus() -> elman.Corpus:
    return elman.Corpus("t", TEXT, "none", "here", False)


def model(cell: str = "gru", **options: Any) -> elman.LanguageModel:
    return elman.build_model(corpus(), cell=cell, hidden_size=8, **options)  # type: ignore


def layer(kind: Any) -> Any:
    return kind(3, 4)


X = np.linspace(-1, 1, 30, dtype=np.float32).reshape(5, 2, 3)
MADE = {
    "Beam": (lambda: elman.beam_search(model(), "a", 3)[0], repr),
    "Corpus": (corpus, lambda c: (c.digest(), c.ids(c.vocabulary()).tolist())),
    "GRU": (lambda: layer(elman.GRU), lambda y: y(X)[0].tolist()),
    "LSTM": (lambda: layer(elman.LSTM), lambda y: y(X)[0].tolist()),
    "RNN": (lambda: layer(elman.RNN), lambda y: y(X)[0].tolist()),
    "LanguageModel": (lambda: model("lstm", embedding_size=3), lambda m: used(m)),
    "QuantisedModel": (lambda: elman.quantise(model()), lambda m: used(m)),
    "Reading": (lambda: corpus().reading(), lambda r: (r.line_end, r.prompt("ab").tolist(), len(r))),
    "Recipe": (elman.Recipe, lambda r: (repr(r), r.replace(lr=0.5).lr)),
    "Run": (lambda: elman.fit(model(), corpus(), epochs=1, batch_size=2, seq_length=5), lambda r: r.summary()),
    "Sampling": (lambda: elman.Sampling(temperature=0.5, top_k=3), repr),
    "Score": (
        lambda: elman.score(model(), TEXT),
        lambda s: (s.bits, s.bits_per_char, s.costs.tolist(), s.part(0, 7).text, s.lines().bits.tolist()),
    ),
    "Typist": (lambda: elman.Typist(model()), lambda t: after_ab(t.copy())),
    "Vocabulary": (
        lambda: elman.Vocabulary.from_dict({"kind": "bpe", "symbols": [], "merges": [97, 98, 256, 99]}),
        lambda v: [v.encode(word * 3 + TEXT).tolist() for word in ("abc", "ba", "c")],
    ),
}
"""How each public class is made, and what is computed with it, which is the same for a copy."""
ELSEWHERE = {"Codec", "Model", "Store"}
"""Those of tests of compression, and an interface."""


def after_ab(typist: elman.Typist) -> dict[str, float]:
    typist.enter("ab")
    return typist.distribution()


def used(m: Any) -> tuple:
    logits, _ = m(IDS)
    texts = elman.generate(m, "ab", 8), elman.generate(m, "a", 8, temperature=1.0, seed=3)
    return texts, elman.score(m, "abc ab").bits, logits.tobytes(), m.digest()


def copies(thing: Any) -> list[Any]:
    return [
        copy.deepcopy(thing),
        *(pickle.loads(pickle.dumps(thing, p)) for p in range(2, pickle.HIGHEST_PROTOCOL + 1)),
    ]


def test_every_public_class_is_here():
    classes = {name for name in elman.__all__ if inspect.isclass(getattr(elman, name))}
    errors = {name for name in classes if issubclass(getattr(elman, name), Exception)}
    assert classes - errors - ELSEWHERE == set(MADE)


@pytest.mark.parametrize("name", MADE)
def test_copies_are_equal_before_use_and_after(name):
    make, use = MADE[name]
    thing = make()
    before = copies(thing)
    expected = use(thing)
    for each in (*before, *copies(thing)):
        assert use(each) == expected
        assert use(copies(each)[0]) == expected


ERRORS = [name for name in elman.__all__ if name.endswith(("Error", "Diverged", "Lost"))]


@pytest.mark.parametrize("name", ERRORS)
def test_errors_pickle(name):
    error = getattr(elman, name)("give `a`", setting="a")
    for each in copies(error):
        assert (type(each), str(each), each.worded(str.upper)) == (type(error), "give `a`", "give A")


def test_a_copy_of_a_model_is_its_own():
    first = model()
    first(IDS)
    for second in copies(first):
        second.layer.weight_hh_l0[...] = 0.0
        assert not second.network.layers[0][1].any()
        assert first.layer.weight_hh_l0.all()
        assert elman.fit(second, corpus(), epochs=1, batch_size=2, seq_length=5).model.digest() != first.digest()


@pytest.mark.parametrize("name", MADE)
def test_threads_may_share_it(name):
    make, use = MADE[name]
    expected, shared = use(make()), make()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda _: use(shared), range(12)))
    finally:
        sys.setswitchinterval(interval)
    assert found == [expected] * 12


def test_words_are_found_while_another_thread_forgets_them():
    vocabulary: Any = MADE["Vocabulary"][0]()
    expected, stop = vocabulary.encode(TEXT).tolist(), threading.Event()

    def forget() -> None:
        while not stop.is_set():
            vocabulary._words.clear()

    other = threading.Thread(target=forget)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    other.start()
    try:
        assert all(vocabulary.encode(TEXT).tolist() == expected for _ in range(200))
    finally:
        stop.set()
        other.join()
        sys.setswitchinterval(interval)
