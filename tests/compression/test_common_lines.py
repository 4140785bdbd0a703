"""Messages by contract 2: what is like nothing in the model gets smaller too, and nothing else changes but by a bit."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import random

import pytest
from command_line import run
from compression_cases import english, predictor, subwords

import elman
from elman.compression import Codec
from elman.compression.codec import common_lines
from elman.errors import CompressedError, InputError
from elman.model import model_path

LINES = "b20f09cf4f509097"
CODES = "7af9ec83819ae49c"
"""Digests of the packaged lines, and of the codes of `STRANGE` by contexts alone. Others would be another contract."""
STRANGE = [
    "Увидимся завтра на вокзале в шесть.",
    "Θα σε δω αύριο στον σταθμό στις έξι.",
    "נתראה מחר בתחנה בשש.",
    "أراك غدا في المحطة في السادسة.",
    "कल छह बजे स्टेशन पर मिलते हैं।",
    "明日の六時に駅で会いましょう。",
    "내일 여섯 시에 역에서 만나요.",
    "พบกันพรุ่งนี้ที่สถานีตอนหกโมง",
    "https://www.example.com/station/timetable?from=6&lang=en",
    "http://news.example.org/2019/04/trains-are-late-again.html",
    "SEE YOU AT THE STATION AT SIX. BRING THE TICKETS.",
    "THE NINE O'CLOCK TRAIN IS LATE",
]
MESSAGES = [text.encode() for text in STRANGE]


@pytest.fixture(scope="module")
def codecs():
    model = elman.load(model_path("english"))
    return [Codec(model, contract=contract) for contract in (1, 2)]


def test_strange_messages_grow_by_the_first_contract_and_shrink_by_the_second(codecs):
    first, second = (codec.encode_many(MESSAGES) for codec in codecs)
    assert sum(len(code) > len(message) for code, message in zip(first, MESSAGES, strict=True)) >= 10
    assert all(len(code) < len(message) for code, message in zip(second, MESSAGES, strict=True))
    assert sum(map(len, second)) < 0.6 * sum(map(len, MESSAGES))
    assert codecs[1].decode_many(second) == MESSAGES


def test_messages_that_the_model_knows_take_a_tenth_of_a_bit_more(codecs):
    times = "yesterday", "in the morning", "with my brother", "after dinner", "again", "at last", "alone"
    known = [f"We went down to the river {when}, and the water was cold.".encode() for when in times]
    first, second = (codec.encode_many(known) for codec in codecs)
    assert sum(map(len, second)) <= sum(map(len, first)) + 2
    assert codecs[1].decode_many(second) == known


def test_every_kind_of_message_comes_back(codecs):
    draw = random.Random(2)
    odd = [b"", b"\n", b"\xff", b"\xff\xff\xff", b"\xef\x10", bytes(range(256)), english(300), "Ünï\n\r\n語".encode()]
    odd += [draw.randbytes(draw.randrange(1, 40)) for _ in range(60)]
    models = (None, predictor(H=8), subwords(predictor, H=8))
    for codec in (codecs[1], *(Codec(model, english(600), end=end, contract=2) for model in models for end in (0, 10))):
        codes = codec.encode_many(MESSAGES + odd)
        assert codec.decode_many(codes) == MESSAGES + odd
        assert all(len(code) <= len(message) + 1 for code, message in zip(codes, MESSAGES + odd, strict=True))
        assert [codec.encode(message) for message in odd[:9]] == codes[len(MESSAGES) :][:9]
    again = pickle.loads(pickle.dumps(codecs[1]))
    assert again.decode_many(codecs[1].encode_many(MESSAGES)) == MESSAGES


def test_damaged_codes_end(codecs):
    draw, codes = random.Random(3), codecs[1].encode_many(MESSAGES)
    for code in codes:
        bad = bytearray(code)
        bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        with contextlib.suppress(CompressedError):
            assert len(codecs[1].decode(bytes(bad), 500)) <= 500
    for position, message in ((3, MESSAGES[0]), (5, english(80))):
        mixed = codecs[1].encode_many([MESSAGES[8][:9], b"a", b"See", *[b"x"] * (position - 3), message, MESSAGES[1]])
        with pytest.raises(CompressedError, match=f"code {position} expands to more than 20 bytes"):
            codecs[1].decode_many(mixed, 20)


def test_contracts_that_cannot_be():
    for bad in (0, 3, "2"):
        with pytest.raises(InputError, match=r"contract is .*; expected 1 or 2"):
            Codec(contract=bad)  # pyright: ignore


def test_what_was_written_once():
    assert hashlib.sha256(common_lines()).hexdigest().startswith(LINES)
    codes = Codec(contract=2).encode_many(MESSAGES)
    assert hashlib.sha256(b"\n".join(codes)).hexdigest().startswith(CODES)


def test_the_command(tmp_path):
    text = STRANGE[0]
    code = run("message", "encode", "--contract", 2, "--text", "base85", text, cwd=tmp_path).stdout.strip()
    assert len(code) < len(text.encode())
    back = run("message", "decode", "--contract", 2, "--text", "base85", code, cwd=tmp_path)
    assert back.stdout == text
