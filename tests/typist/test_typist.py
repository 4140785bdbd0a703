"""Typist: its distribution against sums over all tokenisations, copies, what it learns, its file, completions."""

from __future__ import annotations

import copy
import itertools
import math
import os
import stat

import numpy as np
import pytest

import elman
from elman.errors import InputError, ModelFileError
from elman.text import Subwords

TALK = "how are you\nhow is she\nare you there\nthe house is here\n" * 4
ALPHABET = "abehiorstuwy \n"
MERGES = [(104, 111), (256, 119), (32, 97), (258, 114), (97, 114), (32, 121), (104, 101), (111, 117)]


def chars(records=True, **settings):
    corpus = elman.Corpus("t", TALK, "none", "here", records)
    return elman.build_model(corpus, cell="gru", hidden_size=8, init_std=None, seed=3, **settings)


def tokens_model(merges=MERGES, cell="lstm"):
    vocabulary = Subwords(merges)
    reading = elman.Reading(vocabulary, records=True)
    layer = {"lstm": elman.LSTM, "gru": elman.GRU}[cell](len(vocabulary), 6)
    model = elman.LanguageModel(layer, reading)
    for number, array in enumerate(model.parameters()):
        array[...] = np.random.default_rng(number).normal(0, 0.9, array.shape)
    return model


def spelt(model, wanted: bytes) -> float:
    """The probability that the model's text begins with `wanted`: over all sequences of tokens, one by one."""
    vocabulary = model.reading.vocabulary
    tokens = {id: vocabulary.decode_bytes(np.array([id])) for id in range(len(vocabulary))}

    def after(ids: list[int], left: bytes) -> float:
        logits, _ = model(np.array([[model.reading.start, *ids]]).T)
        likely = np.exp(logits[-1, 0].astype(np.float64))
        likely /= likely.sum()
        total = 0.0
        for id, token in tokens.items():
            if b"\n" in token and len(token) > 1:
                continue
            if token.startswith(left):
                total += likely[id]
            elif left.startswith(token):
                total += likely[id] * after([*ids, id], left[len(token) :])
        return total

    return after([], wanted)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("begun", ["", "h", "ho", "how ar", "é", "xé"])
def test_sums_over_all_tokens(begun, cell):
    alphabet = "abhw ré\nü"
    model = tokens_model([*MERGES, (0xC3, 0xA9), (120, 0xC3)], cell)
    typist = elman.Typist(model, alphabet, floor=0, width=None)
    typist.enter(begun)
    expected = np.array([spelt(model, (begun + symbol).encode()) for symbol in alphabet])
    np.testing.assert_allclose(typist.probabilities(), expected / expected.sum(), rtol=1e-5)
    narrow = elman.Typist(model, alphabet, floor=0, width=1)
    narrow.enter(begun)
    assert abs(narrow.probabilities().sum() - 1) < 1e-12
    if begun == "how ar":
        assert np.abs(narrow.probabilities() - typist.probabilities()).max() > 1e-6


@pytest.mark.parametrize("quantised", [False, True])
def test_characters_are_the_models_own(quantised):
    model = chars()
    model = elman.quantise(model, text=TALK) if quantised else model
    typist = elman.Typist(model, ALPHABET, floor=0.001)
    bits, text = 0.0, "how is the house here\n"
    for symbol in text:
        p = typist.distribution()
        assert sum(p.values()) == pytest.approx(1, abs=1e-12)
        assert min(p.values()) >= 0.001 * (1 - 1e-12)
        bits -= math.log2(p[symbol])
        after = dict(elman.after(model, typist.text, 99))
        total = sum(after.get(each, 0.0) for each in ALPHABET)
        for each in ALPHABET:
            assert p[each] == pytest.approx(0.001 + (1 - 0.014) * after.get(each, 0.0) / total, rel=1e-5)
        typist.enter(symbol)
    assert typist.text == ""
    np.testing.assert_array_equal(typist.probabilities(), elman.Typist(model, ALPHABET, floor=0.001).probabilities())
    free = elman.Typist(model, floor=0)
    assert free.alphabet.symbols == "".join(model.reading.vocabulary.symbols[1:])


def test_lines_are_carried_where_the_model_has_no_records():
    typist = elman.Typist(chars(records=False), ALPHABET)
    first = typist.probabilities()
    typist.enter("how are you\n")
    assert typist.text == ""
    assert np.abs(typist.probabilities() - first).max() > 1e-6


def test_a_copy_is_a_place_to_come_back_to():
    typist = elman.Typist(tokens_model(), ALPHABET)
    typist.enter("ho")
    place, before = typist.copy(), typist.probabilities()
    typist.enter("w are")
    assert np.abs(typist.probabilities() - before).max() > 1e-6
    np.testing.assert_array_equal(place.probabilities(), before)
    place.enter("w are")
    np.testing.assert_array_equal(place.probabilities(), typist.probabilities())
    assert (place.text, typist.text) == ("how are", "how are")


def test_two_models_are_mixed():
    one, two = chars(), tokens_model()
    apart = [elman.Typist(model, ALPHABET) for model in (one, two)]
    both = elman.Typist(one, ALPHABET, other=two, share=0.25)
    for symbol in "how are y":
        a, b = (typist.probabilities() for typist in apart)
        np.testing.assert_allclose(both.probabilities(), 0.75 * a + 0.25 * b, rtol=1e-9)
        for typist in (*apart, both):
            typist.enter(symbol)


def bits_of(typist, line):
    reader, bits = typist.copy(), 0.0
    for symbol in line:
        bits -= math.log2(reader.distribution()[symbol])
        reader.enter(symbol)
    return bits


