"""Work of `elman compress` and `decompress` on each file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CompressedError, InputError
from ...visible import visible
from .console import err, out, write_json
from .filewise import Filewise

if TYPE_CHECKING:
    from ...compression import Predictor

SUFFIX, STORE_SUFFIX = ".elz", ".elr"


def make_archive(job: Filewise, name: str, predictor: Predictor | None, level: int, threads: int, say: bool) -> None:
    from ...compression import compress as to_archive

    if not job.force and name.endswith((SUFFIX, STORE_SUFFIX)):
        raise InputError(f"{name} has the suffix {name[-len(SUFFIX) :]} already; -f compresses it again")
    with job.pair(name, name + SUFFIX, for_terminals=False) as (source, file):
        totals = to_archive(source, file, predictor, level=level, threads=threads or os.cpu_count() or 1)
    if say:
        err.print(
            f"{visible(name)}: {totals.raw:,} -> {totals.coded:,} bytes, {bits_per_byte(totals.coded, totals.raw)}"
        )


def expand(job: Filewise, predictor: Predictor | None, test: bool, threads: int, say: bool) -> None:
    """Decompress every file; test: write nothing."""
    from ...compression import decompress as from_archive

    def work(name: str) -> None:
        plain = name.removesuffix(SUFFIX)
        if name.endswith(STORE_SUFFIX):
            raise InputError(
                f"{name} is a store of lines, not an archive; `elman store get` (once `elman get`) reads it"
            )
        if plain == name and name != "-" and not (job.stdout or test or job.output):
            raise InputError(f"{name} lacks the suffix {SUFFIX}; name the result with -o, or use -c")
        with of_file(name), job.pair(name, plain, for_terminals=True) as (source, file):
            totals = from_archive(source, file, predictor, threads=threads or os.cpu_count() or 1)
        if say:
            err.print(f"{visible(name)}: {'whole, ' if test else ''}{totals.coded:,} -> {totals.raw:,} bytes")

    if test:
        job.output, job.remove = Path(os.devnull), False
    job.each(work)


def list_archives(job: Filewise, as_json: bool) -> None:
    """Sizes, level and model of every file."""
    if not as_json:
        out.print(f"{'coded':>12} {'raw':>12} {'bits/byte':>9} {'blocks':>6} level model    name")
    job.each(lambda name: _list(name, as_json))


def _list(name: str, as_json: bool) -> None:
    from ...compression import Archive

    if name == "-":
        raise InputError("-l needs the name of a file")
    with of_file(name), Archive(name) as archive:
        coded, raw = os.path.getsize(name), archive.raw_size
        model = archive.digest.hex()[:8] if any(archive.digest) else None
        facts: dict[str, Any] = {"name": name, "coded": coded, "raw": raw, "blocks": len(archive.blocks)}
        facts |= {"level": archive.level, "model": model}
    if as_json:
        write_json(facts)
        return
    bits = f"{8 * coded / raw:.3f}" if raw else "-"
    sizes = f"{coded:>12} {raw:>12} {bits:>9} {facts['blocks']:>6}"
    out.print(f"{sizes} {archive.level:>5} {model or 'none':<8} {visible(name)}")


def expand_or_list(
    job: Filewise, model: Path | None, test: bool, list_: bool, json_: bool, say: bool, threads: int
) -> None:
    """Test, list or unpack one file."""
    if list_:
        list_archives(job, json_)
    else:
        expand(job, predictor_of(model), test, threads, say)


def predictor_of(model: Path | None, quiet: bool = True) -> Predictor | None:
    """The predictor of a model's file. quiet: do not say that n-grams are left out."""
    if model is None:
        return None
    from ...compression import load_predictor
    from ...model import read_header

    if not quiet and "ngrams" in read_header(model):
        err.print(f"elman: the n-grams of {visible(str(model))} are left out: its network alone codes")
    return load_predictor(model)


@contextmanager
def of_file(name: str) -> Iterator[None]:
    """Say of which file an error is."""
    try:
        yield
    except CompressedError as error:
        raise CompressedError(f"{name if name != '-' else 'standard input'}: {error}") from None


def bits_per_byte(coded: int, raw: int) -> str:
    return f"{8 * coded / raw:.3f} bits a byte" if raw else "empty"
