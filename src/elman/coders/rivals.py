"""Other coders of messages, each alone, which may learn from samples too: for comparison with ours.

deflate has a dictionary of 32 KB, zstd the best of three trained ones, and PPMd has read all samples before each
message. zstd and PPMd take part where the packages `zstandard` and `pyppmd` are installed. None of this is part of a
format.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DEFLATE_WINDOW = 32 << 10
ZSTD_DICTIONARIES = 8 << 10, 32 << 10, 110 << 10
PPMD = {"max_order": 6, "mem_size": 64 << 20}
_PRIMED = 100  # messages at most, and bytes at most, that PPMd codes: for each it reads all samples anew
_PRIMED_BYTES = 50_000_000


@dataclass(frozen=True)
class Result:
    """Result of a coder on messages.

    Attributes:
        name: of the coder.
        per_message: bytes of code, on average.
        shared: bytes that both ends need besides: a dictionary, coded samples, a model's file.
    """

    name: str
    per_message: float
    shared: int = 0

    def counted(self, messages: int) -> float:
        """Bytes a message where so many messages share what is shared."""
        return self.per_message + self.shared / messages


def rivals(samples: Sequence[bytes], messages: Sequence[bytes], ours: Sequence[int], end: int = 10) -> list[Result]:
    """
    Args:
        samples: what there is to learn from.
        messages: at least one, none of them a sample.
        ours: bytes of each message by our coder; where PPMd codes only the first messages, its average covers
            these, scaled as ours is from these to all.
        end: the byte after a message, which PPMd codes as we do; the others mark their ends themselves.
    """
    text, found = _text(samples, end), without_model(samples, messages, end)
    if ppmd := optional("pyppmd"):
        count = max(1, min(len(messages), _PRIMED, _PRIMED_BYTES // (len(text) + 1)))
        whole = len(ppmd.compress(text, **PPMD))
        total = sum(len(ppmd.compress(text + message + bytes([end]), **PPMD)) - whole for message in messages[:count])
        per_message = total / max(1, sum(ours[:count])) * sum(ours) / len(messages)
        found.append(Result(f"PPMd after {len(text) / 1000:.0f} KB", per_message, whole))
    return found


def without_model(samples: Sequence[bytes], messages: Sequence[bytes], end: int = 10) -> list[Result]:
    """`rivals` without PPMd."""
    found = [Result("as they are", _mean(messages))]
    found.append(Result("deflate", _mean([_deflate(message, b"") for message in messages])))
    dictionary = _text(samples, end)[-DEFLATE_WINDOW:]
    sizes = [_deflate(message, dictionary) for message in messages]
    found.append(Result(f"deflate, {len(dictionary) / 1000:.0f} KB dictionary", _mean(sizes), len(dictionary)))
    if zstd := optional("zstandard"):
        found += _zstd(zstd, samples, messages)
    return found


def _text(samples: Sequence[bytes], end: int) -> bytes:
    return b"".join(sample + bytes([end]) for sample in samples)


def _mean(items: Sequence[bytes]) -> float:
    return sum(map(len, items)) / len(items)


def _deflate(message: bytes, dictionary: bytes) -> bytes:
    options: Any = (9, zlib.DEFLATED, -15, 9)
    coder = zlib.compressobj(*options, zdict=dictionary) if dictionary else zlib.compressobj(*options)
    return coder.compress(message) + coder.flush()


def _zstd(zstd: Any, samples: Sequence[bytes], messages: Sequence[bytes]) -> list[Result]:
    """Compress with the shortest frame: no magic, no size, no checksum, no number of the dictionary. The dictionary is
    the one that makes the shortest codes."""
    least: Any = {"write_content_size": False, "write_checksum": False, "write_dict_id": False}
    parameters = zstd.ZstdCompressionParameters.from_level(19, format=zstd.FORMAT_ZSTD1_MAGICLESS, **least)
    found = []
    for size in sorted({min(size, sum(map(len, samples)) // 8) for size in ZSTD_DICTIONARIES}):
        try:
            dictionary = zstd.train_dictionary(size, list(samples), level=19)
        except zstd.ZstdError:  # too few samples for a dictionary
            continue
        coder = zstd.ZstdCompressor(dict_data=dictionary, compression_params=parameters)
        size = len(dictionary.as_bytes())
        codes = [coder.compress(message) for message in messages]
        found.append(Result(f"zstd, {size / 1000:.0f} KB dictionary", _mean(codes), size))
    return sorted(found, key=lambda result: result.per_message)[:1]


def optional(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
