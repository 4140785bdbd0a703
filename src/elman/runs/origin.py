"""Whether a checkpoint was written by this user: what it names may be read without a question then.

A checkpoint may come from anyone and name any path or URL as its text. One that is written here is signed with a key in
the user's state folder; where there is no such folder nothing is signed, and every checkpoint is a stranger's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any

_SIZE = 32


def signature(loaded: dict[str, Any] | None) -> str | None:
    """Signature of a checkpoint's entry on how its text was loaded; None: there is no key, or nothing was loaded."""
    key = None if loaded is None else _key()
    if key is None:
        return None
    return hmac.new(key, json.dumps(loaded, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def is_ours(loaded: dict[str, Any] | None, signed: str | None) -> bool:
    """Whether `signed`, which a stranger may have written, is the signature of `loaded`."""
    expected = signature(loaded)
    if expected is None or signed is None:
        return False
    return hmac.compare_digest(expected.encode(), signed.encode("utf-8", "backslashreplace"))


def _key() -> bytes | None:
    """The user's key, made at its first use; None: it cannot be kept."""
    from platformdirs import user_state_path

    try:
        path = Path(user_state_path("elman")) / "key"
    except RuntimeError:  # what newer versions of platformdirs raise where there is no home
        return None
    if not path.is_absolute():
        return None
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            own = path.with_name(f"key.{secrets.token_hex(6)}")
            with open(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_SIZE))
            try:
                os.link(own, path)  # whole, and only if no other process made one meanwhile
            except FileExistsError:
                pass
            finally:
                own.unlink()
        key = path.read_bytes()
    except OSError:
        return None
    return key if len(key) == _SIZE else None
