"""Batcher: one thread in which all texts of all requests grow. Requests come and go at every step."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from ..errors import ElmanError
from ..generation import Batch, Piece, Prefixes, Text
from .limits import Limits
from .metrics import Metrics
from .refusal import Refused
from .served import Served

_STEP = 0.003  # seconds of a step, about: the longest time before a new request is seen,
_UNSEEN = 0.012  # and while nobody sees any text grow
_log = logging.getLogger("elman.serving")


class Job:
    """One request: its texts, and where what is written goes.

    Args:
        streamed: pieces are handed on as they come; else all of them when the last text has ended.
    """

    def __init__(self, served: Served, groups: list[list[Text]], streamed: bool) -> None:
        self.served, self.groups, self.streamed = served, groups, streamed
        self.left = sum(map(len, groups))
        self.loop = asyncio.get_running_loop()
        self.pieces: asyncio.Queue[list[Piece] | Refused | None] = asyncio.Queue()
        """A streamed job's lists of pieces, then None; or what went wrong."""
        self.whole: asyncio.Future[list[Piece]] = self.loop.create_future()
        """All pieces of any other job."""
        self.held: list[Piece] = []
        self.arrived = time.monotonic()
        self.begun = self.first = self.ended = 0.0

    def tell(self, found: list[Piece] | Refused, ended: bool) -> None:
        """Hand on what was written, or what went wrong; in the thread of the loop."""
        if self.streamed:
            self.pieces.put_nowait(found)
            if ended:
                self.pieces.put_nowait(None)
        elif self.whole.done():  # nobody waits for it any more
            return
        elif isinstance(found, Refused):
            self.whole.set_exception(found)
        else:
            self.whole.set_result(found)

    def timings(self) -> dict[str, float]:
        """Milliseconds since its arrival: until its prompt was begun, until its first symbol, and its end."""
        times = {"queue": self.begun, "first": self.first, "total": self.ended or time.monotonic()}
        return {f"{name}_ms": round(max(0.0, at - self.arrived) * 1000, 3) for name, at in times.items()}


