"""Subwords: no text is lost, wherever it is cut; merges against a second way to find them; files of other tools."""

from __future__ import annotations

import collections
import itertools
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest

import elman
from elman.compression import Codec
from elman.corpora import cached, files, load_mapped, mapped, tokens
from elman.text import Subwords, Vocabulary, read_tokenizer, train_subwords
from elman.text.subwords import word_lists
from elman.text.tokenizer_file import _letters_of_bytes

TEXT = (
    "The traveller's horse came down to the séa; the travellers' horses did not.\n\n\tIn 1895 — «там» 海の中へ。 " * 40
)


def words(text: str | bytes) -> list[str]:
    return [word for some in word_lists([text]) for word in some]


def test_words():
    assert words("Don't  go\tto 12345678901 l’été, (now)…\r\n\n  x") == [
        *("Don't", " ", " go", "\t", "to", " 12345678", "901", " l’été", ",", " (", "now", ")…", "\r", "\n", "\n"),
        *(" ", " x"),
    ]


def by_hand(text: str, size: int) -> list[tuple[int, int]]:
    """The merges as the definition has them: count all pairs again after each."""
    counts = collections.Counter(word for word in words(text) if word != "\n")
    spelt = {word: list(word.encode()) for word in counts}
    merges, ids = [], {bytes([byte]): byte for byte in range(256)}
    names = {byte: bytes([byte]) for byte in range(256)}
    while len(ids) < size:
        pairs = collections.Counter()
        for word, parts in spelt.items():
            for pair in itertools.pairwise(parts):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        new = names[best[0]] + names[best[1]]
        id = ids.setdefault(new, len(ids))
        names[id] = new
        for parts in spelt.values():
            at = 0
            while at < len(parts) - 1:
                if (parts[at], parts[at + 1]) == best:
                    parts[at : at + 2] = [id]
                at += 1
    return merges


def test_merges_are_those_of_the_definition():
    vocabulary = train_subwords([TEXT], 320)
    assert len(vocabulary) == 320
    assert list(vocabulary.merges) == by_hand(TEXT, 320)
    draw = random.Random(5)  # few letters and long runs: ties, pairs within themselves, tokens that are made twice
    runs = " ".join(draw.choice("ab=") * draw.randrange(1, 20) + draw.choice(["", "ab", "ba"]) for _ in range(400))
    assert list(train_subwords([runs], 330).merges) == by_hand(runs, 330)
    assert len(train_subwords(["ab"], 5000)) == 257  # there is no more to merge


def test_the_same_merges_in_any_process_and_with_any_threads():
    program = (
        "import hashlib, random\nfrom elman.text import train_subwords\nr = random.Random(3)\n"
        "text = ' '.join(''.join(r.choices('abcdefg', k=r.randrange(1, 9))) for _ in range(20000))\n"
        "print(hashlib.sha256(repr(train_subwords([text], 700).merges).encode()).hexdigest())"
    )
    found = set()
    for number, threads in enumerate(("1", "4", "4")):
        env = os.environ | {"PYTHONHASHSEED": str(number), "RAYON_NUM_THREADS": threads}
        env["TOKENIZERS_PARALLELISM"] = "false" if threads == "1" else "true"
        found.add(subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True).stdout)
    assert len(found) == 1


def test_no_text_is_lost_and_cuts_change_nothing():
    vocabulary, draw = train_subwords([TEXT], 310), random.Random(1)
    kinds = ((32, 127), (0x80, 0x3100), (0, 0x110000), (9, 14), (0xD800, 0xE000))
    for _ in range(200):
        text = "".join(chr(draw.randrange(*draw.choice(kinds))) for _ in range(draw.randrange(300)))
        data = text.encode("utf-8", "surrogatepass")
        ids = vocabulary.encode(text)
        assert vocabulary.decode_bytes(ids) == data
        assert np.array_equal(vocabulary.encode(data), ids)
        assert vocabulary.widths(ids).sum() == len(data)
        cuts = [0, *sorted(draw.randrange(len(text) + 1) for _ in range(4)), len(text)]
        parts = [text[a:b] for a, b in itertools.pairwise(cuts)]
        assert np.concatenate([np.zeros(0), *vocabulary.encode_parts(parts)]).tolist() == ids.tolist()
        noise = draw.randbytes(draw.randrange(200))
        assert vocabulary.decode_bytes(vocabulary.encode(noise)) == noise
    assert vocabulary.decode(vocabulary.encode(TEXT)) == TEXT
    assert vocabulary.characters(vocabulary.encode(TEXT)) == len(TEXT)
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary


