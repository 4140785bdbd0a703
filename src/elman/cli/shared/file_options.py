"""Options that commands over files share, with the habits of gzip and zstd; and how an old spelling is met."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperOption

from ...errors import InputError
from .commands import Command
from .streams import say

Files = Annotated[list[str] | None, typer.Argument(metavar="[FILE]...", help="Files; - or none: standard input.")]
Model = Annotated[
    Path | None,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL",
        help="Model file, or `english`; reading needs it again. Without it, no network is used.",
    ),
]
ToStdout = Annotated[bool, typer.Option("-c", "--stdout", help="Write to standard output.")]
Keep = Annotated[bool, typer.Option("-k", "--keep", help="Keep the input (the default; accepted as gzip's).")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Overwrite files, and write to a terminal.")]
Replace = Annotated[bool, typer.Option("-f", "--force", help="Overwrite the file.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="File to write.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Report each file.")]
Threads = Annotated[int, typer.Option("-T", "--threads", min=0, metavar="N", help="Parallel blocks; 0: one per core.")]
Remove = Annotated[bool, typer.Option("--rm", help="Remove each input once its output is complete.")]
Level = Annotated[
    int, typer.Option("--level", min=1, max=9, metavar="N", help="From 1, fastest, to 9, smallest; also -1 to -9.")
]
Past = Annotated[
    Path | None,
    typer.Option("--past", metavar="FILE", help="Lines that teach the coder. Left out: some of the store's own."),
]
FieldOf = Annotated[
    str | None, typer.Option("--field", metavar="NAME", help="Take this field of JSON lines, or column of CSV.")
]
MaxSize = Annotated[str, typer.Option("--max-size", metavar="SIZE", help="Largest size of the model file: 200K, 1M.")]
Minutes = Annotated[float | None, typer.Option("--minutes", metavar="N", help="Train about this long; 3 if left out.")]
Epochs = Annotated[
    float | None,
    typer.Option(
        "--epochs", metavar="N", help="Train this many epochs instead; gives the same model on every machine."
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Random seed.")]


class LevelCommand(Command):
    """A command with gzip's -1 to -9, --fast and --best beside --level; the highest holds."""

    def __init__(self, name: str | None, **attributes: Any) -> None:
        super().__init__(name, **attributes)
        words = {1: ["--fast"], 9: ["--best"]}
        for number in range(1, 10):
            names = [f"-{number}", *words.get(number, []), f"level_{number}"]
            self.params.append(TyperOption(param_decls=names, is_flag=True, default=False, hidden=True))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        given = [number for number in range(1, 10) if ctx.params.pop(f"level_{number}", False)]
        if given:
            ctx.params["level"] = given[-1]
        return rest


def advise(old: str, new: str, quiet: bool = False) -> None:
    """One line where an old spelling is used; it goes on."""
    if not quiet:
        say(f"`elman {old}` is now spelt `elman {new}`; the old spelling still works")


def check_kept(keep: bool, remove: bool) -> None:
    if keep and remove:
        raise InputError("--keep and --rm exclude each other")
