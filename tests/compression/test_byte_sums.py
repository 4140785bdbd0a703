"""A byte's probability under a network of longer tokens: exact sums, whatever comes, and what files say of it."""

from __future__ import annotations

import math
import pickle
import struct
import zlib

import numpy as np
import pytest
from command_line import run
from compression_cases import TOKENS, english, float_weights, inputs, integers, predictor, subwords
from test_archive import packed, unpacked

import elman
from elman.compression import Codec, Predictor, Store, write_store
from elman.compression.blocks import BLOCK, HEADER
from elman.errors import CompressedError, InputError
from elman.kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from elman.text.subwords import from_pairs

ALL = {"ways": 1 << 20, "least": 32}


def trees(found: Predictor, text: bytes, ways: int = 3, least: int = 9) -> np.ndarray:
    """Integers (T + 1, 512): what the network says before any byte and after each."""
    made = np.zeros((len(text) + 1, 512), np.uint32)
    _cpu.byte_trees(found.native, np.frombuffer(text, np.uint8), made, ways, least)
    return made


def said(model: elman.Model, ids: list[int]) -> np.ndarray:
    """float64 (V): probabilities of the token after the start and `ids`."""
    logits, _ = model(np.array([[model.reading.start], *([id] for id in ids)]))
    likely = np.exp(logits[-1, 0].astype(np.float64) - logits[-1, 0].max())
    return likely / likely.sum()


def brute(model: elman.Model, tokens: list[bytes], text: bytes) -> float:
    """The probability that a text begins with `text`: of every way to spell it; the last token may go on."""

    def rest(at: int, ids: list[int]) -> float:
        if at == len(text):
            return 1.0
        p, total = said(model, ids), 0.0
        for id, token in enumerate(tokens):
            if token.startswith(text[at:]):
                total += p[id]
            elif token and text[at:].startswith(token):
                total += p[id] * rest(at + len(token), [*ids, id])
        return total

    return rest(0, [])


@pytest.fixture(scope="module")
def model() -> elman.LanguageModel:
    """A model of subwords with large weights, so that it has opinions."""
    merges = [(b"t", b"h"), (b"h", b"e"), (b"th", b"e"), (b" ", b"the"), (b"a", b"n"), (b"an", b"d"), (b" ", b"and")]
    reading = elman.Reading(from_pairs(merges))
    made = elman.LanguageModel(elman.GRU(len(reading), 6), reading)
    for number, array in enumerate(made.parameters()):
        array[...] = np.random.default_rng(number).normal(0, 0.7, array.shape)
    return made


@pytest.mark.parametrize("quantised", [False, True])
def test_a_byte_has_the_sum_over_all_ways_to_cut_what_came(model, quantised):
    each = elman.quantise(model, text=english(400).decode()) if quantised else model
    found, tokens = Predictor.of(each), [model.reading.vocabulary.decode_bytes(np.array([id])) for id in range(263)]
    for text in (b"the", b" the", b" and", b"thand", b"\xff\x00"):
        before = 1.0
        for at, tree in enumerate(trees(found, text, **ALL)[:-1]):
            p = brute(each, tokens, text[: at + 1])
            node = 256 + text[at]
            assert tree[node] / tree[1] == pytest.approx(p / before, rel=4e-4, abs=2e-6), (text, at)
            before = p


def test_a_tree_holds_sums_and_leaves_no_byte_out(model):
    for tree in trees(Predictor.of(model), english(300)):
        assert (tree[256:] >= 1).all()
        assert all(tree[node] == tree[2 * node] + tree[2 * node + 1] for node in range(1, 256))
        assert (1 << 27) < tree[1] <= (1 << 28) + 256  # what rounding down and unheard-of ways leave


def test_few_ways_are_nearly_all(model):
    text = english(400)
    exact, kept = (trees(Predictor.of(model), text, **which)[:-1] for which in ({"ways": 200, "least": 30}, {}))
    at = np.arange(len(text)), [256 + byte for byte in text]
    bits = [-np.log2(made[at] / made[:, 1]).mean() for made in (exact, kept)]
    assert bits[0] == pytest.approx(bits[1], rel=0.03)


def test_a_text_that_leaves_every_way_goes_on():
    """One way alone is followed, so that words often leave it."""
    found = subwords(predictor)
    for text in (english(500), b" theologian o\xff\xffx\xff\xff\xff" * 20):
        made = trees(found, text, ways=1, least=0)
        assert (made[:, 256:] >= 1).all()
        assert (made[:, 1] > 1 << 20).all()


@pytest.mark.parametrize("cell", ["rnn_relu", "rnn_tanh", "gru", "lstm"])
def test_states_of_every_cell_are_kept_apart(cell):
    for make in (predictor, integers):
        found = subwords(make, cell, H=8, L=2)
        data = english(3_000)
        assert unpacked(packed(data, found, level=3), found) == data
        one, other = (trees(found, text)[-1] for text in (b"ing", b"ang"))
        assert not np.array_equal(one, other)
        assert np.array_equal(trees(found, b"ing")[-1], one)


