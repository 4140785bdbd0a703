"""`elman generate`: text from a model."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .console import Json, ModelPath, err, load_model


def generate(
    model: ModelPath,
    prompt: Annotated[str, typer.Argument(help="Text to continue.")] = "",
    prompt_option: Annotated[str | None, typer.Option("--prompt", help="The same, as an option.")] = None,
    length: Annotated[int, typer.Option(help="Characters to write.")] = 200,
    temperature: Annotated[float, typer.Option(help="Divides the logits; 0 is greedy.")] = 1.0,
    alpha: Annotated[float, typer.Option(help="The book's p^alpha, renormalised.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Keep the k likeliest characters.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Keep the likeliest characters up to this probability.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the draws.")] = 0,
    json_: Json = False,
) -> None:
    """Continue a prompt."""
    from ..generation import generate as continue_text
    from ..generation import unknown_characters

    loaded = load_model(model)
    prompt = prompt if prompt_option is None else prompt_option
    unseen = unknown_characters(loaded, prompt)
    if unseen:
        err.print(f"elman: the model has never seen {unseen!r}; read as <unk>", markup=False)
    text = continue_text(
        loaded, prompt, length, temperature=temperature, alpha=alpha, top_k=top_k, top_p=top_p, seed=seed
    )
    if json_:
        print(json.dumps({"prompt": prompt, "text": text, "unknown": unseen}, ensure_ascii=False))
    else:
        print(prompt + text)
