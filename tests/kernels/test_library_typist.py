"""The typist of libelman says what Python's does, for every kind of model; a host like DasherCore drives it."""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drivers import HERE, NATIVE, needs_source
from scripts import script

import elman
from elman.errors import ModelFileError
from elman.export import to_plain
from elman.text import Subwords
from elman.typing import Primed, prime

pytestmark = needs_source
TALK = "how are you\nhow is she\nwhere are you\nthé house is here\n" * 4
MERGES = [(104, 111), (256, 119), (32, 97), (258, 114), (97, 114), (104, 101), (0xC3, 0xA9), (32, 0xC3)]
ALPHABET = "abehiorstuwy é\nü"


@pytest.fixture(scope="module")
def typists(by_gcc) -> Iterator[tuple]:
    with script(HERE.parents[1] / "benchmarks" / "typist_library.py") as module:
        yield module, module.Library(by_gcc / "libelman.so")


def models() -> Iterator[tuple[str, elman.Model]]:
    for records in (True, False):
        corpus = elman.Corpus("t", TALK, "none", "here", records)
        yield "characters", elman.build_model(corpus, cell="gru", hidden_size=8, init_std=None, seed=3)
        reading = elman.Reading(Subwords(MERGES), records=records)
        for layer in (elman.GRU(len(reading), 6), elman.LSTM(len(reading), 5, num_layers=2)):
            model = elman.LanguageModel(layer, reading)
            for number, array in enumerate(model.parameters()):
                array[...] = np.random.default_rng(number).normal(0, 0.9, array.shape)
            yield "subwords", model
            yield "quantised", elman.quantise(model, bits=6, text=TALK)


@pytest.mark.parametrize("width", [0, 3])
def test_it_says_what_python_says(typists, width):
    module, library = typists
    for name, model in models():
        ours = elman.Typist(model, ALPHABET, floor=1e-4, width=width or None)
        theirs = module.LibraryTypist(
            library, library.open(to_plain(model)), ALPHABET, 1e-4, width, 1e-4 if width else 0.0
        )
        for symbol in "how aré yoü\nx he":
            np.testing.assert_allclose(theirs.probabilities(), ours.probabilities(), rtol=2e-5, err_msg=name)
            place = ALPHABET.find(symbol)
            theirs.read(symbol) if place < 0 else theirs.enter(place)
            ours.enter(symbol)
        place, before = theirs.copy(), theirs.probabilities().copy()
        theirs.enter(1)
        assert np.abs(theirs.probabilities() - before).max() > 1e-6
        np.testing.assert_array_equal(place.probabilities(), before)
        frequencies = place.frequencies(65536)
        assert sum(frequencies) == 65536
        np.testing.assert_allclose(frequencies, before * 65536, atol=len(ALPHABET) + 1)


def test_it_learns_what_python_learns_and_forgets(typists):
    module, library = typists
    for _, model in models():
        if not model.reading.records:
            continue
        ours = elman.Typist(model, ALPHABET, floor=1e-4)
        theirs = module.LibraryTypist(library, library.open(to_plain(model)), ALPHABET, 1e-4, 8, 1e-4)
        first = theirs.probabilities().copy()
        copy = theirs.copy()
        for line in ("how is ü", "how are y", "how is ü"):
            ours.learn(line)
            for symbol in line + "\n":
                theirs.learn(ALPHABET.index(symbol))
        for symbol in "how is":
            np.testing.assert_allclose(theirs.probabilities(), ours.probabilities(), rtol=1e-4)
            np.testing.assert_array_equal(copy.probabilities(), theirs.probabilities())
            theirs.read(symbol)
            copy.read(symbol)
            ours.enter(symbol)
        copy.forget()
        theirs.read("\n")
        np.testing.assert_array_equal(theirs.probabilities(), first)


def test_primed_n_grams_are_pythons(typists):
    module, library = typists
    symbols = ALPHABET + "z"
    for _, model in models():
        if not model.reading.records:
            continue
        primed = prime(model, TALK, "how is the house\nare you there\nwhere is he\n", most=60)
        ours = elman.Typist(model, symbols, floor=1e-4, primed=primed)
        theirs = module.LibraryTypist(library, library.open(to_plain(model)), symbols, 1e-4, 8, 1e-4)
        plain = theirs.probabilities().copy()
        theirs.prime(primed.to_bytes())
        first = theirs.probabilities().copy()
        assert np.abs(first - plain).max() > 1e-3
        for symbol in "how é\nzhe is":
            np.testing.assert_allclose(theirs.probabilities(), ours.probabilities(), rtol=2e-5)
            theirs.read(symbol)
            ours.enter(symbol)
        for line in ("how is ü", "how are yz", "how is ü"):
            ours.learn(line)
            theirs.read("\n")
            for symbol in line + "\n":
                theirs.learn(symbols.index(symbol))
        ours.enter("\n")
        np.testing.assert_allclose(theirs.probabilities(), ours.probabilities(), rtol=1e-4)
        theirs.forget()
        np.testing.assert_array_equal(theirs.probabilities(), first)