def test_rows_and_threads_and_instructions_change_no_bit():
    data = english(24_000)
    found = subwords(integers)
    whole = packed(data, found, block_size=8_000)
    assert packed(data, found, block_size=8_000, threads=3) == whole
    before = _cpu.coding_isa()
    try:
        _cpu.set_coding_isa("plain")
        assert packed(data, found, block_size=8_000) == whole
    finally:
        _cpu.set_coding_isa(before)
    assert unpacked(whole, found, threads=2) == data


@pytest.mark.parametrize("tokens", ["bpe", "split"])
def test_models_of_longer_tokens_code_whatever_comes(tokens):
    corpus = elman.Corpus("t", english(3_000).decode(), "none", "here")
    corpus = corpus.cut_into("bpe:300" if tokens == "bpe" else "split:[a-z]+")
    made = elman.build_model(corpus, cell="gru", hidden_size=8, init_std=None, seed=5)
    for each in (made, elman.quantise(made, text=english(400).decode())):
        found = Predictor.of(each)
        for data in [*inputs().values(), b"line\r\nend\r\n\xc3", b"\xf0\x9f\x98"]:
            assert unpacked(packed(data[:3000], found), found) == data[:3000]


def test_the_contract_names_it(model, tmp_path):
    found = Predictor.of(model)
    archive = packed(english(500), found, level=2)
    assert archive[5] == 3
    with pytest.raises(InputError, match="contract is 2; models of tokens of several bytes have 3"):
        packed(b"x", found, contract=2)
    rows = bytearray(archive)
    at = HEADER.size + 4
    kind, _, raw, coded, crc, _ = BLOCK.unpack(rows[at : at + BLOCK.size])
    head = BLOCK.pack(kind, 200, raw, coded, crc, 0)[:-4]
    rows[at : at + BLOCK.size] = head + struct.pack("<I", zlib.crc32(head))
    with pytest.raises(CompressedError, match="there is no such block"):  # 200 rows of sums would take much memory
        unpacked(bytes(rows), found)
    write_store([b"one", b"two"], tmp_path / "s", found)
    assert (tmp_path / "s").read_bytes()[5] == 3
    with Store(tmp_path / "s", found) as store:
        assert list(store) == [b"one", b"two"]


def test_messages(model):
    for found in (Predictor.of(model), Predictor.of(elman.quantise(model, text=english(400).decode()))):
        for past in (b"", english(2_000)):
            codec = Codec(found, past)
            messages = [b"", b"the and", b"\xff\n\xfe", english(300), *(english(30, seed) for seed in range(20))]
            codes = codec.encode_many(messages)
            assert codec.decode_many(codes) == messages
            assert [codec.encode(message) for message in messages[:6]] == codes[:6]
            assert pickle.loads(pickle.dumps(codec)).decode_many(codes) == messages


def test_tokens_that_cannot_be():
    layers, output = float_weights("gru", 8, 1, len(TOKENS))
    for tokens, said in (
        (TOKENS[:-1], "there are 276 tokens, and 10 is read first; the model has 277"),
        ([*TOKENS[:-1], b"th"], "tokens must have one of each single byte, and no two alike"),
        ([b"", *TOKENS[1:]], "tokens must have one of each single byte"),
        ([*TOKENS[:-1], "th"], "tokens must be bytes"),
    ):
        with pytest.raises(InputError, match=said):
            Predictor.from_arrays("gru", layers, *output, tokens=tokens)


def test_unlikely_tokens_still_have_their_byte():
    """A network that is sure of one token and gives others nothing at all."""
    layers, (weight, bias) = float_weights("gru", 8, 1, len(TOKENS))
    bias = bias.copy()
    bias[TOKENS.index(b" the")] = 200.0
    found = Predictor.from_arrays("gru", layers, weight, bias, tokens=TOKENS)
    text = b" the xyz the" + bytes(range(0, 256, 5))
    assert unpacked(packed(text, found), found) == text
    made = trees(found, text)
    assert -math.log2(made[0][256 + ord(" ")] / made[0][1]) < 0.01


def test_the_commands(model, tmp_path):
    elman.save(elman.quantise(model, text=english(400).decode()), tmp_path / "m.safetensors")
    text = english(3_000)
    (tmp_path / "t").write_bytes(text)
    done = run("compress", "-m", "m.safetensors", "t", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    without = run("decompress", "-c", "t.elz", cwd=tmp_path)
    assert without.returncode == 2
    assert "which is missing; give it with -m" in without.stderr
    (tmp_path / "t").unlink()
    assert run("decompress", "-m", "m.safetensors", "t.elz", cwd=tmp_path).returncode == 0
    assert (tmp_path / "t").read_bytes() == text
    code = run("message", "encode", "-m", "m.safetensors", "--text", "base85", "the and", cwd=tmp_path).stdout.strip()
    assert run("message", "decode", "-m", "m.safetensors", "--text", "base85", code, cwd=tmp_path).stdout == "the and"
