"""`elman train-coder`: samples to a model for messages and stores, and what it gains beside others."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ...errors import InputError
from ...files import Named, staged
from ...visible import visible
from .console import out
from .inputs import keep_inputs, mask_for

if TYPE_CHECKING:
    from ...coders import TrainedCoder

_UNITS = {"": 1, "K": 1000, "M": 1_000_000, "KIB": 1024, "MIB": 1 << 20}


def train_on_samples(
    names: list[str], output: Path | None, field: str | None, max_size: str, minutes: float | None,
    epochs: float | None, seed: int, force: bool, quiet: bool,
) -> None:  # fmt: skip
    """Train, print, write."""
    if output is None:
        raise InputError("the model needs a file; name it with -o")
    if minutes is not None and epochs is not None:
        raise InputError("--minutes decides the epochs; leave out --epochs")
    from ...coders import train_coder

    keep_inputs(output, *names)
    samples, end = read_samples(names, field)
    say = None if quiet else out.print
    try:
        with staged(output, replace=force, mask=mask_for(*names)) as file:  # before the training: it may be refused
            made = train_coder(
                samples, end=end, max_size=size_of(max_size), minutes=3.0 if minutes is None else minutes,
                epochs=epochs, seed=seed, say=say,
            )  # fmt: skip
            file.write(made.chosen.file)
    except FileExistsError:
        raise InputError(f"{output} exists; -f writes over it") from None
    if not quiet:
        for line in report(made):
            out.print(line)
        chosen = made.chosen
        parts = [f"a GRU 1 x {chosen.network.hidden_size}"] if chosen.network else []
        parts += [f"{len(chosen.predictor.past):,} bytes of samples"] if chosen.predictor.past else []
        out.print(f"{visible(str(output))}: {len(chosen.file):,} bytes, {' and '.join(parts)}")
        if made.training:
            out.print(f"{made.training['steps']:,} steps; the same bytes: --epochs {made.training['epochs']:.17g}")


def report(made: TrainedCoder) -> list[str]:
    """The held-out part by coder, and from how many samples on the model pays."""
    name = f"bytes a sample, {len(made.parts.held_out)} held-out samples"
    lines = [f"{name:<44} {'held by both':>12}  {f'counted over {made.samples:,}':>24}"]
    lines += [
        f"{r.name:<44} {r.per_message:>12.2f}  {r.counted(made.samples):>24.2f}"
        for r in made.results
    ]  # fmt: skip
    ours, least = made.results[-1], min(made.results[:-1], key=lambda r: r.per_message)
    if ours.per_message >= least.per_message:
        lines.append(f"{least.name} does better than this model, even where both ends have it")
        return lines
    apart = [r for r in made.results[:-1] if r.per_message > ours.per_message]
    pays = max((ours.shared - r.shared) / (r.per_message - ours.per_message) for r in apart)
    lines.append(f"with its file counted it is smallest from {max(1, int(pays) + 1):,} such samples on")
    return lines


def read_samples(names: list[str], field: str | None) -> tuple[list[bytes], int]:
    """The samples, and the byte that ends one: lines of files, or a field of their rows; or the files of folders."""
    from ...corpora import folder_files, read_file

    folders = [name for name in names if name != "-" and Path(name).is_dir()]
    if folders:
        if len(folders) < len(names) or field is not None:
            raise InputError(f"{folders[0]} is a folder: its files are samples; give folders alone, without --field")
        return [read_file(path) for name in folders for path in folder_files(Path(name))], 0
    return [record for name in names for record in records_of(name, field)], 10


def size_of(text: str) -> int:
    """Bytes: 200000, 200K, 1M, 1MiB."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(K|M|KiB|MiB|)", text, re.IGNORECASE)
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if not 0 < size < 2**31:
        raise InputError(f"--max-size is {text!r}; expected bytes, such as 200000, 200K or 1M")
    return size


@contextmanager
def reading(name: str) -> Iterator[BinaryIO]:
    """A file, or - for standard input."""
    if name == "-":
        yield sys.stdin.buffer
        return
    with io.BufferedReader(Named(name, "r", name)) as file:
        yield file


def records_of(name: str, field: str | None) -> Iterator[bytes]:
    """The lines of a file, unpacked if it is a .gz or .xz, or of standard input, without their ends; or what one field
    of its rows holds: a string's text, or other values as JSON.

    Raises:
        InputError: it cannot be read, or a row has no such field.
    """
    from ...corpora import decoded
    from ...text import field_values

    if field is None:
        return (line.removesuffix(b"\n") for line in raw_lines(name))
    data, source = _blocks(name), "standard input" if name == "-" else name
    values = field_values(decoded(data, source, None, "strict"), field, source)
    texts = (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for _, value in values)
    return (text.encode("utf-8", "surrogatepass") for text in texts)


def _blocks(name: str) -> Iterator[bytes]:
    from ...corpora import blocks, standard_input

    return standard_input() if name == "-" else blocks(Path(name))


def raw_lines(name: str) -> Iterator[bytes]:
    """The lines of a file, as `records_of`, with their ends."""
    held: list[bytes] = []
    for block in _blocks(name):
        cut = block.rfind(b"\n") + 1
        held.append(block[:cut] if cut else block)
        if cut:
            yield from io.BytesIO(b"".join(held))
            held = [block[cut:]]
    yield from io.BytesIO(b"".join(held))
