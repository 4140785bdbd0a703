"""`elman generate`: text from a model, shown as it is made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .console import Json, ModelPath, load_model, warn_unknown, write, write_json

if TYPE_CHECKING:
    from ..model import LanguageModel


def generate(
    model: ModelPath,
    prompt: Annotated[str, typer.Argument(help="Text to continue.")] = "",
    prompt_option: Annotated[str | None, typer.Option("--prompt", help="The same, as an option.")] = None,
    length: Annotated[int, typer.Option(help="Most characters to write; a record may end sooner.")] = 200,
    num_samples: Annotated[int, typer.Option(help="Texts to write, side by side.")] = 1,
    stop: Annotated[
        list[str] | None, typer.Option(help="End before this text; may be repeated. \\n is a line end.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Divides the logits; 0 is greedy.")] = 1.0,
    alpha: Annotated[float, typer.Option(help="The book's p^alpha, renormalised.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Keep the k likeliest characters.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Keep the likeliest characters up to this probability.")] = None,
    min_p: Annotated[
        float | None, typer.Option(help="Keep the characters at least this many times as likely as the likeliest.")
    ] = None,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1: what was written gets less likely.")] = 1.0,
    logit_bias: Annotated[
        list[str] | None,
        typer.Option(metavar="CHAR=VALUE", help="Add to a character's logit; -inf forbids it; may be repeated."),
    ] = None,
    allowed: Annotated[str | None, typer.Option(help="Write only these characters.")] = None,
    beam: Annotated[
        int | None, typer.Option(metavar="WIDTH", help="Draw nothing: search for the likeliest texts.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the draws.")] = 0,
    interactive: Annotated[bool, typer.Option("--interactive", help="Prompt after prompt, with a history.")] = False,
    json_: Json = False,
) -> None:
    """Continue a prompt.

    A model of records writes one record. The same seed gives the same text, anywhere.

    Example: elman generate runs/story "the traveller" --temperature 0.7 --num-samples 3
    """
    from ..generation import Sampling

    sampling = {
        "temperature": temperature,
        "alpha": alpha,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "logit_bias": parse_bias(logit_bias or ()),
        "allowed": allowed,
        "seed": seed,
    }
    stops = [with_line_ends(s) for s in stop or ()]
    prompt = prompt if prompt_option is None else prompt_option
    if beam is not None and (Sampling(**sampling) != Sampling() or stops):
        raise InputError("--beam draws nothing; leave out --stop, --seed and what shapes a draw")
    if beam is not None and 1 <= beam < num_samples:
        raise InputError(f"a beam of {beam} finds no {num_samples} texts; widen --beam, or lower --num-samples")
    if interactive:
        if prompt or num_samples != 1 or beam is not None or json_:
            raise InputError("--interactive asks for prompts; leave out PROMPT, --num-samples, --beam and --json")
        _interactive(model, length, stops, sampling)
        return
    loaded = load_model(model)
    unseen = warn_unknown(loaded, prompt)
    if beam is not None:
        from ..generation import beam_search

        beams = beam_search(loaded, prompt, length, beam)[:num_samples]
        samples = [{"text": b.text, "bits": b.bits} for b in beams]
    elif json_ or num_samples != 1:
        from ..generation import generate as continue_text

        texts = continue_text(loaded, prompt, length, num_samples=num_samples, stop=stops, **sampling)
        samples = [{"text": text} for text in texts]
    else:
        show_stream(loaded, prompt, length, stops, sampling)
        return
    for number, sample in enumerate(samples):
        if json_:
            write_json({"sample": number, "prompt": prompt, **sample, "unknown": unseen})
        else:
            blank = "\n" if number and not loaded.reading.records else ""
            write(f"{blank}{prompt}{sample['text']}\n")


def show_stream(model: LanguageModel, prompt: str, length: int, stops: list[str], sampling: dict[str, Any]) -> None:
    """Write the prompt and its continuation as it is made."""
    from ..generation import stream

    pieces = stream(model, prompt, length, stop=stops, **sampling)  # raises before anything is written
    write(prompt)
    for piece in pieces:
        write(piece)
    write("\n")


def _interactive(model: Path, length: int, stops: list[str], sampling: dict[str, Any]) -> None:
    from .session import Session

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("--interactive needs a terminal; without one, give PROMPT")
    Session(load_model(model), length=length, stop=stops, **sampling).run()


def parse_bias(pairs: list[str] | tuple[()]) -> dict[str, float] | None:
    """CHAR=VALUE, ... -> {CHAR: VALUE, ...}; None for none."""
    bias = {}
    for pair in pairs:
        character, _, value = pair.rpartition("=")
        try:
            bias[character] = float(value)
        except ValueError:
            character = ""
        if len(character) != 1:
            raise InputError(f"a logit bias is CHAR=VALUE, such as e=-2 or z=-inf; got {pair!r}")
    return bias or None


def with_line_ends(text: str) -> str:
    """A stop string as typed: \\n is a line end, since many a shell has no other way to write one."""
    return text.replace("\\n", "\n")
