"""`elman manual`: the manual page, made from the commands."""

from __future__ import annotations

import re

from .. import __version__
from .tree import Leaf, command, leaves

STATUS = """0: done. 1: some of several files failed, `score --above` found a line, or `self-test` a difference.
2: a wrong call, or a file that failed. 128 + n: ended by signal n. An error is one line: what was expected, and what to
do."""
ENVIRONMENT = {
    "ELMAN_DATA": "A folder of texts, where named corpora are looked for before they are downloaded.",
    "ELMAN_THREADS": "How many threads the kernel uses, 1 to 1024. Unset: one for each core that this process may use.",
    "ELMAN_ISA": "The instruction set of the float kernel: portable, avx2, avx512 or neon. Unset: the best available.",
    "ELMAN_INTEGER_ISA": "The integer kernel's: portable, avx2, avxvnni, avx512vnni, neon or neondot. Unset: the best.",
    "ELMAN_BACKEND": "cpu, the native kernel, or reference, its definition in NumPy. Unset: cpu where it is built.",
    "ELMAN_API_KEY": "A key that `elman serve` accepts, with those in --api-key-file.",
}
"""The package's variables. A test compares them with those that the sources read."""
_OTHERS = {
    "XDG_CACHE_HOME": "Where the cache is; `elman cache` prints its folder and size.",
    "NO_COLOR": "Print without colours.",
}


def manual() -> None:
    """Print the manual page, for `man`.

    Examples: elman manual | man -l -;  elman manual > ~/.local/share/man/man1/elman.1
    """
    print(page(), end="")


def page() -> str:
    """The page in the macros of man(7)."""
    whole = command()
    all_leaves = list(leaves())
    parts = [
        f'.TH ELMAN 1 "" "elman {__version__}" "User Commands"',
        ".SH NAME",
        f"elman \\- {_roff(_lower(whole.help)).rstrip('.')}",
        ".SH SYNOPSIS",
        *(line for leaf in all_leaves for line in _synopsis(leaf)),
        ".SH DESCRIPTION",
        _roff("A MODEL is a .safetensors file, the folder of a run, or english, the packaged model of English text."),
        ".SH COMMANDS",
        *(line for leaf in all_leaves for line in _section(leaf)),
        ".SH EXIT STATUS",
        _roff(STATUS),
        ".SH ENVIRONMENT",
        *(line for name, text in (ENVIRONMENT | _OTHERS).items() for line in (".TP", f".B {name}", _roff(text))),
    ]
    return "\n".join(parts) + "\n"


def _synopsis(leaf: Leaf) -> list[str]:
    return [f".B elman {_roff(leaf.path)}", _roff(leaf.usage), ".br"]


def _section(leaf: Leaf) -> list[str]:
    text, _, examples = leaf.help.partition("\n\nExample")
    lines = [f'.SS "{_roff(f"elman {leaf.path} {leaf.usage}")}"']
    for paragraph in text.split("\n\n"):
        lines += [_roff(" ".join(paragraph.split())), ".PP"]
    for each in leaf.parameters:
        names = ", ".join(rf"\fB{_roff(name)}\fR" for name in each.names)
        value = rf"\fI{_roff(each.value)}\fR" if each.value else ""
        lines += [".TP", f"{names} {value}".strip(), _roff(each.help)]
    if examples:
        lines += [".PP", "Examples:", ".PP", ".RS 4", ".nf"]
        lines += [_roff(" ".join(one.split())) for one in examples.partition(":")[2].split(";")]
        lines += [".fi", ".RE"]
    return lines


def _roff(text: str) -> str:
    """Text for roff: a hyphen that can be copied, and no line that a macro could begin."""
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    text = text.replace("`", "\\(ga").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^\.", "\\&.", text)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