def test_damaged_n_grams_are_refused(typists):
    module, library = typists
    model = next(models())[1]
    data = prime(model, TALK, "how is the house\nare you there\n", most=60).to_bytes()
    container = library.open(to_plain(model))

    def refused(data: bytes) -> None:
        typist = module.LibraryTypist(library, container, ALPHABET, 1e-4, 8, 1e-4)
        before = typist.probabilities().copy()
        with pytest.raises(ValueError, match="n-grams"):
            typist.prime(data)
        np.testing.assert_array_equal(typist.probabilities(), before)

    for size in (0, 7, 31, 40, len(data) - 1):
        refused(data[:size])
    for at in range(0, len(data), 23):
        refused(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    random = np.random.default_rng(5)
    for at in random.integers(8, len(data) - 4, 300):  # with a checksum that is right
        wrong = data[:at] + random.bytes(1) + data[at + 1 : -4]
        wrong += zlib.crc32(wrong).to_bytes(4, "little")
        typist = module.LibraryTypist(library, container, ALPHABET, 1e-4, 8, 1e-4)
        try:
            Primed.from_bytes(wrong)
        except ModelFileError:
            with pytest.raises(ValueError, match="n-grams"):
                typist.prime(wrong)
        else:
            typist.prime(wrong)
        assert typist.probabilities().sum() == pytest.approx(1)


def test_bad_input_is_refused(typists):
    module, library = typists
    model = library.open(to_plain(next(models())[1]))

    def made(symbols: Any = "ab", floor: Any = 0.0, width: Any = 1, least: Any = 0.0) -> Any:
        return module.LibraryTypist(library, model, symbols, floor, width, least)

    for wrong, said in (
        ({"symbols": "a"}, "2 .. 500 symbols"),
        ({"symbols": "aba"}, "twice"),
        ({"symbols": ["a", "bc"]}, "symbol 1 is not one character"),
        ({"symbols": ["a", ""]}, "symbol 1 is not one character"),
        ({"floor": 0.5}, "floor"),
        ({"floor": float("nan")}, "floor"),
        ({"width": -1}, "width"),
        ({"least": 1.0}, "least"),
    ):
        with pytest.raises(ValueError, match=said):
            made(**wrong)
    typist = made()
    for place in (-1, 2):
        with pytest.raises(ValueError, match="got"):
            typist.enter(place)
    with pytest.raises(ValueError, match="at least 1"):
        typist.frequencies(1)
    assert typist.probabilities().sum() == pytest.approx(1)


@pytest.mark.parametrize("learns", [False, True])
def test_a_host_like_dasher(by_gcc, typists, tmp_path, learns):
    module, library = typists
    model = next(models())[1]
    (tmp_path / "container").write_bytes(to_plain(model))
    program = tmp_path / "dasher"
    command = [
        "g++",
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=address,undefined",
        "-g",
        HERE / "dasher.cpp",
    ]
    built = subprocess.run(
        [*command, f"-I{NATIVE / 'c'}", by_gcc / "libelman.a", "-pthread", "-o", program],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    symbols, text = ["\r\n", *"howareyu .", "ch"], "how are"
    done = subprocess.run(
        [program, tmp_path / "container", str(int(learns)), *symbols], input=text, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *nodes, none, root, few = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(nodes) == len(text) + 1
    assert none == nodes[-1]
    for shares in (*nodes, none, root):
        assert (len(shares), shares[0], sum(shares)) == (len(symbols) + 1, 0, 65536)
        assert min(shares[1:]) >= 1
    assert (few[0], sum(few)) == (0, 3)
    typist = module.LibraryTypist(library, library.open(to_plain(model)), "\nhowareyu .", 1e-5, 4, 1e-3)
    assert nodes[0][1:-1] == typist.frequencies(65535)
    assert nodes[0][-1] == 1  # which is no single character
    for symbol in text:
        place = "\nhowareyu .".index(symbol)
        typist.learn(place) if learns else typist.enter(place)
    expected = typist.probabilities() * 64536 + 1000 / len(symbols)
    np.testing.assert_allclose(nodes[-1][1:-1], expected, atol=len(symbols) + 2)


def test_it_is_installed(by_gcc, tmp_path):
    done = subprocess.run(["cmake", "--install", by_gcc, "--prefix", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in Path(tmp_path / "include").iterdir()} >= {
        "elman.h",
        "elman_typist.h",
        "elman_dasher.hpp",
    }
