"""Text as a model sees it: normalised, also where it comes in parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .. import given
from ..errors import InputError

NORMALISATIONS = ("book", "none")
CHUNK = 1 << 20  # characters worked on at a time, so 50 MB of text costs no multiple of itself
_WHITE_SPACE = re.compile(r"\s+")


def normalise(text: str, how: str) -> str:
    """Text as a model sees it.

    Args:
        how: "book" lower-cases and turns every run of white space into one space; "none" changes nothing.
    Raises:
        InputError: another `how`, or a text that is no str.
    """
    given.instance("text", text, str, "a str")
    if isinstance(how, str) and how == "none":
        return text
    if not isinstance(how, str) or how != "book":
        raise InputError(f"normalisation must be one of {', '.join(NORMALISATIONS)}; got {given.shown(how)}")
    return "".join(normalised_parts([text], how))


def normalised_parts(texts: Iterable[str], how: str) -> Iterator[str]:
    """`normalise` of a text that comes in parts, wherever it is cut; in parts."""
    space = False  # whether what was yielded ends with one
    for text in texts if how == "none" else _chunks(texts):
        part = text
        if how == "book":
            part = _WHITE_SPACE.sub(" ", text.lower())
            if space and part.startswith(" "):
                part = part[1:]  # a run of white space across the border
        if part:
            space = part.endswith(" ")
            yield part


def _chunks(texts: Iterable[str]) -> Iterator[str]:
    """Cut a text into parts of about `CHUNK` characters, between words."""
    held: list[str] = []  # parts of a word that may go on in the next one, put together once it has ended
    size = 0
    for text in texts:
        start = 0
        while size + len(text) - start > CHUNK:
            end = word_border(text, start + max(0, CHUNK - size))
            if end == len(text):
                break
            held.append(text[start:end])
            yield "".join(held)
            held, size, start = [], 0, end
        held.append(text[start:])
        size += len(text) - start
    if size:
        yield "".join(held)


def word_border(text: str, place: int) -> int:
    """The first place from `place` on where no word is cut: the small form of a capital may depend on all of its word,
    as the Greek sigma's does."""
    found = _WHITE_SPACE.search(text, place)
    return found.start() if found else len(text)


def chunks(text: str) -> Iterator[str]:
    """`text` in parts of `CHUNK` characters."""
    return (text[start : start + CHUNK] for start in range(0, len(text), CHUNK))
