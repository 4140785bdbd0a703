"""Batch: texts that join, are read, grow and leave, side by side; what `generate` of a list and a server stand on.

A step reads at most a piece of the prompts that wait, then writes some characters to every text. No text's bits depend
on the others, nor on how long the steps are, for no row of a batch influences another.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from ..model import Model
from ..model.layers import pack_state
from .completion import Completion, Piece, Text, assembled
from .grown import Grown
from .loop import Row, Streams
from .prefixes import EVERY, FAR, Prefixes
from .prompt import Prompt, side_by_side
from .writer import Growing

_SYMBOLS = 4096  # of prompts that are read between two steps, about; of each at most `EVERY`
_LOGITS = 1 << 21  # most logits of a call
_LOOK = 0.01  # seconds of a step, about
_CALL = 50  # steps of one text that cost as much as a further call, about
_UNSEEN = 0.1  # where nobody sees a text grow, and only its length ends it


class Batch:
    """Texts of one model.

    Args:
        rows: texts that grow at once, about; others wait, first come, first served.
        seconds: how long a step should take, about: the longest time between two looks at a text.
        prefixes: states after prompts that were read before; None: keeps none.
        unseen: the same seconds while nobody sees any text grow, and only its length ends each; and so many of such
            texts grow at once, about, unless one would end before the others. The next ones wait since they would not
            end later for it, and while some are sent others grow. None: as all texts.
    """

    def __init__(
        self,
        model: Model,
        rows: int = 64,
        seconds: float = _LOOK,
        prefixes: Prefixes | None = None,
        unseen: tuple[float, int] | None = None,
    ) -> None:
        self.model, self._most, self.prefixes = model, rows, prefixes
        self._seconds, (self._unseen, self._most_unseen) = seconds, unseen or (seconds, rows)
        self.waiting: deque[list[Text]] = deque()
        self._reading: list[Prompt] = []
        self._streams = Streams(model)
        self._grown = Grown()
        self.begun: list[Text] = []
        """Texts of which the last step began to read the prompt."""
        self.first: list[Text] = []
        """Texts of which the last step wrote the first symbols."""
        self._step_cost = 0.0
        """Seconds of a step and text: the least lately, since one slow step among fast ones is the machine's."""

    def join(self, texts: Sequence[Text]) -> None:
        """Texts of one prompt, which is read once."""
        self.waiting.append(list(texts))

    @property
    def running(self) -> int:
        """How many have begun."""
        return len(self._grown) + sum(len(prompt.texts) for prompt in self._reading)

    @property
    def idle(self) -> bool:
        return not (self.waiting or self._reading or len(self._grown))

    def step(self) -> list[Piece]:
        """Go on with every text, by a little. A text whose `finish_reason` is set has left."""
        self.begun, self.first = [], []
        pieces = self._cut()
        running = self.running
        while self.waiting and running < self._most and not self._can_wait(self.waiting[0], running):
            texts = self.waiting.popleft()
            self._reading.append(Prompt(self.model, texts, self.prefixes))
            self.begun += texts
            running += len(texts)
        pieces += self._read()
        if len(self._grown):
            pieces += self._write()
        return pieces

    def _can_wait(self, texts: list[Text], running: int) -> bool:
        if running < self._most_unseen or not all(text.unseen for text in texts):
            return False
        return max(text.length for text in texts) >= min(self._grown.left.tolist(), default=0)

    def _cut(self) -> list[Piece]:
        """End the texts that are to end before they are whole."""
        pieces: list[Piece] = []
        for texts in (*self.waiting, *(prompt.texts for prompt in self._reading)):
            pieces += [Growing(self.model, text).end(text.cut) for text in texts if text.cut]
            texts[:] = [text for text in texts if not text.finish_reason]
        if pieces:
            self.waiting = deque(texts for texts in self.waiting if texts)
            self._reading = [prompt for prompt in self._reading if prompt.texts]
        ended = self._grown.cut()
        if ended:
            self._let_go()
        return pieces + ended

    def _read(self) -> list[Piece]:
        """A piece of every prompt; those that are read through begin to grow."""
        for whole in (False, True):
            some = [prompt for prompt in self._reading if prompt.whole is whole and prompt.left]
            if some:
                self._read_together(some, whole)
        done = [prompt for prompt in self._reading if not prompt.left]
        if not done:
            return []
        self._reading = [prompt for prompt in self._reading if prompt.left]
        pieces, rows, joined, states, logits = list[Piece](), list[Row](), list[Growing](), [], []
        for prompt in done:
            prompt.finish(self.prefixes)
            for text in prompt.texts:
                growing = Growing(self.model, text)
                if text.length == 0:
                    pieces.append(growing.end("length"))
                else:
                    like = rows[-1] if rows and rows[-1].sampling is text.sampling else None
                    rows.append(Row(self.model.reading.vocabulary, text.sampling, text.prompt, text.number, like))
                    states.append(prompt.state)
                    logits.append(prompt.logits)
                    joined.append(growing)
        if rows:
            self._grown.join(joined)
            self.first += [growing.text for growing in joined]
            self._streams.join(rows, side_by_side(states), np.concatenate(logits))
        return pieces

    def _read_together(self, prompts: list[Prompt], whole: bool) -> None:
        least = min(min(prompt.left, EVERY - prompt.at % EVERY) for prompt in prompts)
        count = min(least, max(16, _SYMBOLS // len(prompts)))
        if whole:
            count = max(1, min(count, _LOGITS // (len(prompts) * self.model.vocab_size)))
        ids = np.stack([prompt.take(count) for prompt in prompts], axis=1)
        state = side_by_side([prompt.state for prompt in prompts])
        if whole:
            logits, after = self.model(ids, pack_state(state))
            after = after if isinstance(after, tuple) else (after,)
            last = logits[-1]
        else:
            decoder = self.model.decoder(0).like(state, np.concatenate([prompt.logits for prompt in prompts]))
            decoder.read(ids)
            logits, after, last = None, decoder.state, decoder.logits
        for b, prompt in enumerate(prompts):
            own = tuple(np.array(part[:, b : b + 1]) for part in after)
            prompt.went_on(ids[:, b], own, np.array(last[b : b + 1]), None if logits is None else logits[:, b])
            if prompt.left and self.prefixes is not None and prompt.at % EVERY == 0 and prompt.at <= FAR:
                self.prefixes.put(prompt.ids[: prompt.at], prompt.state, prompt.logits)

    def _write(self) -> list[Piece]:
        grown, count = self._grown, len(self._grown)
        seconds = self._unseen if grown.unseen else self._seconds
        fit = int(seconds / (self._step_cost * count)) if self._step_cost else 1
        steps, trace = well_cut(grown.left, max(1, fit)), None
        if grown.traced:
            steps = max(1, min(steps, _LOGITS // (count * self.model.vocab_size)))
            trace = np.empty((steps, count, self.model.vocab_size), dtype=np.float32)
        start = time.perf_counter()
        made = self._streams.advance(steps, trace)
        taken = time.perf_counter() - start
        cost = max(taken, 1e-9) / (steps * count)
        self._step_cost = min(cost, self._step_cost * 1.25) if self._step_cost else cost
        pieces = grown.grow(made, trace)
        if any(piece.last for piece in pieces):
            self._let_go()
        return pieces

    def _let_go(self) -> None:
        """Let the texts that have ended leave."""
        places = [b for b, growing in enumerate(self._grown.texts) if not growing.text.finish_reason]
        self._streams.keep(places)
        self._grown.keep(places)


def well_cut(left: np.ndarray, most: int) -> int:
    """How many steps to take, at most so many: to the end of a text if others that end before it would otherwise grow
    in vain for longer than a further call takes.

    Args:
        left: int64 (B,), steps to the end of each text.
    """
    if int(left.min()) >= most:
        return most
    ends = np.sort(left)
    cuts = np.append(ends[ends < most], min(most, int(ends[-1])))
    before = np.searchsorted(ends, cuts)
    vain = cuts * before - np.append(0, np.cumsum(ends))[before]
    return int(cuts[vain <= _CALL].max())


def complete(
    model: Model,
    groups: Sequence[Sequence[Text]],
    rows: int = 64,
    seconds: float = _LOOK,
    prefixes: Prefixes | None = None,
) -> Iterator[tuple[Text, Completion]]:
    """Yield each text when it is complete; the texts of a group share a prompt.

    Args:
        rows, seconds, prefixes: as for `Batch`.
    """
    batch = Batch(model, rows, seconds, prefixes, (_UNSEEN, rows))
    for texts in groups:
        for text in texts:
            text.whole = True
        batch.join(texts)
    while not batch.idle:
        for piece in batch.step():
            yield piece.text, assembled(piece.text, [piece])