def tokenizer_json(vocabulary: Subwords, **changes) -> bytes:
    """As other tools write a byte-level BPE."""
    letters = {byte: letter for letter, byte in _letters_of_bytes().items()}

    def spelt(id: int) -> str:
        return "".join(letters[byte] for byte in vocabulary.decode_bytes(np.array([id])))

    model = {"type": "BPE", "vocab": {spelt(id): id for id in range(len(vocabulary))}}
    model["merges"] = [f"{spelt(a)} {spelt(b)}" for a, b in vocabulary.merges]
    return json.dumps({"normalizer": None, "model": model | changes.pop("model", {})} | changes).encode()


def test_tokenizer_json():
    vocabulary = train_subwords([TEXT], 310)
    data = tokenizer_json(vocabulary)
    assert read_tokenizer(data, "t.json") == vocabulary
    theirs = pytest.importorskip("tokenizers").Tokenizer.from_str(data.decode())
    for word in set(words(TEXT)):  # the library's own encoding of a word, by the same merges
        letters = {byte: letter for letter, byte in _letters_of_bytes().items()}
        spelt = "".join(letters[byte] for byte in word.encode())
        assert theirs.encode(spelt).ids == [
            json.loads(data)["model"]["vocab"]["".join(letters[b] for b in vocabulary.decode_bytes(np.array([id])))]
            for id in vocabulary.encode(word)
        ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": {"type": "NFC"}}, "it normalises text, which would be lost"),
        ({"model": {"type": "WordPiece"}}, "its model is 'WordPiece'"),
        ({"model": {"byte_fallback": True}}, "it marks its tokens, or falls back on bytes"),
        ({"model": {"vocab": {"a": 0}}}, "it has no token for every byte"),
        ({"model": {"merges": ["qz zq"]}}, "of tokens that no earlier one makes"),
        ({"model": {"merges": [3]}}, "its merges are not pairs"),
        ({"model": None}, "not a tokenizer.json"),
    ],
)
def test_other_tokenizers_are_refused(changes, message):
    data = json.loads(tokenizer_json(train_subwords([TEXT], 300)))
    model = changes.get("model", {})
    data = data | changes | {"model": None if model is None else data["model"] | model}
    with pytest.raises(elman.InputError, match=f"^t.json: .*{message}"):
        read_tokenizer(json.dumps(data).encode(), "t.json")


def test_damaged_merges_are_refused():
    doubling = [pair for k in range(20) for pair in ((97 if not k else 255 + k,) * 2)]
    for merges, message in (([0], "pairs"), (["a", "b"], "pairs"), ([1, 999], "1 and 999"), (doubling, "2,048 bytes")):
        with pytest.raises(elman.InputError, match=message):
            Vocabulary.from_dict({"kind": "bpe", "symbols": [], "merges": merges})


@pytest.mark.parametrize("records", [False, True])
def test_a_model_of_subwords(command, tmp_path, monkeypatch, records):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(TEXT, "utf-8", newline="")
    settings = ["--hidden-size", 8, "--batch-size", 4, "--seq-length", 9, "--epochs", 1, "--val-fraction", "0.1"]
    of = ["--records"] if records else []
    command("train", "t.txt", "--tokens", "bpe:300", *of, *settings, "--recipe", "modern", "--output", "a")
    model = elman.load("a")
    assert model.reading.vocabulary == train_subwords([elman.load_corpus("t.txt", normalisation="none").text], 300) or (
        records
    )
    assert model.vocab_size == 300
    score = elman.score(model, TEXT)
    text, bits = score.characters()
    assert text == (TEXT + "\n" if records else TEXT)
    assert len(bits) == len(text) == score.num_characters
    assert bits.sum() == pytest.approx(score.bits)
    assert score.lines().bits.sum() == pytest.approx(score.bits)
    assert score.bits_per_byte * score.num_bytes == pytest.approx(score.bits)
    assert score.num_bytes == len(text.encode())
    assert score.perplexity == pytest.approx(2 ** (score.bits / len(model.reading.vocabulary.encode(text))))
    assert len(elman.scoring.words(model, score)) == len(TEXT.split())
    pieces = list(elman.generation.stream(model, "The", 300, seed=2, temperature=3.0))
    whole = elman.generate(model, "The", 300, seed=2, temperature=3.0)
    assert "".join(pieces) == whole
    written = elman.generate(model, "", 60, allowed="the ra\n")
    assert set(written) <= set("the ra\n")
    shown = json.loads(command("score", "a", "t.txt", "--json"))
    assert shown["bits"] == score.bits
    assert shown["tokens"] == len(score.surprisal)
    logged = json.loads((tmp_path / "a" / "log.jsonl").read_text())
    assert 0 < logged["val_bits_per_char"] < np.log2(logged["val_perplexity"])
    for arguments in (["--words"], ["--lines"], ["--chars"], ["--top", "2", "--html", "p.html"], ["--html", "q.html"]):
        command("score", "a", "t.txt", *arguments)
    command("inspect", "a", "t.txt", "--length", "60", "--corpus", "t.txt", "--html", "i.html")
    assert "300 bpe" in command("info", "a")


