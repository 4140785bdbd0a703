"""`elman completion`: a shell's script that completes commands, options and their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from .. import __version__
from ..errors import InputError
from .tree import Leaf, Parameter, groups, leaves

FILES = {"CODE", "CORPUS", "FILE", "FOLDER", "MODEL", "PAGE", "PATH", "RUN", "STORE"}
"""Metavariables of values that are paths, or names beside paths."""


def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="One of bash, zsh and fish.")],
) -> None:
    """Print a script that completes commands and options in a shell.

    Examples: elman completion bash > ~/.local/share/bash-completion/completions/elman;
    elman completion zsh > ~/.zfunc/_elman;  elman completion fish > ~/.config/fish/completions/elman.fish
    """
    scripts = {"bash": bash, "zsh": zsh, "fish": fish}
    if shell not in scripts:
        raise InputError(f"shell must be bash, zsh or fish, got {shell!r}")
    print(scripts[shell](), end="")


def words(each: Parameter) -> list[str]:
    """Values of an argument or option that have names."""
    from ..corpora import corpora
    from ..recipes import recipe_names

    if each.value == "MODEL":
        return ["english"]
    if each.value == "CORPUS" or "--corpus" in each.names:
        return [row["name"] for row in corpora()]
    if each.value == "SHELL":
        return ["bash", "zsh", "fish"]
    if "--recipe" in each.names or (each.value == "NAME" and not each.names):
        return list(recipe_names())
    return []


def takes_files(each: Parameter) -> bool:
    return each.value in FILES or "--corpus" in each.names or "--recipe" in each.names


def inner(all_leaves: Iterable[Leaf]) -> dict[str, dict[str, str]]:
    """List `elman` ("") and each group with its commands, and the first sentence of each."""
    lines = {path: each.help or "" for path, each in groups()} | {leaf.path: leaf.help for leaf in all_leaves}
    found: dict[str, dict[str, str]] = {}
    for path, text in lines.items():
        group, _, name = path.rpartition(" ")
        found.setdefault(group, {})[name] = first_line(text)
    return found


def first_line(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()).rstrip(".")


def bash() -> str:
    """The script for bash: a word list for each command, and one for each option with a value."""
    all_leaves = list(leaves())
    lines = [
        f"# Completion for bash, made by `elman completion bash` of elman {__version__}.",
        "_elman() {",
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" path= each words= files= i',
        "  for ((i = 1; i < COMP_CWORD; i++)); do",
        '    each="${path:+$path }${COMP_WORDS[i]}"',
        '    case "$each" in',
        "      "
        + "|".join(_quoted(p) for p in [*(p for p, _ in groups()), *(x.path for x in all_leaves)])
        + ") path=$each ;;",
        "      *) break ;;",
        "    esac",
        "  done",
        '  case "$path" in',
    ]
    for group, names in inner(all_leaves).items():
        own = ["--help", *([] if group else ["--version"])]
        lines.append(f"    {_quoted(group)}) words={_quoted(' '.join([*names, *own]))} ;;")
    for leaf in all_leaves:
        options = [name for each in leaf.parameters for name in each.names]
        lines += [f"    {_quoted(leaf.path)})", '      case "$before" in']
        for each in leaf.parameters:
            if each.names and each.value:
                lines.append(f"        {'|'.join(each.names)}) {_values([each])} ;;")
        lines.append(f"        *) if [[ $word == -* ]]; then words={_quoted(' '.join([*options, '--help']))}; else")
        lines.append(f"          {_values([each for each in leaf.parameters if not each.names])}; fi ;;")
        lines.append("      esac ;;")
    lines += [
        "  esac",
        '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")',
        "  if [[ $files ]]; then",
        "    compopt -o filenames",
        '    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$word")',
        "  fi",
        "}",
        "complete -F _elman elman",
    ]
    return "\n".join(lines) + "\n"


def _values(each: list[Parameter]) -> str:
    named = [word for one in each for word in words(one)]
    return f"words={_quoted(' '.join(dict.fromkeys(named)))} files={'1' if any(map(takes_files, each)) else ''}"


def zsh() -> str:
    """The script for zsh: a function for each command."""
    all_leaves = list(leaves())
    lines = ["#compdef elman", f"# Completion for zsh, made by `elman completion zsh` of elman {__version__}."]
    for group, names in inner(all_leaves).items():
        listed = " ".join(
            _quoted(f"{name}:{text}".replace(":", "\\:").replace("\\:", ":", 1)) for name, text in names.items()
        )
        lines += [
            f"{_function(group)}() {{",
            f"  local -a names=({listed})",
            "  local state",
            "  _arguments -C '--help[Show the help and exit]' '1: :->name' '*:: :->rest'",
            '  case "$state" in',
            "    name) _describe command names ;;",
            '    rest) case "$words[1]" in',
            *(f"      {name}) {_function(f'{group} {name}'.strip())} ;;" for name in names),
            "    esac ;;",
            "  esac",
            "}",
        ]
    for leaf in all_leaves:
        specs = ["'--help[Show the help and exit]'", *map(_zsh_spec, leaf.parameters)]
        lines += [f"{_function(leaf.path)}() {{", "  _arguments -s \\", "    " + " \\\n    ".join(specs), "}"]
    lines += ['if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _elman "$@"; else compdef _elman elman; fi']
    return "\n".join(lines) + "\n"


def _zsh_spec(each: Parameter) -> str:
    named = words(each)
    action = "_files" if takes_files(each) else " "
    if named:
        listed = f"compadd {' '.join(named)}"
        action = f"{{{listed}; _files}}" if takes_files(each) else f"{{{listed}}}"
    value = f":{each.value}:{action}" if each.value else ""
    if not each.names:
        return _quoted(("*" if each.repeated else "") + value)
    text = each.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
    return " ".join(_quoted(f"*{name}[{text}]{value}") for name in each.names)


def _function(path: str) -> str:
    return "_elman" + "".join(f"_{part.replace('-', '_')}" for part in path.split())


def fish() -> str:
    """The script for fish: a line for each option of each command."""
    all_leaves = list(leaves())
    known = " ".join(_quoted(path) for path in [*(path for path, _ in groups()), *(leaf.path for leaf in all_leaves)])
    lines = [
        f"# Completion for fish, made by `elman completion fish` of elman {__version__}.",
        "function __elman_at --description 'Whether the command line is in this command'",
        "  set -l path",
        "  for word in (commandline -opc)[2..-1]",
        '    set -l longer (string trim -- "$path $word")',
        f"    contains -- $longer {known}; or break",
        "    set path $longer",
        "  end",
        '  test "$path" = "$argv[1]"',
        "end",
        "complete -c elman -f",
        "complete -c elman -l help -d 'Show the help and exit'",
        "complete -c elman -n '__elman_at \"\"' -l version -d 'Print the version and exit'",
    ]
    for group, names in inner(all_leaves).items():
        for name, text in names.items():
            lines.append(f"complete -c elman -n {_at(group)} -a {name} -d {_fish(text)}")
    for leaf in all_leaves:
        for each in leaf.parameters:
            short = [f"-s {name[1:]}" for name in each.names if not name.startswith("--")]
            long = [f"-l {name[2:]}" for name in each.names if name.startswith("--")]
            parts = ["complete -c elman", f"-n {_at(leaf.path)}", *short, *long]
            if takes_files(each):
                parts.append("-r -F")
            elif each.value and each.names:
                parts.append("-x")
            if named := words(each):
                parts.append(f"-a {_fish(' '.join(named))}")
            if each.names:
                parts.append(f"-d {_fish(first_line(each.help))}")
            if each.names or named or takes_files(each):
                lines.append(" ".join(parts))
    return "\n".join(lines) + "\n"


def _at(path: str) -> str:
    return _fish(f'__elman_at "{path}"')


def _fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted(text: str) -> str:
    """A word for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"
