"""`elman score` of texts as a whole: a page, other models, adaptive scores, lines that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import EmptyTextError
from .against import compare_all, score_all, summarise
from .console import err, load_model, read_text
from .inputs import mask_for
from .listing import choose, chosen_rows, list_characters, list_lines
from .piecewise import Listed
from .summary import summarise_texts
from .word_listing import Worded, list_words

if TYPE_CHECKING:
    from ...model import Model
    from ...scoring import Comparison, Score
    from ...text import Rows


def print_whole(
    model: Model,
    path: Path,
    names: list[str],
    how: tuple[str | None, str, str | None],
    records: bool | None,
    what: Listed,
    form: str,
    html: Path | None,
    mask: bool,
    adaptive: bool,
    against: Sequence[Path],
) -> bool:
    """Print what needs every text as a whole: a page, another model, adaptive scores, lines that are alike. Return
    whether a line was listed."""
    from ...scoring import ADAPTIVE, Span, score_many, word_bits
    from ...scoring import words as words_in

    others = {str(path): load_model(path) for path in against}
    encoding, errors, field = how
    if records is None and others:  # one way for all, whichever comes first
        records = any(each.reading.records for each in (model, *others.values()))
    how = encoding, errors, (model.reading.field or "") if others and field is None else field
    counts = what.counts()
    every = zip(names, what.rows(model, names, records), strict=True)
    read = [(name, _text(model, name, how, what.lines, rows), rows) for name, rows in every]
    names, texts = [name for name, text, _ in read if text], [text for _, text, _ in read if text]
    by_rows = [rows for _, text, rows in read if text]
    with err.status(f"reading {sum(map(len, texts)):,} characters") if err.is_terminal else nullcontext():
        scores = score_many(model, texts, records=records, names=names, adaptive=adaptive)
        scored = score_all(others, names, scores, texts, how)
        compared = {} if what.words else compare_all(scored, scores)
    by_file = [s.lines() for s in scores] if what.lines else []
    ratios = next(iter(compared.values()), None)
    chosen = choose(by_file, what.top, what.above, mask, ratios) if what.lines else []
    if html is not None:
        some = None if what.top is None and what.above is None else [(file, index) for file, index, _ in chosen]
        _write_page(html, model, str(path), scores, names, some, compared, by_rows)
    if what.lines:
        list_lines(chosen_rows(names, by_file, chosen, mask, compared, by_rows), form, mask, compared)
    elif what.words:
        worded = (
            Worded(names[k], words_in(model, each), by_rows[k], {o: word_bits(of[k], each) for o, of in scored.items()})
            for k, each in enumerate(scores)
        )
        list_words(worded, form, what.spillover, counts, list(scored))
    elif what.chars:
        if adaptive:
            err.print(f"elman: {ADAPTIVE}")
        list_characters(names, (Span(*each) for each in enumerate(scores)), form)
    elif compared:
        summarise(str(path), names, scores, compared, form)
    else:
        summarise_texts(model, names, (Span(*each) for each in enumerate(scores)), form)
    return bool(chosen)


def _text(model: Model, name: str, how: tuple[str | None, str, str | None], by_line: bool, rows: Rows) -> str | bytes:
    """A text to score. An empty one has no lines, which is no error where lines are listed."""
    try:
        return read_text(model, name, *how, rows)
    except EmptyTextError:
        if by_line:
            return ""
        raise


def _write_page(
    html: Path,
    model: Model,
    name: str,
    scores: Sequence[Score],
    names: Sequence[str],
    some: Sequence[tuple[int, int]] | None,
    compared: dict[str, list[Comparison]],
    rows: Sequence[Rows],
) -> None:
    """The page of all texts, or of some of their lines, (file, line) in this order; and what it holds, on stderr."""
    from ...files import write_atomically
    from ...pages import comparison_page, lines_page, surprisal_page

    texts = f"{len(names):,} text{'s' if len(names) > 1 else ''}"
    if compared and some is None:
        page, what = comparison_page(model, scores, names, compared, name), f"{texts}, compared"
    elif some is None:
        page, what = surprisal_page(model, scores, names), texts
    elif not some:
        err.print(f"elman: no line is to be shown; {html} is not written")
        return
    else:
        page, what = (
            lines_page(model, scores, names, some, compared, [rows[file].line(index + 1) for file, index in some]),
            f"{len(some):,} line{'' if len(some) == 1 else 's'}, as listed",
        )
    write_atomically(html, page.encode("utf-8", "replace"), mask=mask_for(*names))
    err.print(f"{html}: {what}")