@pytest.mark.parametrize("tune", [False, True])
def test_it_learns_for_the_next_lines_and_forgets(tmp_path, tune):
    file, line = tmp_path / "learned", "our house is here\n"
    typist = elman.Typist(chars(), ALPHABET, learned=file, tune=tune)
    first = typist.probabilities()
    before = bits_of(typist, line)
    for _ in range(8):
        typist.enter(line.rstrip())
        typist.learn()
        typist.enter("\n")
    after = bits_of(typist, line)
    assert after < before * 0.8
    for symbol in ("", *line):
        typist.enter(symbol)
        assert abs(typist.probabilities().sum() - 1) < 1e-12
    typist.save()
    again = elman.Typist(chars(), ALPHABET, learned=file, tune=tune)
    assert bits_of(again, line) == after
    again.forget()
    assert not file.exists()
    np.testing.assert_array_equal(again.probabilities(), first)
    assert bits_of(again, line) == before


def test_counting_is_the_mixture_of_adaptive_scores():
    """What `Ngrams.mix` would give each symbol, and p is from before the line."""
    typist = elman.Typist(chars(), ALPHABET, floor=0)
    typist.learn("how are you\nhow is she")
    ngrams, plain = typist._habits.ngrams, elman.Typist(chars(), ALPHABET, floor=0)
    for place, symbol in enumerate("how"):
        mixed, p = typist.probabilities(), plain.probabilities()
        for index in np.flatnonzero(p):
            twin = copy.deepcopy(ngrams)
            twin.restart(len(ALPHABET))
            for earlier in "how"[:place]:
                twin._contexts = twin.followed(twin._contexts, ALPHABET.index(earlier))
            assert mixed[index] == pytest.approx(twin.mix(int(index), float(p[index])), rel=1e-6)
        typist.enter(symbol)
        plain.enter(symbol)


def test_the_file_is_private_and_says_what_it_holds(tmp_path):
    file = tmp_path / "learned"
    file.write_text("old")
    file.chmod(0o644)
    with pytest.raises(ModelFileError):
        elman.Typist(chars(), ALPHABET, learned=file)
    file.unlink()
    typist = elman.Typist(chars(), ALPHABET, learned=file)
    typist.learn("how is she")
    typist.save()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert b"the text that was typed" in file.read_bytes()
    file.chmod(0o644)
    typist.save()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    with pytest.raises(InputError, match="was learned with another alphabet"):
        elman.Typist(chars(), ALPHABET + "!", learned=file)
    with pytest.raises(InputError, match="was learned with another model"):
        elman.Typist(chars(records=False), ALPHABET, learned=file)
    data = bytearray(file.read_bytes())
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:cut])
        with pytest.raises(ModelFileError):
            elman.Typist(chars(), ALPHABET, learned=file)
    with pytest.raises(InputError, match="no file to save to"):
        elman.Typist(chars(), ALPHABET).save()


def test_completions_are_those_of_all_words():
    """By brute force over every word of up to two symbols."""
    model, alphabet = chars(), "ahou \n"
    typist = elman.Typist(model, alphabet)
    typist.enter("h")
    found = typist.complete(3, width=100)
    everything = []
    for length in (1, 2, 3):
        for word in itertools.product("ahou", repeat=length):
            reader, p = typist.copy(), 1.0
            for symbol in word:
                p *= reader.distribution()[symbol]
                reader.enter(symbol)
            everything.append((p * sum(reader.distribution()[end] for end in " \n"), "".join(word)))
    everything.sort(reverse=True)
    assert [each.text for each in found] == [word for _, word in everything[:3]]
    assert [each.probability for each in found] == pytest.approx([p for p, _ in everything[:3]], rel=1e-9)


def test_a_trained_model_completes_words():
    corpus = elman.Corpus("t", TALK * 20, "none", "here", True)
    model = elman.build_model(corpus, cell="gru", hidden_size=32, init_std=None)
    elman.fit(model, corpus, epochs=6, lr=0.01, optimizer="adam", batch_size=16, seq_length=20)
    typist = elman.Typist(model, ALPHABET)
    typist.enter("the ho")
    assert typist.complete(1)[0].text == "use"
    typist.enter("use ")
    assert typist.complete(2)[0].text == "is"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alphabet": "a"}, "at least two characters"),
        ({"alphabet": "aba"}, "the alphabet has 'a' twice"),
        ({"alphabet": "a\ud800"}, "half of a character"),
        ({"alphabet": 5}, "the alphabet is 5; expected a str"),
        ({"alphabet": "abc", "floor": 0.5}, "3 symbols of it leave nothing to the model"),
        ({"alphabet": "abc", "width": 0}, "width must be at least 1, got 0"),
        ({"alphabet": "abc", "other": chars(), "share": 1.5}, "share must be in"),
        ({}, "the model reads tokens; say which characters can be typed"),
    ],
)
def test_what_does_not_fit_is_one_line(settings, message):
    with pytest.raises(InputError, match=message):
        elman.Typist(tokens_model(), **settings)


def test_more_that_does_not_fit():
    with pytest.raises(InputError, match=r"expected one that elman\.load gives"):
        elman.Typist(None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot be trained"):
        elman.Typist(elman.quantise(chars(), text=TALK), tune=True)
    book = elman.build_model(elman.Corpus("t", "abc", "book", "here"), hidden_size=3)
    with pytest.raises(InputError, match="the model reads 'B' as 'b'; leave it out"):
        elman.Typist(book, "abB")
    typist = elman.Typist(chars(), ALPHABET)
    with pytest.raises(InputError, match="text is 5; expected a str"):
        typist.enter(5)  # type: ignore[arg-type]
    typist.enter("how xyz é\ud800")  # context may be anything
    assert abs(typist.probabilities().sum() - 1) < 1e-12