class Batcher:
    """The thread, and the requests that it serves."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._changed = threading.Condition()
        self._inbox: list[Job] = []
        self._gone: set[Job] = set()
        self._jobs: dict[Text, Job] = {}
        self._batches: dict[Served, Batch] = {}
        self._prefixes: WeakKeyDictionary[Served, Prefixes] = WeakKeyDictionary()
        self._ending: str | None = None
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.running = self.waiting = 0
        """Requests; those that wait have not begun."""

    def start(self) -> None:
        self._stopped, self._ending = False, None
        self._thread = threading.Thread(target=self._run, name="elman-batcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End all texts and the thread."""
        with self._changed:
            self._stopped, self._ending = True, self._ending or "abort"
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def end(self, reason: str) -> None:
        """End every text that grows, for this reason."""
        with self._changed:
            self._ending = reason
            self._changed.notify()

    def submit(self, job: Job) -> None:
        """Raises Refused where too many requests wait already."""
        with self._changed:
            if self._stopped:
                raise Refused("the server is shutting down", 503, headers={"Retry-After": "5"})
            rows = len(self._jobs) + sum(each.left for each in self._inbox)
            waiting = self.waiting + len(self._inbox)
            if rows >= self._limits.rows and waiting >= self._limits.queue:
                raise Refused(
                    f"{waiting} requests wait already; try again in a second", 429, headers={"Retry-After": "1"}
                )
            self._inbox.append(job)
            self._changed.notify()

    def leave(self, job: Job) -> None:
        """Nobody waits for this job's texts any more."""
        with self._changed:
            if job in self._inbox:
                self._inbox.remove(job)
            elif not job.ended:
                self._gone.add(job)
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._inbox or self._batches or self._stopped):
                    self._changed.wait()
                arrived, self._inbox = self._inbox, []
                gone, self._gone = self._gone, set()
                ending, self._ending = self._ending, None
                if self._stopped and not (arrived or self._batches):
                    return
            for job in arrived:
                self._join(job)
            self._cut(gone, ending)
            for served, batch in list(self._batches.items()):
                self._step(served, batch)

    def _join(self, job: Job) -> None:
        if job.served not in self._batches:
            prefixes = self._prefixes.setdefault(job.served, Prefixes(self._limits.prefixes))
            rows = self._limits.rows
            unseen = (_UNSEEN, (rows + 1) // 2)
            self._batches[job.served] = Batch(job.served.model, rows, _STEP, prefixes, unseen)
        for texts in job.groups:
            self._jobs.update(dict.fromkeys(texts, job))
            self._batches[job.served].join(texts)
        self._metrics.add("prompt_tokens_total", sum(len(texts[0].prompt) for texts in job.groups), model=job.served.id)

    def _cut(self, gone: set[Job], ending: str | None) -> None:
        now = time.monotonic()
        for text, job in self._jobs.items():
            if ending or job in gone:
                text.cut = ending or "gone"
            elif now - job.arrived > self._limits.seconds:
                text.cut = "timeout"

    def _step(self, served: Served, batch: Batch) -> None:
        try:
            pieces = batch.step()
        except Exception as error:
            # The model cannot go on: a training that diverged, or no memory. Those who wait are told, and no more.
            text = str(error) if isinstance(error, ElmanError) else "the model could not go on"
            _log.error("%s: %s: %s", served.id, type(error).__name__, text)
            self._batches.pop(served)
            for job in {job for job in self._jobs.values() if job.served is served}:
                self._finish(job, Refused(text, 500))
            self._count()
            return
        now, touched = time.monotonic(), dict[Job, None]()
        for job in map(self._jobs.__getitem__, batch.begun):
            job.begun = job.begun or now
        for job in map(self._jobs.__getitem__, batch.first):
            job.first = job.first or now
        for piece in pieces:
            job = self._jobs[piece.text]
            job.begun = job.begun or now
            job.held.append(piece)
            touched[job] = None
            if piece.last:
                del self._jobs[piece.text]
                job.left -= 1
        self._metrics.set("streams_in_step", batch.running, model=served.id)
        known = self._prefixes[served]
        self._metrics.set("prefix_cache_queries_total", known.queries, model=served.id)
        self._metrics.set("prefix_cache_hits_total", known.hits, model=served.id)
        self._count()  # before anyone is told, who may ask for it at once
        self._hand_on(list(touched), now)
        if batch.idle:
            del self._batches[served]

    def _hand_on(self, jobs: list[Job], now: float) -> None:
        """Pieces to those who wait for them, in one call of each loop."""
        calls: dict[asyncio.AbstractEventLoop, list[tuple[Job, list[Piece], bool]]] = {}
        for job in jobs:
            if job.left and not job.streamed:
                continue
            held, job.held = job.held, []
            calls.setdefault(job.loop, []).append((job, held, not job.left))
            if not job.left:
                self._observe(job, now)
        for loop, told in calls.items():
            _call(loop, lambda told=told: [job.tell(held, ended) for job, held, ended in told])

    def _finish(self, job: Job, last: Refused) -> None:
        job.ended = time.monotonic()
        for texts in job.groups:
            for text in texts:
                self._jobs.pop(text, None)
        _call(job.loop, lambda: job.tell(last, ended=False))

    def _observe(self, job: Job, now: float) -> None:
        job.ended, model = now, job.served.id
        texts = [text for group in job.groups for text in group]
        written = sum(text.written for text in texts)
        self._metrics.add("generation_tokens_total", written, model=model)
        reason = "abort" if any(text.cut for text in texts) else texts[0].finish_reason
        self._metrics.add("request_success_total", model=model, finished_reason=reason)
        self._metrics.observe("e2e_request_latency_seconds", now - job.arrived, model=model)
        if job.first:
            self._metrics.observe("request_queue_time_seconds", job.begun - job.arrived, model=model)
            self._metrics.observe("time_to_first_token_seconds", job.first - job.arrived, model=model)
            longest = max(text.written for text in texts)
            if longest > 1:
                self._metrics.observe("inter_token_latency_seconds", (now - job.first) / (longest - 1), model=model)

    def _count(self) -> None:
        jobs = set(self._jobs.values())
        self.waiting = sum(not job.begun for job in jobs)
        self.running = len(jobs) - self.waiting


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop has ended, and with it whoever waited
        return
