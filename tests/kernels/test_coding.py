"""The coder's parts against plain definitions in exact integers, and blocks on every instruction set."""

from __future__ import annotations

import math
import platform
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
from compression_cases import english, float_weights, integers, predictor

from elman.compression import Codec, Predictor
from elman.kernels import _cpu, integer, likelihood  # pyright: ignore
from elman.model.rounding import to_integers


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)


def decisions(n: int, seed: int, skew: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    p = np.clip((65536 * draw.beta(skew, skew, n)).astype(np.int64), 1, 65535)
    bits = draw.random(n) * 65536 < p
    return bits.astype(np.uint8), p.astype(np.uint32)


def interval(bits: np.ndarray, p: np.ndarray) -> tuple[int, int, int]:
    """The final interval [low, low + range) in units of 256^-digits, by integers without bound."""
    low, size, digits = 0, 0xFF000000, 4
    for bit, probability in zip(bits.tolist(), p.tolist(), strict=True):
        bound = size * probability >> 16
        low, size = (low, bound) if bit else (low + bound, size - bound)
        while size < 1 << 24:
            low, size, digits = low << 8, size << 8, digits + 1
    return low, size, digits


@pytest.mark.parametrize("skew", [0.02, 0.3, 5.0])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 100, 5000])
def test_range_coder_is_its_definition(n, skew):
    for seed in range(20 if n <= 100 else 2):
        bits, p = decisions(n, seed, skew)
        code = _cpu.range_encode(bits, p)
        low, size, digits = interval(bits, p)
        value = int.from_bytes(code.ljust(digits, b"\0"))
        assert len(code) <= digits
        assert low <= value < low + size
        assert code[-1:] != b"\0"
        if code:  # no shorter one is in the interval
            unit = 256 ** (digits - len(code) + 1)
            assert -(-low // unit) * unit >= low + size
        back = np.zeros(n, np.uint8)
        _cpu.range_decode(array(code), p, back)
        assert (back == bits).all()
        assert code[:1] != b"\xff"


def test_length_is_the_entropy_and_that_of_another_range_coder():
    bits, p = decisions(200_000, 3, 0.5)
    chance = np.where(bits == 1, p, 65536 - p) / 65536
    bound = -np.log2(chance).sum() / 8
    ours = len(_cpu.range_encode(bits, p))
    assert bound < ours < bound * 1.0001 + 4
    constriction = pytest.importorskip("constriction", reason="constriction, the other range coder, is not installed")
    encoder = constriction.stream.queue.RangeEncoder()
    family = constriction.stream.model.Bernoulli(perfect=False)
    encoder.encode(bits.astype(np.int32), family, (p / 65536).astype(np.float64))
    assert abs(ours - 4 * len(encoder.get_compressed())) <= 8


def test_any_code_decodes_to_something():
    draw = random.Random(1)
    _, p = decisions(300, 1, 0.3)
    for _ in range(200):
        _cpu.range_decode(array(draw.randbytes(draw.randrange(40))), p, np.zeros(300, np.uint8))


def frequency(x: np.float32) -> int:
    """As docs/reference/formats.md defines it, in Python's own integers."""
    octaves = np.float32(x) * np.float32(94548.4622)
    octaves = min(octaves, np.float32(0)) if octaves > np.float32(-1507328) else np.float32(-1507328)
    u = int(-octaves)
    f = u & 65535
    slope = 12545 - (2565 * f >> 16)
    m = 65536 - (f >> 1) - ((f * (65536 - f) >> 16) * slope >> 16)
    return (m << 7 >> (u >> 16)) + 1


@pytest.fixture(params=["plain", ""])
def stages(request):
    _cpu.set_coding_isa(request.param)
    yield
    _cpu.set_coding_isa("")


def test_frequencies_are_their_definition_and_a_softmax(stages):
    draw = np.random.default_rng(2)
    for scale in (0.1, 3, 30, 1e4, 1e38):
        with np.errstate(over="ignore", invalid="ignore"):
            logits = (draw.standard_normal(256) * scale).astype(np.float32)
            tree = np.zeros(512, np.uint32)
            _cpu.frequency_tree(logits, tree)
            assert tree[256:].tolist() == [frequency(x) for x in logits - logits.max()]
        for node in range(1, 256):
            assert tree[node] == tree[2 * node] + tree[2 * node + 1]
        if scale <= 3:
            exact = np.exp(logits.astype(np.float64) - logits.max())
            assert np.allclose(tree[256:], exact * 2**23 + 1, rtol=2e-4, atol=1)


def test_logits_that_are_no_numbers_give_frequencies_all_the_same(stages):
    for odd in (np.nan, np.inf, -np.inf):
        for logits in (np.full(256, odd, np.float32), np.where(np.arange(256) % 2, odd, 1).astype(np.float32)):
            tree = np.zeros(512, np.uint32)
            _cpu.frequency_tree(logits, tree)
            assert tree[256:].min() >= 1
            assert int(tree[256:].astype(np.int64).sum()) == tree[1]


CONTRACTS = [(1, level) for level in range(1, 10)] + [(2, level) for level in (1, 6, 7, 8, 9)]
"""And levels: those of the second contract below 6 have the first one's contexts."""


@pytest.mark.parametrize(("contract", "level"), CONTRACTS)
def test_blocks_of_every_level_and_any_rows(contract, level):
    gru = predictor()
    for size in (0, 1, 2, 5, 100, 2001):
        data = english(size, level)
        for rows in (1, 3, 16, 1024):
            for model in (None, gru.native) if rows < 1024 else (None,):
                how = {"level": level, "rows": rows, "predictor": model, "contract": contract}
                code = _cpu.encode_block(array(data), **how)
                back = np.full(size, 0xA5, np.uint8)
                _cpu.decode_block(array(code), back, **how)  # type: ignore
                assert back.tobytes() == data


def test_instruction_sets_and_threads_give_the_same_bytes():
    data, codes = array(english(4000)), set()
    for isa in ("portable", "avx2", "avx512", "neon"):
        try:
            _cpu.set_isa(isa)
        except RuntimeError:
            continue  # not of this machine
        for threads in (1, 2, 3):
            _cpu.set_threads(threads)
            codes.add(_cpu.encode_block(data, level=6, rows=8, predictor=predictor(H=40).native))
    _cpu.set_isa(_cpu.best_isa() or "portable")
    assert len(codes) == 1


def test_integer_instruction_sets_and_threads_give_the_same_bytes():
    data, codes, before = array(english(3000)), set(), _cpu.integer_isa()
    for isa in ("portable", "avx2", "avxvnni", "avx512vnni", "neon", "neondot"):
        try:
            _cpu.set_integer_isa(isa)
        except RuntimeError:
            continue  # not of this machine
        for threads in (1, 2, 3):
            _cpu.set_threads(threads)
            codes.add(_cpu.encode_block(data, level=6, rows=16, predictor=integers(H=40).native))
    _cpu.set_integer_isa(before)
    assert len(codes) == 1


def both_ways(text: bytes, level: int, rows: int, model, contract: int = 1) -> None:
    """Coded and decoded by the coder's vectors, and by its plain stages, which define them."""
    codes = []
    for isa in ("plain", "avx2"):
        _cpu.set_coding_isa(isa)
        how = {"level": level, "rows": rows, "predictor": model, "contract": contract}
        codes.append(_cpu.encode_block(array(text), **how))
        back = np.full(len(text), 0xA5, np.uint8)
        _cpu.decode_block(array(codes[0]), back, **how)
        assert back.tobytes() == text
    assert codes[0] == codes[1]


@pytest.fixture
def vectors():
    if _cpu.coding_isa() == "plain":
        pytest.skip("this machine has no vectors for the coder")
    yield
    _cpu.set_coding_isa("")


@pytest.mark.parametrize(("contract", "level"), CONTRACTS)
def test_vectors_give_the_bytes_of_the_plain_stages(vectors, contract, level):
    draw = random.Random(level)
    text = english(3_000, level) + draw.randbytes(500) + bytes(500) + b"%d," * 200 % tuple(range(200))
    both_ways(text, level, 1, None, contract)
    both_ways(text, level, 5, integers(H=8).native, contract)


@pytest.mark.parametrize("level", [6, 9])
def test_lines_above_and_matches_that_miss_are_read_as_they_were_written(level):
    """What contexts take of the line above must be known to a decoder: empty lines, long and short ones, in pieces."""
    draw = random.Random(level)
    lines = [b"", b"", b"\n", b"%06d ok %d" % (draw.randrange(10**6), 7), b"x" * 300, b"\xff\xfe"]
    text = b"\n".join(draw.choice(lines) for _ in range(600))
    for rows in (1, 2, 12):
        how = {"level": level, "rows": rows, "predictor": None, "contract": 2}
        code, back = _cpu.encode_block(array(text), **how), np.full(len(text), 0xA5, np.uint8)
        assert code is not None
        assert _cpu.decode_block(array(code), back, **how)
        assert back.tobytes() == text


def test_vectors_where_contexts_claim_the_same_buckets(vectors):
    """A table of 256 buckets: several of a byte's contexts meet in one, and learn one after the other."""
    for seed in range(150):
        both_ways(random.Random(seed).randbytes(seed % 20), 9, 1, None)
        both_ways(random.Random(seed).randbytes(seed % 20), 6, 1, None)
        both_ways(random.Random(seed).randbytes(seed % 20), 9, 1, None, 2)


@pytest.mark.parametrize(("contract", "level"), [(1, 1), (1, 6), (1, 9), (2, 6), (2, 9)])
def test_messages_by_vectors_and_plain_stages(vectors, contract, level):
    messages, codes = [english(30 + i, i) for i in range(20)], []
    for isa in ("plain", "avx2"):
        _cpu.set_coding_isa(isa)
        past = array(english(110_000, 3))
        coder = _cpu.Messages(past, level=level, end=10, predictor=None, contract=contract)
        codes.append(coder.encode(messages))
        assert coder.decode(codes[0], 1000)[0] == messages
    assert codes[0] == codes[1]


def test_an_integer_predictor_is_the_definition():
    """A code of a network that the contexts trust wholly costs what the definition says, and a few bits of rounding."""
    model = to_integers("gru", *float_weights("gru", 24, 1, 256))
    message = english(300).replace(b"\n", b" ")
    ids = np.frombuffer(b"\n" + message + b"\n", np.uint8).astype(np.int64)[:, None]
    logits = integer.run(model.network, ids[:-1], integer.begin_state(model.network, 1))[0]
    bits = likelihood.nats(logits, ids[1:]).sum() / math.log(2)
    size = len(Codec(Predictor.from_integers(model)).encode(message))
    assert size == pytest.approx(min(bits / 8, len(message) + 1), rel=0.02)


def test_rows_share_what_they_learn():
    data = english(30_000)
    alone = sum(
        len(_cpu.encode_block(array(data[i : i + 3750]), level=6, rows=1, predictor=None))  # type: ignore
        for i in range(0, 30_000, 3750)
    )
    together = len(_cpu.encode_block(array(data), level=6, rows=8, predictor=None))  # type: ignore
    assert together < 0.95 * alone


def test_a_code_costs_what_the_model_says():
    """Zeros alone: 16 bits of precision, so at most 8 bits of 65535 in 65536 each, and what learning takes."""
    size = len(_cpu.encode_block(array(bytes(100_000)), level=6, rows=1, predictor=None))  # type: ignore
    assert size < 60 + 100_000 * 8 * -math.log2(1 - 2**-15) / 8


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"level": 0}, "level must be in 1..9"),
        ({"rows": 0}, "rows must be in 1..1024"),
        ({"rows": 1025}, "rows must be in"),
    ],
)
def test_arguments_that_cannot_be(options, text):
    with pytest.raises(ValueError, match=text):
        _cpu.encode_block(array(b"x"), **{"level": 1, "rows": 1, "predictor": None, **options})


@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks for x86's instruction")
def test_tables_are_fetched_early():
    """A function that only prefetches has no effect that GCC knows of: it once removed nearly all of these calls."""
    fetches = re.findall(rb"\x0f\x18[\x08-\x0f\x48-\x4f\x88-\x8f]", Path(_cpu.__file__).read_bytes())
    assert len(fetches) > 400  # of over a thousand; without them up to 120 were counted
