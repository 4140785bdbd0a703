"""Addresses -> bytes: http and https alone, with a time-out, tries and a bound."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import CorpusError
from .files import Progress, bounded

_TIMEOUT = 20.0  # seconds without an answer
_TRIES = 2  # per source
_BLOCK = 1 << 16


def download(sources: Sequence[str], progress: Progress | None, wrong: Callable[[bytes], str] = lambda _: "") -> bytes:
    """The first source that answers with the right bytes. wrong: what is wrong with them; empty if nothing is."""
    failures = []
    for url in sources:
        reason = ""
        for _ in range(_TRIES):
            try:
                data = _fetch(url, progress)
            except CorpusError:
                raise
            # Time-outs and cut connections are OSErrors; a cut chunk and a malformed address are HTTPExceptions.
            except (OSError, ValueError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", None) or error)
                if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                    reason = f"HTTP {error.code} {error.reason}"
                    break
                continue
            reason = wrong(data)
            if not reason:
                return data
        failures.append(f"{url} ({reason})")
    raise CorpusError("tried " + ", ".join(failures))


class _OnlyHttp(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.lower().startswith(("http://", "https://")):
            raise OSError(f"it redirects to a {newurl.partition(':')[0]} address; expected http or https")
        refuse_password(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, progress: Progress | None) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "elman"})
    with urllib.request.build_opener(_OnlyHttp).open(request, timeout=_TIMEOUT) as answer:
        length = answer.headers.get("Content-Length")
        total = int(length) if length else None
        data = bounded(answer, url, _BLOCK, (lambda done: progress(done, total, url)) if progress else None)
    if total is not None and len(data) != total:
        raise OSError(f"the connection ended after {len(data):,} of {total:,} bytes")
    return data


def refuse_password(url: str) -> None:
    """Raises CorpusError for an address with a user name or a password, of which it shows neither: it would be kept in
    the model's file, and the download could not use it."""
    try:
        parts = urllib.parse.urlsplit(url)
        has_one = "@" in parts.netloc
        _ = parts.port  # raises where it is no number
    except ValueError:  # no address at all; perhaps a password with a slash in it
        has_one = "@" in url
    if has_one:
        raise CorpusError(
            f"the address at {url.rpartition('@')[2]} has a user name or a password; download it by other means and "
            "give the file, or - for standard input"
        )
