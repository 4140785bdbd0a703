"""Origins: whose page in a browser may ask a server that only this machine reaches and that asks for no key.

A page of another site can point its own name at 127.0.0.1 (DNS rebinding) and then read answers, since for the browser
they come from the page's origin; the `Host` header has that name. And a page may send a POST to any address without
asking first: it cannot read the answer, but the work is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from .refusal import Refused

_LONGEST = 300  # characters of a host that is worth a look, and of each that is kept


def check_page(method: str, headers: Headers, allowed: Sequence[str]) -> None:
    """Check the host and the origin that a request names.

    Args:
        allowed: other origins whose pages may ask.
    Raises:
        Refused: 403: the host is a domain, or a page of another origin sent the POST.
    """
    host = headers.get("host", "")
    if len(host) > _LONGEST or _is_domain(host):
        raise Refused(
            f"the request is for the host {host[:100]!r}; expected localhost or an IP address. "
            "To serve under this name, give the server a key, or tell it to ask for none",
            403,
        )
    origin = headers.get("origin")
    if method != "POST" or origin is None or origin in allowed or "*" in allowed:
        return
    if origin.partition("://")[2].lower() != host.lower():
        raise Refused(
            f"the page that asks is of {origin[:100]!r}; to let it ask, name this origin to the server as one for CORS",
            403,
        )


@lru_cache(100)
def _is_domain(host: str) -> bool:
    """Whether someone else's name server can decide where this host is: not for an address, nor without a dot."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return True
    if "." not in name and ":" not in name:
        return False
    try:
        ip_address(name)
    except ValueError:
        return not name.endswith(".localhost")
    return False
