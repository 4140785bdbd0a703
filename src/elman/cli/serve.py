"""`elman serve`: models over HTTP, and a page to write in."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from .shared.console import err


def _guarding(help: str, *names: str, **options: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="Who may ask", **options)


def _limiting(help: str, *names: str, **options: Any) -> Any:
    return typer.Option(*names, help=help, rich_help_panel="How much", **options)


def serve(
    model: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="A .safetensors file, a run's folder, or english; ID=PATH names it."),
    ],
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any that is free.")] = 8080,
    uds: Annotated[Path | None, typer.Option(help="Listen on this UNIX socket instead.")] = None,
    uds_mode: Annotated[
        str, typer.Option(metavar="MODE", help="Permissions of the socket: 600, or 660 for a proxy of its group.")
    ] = "600",
    api_key_file: Annotated[
        Path | None, _guarding("File with keys, one a line, each accepted. Or set ELMAN_API_KEY.", metavar="FILE")
    ] = None,
    no_key: Annotated[bool, _guarding("Ask for no key, also beyond loopback.", "--no-key")] = False,
    cors: Annotated[
        list[str] | None, _guarding("Let pages of this origin ask; may be repeated; *: any.", metavar="ORIGIN")
    ] = None,
    max_tokens: Annotated[int, _limiting("Most characters of a text.", min=1)] = 4096,
    queue: Annotated[int, _limiting("Requests that may wait; further ones get status 429.", min=0)] = 256,
    rows: Annotated[int, _limiting("Texts written at the same time.", min=1)] = 64,
    grace: Annotated[
        float, _limiting("Seconds that requests have to finish after SIGTERM.", metavar="SECONDS", min=0)
    ] = 30.0,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse fields that are unknown.")] = False,
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Write prompts to the log, too.")] = False,
) -> None:
    """Serve models over HTTP, as OpenAI's API has it, with a page to write in.

    SIGTERM and Ctrl-C end it when its requests are done; SIGHUP loads the models anew.

    Example: elman serve english; elman serve story=runs/story english --port 9000
    """
    if not re.fullmatch(r"[0-7]{3}", uds_mode):
        raise InputError(f"--uds-mode is {uds_mode!r}; expected three octal digits, such as 600 or 660")
    keys, mode = _keys(api_key_file), int(uds_mode, 8)
    open_port = uds is None and not keys and not no_key
    if open_port and not _is_loopback(host):
        raise InputError(f"--host {host} lets others ask; give --api-key-file, set ELMAN_API_KEY, or give --no-key")
    try:
        from .shared.server import run
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise InputError("to serve a model takes Starlette and uvicorn; pip install 'elman[serve]'") from None
    from ..serving import Limits, create_app

    limits = Limits(max_tokens=max_tokens, queue=queue, rows=rows)
    app = create_app(
        _models(model), keys=keys, cors=cors or (), limits=limits, strict=strict, local=open_port,
        log_prompts=log_prompts,
    )  # fmt: skip
    run(app, host, port, uds, mode, grace)


def _models(given: list[str]) -> dict[str, str]:
    """The place of each under its name: what is said before =, or the last part of the path."""
    models: dict[str, str] = {}
    for each in given:
        name, equals, place = each.partition("=")
        if not equals or Path(each).exists():
            place = each
            name = re.sub(r"\.safetensors$", "", Path(os.path.abspath(each)).name)
        if not name or not place:
            raise InputError(f"MODEL is {each!r}; expected a path, or ID=PATH")
        if name in models:
            raise InputError(f"two models are called {name!r}; name one of them with ID=PATH")
        models[name] = place
    return models


def _keys(file: Path | None) -> list[str]:
    keys = [key for key in [os.environ.get("ELMAN_API_KEY", "").strip()] if key]
    if file is not None:
        text = file.read_text(encoding="utf-8")
        found = [line.strip() for line in text.splitlines() if line.strip()]
        if not found:
            raise InputError(f"{file}: no key in it; expected one on each line")
        if stat.S_IMODE(file.stat().st_mode) & 0o044:
            err.print(f"elman: {file} can be read by others; chmod 600 hides the keys")
        keys += found
    if any(not key.isascii() or not key.isprintable() for key in keys):
        raise InputError("a key has a character that no header can have; use letters and digits")
    return keys


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host == "::1" or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
