"""Addresses -> bytes: http and https alone, with a time-out, tries and a bound."""

from __future__ import annotations

import http.client
import io
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import CorpusError
from .files import Progress, bounded, unpacked

_TIMEOUT = 20.0  # seconds without an answer
_TRIES = 2  # per source
_BLOCK = 1 << 16
# Time-outs and cut connections are OSErrors; a cut chunk and a malformed address are HTTPExceptions.
_FAILURES = (OSError, ValueError, http.client.HTTPException)


def download(sources: Sequence[str], progress: Progress | None, wrong: Callable[[bytes], str] = lambda _: "") -> bytes:
    """The first source that answers with the right bytes. wrong: what is wrong with them; empty if nothing is.

    Raises:
        CorpusError: none does; the message lists what was tried.
    """
    failures = []
    for url in sources:
        reason = ""
        for _ in range(_TRIES):
            try:
                data = _fetch(url, progress)
            except CorpusError:
                raise
            except _FAILURES as error:
                reason, final = _reason(error)
                if final:
                    break
                continue
            reason = wrong(data)
            if not reason:
                return data
        failures.append(f"{url} ({reason})")
    raise CorpusError("tried " + ", ".join(failures))


def stream(url: str, progress: Progress | None) -> Iterator[bytes]:
    """Yield a source's answer in blocks as they come, unpacked if its path ends with .gz or .xz: for a reader that may
    need the first of them only. It is tried again only before the first block.

    Raises:
        CorpusError: no answer, or one that ends before its time.
    """
    begun = False
    for left in range(_TRIES - 1, -1, -1):
        try:
            with _answer(url) as answer:
                total, file = answer.length, io.BufferedReader(answer, _BLOCK)
                for block in unpacked(file, urllib.parse.urlsplit(url).path, file.peek(6)):
                    begun = True
                    if progress:
                        progress(file.tell() if total is None else total - (answer.length or 0), total, url)
                    yield block
                if answer.length:
                    raise OSError(f"the connection ended {answer.length:,} bytes before the end")
                return
        except CorpusError:
            raise
        except _FAILURES as error:
            reason, final = _reason(error)
            if begun or final or not left:
                raise CorpusError(f"tried {url} ({reason})") from None


def _reason(error: Exception) -> tuple[str, bool]:
    """Describe a failure, and say whether another try would fail as well."""
    if isinstance(error, urllib.error.HTTPError) and error.code < 500:
        return f"HTTP {error.code} {error.reason}", True
    return str(getattr(error, "reason", None) or error), False


class _OnlyHttp(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.lower().startswith(("http://", "https://")):
            raise OSError(f"it redirects to a {newurl.partition(':')[0]} address; expected http or https")
        refuse_password(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(url: str) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "elman"})
    return urllib.request.build_opener(_OnlyHttp).open(request, timeout=_TIMEOUT)


def _fetch(url: str, progress: Progress | None) -> bytes:
    with _answer(url) as answer:
        length = answer.headers.get("Content-Length")
        total = int(length) if length else None
        each = (lambda done: progress(done, total, url)) if progress else None
        data = b"".join(bounded(answer, url, each, _BLOCK))
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