def test_going_on(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(TEXT, "utf-8", newline="")
    (tmp_path / "u.txt").write_text(TEXT[::-1], "utf-8", newline="")
    settings = ["--hidden-size", 8, "--batch-size", 4, "--seq-length", 9, "--schedule", "constant"]
    command("train", "t.txt", "--tokens", "bpe:300", *settings, "--epochs", 2, "--output", "a")
    command("train", "t.txt", "--tokens", "bpe:300", *settings, "--epochs", 1, "--output", "b")
    command("train", "--resume", "b", "--epochs", 2)
    a, b = elman.load("a"), elman.load("b")
    assert isinstance(a, elman.LanguageModel)
    assert a.fingerprint() == b.fingerprint()
    command("train", "u.txt", "--from", "a", "--epochs", 1, "--recipe", "modern", "--batch-size", 32, "--output", "c")
    assert elman.load("c").reading == a.reading
    other = train_subwords([TEXT[::-1]], 300)
    with pytest.raises(elman.InputError, match="the model has its own subwords, 300"):
        elman.model.extend(a, other)
    codec = Codec(a)
    assert codec.decode(codec.encode(b"a line")) == b"a line"


def test_mapped_is_that_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for module in (mapped, cached):
        monkeypatch.setattr(module, "cache", lambda: tmp_path / "cache")
    monkeypatch.setattr(mapped, "_BLOCK", 7)
    monkeypatch.setattr(files, "BLOCK", 7)
    monkeypatch.setattr(tokens, "SAMPLE", 1000)
    (tmp_path / "t.txt").write_text(TEXT, "utf-8", newline="")
    there, here = (
        load(str(tmp_path / "t.txt"), normalisation="none", tokens="bpe:290")
        for load in (load_mapped, elman.load_corpus)
    )
    vocabulary = there.vocabulary()
    assert vocabulary == here.vocabulary() == train_subwords([TEXT[:1000]], 290)
    assert np.array_equal(there.ids(vocabulary), here.ids(vocabulary))
    assert there.ids(vocabulary).dtype == np.uint16
    assert (len(there), there.digest()) == (len(here), here.digest())
    for characters in (load_mapped(tmp_path / "t.txt"), elman.load_corpus(tmp_path / "t.txt")):
        assert characters.vocabulary().kind == "chars"
        cut = characters.cut_into("bpe:290")
        assert (cut.vocabulary(), cut.digest(), cut.loaded) == (vocabulary, there.digest(), characters.loaded)
        assert np.array_equal(cut.ids(vocabulary), there.ids(vocabulary))
    monkeypatch.setattr(mapped, "long_tokens", None)  # neither trained again
    monkeypatch.setattr(mapped, "_make", None)  # nor cut again
    assert load_mapped(tmp_path / "t.txt", normalisation="none", tokens="bpe:290").vocabulary() == vocabulary


@pytest.mark.parametrize("given", ["bpe:256", "bpe:70000", "bpe:", "bpe:x", "words"])
def test_other_tokens_are_refused(given):
    expected = r"tokens (bpe:\d+: subwords have 257|must be chars, bytes, bpe:N, split:REGEX or)"
    with pytest.raises(elman.InputError, match=expected):
        elman.Recipe(tokens=given)
