"""`elman message encode|decode`: one short text to a shorter code, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import CompressedError, InputError
from .shared import file_options as options
from .shared.archives import predictor_of
from .shared.commands import Command
from .shared.inputs import keep_inputs, mask_for

if TYPE_CHECKING:
    from ..compression import Codec

message = typer.Typer(
    help="Encode and decode short texts, each alone, without header or length.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
)
Form = Annotated[
    str | None,
    typer.Option("--text", metavar="FORM", help="Write the code as text: base85 or base64url. Left out: as bytes."),
]
Check = Annotated[bool, typer.Option("--check", help="Put a checksum of one byte into the code.")]
Contract = Annotated[
    int,
    typer.Option(
        "--contract",
        metavar="N",
        help="2: messages like nothing in the model, such as other scripts, URLs or capitals, get smaller too.",
    ),
]
Past = Annotated[
    Path | None, typer.Option("--past", metavar="FILE", help="Other messages, one a line, which teach the coder.")
]


@message.command(cls=Command)
def encode(
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="Message; - or none: standard input.")] = None,
    model: options.Model = None,
    form: Form = None,
    check: Check = False,
    past: Past = None,
    contract: Contract = 1,
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    """Encode a message.

    Standard input is one message, to the byte, its last line end included. Decoding needs the same options.

    Example: elman message encode -m english --text base85 "See you at the station at six."
    """
    read = _places(text, past)
    keep_inputs(output, *read, model)
    codec = _codec(model, form, check, past, contract)
    code = codec.encode(_given(text)) + (b"\n" if form else b"")
    if not form and output is None and sys.stdout.isatty() and not force:
        raise InputError("refusing to write bytes to a terminal; give --text base85, a file with -o, or -f")
    _write(code, output, force, mask_for(*read))


@message.command(cls=Command)
def decode(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="Code, with --text; - or none: standard input.")
    ] = None,
    model: options.Model = None,
    form: Form = None,
    check: Check = False,
    past: Past = None,
    contract: Contract = 1,
    output: options.Output = None,
    force: options.Force = False,
) -> None:
    """Decode a message.

    A code of another model gives another text; with --check an error.

    Example: elman message decode -m english --text base85 'H%=4GY-MfU'
    """
    read = _places(code, past)
    keep_inputs(output, *read, model)
    codec = _codec(model, form, check, past, contract)
    if form is None and code not in (None, "-"):
        raise InputError("a code given as an argument is text; say which with --text, or give bytes on standard input")
    data = _given(code)
    try:
        decoded = codec.decode(data.strip() if form else data)
    except CompressedError as error:
        raise CompressedError(str(error).replace("code 0", "the code", 1).removesuffix("; raise max_size")) from None
    if output is None and sys.stdout.isatty():
        from .shared.console import write

        write(decoded.decode("utf-8", "backslashreplace") + "\n")
        return
    _write(decoded, output, force, mask_for(*read))


def _codec(model: Path | None, form: str | None, check: bool, past: Path | None, contract: int) -> Codec:
    from ..compression import Codec
    from ..corpora import read_file

    if form not in (None, "base85", "base64url"):
        raise InputError(f"--text is {form!r}; expected base85 or base64url")
    return Codec(predictor_of(model), read_file(past) if past else b"", check=check, text=form, contract=contract)


def _places(text: str | None, past: Path | None) -> tuple[str | Path | None, ...]:
    """The files of a message; one that is an argument has none."""
    return "-" if text in (None, "-") else None, past


def _given(text: str | None) -> bytes:
    """An argument's bytes as the shell gave them, or standard input's."""
    return sys.stdin.buffer.read() if text in (None, "-") else text.encode("utf-8", "surrogateescape")


def _write(data: bytes, output: Path | None, force: bool, mask: int) -> None:
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    from ..files import staged

    try:
        with staged(output, replace=force, mask=mask) as file:
            file.write(data)
    except FileExistsError:
        raise InputError(f"{output} exists; -f writes over it") from None
