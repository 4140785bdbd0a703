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
from .completion import Completion, Piece, Text, assembled, likely
from .loop import Row, Streams
from .prefixes import EVERY, FAR, Prefixes
from .prompt import Prompt, side_by_side
from .writer import Writer

_SYMBOLS = 4096  # of prompts that are read between two steps, about; of each at most `EVERY`
_LOGITS = 1 << 21  # most logits of a call


class Batch:
    """Texts of one model.

    Args:
        rows: texts that grow at once, about; others wait, first come, first served.
        seconds: how long a step should take, about: the longest time between two looks at a text.
        prefixes: states after prompts that were read before; None: keeps none.
    """

    def __init__(self, model: Model, rows: int = 64, seconds: float = 0.01, prefixes: Prefixes | None = None) -> None:
        self.model, self._most, self._seconds, self.prefixes = model, rows, seconds, prefixes
        self.waiting: deque[list[Text]] = deque()
        self._reading: list[Prompt] = []
        self._streams = Streams(model)
        self._grown: list[tuple[Text, Writer]] = []
        self._burst = 1

    def join(self, texts: Sequence[Text]) -> None:
        """Texts of one prompt, which is read once."""
        self.waiting.append(list(texts))

    @property
    def begun(self) -> list[Text]:
        """Texts that are read or grow."""
        return [text for text, _ in self._grown] + [text for prompt in self._reading for text in prompt.texts]

    @property
    def running(self) -> int:
        """How many have begun."""
        return len(self._grown) + sum(len(prompt.texts) for prompt in self._reading)

    @property
    def idle(self) -> bool:
        return not (self.waiting or self._reading or self._grown)

    def step(self) -> list[Piece]:
        """Go on with every text, by a little. A text whose `finish_reason` is set has left."""
        pieces = self._cut()
        running = self.running
        while self.waiting and running < self._most:
            texts = self.waiting.popleft()
            self._reading.append(Prompt(self.model, texts, self.prefixes))
            running += len(texts)
        pieces += self._read()
        if self._grown:
            pieces += self._write()
        return pieces

    def _cut(self) -> list[Piece]:
        """End the texts that are to end before they are whole."""
        pieces: list[Piece] = []
        for texts in (*self.waiting, *(prompt.texts for prompt in self._reading)):
            pieces += [self._ended(text, None, text.cut) for text in texts if text.cut]
            texts[:] = [text for text in texts if not text.cut]
        if pieces:
            self.waiting = deque(texts for texts in self.waiting if texts)
            self._reading = [prompt for prompt in self._reading if prompt.texts]
        grown = [self._ended(text, writer, text.cut) for text, writer in self._grown if text.cut]
        if grown:
            self._keep([b for b, (text, _) in enumerate(self._grown) if not text.cut])
        return pieces + grown

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
        pieces, rows, states, logits = [], [], [], []
        for prompt in done:
            prompt.finish(self.prefixes)
            for text in prompt.texts:
                if text.length == 0:
                    pieces.append(self._ended(text, None, "length"))
                else:
                    rows.append(Row(self.model.reading.vocabulary, text.sampling, text.prompt, text.number))
                    states.append(prompt.state)
                    logits.append(prompt.logits)
                    self._grown.append((text, Writer(self.model.reading.vocabulary, text.stops)))
        if rows:
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
        texts = [text for text, _ in self._grown]
        steps = min(self._burst, max(text.length - text.written for text in texts))
        trace = None
        if any(text.top is not None for text in texts):
            steps = max(1, min(steps, _LOGITS // (len(texts) * self.model.vocab_size)))
            trace = np.empty((steps, len(texts), self.model.vocab_size), dtype=np.float32)
        start = time.perf_counter()
        made = self._streams.advance(steps, trace)
        taken = time.perf_counter() - start
        if taken < self._seconds / 2:
            self._burst = steps * 2
        elif taken > self._seconds * 2:
            self._burst = max(1, steps // 2)
        pieces, columns = [], np.ascontiguousarray(made.T)
        for b, (text, writer) in enumerate(self._grown):
            ids = columns[b, : text.length - text.written]
            added = writer.write(ids)
            ids = ids[: writer.used]
            text.written += len(ids)
            report = None if text.top is None else likely(self.model, trace[: len(ids), b], ids, text.top)  # type: ignore[index]
            if writer.ended:
                text.finish_reason, text.stop = "stop", writer.stop
            elif text.written >= text.length:
                text.finish_reason = "length"
                added += writer.close()
            pieces.append(Piece(text, added, ids, report, bool(text.finish_reason)))
        if any(text.finish_reason for text in texts):
            self._keep([b for b, text in enumerate(texts) if not text.finish_reason])
        return pieces

    def _keep(self, places: list[int]) -> None:
        self._streams.keep(places)
        self._grown = [self._grown[b] for b in places]

    @staticmethod
    def _ended(text: Text, writer: Writer | None, reason: str) -> Piece:
        text.finish_reason = reason
        return Piece(text, writer.close() if writer else "", np.zeros(0, dtype=np.int64), None, True)


def complete(model: Model, groups: Sequence[Sequence[Text]], **settings: float) -> Iterator[tuple[Text, Completion]]:
    """Yield each text when it is complete; the texts of a group share a prompt."""
    batch, parts = Batch(model, **settings), dict[Text, list[Piece]]()  # type: ignore[arg-type]
    for texts in groups:
        batch.join(texts)
    while not batch.idle:
        for piece in batch.step():
            text = piece.text
            pieces = parts.setdefault(text, [])
            pieces.append(piece)
            if piece.last:
                yield text, assembled(text, parts.pop(text))
