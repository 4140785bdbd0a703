"""Messages: round trips, lengths, bounds, options, and what is refused."""

from __future__ import annotations

import contextlib
import random

import pytest
from compression_cases import english, inputs, predictor

import elman
from elman import errors
from elman.compression import Codec, Predictor
from elman.compression.codec import crc8
from elman.kernels import _cpu

PAST = b"".join(english(40 + 7 * i, i).replace(b"\n", b" ") + b"\n" for i in range(120))


def messages(count: int = 60) -> list[bytes]:
    draw = random.Random(3)
    some = [english(draw.randrange(1, 90), 1000 + i) for i in range(count)]
    return [*some, *(data[:600] for data in inputs().values()), b"\n", b"a\n\nb\n", b"\xff", b"\xff" * 40, b"\0" * 9]


@pytest.fixture(scope="module")
def gru():
    return predictor()


@pytest.fixture(scope="module", params=["nothing", "past", "gru", "gru and past"])
def codec(request, gru):
    return Codec(gru if "gru" in request.param else None, PAST if "past" in request.param else b"")


def test_round_trip_one_by_one_and_in_a_batch(codec):
    given = messages()
    codes = codec.encode_many(given)
    assert codec.decode_many(codes) == given
    assert [codec.encode(message) for message in given[::7]] == codes[::7]
    assert [codec.decode(code) for code in codes[::7]] == given[::7]
    assert codec.encode_many([]) == codec.decode_many([]) == []


def test_threads_share_a_batch_and_change_no_code(codec):
    given = messages(300)
    codes, before = codec.encode_many(given), _cpu.threads()
    too_long = next(i for i, message in enumerate(given) if len(message) > 80)
    try:
        for threads in (1, 2, 3, 5):
            _cpu.set_threads(threads)
            assert codec.encode_many(given) == codes
            assert codec.decode_many(codes) == given
            with pytest.raises(errors.CompressedError, match=f"code {too_long} expands to more than 80 bytes"):
                codec.decode_many(codes, max_size=80)
    finally:
        _cpu.set_threads(before)


def test_never_more_than_a_byte_longer(codec):
    draw = random.Random(4)
    for message in [*messages(), *(draw.randbytes(n) for n in range(40))]:
        assert len(codec.encode(message)) <= len(message) + 1
        assert codec.size(message) == len(codec.encode(message))


def test_the_past_teaches(gru):
    fresh = [english(60, 5000 + i).replace(b"\n", b" ") for i in range(50)]
    sizes = [sum(map(len, Codec(None, past).encode_many(fresh))) for past in (b"", PAST[:500], PAST)]
    assert sizes[2] < 0.6 * sum(map(len, fresh))
    assert sizes[0] > sizes[1] > sizes[2]


def test_no_code_ends_in_zeros_and_zeros_change_nothing():
    codec = Codec(None, PAST)
    for message in messages():
        code = codec.encode(message)
        if code[:1] != b"\xff":
            assert code[-1:] != b"\0"
            assert codec.decode(code + b"\0\0\0") == message


def test_any_bytes_decode_to_something_bounded_or_are_refused(codec):
    draw = random.Random(5)
    refused = 0
    for _ in range(300):
        code = draw.randbytes(draw.randrange(12))
        try:
            assert len(codec.decode(code, max_size=50)) <= 50
        except errors.CompressedError:
            refused += 1
    assert refused < 300


def test_bound_on_what_is_made():
    codec = Codec(None, PAST)
    code = codec.encode(b"e" * 3000)
    assert codec.decode(code, 3000) == b"e" * 3000
    with pytest.raises(errors.CompressedError, match="code 1 expands to more than 2999 bytes"):
        codec.decode_many([codec.encode(b"x"), code, code], 2999)
    with pytest.raises(errors.CompressedError, match="more than 3 bytes"):
        codec.decode(b"\xffabcd", 3)


def test_model_id_check_and_text():
    given = messages(10)
    for text in (None, "base85", "base64url"):
        codec = Codec(None, PAST, model_id=7, check=True, text=text)
        codes = codec.encode_many(given)
        assert codec.decode_many(codes) == given
        assert text is None or all(code.isascii() for code in codes)
    codec, plain = Codec(None, PAST, model_id=7), Codec(None, PAST)
    assert codec.encode(b"abc") == b"\7" + plain.encode(b"abc")
    with pytest.raises(errors.CompressedError, match="code 0 is of model 8; this codec is of model 7"):
        codec.decode(b"\x08abc")
    with pytest.raises(errors.CompressedError, match="empty; expected the model's id"):
        codec.decode(b"")
    with pytest.raises(errors.CompressedError, match="is not base85"):
        Codec(text="base85").decode(b'"""')


def test_check_finds_nearly_all_damage():
    codec = Codec(None, PAST, check=True)
    draw, wrong = random.Random(6), 0
    codes = codec.encode_many(messages(40))
    for _ in range(400):
        code = bytearray(draw.choice(codes))
        before = bytes(code)
        code[draw.randrange(len(code))] ^= 1 << draw.randrange(8)
        with contextlib.suppress(errors.CompressedError):
            wrong += codec.decode(bytes(code)) != codec.decode(before)
    assert wrong <= 8  # one of 256, about


def test_crc8_is_that_of_smbus():
    assert crc8(b"123456789") == b"\xf4"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"end": 256}, "end is 256; expected a byte"),
        ({"level": 10}, "level is 10; expected 1..9"),
        ({"model_id": -1}, "model_id is -1"),
        ({"text": "hex"}, "text is 'hex'; expected base85, base64url or None"),
    ],
)
def test_options_that_cannot_be(options, text):
    with pytest.raises(errors.InputError, match=text):
        Codec(**options)


def test_another_end():
    codec = Codec(None, PAST.replace(b"\n", b"\0"), end=0)
    given = [b"two\nlines", b"\0", b"a\0b", *messages(10)]
    assert codec.decode_many(codec.encode_many(given)) == given


def test_a_model_with_an_embedding():
    corpus = elman.Corpus("t", b"abc, abcd; " * 30, "none", "here")
    model = elman.build_model(corpus, cell="gru", hidden_size=24, embedding_size=5, init_std=None, seed=3)
    before, message = Predictor.of(model), b"abc, abcd; abc"
    code = Codec(before).encode(message)
    assert Codec(before).decode(code) == message
    assert model.embedding is not None
    model.embedding.weight = model.embedding.weight[:, ::-1]
    after = Predictor.of(model)
    assert after.digest != before.digest
    assert Codec(after).encode(message) != code


def test_codes_that_must_be_read_for_ever(gru):
    codec = Codec(gru, PAST)
    assert [codec.encode(m).hex() for m in (b"", b"the of and", b"that it was", b"\xff")] == GOLDEN


GOLDEN = ["ff", "4c70d509", "5beaab68", "ffff"]
