"""Messages: each coded alone, without header or length, and never more than a byte longer than it was.

What a message has in common with others is learned before: by the network, and from a text of other messages, `past`.
Both ends need the same model and the same past.
"""

from __future__ import annotations

import base64
import binascii
import lzma
import operator
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CompressedError, InputError
from ..kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from .predictor import Predictor, native_of, predictor_of

if TYPE_CHECKING:
    from ..model import Model

MAX_SIZE = 1 << 20
"""The longest message that `decode` makes unless told otherwise: a few bytes of code could expand to gigabytes."""

TEXTS = (None, "base85", "base64url")
_COMMON_BELOW = 0xEF100000
"""Codes of contract 2 below that, in their first four bytes, are made with the model and the past; others by contexts
that learned from `common_lines`. messages.cpp has its share, 15/16."""


class Codec:
    """Short messages to shorter byte strings, and back.

    It never changes once it is made, so any number of threads may use one, and forked processes too. A pickled one
    is its arguments: where it is loaded it reads its past anew.

    Args:
        model: a model, what `load_predictor` read, or None.
        past: other messages, each with its `end`; up to about a megabyte, which takes seconds to read. It comes after
            the model's own past.
        end: the byte after a message; the model's, or the line end, if None. A message may hold it, at 1.5 bytes each.
        level: 1..9, fewer or more contexts.
        model_id: a byte in front of every code, by which a reader may know the model; decoding checks it.
        check: a CRC-8 of the message in every code; decoding checks it.
        text: "base85" or "base64url": codes as ASCII bytes.
        contract: 1; or 2, by which a message that is like nothing in the model and the past, such as another script, a
            URL or capitals, is coded by contexts that learned such lines beforehand. Others take 0.1 bits more. Both
            ends need the same.
    Raises:
        InputError: an argument out of range, or an `end` that is not the model's past's.
    """

    def __init__(
        self,
        model: Predictor | Model | None = None,
        past: bytes = b"",
        *,
        end: int | None = None,
        level: int = 6,
        model_id: int | None = None,
        check: bool = False,
        text: str | None = None,
        contract: int = 1,
    ) -> None:
        self._arguments = {
            "model": predictor_of(model), "past": as_bytes(past, "past"), "end": end, "level": level,
            "contract": whole(contract, "contract is {}; expected 1 or 2", 1, 2),
        }  # fmt: skip
        predictor, past = self._arguments["model"], self._arguments["past"]
        if end is None:
            end = 10 if predictor is None else predictor.end
        end = whole(end, "end is {}; expected a byte, 0..255", 0, 255)
        if predictor is not None and predictor.past:
            if end != predictor.end:
                raise InputError(f"end is {end}; the messages of the model's past end with {predictor.end}")
            past = predictor.past + past
        level = whole(level, "level is {}; expected 1..9", 1, 9)
        if model_id is not None:
            model_id = whole(model_id, "model_id is {}; expected a byte, 0..255", 0, 255)
        if text not in TEXTS:
            raise InputError(f"text is {text!r}; expected base85, base64url or None")
        self.model_id, self.check, self.text = model_id, check, text
        two = self._arguments["contract"] == 2
        mark = 1 if two else -1
        self._messages = _cpu.Messages(as_array(past), level=level, end=end, predictor=native_of(predictor), mark=mark)
        self._common: Any = None
        if two:
            lines = as_array(common_lines().replace(b"\n", bytes([end])))
            self._common = _cpu.Messages(lines, level=level, end=end, predictor=None, contract=2, mark=0)

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments | {"model_id": self.model_id, "check": self.check, "text": self.text}

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        self.__init__(**arguments)

    def encode(self, message: bytes) -> bytes:
        return self.encode_many([message])[0]

    def decode(self, code: bytes, max_size: int = MAX_SIZE) -> bytes:
        """
        Raises:
            CompressedError: a code of another model, a damaged one, or one of a message longer than `max_size`.
        """
        return self.decode_many([code], max_size)[0]

    def size(self, message: bytes | str) -> int:
        """Bytes of its code; for a counter that goes along with typing."""
        return len(self.encode(message.encode() if isinstance(message, str) else message))

    def encode_many(self, messages: Iterable[bytes]) -> list[bytes]:
        """The codes that `encode` gives one by one, faster."""
        messages = [as_bytes(message, f"message {number}") for number, message in enumerate(messages)]
        codes = self._messages.encode(messages)
        if self._common:
            codes = [min(pair, key=len) for pair in zip(codes, self._common.encode(messages), strict=True)]
        if self.check:
            codes = [crc8(message) + code for message, code in zip(messages, codes, strict=True)]
        if self.model_id is not None:
            codes = [bytes([self.model_id]) + code for code in codes]
        if self.text == "base85":
            return [base64.b85encode(code) for code in codes]
        if self.text == "base64url":
            return [base64.urlsafe_b64encode(code).rstrip(b"=") for code in codes]
        return codes

    def decode_many(self, codes: Sequence[bytes], max_size: int = MAX_SIZE) -> list[bytes]:
        """The messages of codes, as `decode` gives them one by one, faster.

        Raises:
            CompressedError: a damaged code, one of another model, or a message longer than `max_size` bytes.
        """
        max_size = whole(max_size, "max_size is {}; expected 0 or more", 0, 1 << 62)
        bodies, checks = [], []
        for number, code in enumerate(codes):
            body = self._from_text(as_bytes(code, f"code {number}"), number)
            if self.model_id is not None:
                if not body:
                    raise CompressedError(f"code {number} is empty; expected the model's id first")
                if body[0] != self.model_id:
                    raise CompressedError(
                        f"code {number} is of model {body[0]}; this codec is of model {self.model_id}"
                    )
                body = body[1:]
            if self.check:
                if not body:
                    raise CompressedError(f"code {number} is cut short; expected a checksum")
                checks.append(body[:1])
                body = body[1:]
            bodies.append(body)
        messages, too_long = self._decoded(bodies, max_size)
        if too_long >= 0:
            raise CompressedError(
                f"code {too_long} expands to more than {max_size} bytes, or is damaged; raise max_size"
            )
        for number, (message, check) in enumerate(zip(messages, checks, strict=False)):
            if crc8(message) != check:
                raise CompressedError(f"code {number} is damaged, or of another model: its checksum differs")
        return messages

    def _decoded(self, codes: list[bytes], max_size: int) -> tuple[list[bytes], int]:
        """Messages, and the number of the first that is too long, or -1."""
        if not self._common:
            return self._messages.decode(codes, max_size)
        parts: tuple[list[int], list[int]] = [], []
        for number, code in enumerate(codes):
            parts[int.from_bytes(code[:4].ljust(4, b"\0")) >= _COMMON_BELOW].append(number)
        messages, too_long = [b""] * len(codes), []
        for coder, numbers in zip((self._messages, self._common), parts, strict=True):
            found, first = coder.decode([codes[number] for number in numbers], max_size)
            for number, message in zip(numbers, found, strict=True):
                messages[number] = message
            too_long += [numbers[first]] if first >= 0 else []
        return messages, min(too_long, default=-1)

    def _from_text(self, code: bytes, number: int) -> bytes:
        try:
            if self.text == "base85":
                return base64.b85decode(code)
            if self.text == "base64url":
                return base64.b64decode(code + b"=" * (-len(code) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise CompressedError(f"code {number} is not {self.text}") from None
        return code


@cache
def common_lines() -> bytes:
    """Lines of many scripts, URLs, capitals and records: the past of contexts that come with the package."""
    return lzma.decompress((resources.files("elman.compression") / "common.xz").read_bytes())


def crc8(data: bytes) -> bytes:
    """One byte: the polynomial x^8 + x^2 + x + 1, from zero, as in SMBus."""
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return bytes([crc])


def _crc8_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1 ^ 0x07) & 0xFF if byte & 0x80 else byte << 1
    return byte


_CRC8 = bytes(_crc8_of(byte) for byte in range(256))


def whole(value: Any, text: str, low: int = -(1 << 63), high: int = (1 << 63) - 1) -> int:
    """`value` as an int; an InputError of this text, with what came in place of {}, unless it is one within bounds."""
    try:
        number = operator.index(value)
        if low <= number <= high:
            return number
        shown = str(number) if abs(number) < 1 << 100 else f"a number of {number.bit_length()} bits"
    except TypeError:
        shown = repr(value)[:80]
    raise InputError(text.format(shown))


def as_bytes(value: Any, what: str) -> bytes:
    """A copy where it could change. Raises InputError for what is not bytes, such as a str, or an int, whose bytes()
    would be as many zeros."""
    try:
        return value if type(value) is bytes else memoryview(value).tobytes()
    except TypeError:
        raise InputError(f"{what} is of type {type(value).__name__}; expected bytes") from None


def as_array(data: bytes | bytearray | memoryview) -> np.ndarray:
    return np.frombuffer(data, np.uint8) if len(data) else np.zeros(0, np.uint8)
