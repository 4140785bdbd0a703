"""`elman generate`: text from a model, shown while it is made."""

from __future__ import annotations

import secrets
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .shared.console import Field, Json, ModelPath, err, load_model, warn_unknown, write, write_json
from .shared.inputs import keep_inputs
from .shared.prompts import parse_bias, show_stream, with_line_ends
from .shared.training_text import TrainingText, training_parts

if TYPE_CHECKING:
    from ..model import Model

_PATIENCE = 60  # seconds that --check may take


def _drawing(help: str, **options: Any) -> Any:
    return typer.Option(help=help, rich_help_panel="How a character is drawn", **options)


def _instead(help: str, *names: str, **options: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="Other ways to write", **options)


def generate(
    model: ModelPath,
    prompt: Annotated[str, typer.Argument(metavar="[PROMPT]", help="Text to continue; -: standard input.")] = "",
    prompt_option: Annotated[
        str | None, typer.Option("--prompt", metavar="TEXT", help="Prompt, taken literally: - is no file.")
    ] = None,
    prompt_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="File that holds the prompt; its last line end is left out.")
    ] = None,
    length: Annotated[int, typer.Option(help="Characters to write, at most; a record may end earlier.")] = 200,
    num_samples: Annotated[int | None, typer.Option(help="Texts to write, side by side; 1 if left out.")] = None,
    stop: Annotated[
        list[str] | None, typer.Option(help="End before this text; may be repeated. \\n is a line end.")
    ] = None,
    seed: Annotated[
        str, typer.Option(metavar="N", help="Seed of the draws; random: another each time, printed.")
    ] = "0",
    json_: Json = False,
    temperature: Annotated[float, _drawing("Divides the logits; 0 is greedy.")] = 1.0,
    alpha: Annotated[float, _drawing("The book's p^alpha, renormalised.")] = 1.0,
    top_k: Annotated[int | None, _drawing("Keep the k likeliest characters.")] = None,
    top_p: Annotated[float | None, _drawing("Keep the likeliest characters up to this probability.")] = None,
    min_p: Annotated[
        float | None, _drawing("Keep the characters at least this many times as likely as the likeliest.")
    ] = None,
    repetition_penalty: Annotated[float, _drawing("Penalty for characters already written, above 1.")] = 1.0,
    presence_penalty: Annotated[float, _drawing("Subtract this from the logits of characters already written.")] = 0.0,
    frequency_penalty: Annotated[float, _drawing("Subtract this for each time that a character was written.")] = 0.0,
    logit_bias: Annotated[
        list[str] | None,
        _drawing("Add to a character's logit; -inf forbids it; may be repeated.", metavar="CHAR=VALUE"),
    ] = None,
    allowed: Annotated[str | None, _drawing("Write only these characters.")] = None,
    choice: Annotated[
        str,
        _drawing(
            "floats, or integers: as code without doubles draws (elman export c --choice integers).", metavar="HOW"
        ),
    ] = "floats",
    beam: Annotated[
        int | None, _instead("Draw nothing: search for the N likeliest texts, so many kept at each step.", metavar="N")
    ] = None,
    new: Annotated[
        int | None,
        _instead("N whole records that are not in the training list, each once, likeliest first.", metavar="N"),
    ] = None,
    corpus: TrainingText = None,
    field: Field = None,
    check: Annotated[
        str | None,
        _instead("Keep those records of --new for which CMD, which reads one on stdin, ends with 0.", metavar="CMD"),
    ] = None,
    interactive: Annotated[
        bool, _instead("Prompt after prompt, with a history; /step goes character by character.", "--interactive")
    ] = False,
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
        "presence_penalty": presence_penalty,
        "frequency_penalty": frequency_penalty,
        "logit_bias": parse_bias(logit_bias or ()),
        "allowed": allowed,
        "choice": choice,
        "seed": _seed(seed),
    }
    stops = [with_line_ends(s) for s in stop or ()]
    if (beam is not None) + (new is not None) + interactive > 1:
        raise InputError("--beam, --new and --interactive are different ways to write; give one of them")
    if beam is not None and (Sampling(**sampling) != Sampling() or stops):
        raise InputError("--beam draws nothing; leave out --stop, --seed and what shapes a draw")
    if beam is not None and beam < (num_samples or 1):
        raise InputError(f"a beam of {beam} finds no {num_samples or 1} texts; widen --beam, or lower --num-samples")
    if new is not None and (num_samples is not None or stops):
        raise InputError("--new says how many, and records end by themselves; leave out --num-samples and --stop")
    if new is None:
        _refuse_parts_of_new(corpus, field, check)
    if interactive:
        if prompt or prompt_option or prompt_file or num_samples is not None or json_:
            raise InputError("--interactive asks for prompts; leave out PROMPT, --num-samples and --json")
        _interactive(model, length, stops, sampling)
        return
    keep_inputs(None, model, prompt_file, corpus, "-" if prompt == "-" else None)
    loaded, prompt = load_model(model), _prompt(prompt, prompt_option, prompt_file)
    unseen = warn_unknown(loaded, prompt)
    if new is not None:
        samples = _new_records(loaded, model, (corpus, field), new, prompt, length, sampling, check)
        prompt = ""  # each is a whole record
    elif beam is not None:
        from ..generation import beam_search

        beams = beam_search(loaded, prompt, length, beam)[:num_samples]
        samples = [{"text": b.text, "bits": b.bits} for b in beams]
    elif json_ or num_samples not in (None, 1):
        from ..generation import generate as continue_text

        count = 1 if num_samples is None else num_samples
        texts = continue_text(loaded, prompt, length, num_samples=count, stop=stops, **sampling)
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


