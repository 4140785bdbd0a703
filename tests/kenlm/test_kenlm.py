"""KenLM's calls: log10, sums of words, states, and a program that runs on either module."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from small_models import TEXT, save

import elman
from elman import kenlm
from elman.errors import InputError

SENTENCE = "the traveller came home"
ARPA = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-0.9\t</s>
-0.7\tthe\t-0.2
-0.8\tsea\t-0.1

\\2-grams:
-0.2\t<s> the
-0.3\tthe sea
-0.1\tsea </s>

\\end\\
"""


def program(kenlm, path):
    """A program written against KenLM's module: nothing in it knows which module it runs on."""
    model = kenlm.Model(path, kenlm.Config())
    state, after = kenlm.State(), kenlm.State()
    model.BeginSentenceWrite(state)
    total, words = 0.0, ["the", "sea"]
    for word in (*words, "</s>"):
        full = model.BaseFullScore(state, word, after)
        assert full.log_prob == model.BaseScore(state, word, after)
        total += full.log_prob
        state, after = after, kenlm.State()
    sentence = " ".join(words)
    assert total == pytest.approx(model.score(sentence=sentence, bos=True, eos=True), rel=1e-6)
    assert total == pytest.approx(sum(prob for prob, _, _ in model.full_scores(sentence)), rel=1e-6)
    assert model.perplexity(sentence) == pytest.approx(10 ** (-total / 3), rel=1e-6)
    null, copied = kenlm.State(), copy.copy(state)
    model.NullContextWrite(null)
    model.BaseScore(in_state=null, word="sea", out_state=after)
    assert copied == state
    assert hash(copied) == hash(state)
    assert null != state or null == state  # both are defined
    assert "sea" in model
    assert "</s>" in model
    assert model.order > 1
    assert model.path.startswith(b"/")
    assert repr(model).startswith("<")
    return [(round(prob, 5), length, oov) for prob, length, oov in model.full_scores(sentence)]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("kenlm") / "m.safetensors"
    save(path, records=True)
    return str(path)


@pytest.fixture(scope="module")
def model(path):
    return kenlm.Model(path)


def test_the_program_runs_on_elman(path):
    scores = program(kenlm, path)
    assert [length for _, length, _ in scores] == [2, 3, 4]
    assert not any(oov for _, _, oov in scores)


def test_the_program_and_the_names_are_those_of_the_real_module(tmp_path):
    real = pytest.importorskip("kenlm", reason="kenlm is not installed")
    if not hasattr(real, "Model"):  # this folder, which an import takes for a package without files
        pytest.skip("kenlm is not installed")
    (tmp_path / "m.arpa").write_text(ARPA)
    assert program(real, str(tmp_path / "m.arpa")) == [(-0.2, 2, False), (-0.3, 2, False), (-0.1, 2, False)]
    names = {name for name, value in vars(real).items() if isinstance(value, type)}
    assert names <= set(kenlm.__all__)
    for name in names:
        missing = {each for each in vars(getattr(real, name)) if not each.startswith("_")}
        assert missing <= set(dir(getattr(kenlm, name))), name


def test_a_score_is_the_probability_of_the_text(path, model):
    score = elman.score(elman.load(path), SENTENCE)
    assert model.score(SENTENCE) == pytest.approx(-score.bits * math.log10(2), rel=1e-12)
    assert model.score(f"  {SENTENCE.replace(' ', chr(9))} ") == model.score(SENTENCE)
    assert model.score(SENTENCE.encode()) == model.score(SENTENCE)
    # by hand: softmax after softmax, in float64
    loaded = elman.load(path)
    ids = loaded.reading.primed(loaded.reading.prompt(SENTENCE))
    logits = loaded(ids[:-1, None])[0][:, 0].astype(np.float64)
    nats = np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(ids) - 1), ids[1:]]
    assert model.score(SENTENCE, eos=False) == pytest.approx(-nats.sum() / math.log(10), rel=1e-5)
    words = [prob for prob, _, _ in model.full_scores(SENTENCE, eos=False)]
    begins = [0, 3, 13, 18]  # a word has the space before it
    assert words == pytest.approx([-part.sum() / math.log(10) for part in np.split(nats, begins[1:])], rel=1e-5)


