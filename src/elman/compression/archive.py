"""Archives (.elz): a file in blocks, each coded alone by a model or stored, with checksums and a table of the blocks.

    header    20 bytes   magic, version, contract, level, flags; the model's digest, 8 bytes; CRC-32 of all that
    block     18 bytes   kind and rows, bytes raw and coded, CRC-32 of the raw bytes; CRC-32 of all that; then the code
    ...
    table                0; for each block its two sizes, as varints
    footer    16 bytes   bytes of the table, blocks, CRC-32 of the file before it, magic

Archives may follow one another in a file, as after `cat a.elz b.elz`: they hold what both hold. Numbers are
little-endian. docs/reference/formats.md has every field.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import InputError
from ..kernels import _cpu  # pyright: ignore[reportAttributeAccessIssue]
from .blocks import (
    ALONE,
    BLOCK,
    CODED,
    CONTRACT_2_FROM,
    CONTRACTS,
    CRC,
    END_MAGIC,
    FOOTER,
    HEADER,
    MAGIC,
    MAX_BLOCK,
    STORED,
    VERSION,
    Models,
    Reader,
    decoder,
    read_up_to,
    rows_for,
    varint,
)  # fmt: skip
from .codec import as_array, whole
from .predictor import Predictor, digest_of, native_of
from .weights import MARGINAL

BLOCK_SIZE = 1 << 22
LEVEL = 6
JUDGED = 1 << 16
"""Bytes of a block from which on a sample decides whether the network takes part."""
PIECES, PIECE = 16, 128
"""The sample: so many pieces of so many bytes."""


@dataclass(frozen=True)
class Totals:
    """Sizes in and out, in bytes, and the number of blocks."""

    raw: int
    coded: int
    blocks: int


def is_worthwhile(raw: bytes, model: Predictor) -> bool:
    """Whether the network is to take part in a block: if it makes a sample a quarter smaller.

    Measured on twelve kinds of files with a model of English: where a sample did, beginnings of 24 KB got 4 to 32 %
    smaller by the network; elsewhere 5 % smaller to 6 % larger. The sample is 2 KB, so short blocks are not judged.
    """
    if len(raw) < JUDGED:
        return True
    starts = (i * (len(raw) - PIECE) // (PIECES - 1) for i in range(PIECES))
    sample = as_array(b"".join(raw[start : start + PIECE] for start in starts))
    alone = _cpu.encode_block(sample, level=1, rows=1, predictor=None)
    beside = _cpu.encode_block(sample, level=1, rows=PIECES, predictor=model.native)
    return alone is not None and beside is not None and 4 * len(beside) <= 3 * len(alone)


def compress(
    source: BinaryIO,
    target: BinaryIO,
    model: Predictor | None = None,
    *,
    level: int = LEVEL,
    block_size: int = BLOCK_SIZE,
    threads: int = 1,
    contract: int | None = None,
) -> Totals:
    """Write what `source` holds to `target` as an archive, in memory bounded by `threads` blocks and their tables.

    The bytes depend on the source, the model, the level, the block size and the contract; not on the threads.

    Args:
        contract: of the coder's arithmetic: 1, which every version reads, or 2, which is smaller and slower; None: 2
            from level 6 on. With a model of tokens of several bytes it is 3.
    Raises:
        InputError: an unknown contract, a level outside 1..9, a block size outside 1..MAX_BLOCK, or a model without a
            network.
    """
    level = whole(level, "level is {}; expected 1..9", 1, 9)
    block_size = whole(block_size, f"block_size is {{}}; expected 1..{MAX_BLOCK}", 1, MAX_BLOCK)
    threads = whole(threads, "threads is {}; expected 1 or more", 1, 1 << 16)
    marginal = model is not None and model.marginal
    if contract is None:
        contract = MARGINAL if marginal else 2 if level >= CONTRACT_2_FROM else 1
    contract = whole(contract, "contract is {}; expected 1, 2 or 3", CONTRACTS[0], CONTRACTS[-1])
    if marginal != (contract == MARGINAL):
        raise InputError(f"contract is {contract}; models of tokens of several bytes have 3, and others 1 or 2")
    if model is not None and model.native is None:
        raise InputError("the model has a past and no network: it serves stores and messages, not files")
    out = _Summed(target)
    header = HEADER.pack(MAGIC, VERSION, contract, level, 0, digest_of(model)[:8])
    out.write(header + CRC.pack(zlib.crc32(header)))
    table, raw_size = bytearray(), 0

    def encode(raw: bytes) -> tuple[bytes, bytes]:
        kind = CODED if model is None or is_worthwhile(raw, model) else ALONE
        rows = 1  # contexts alone gain nothing by more, and the highest level spares no time for a network
        if model is not None and kind == CODED and (contract == 1 or level < 9):
            rows = rows_for(len(raw))
        code = _cpu.encode_block(
            as_array(raw),
            level=level,
            rows=rows,
            predictor=native_of(model if kind == CODED else None),
            contract=contract,
        )
        if code is None or len(code) >= len(raw):
            kind, rows, code = STORED, 0, raw
        head = BLOCK.pack(kind, rows, len(raw), len(code), zlib.crc32(raw), 0)[:-4]
        return head + CRC.pack(zlib.crc32(head)), code

    blocks = 0
    for raw, (head, code) in _in_order(encode, iter(lambda: read_up_to(source, block_size), b""), threads):
        out.write(head)
        out.write(code)
        table += varint(len(raw)) + varint(len(code))
        raw_size += len(raw)
        blocks += 1
    out.write(b"\0" + table)
    out.write(FOOTER.pack(len(table), blocks, out.crc, END_MAGIC))
    return Totals(raw_size, out.size, blocks)


def decompress(source: BinaryIO, target: BinaryIO, model: Predictor | None = None, *, threads: int = 1) -> Totals:
    """Write the bytes that the archive `source` holds to `target`, block by block, each checked before it is written;
    where more archives follow it, theirs too.

    A model that comes with the package is found without being given.

    Raises:
        CompressedError: not an archive, of another model, damaged or cut short. Whole blocks before the damage may have
            been written by then.
    """
    threads = whole(threads, "threads is {}; expected 1 or more", 1, 1 << 16)
    reader = Reader(source)
    raw_size = blocks = 0
    more, models = True, Models(model)
    while more:
        contract, level, digest = reader.header()
        decode = decoder(contract, level, models[digest])
        for _, raw in _in_order(decode, reader.blocks(), threads):
            target.write(raw)
            raw_size += len(raw)
            blocks += 1
        more = reader.finish()
    return Totals(raw_size, reader.size, blocks)


class _Summed:
    """A file that is written, its size and its CRC-32 so far."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.size, self.crc = file, 0, 0

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)


def _in_order(work: Callable, jobs: Iterator, threads: int) -> Iterator:
    """(job, work(job)) in the jobs' order, at most `threads` of them at once, and as many results waiting."""
    if threads == 1:
        for job in jobs:
            yield job, work(job)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[object, Future]] = deque()
        try:
            for job in jobs:
                waiting.append((job, pool.submit(work, job)))
                if len(waiting) >= threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