def _refuse_parts_of_new(corpus: str | None, field: str | None, check: str | None) -> None:
    """Raises InputError for an option that --new alone has a use for."""
    if corpus is not None:
        raise InputError("--corpus is the list that --new leaves out; give --new N, or leave it out")
    if check is not None:
        raise InputError("--check is of the records of --new; give --new N, or leave it out")
    if field is not None:
        raise InputError("--field is where in --corpus the list of --new is; give --new N, or leave it out")


def _prompt(argument: str, option: str | None, file: str | None) -> str:
    """The prompt, from the one place where it was given."""
    given = [bool(argument), option is not None, file is not None]
    if sum(given) > 1:
        raise InputError("the prompt is given twice; give PROMPT, --prompt or --prompt-file")
    if option is not None:
        return option
    place = "-" if argument == "-" else file
    if place is None:
        return argument
    from ..corpora import load_corpus

    text = str(load_corpus(place, normalisation="none").text)
    return text.removesuffix("\n").removesuffix("\r")


def _seed(text: str) -> int:
    if text == "random":
        seed = secrets.randbits(32)
        err.print(f"seed {seed}")
        return seed
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--seed: expected a whole number or random, got {text!r}") from None


def _new_records(
    model: Model,
    path: Path,
    corpus: tuple[str | None, str | None],
    count: int,
    prompt: str,
    length: int,
    sampling: dict[str, Any],
    check: str | None,
) -> list[dict[str, Any]]:
    """corpus: the training text and its field, as `training_parts` takes them."""
    from ..generation import new_records

    known: set[str] = set()
    for ids in training_parts(model, path, *corpus) if model.reading.records else ():
        if ids is not None:
            known.update(model.reading.vocabulary.decode(ids).split("\n"))
    valid = None if check is None else partial(_valid, check)
    found = new_records(model, known, count, prompt, length, check=valid, **sampling)
    if len(found) < count:
        refused = "" if check is None else ", or --check refuses it"
        err.print(
            f"elman: found {len(found):,} of {count:,}: the model writes little else than its training list{refused}"
        )
    return [{"text": record.text, "bits": record.bits} for record in found]


def _valid(command: str, record: str) -> bool:
    """Whether a command of the shell, which reads the record as a line, ends with status 0."""
    import subprocess

    try:
        null = subprocess.DEVNULL
        done = subprocess.run(
            command, shell=True, input=f"{record}\n".encode(), stdout=null, stderr=null, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"--check {command}: it took more than {_PATIENCE} s for {record!r}") from None
    if done.returncode in (126, 127):
        raise InputError(f"--check {command}: the shell cannot run it (status {done.returncode})")
    return done.returncode == 0


def _interactive(model: Path, length: int, stops: list[str], sampling: dict[str, Any]) -> None:
    from .interactive.session import Session

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("--interactive needs a terminal; without one, give PROMPT")
    Session(load_model(model), length=length, stop=stops, **sampling).run()