def test_states_give_the_bits_of_the_whole(model):
    state, costs = kenlm.State(), []
    model.BeginSentenceWrite(state)
    for word in (*SENTENCE.split(), "</s>"):
        costs.append(model.BaseScore(state, word, state))  # one object for both
    assert costs == [prob for prob, _, _ in model.full_scores(SENTENCE)]
    assert math.fsum(costs) == model.score(SENTENCE)
    assert state.words == 6


def test_without_context(model):
    null, default, after = kenlm.State(), kenlm.State(), kenlm.State()
    model.NullContextWrite(null)
    cost = model.BaseScore(null, "the", after)
    assert cost == model.BaseScore(default, "the", kenlm.State())
    assert [(cost, 1, False)] == list(model.full_scores("the", bos=False, eos=False))
    assert cost != model.score("the", bos=True, eos=False)
    assert model.score("", eos=False) == 0.0
    assert list(model.full_scores("")) == [(model.score(""), 2, False)]
    assert model.perplexity("") == pytest.approx(10 ** -model.score(""))


def test_a_branch_leaves_the_state_that_it_came_from(model):
    begin = kenlm.State()
    model.BeginSentenceWrite(begin)
    before, branches = copy.deepcopy(begin), {}
    for word in ("the", "sea", "home"):
        branches[word] = kenlm.State()
        model.BaseScore(begin, word, branches[word])
    assert begin == before
    assert len(set(branches.values())) == 3
    assert sorted(branches.values())
    again = kenlm.State()
    model.BaseScore(begin, "sea", again)
    assert again == branches["sea"]


def test_words_and_models(path, model):
    assert "traveller" in model
    assert "xyz" not in model
    assert [oov for _, _, oov in model.full_scores("the xyz", eos=False)] == [False, True]
    assert pickle.loads(pickle.dumps(model)).score(SENTENCE) == model.score(SENTENCE)
    assert model.path == path.encode()
    sentences = [SENTENCE, "", "the sea", "home " * 40]
    assert model.scores(sentences) == [model.score(each) for each in sentences]
    assert model.scores([]) == []


def test_characters_as_words(path):
    characters = kenlm.Model(path, separator="")
    plain = kenlm.Model(path)
    assert characters.score("t h e <sp> s e a") == pytest.approx(plain.score("the sea"), rel=1e-12)
    assert len(list(characters.full_scores("t h e <sp> s e a"))) == 8
    assert "<sp>" in characters


@pytest.mark.parametrize("tokens", ["bytes", "bpe:280"])
def test_bytes_and_subwords(tmp_path, tokens):
    (tmp_path / "t.txt").write_text(TEXT * 5, encoding="utf-8")
    corpus = elman.load_corpus(tmp_path / "t.txt", tokens=tokens)
    elman.save(elman.build_model(corpus, cell="lstm", hidden_size=8, init_std=None), tmp_path / "m")
    model, state = kenlm.Model(tmp_path / "m"), kenlm.State()
    model.BeginSentenceWrite(state)
    costs = [model.BaseScore(state, word, state) for word in ("the", "trävellér", "</s>")]
    assert math.fsum(costs) == model.score("the trävellér")
    text = "the trävellér\n"
    assert model.score(text) == pytest.approx(-elman.score(model.model, text).bits * math.log10(2), rel=1e-12)


def test_what_does_not_fit_is_one_line(tmp_path, model):
    with pytest.raises(InputError, match="takes a list of sentences"):
        model.scores("one sentence")
    with pytest.raises(InputError, match="not UTF-8, at byte 1"):
        model.score(b"a\xff")
    with pytest.raises(InputError, match="expected a str"):
        model.score(5)
    with pytest.raises(InputError, match="in_state is None; expected a State"):
        model.BaseScore(None, "the", kenlm.State())
    save(tmp_path / "m", "one line and no end")
    without = kenlm.Model(tmp_path / "m")
    assert without.score("one line", eos=False) < 0
    with pytest.raises(InputError, match="never seen a line end"):
        without.score("one line")
