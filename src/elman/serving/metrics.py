"""Metrics in Prometheus's text format."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import lru_cache

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_HISTOGRAMS = {
    "time_to_first_token_seconds": "From a request's arrival to its first symbol.",
    "inter_token_latency_seconds": "Mean time between two symbols of a request.",
    "e2e_request_latency_seconds": "From a request's arrival to its end.",
    "request_queue_time_seconds": "From a request's arrival to the reading of its prompt.",
}
_COUNTERS = {
    "prompt_tokens_total": "Symbols of prompts.",
    "generation_tokens_total": "Symbols written.",
    "prefix_cache_queries_total": "Symbols of prompts looked for among those read before.",
    "prefix_cache_hits_total": "Symbols of prompts found among those read before.",
    "request_success_total": "Requests that ended, by the reason why.",
    "http_requests_total": "HTTP requests, by status.",
}
_GAUGES = {
    "num_requests_running": "Requests that are being written.",
    "num_requests_waiting": "Requests that wait for a row.",
    "streams_in_step": "Texts that grew in the last step.",
}


class Metrics:
    """Counts, and distributions of times. Threads may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], float] = {}
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._sums: dict[tuple[str, str], float] = {}

    def add(self, name: str, amount: float = 1, **labels: object) -> None:
        key = name, labelled(*labels.items())
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + amount

    def set(self, name: str, value: float, **labels: object) -> None:
        with self._lock:
            self._counts[name, labelled(*labels.items())] = value

    def observe(self, name: str, seconds: float, **labels: object) -> None:
        key = name, labelled(*labels.items())
        with self._lock:
            buckets = self._buckets.setdefault(key, [0] * (len(_SECONDS) + 1))
            buckets[bisect_left(_SECONDS, seconds)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + seconds

    def text(self) -> str:
        with self._lock:
            return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        for kind, names in (("counter", _COUNTERS), ("gauge", _GAUGES)):
            yield from numbers(kind, names, self._counts)
        for name, about in _HISTOGRAMS.items():
            yield from (f"# HELP elman_{name} {about}", f"# TYPE elman_{name} histogram")
            for (own, labels), buckets in self._buckets.items():
                if own != name:
                    continue
                total, comma = 0, "," if labels else ""
                for most, count in zip((*_SECONDS, None), buckets, strict=True):
                    total += count
                    bound = "+Inf" if most is None else f"{most:g}"
                    yield f'elman_{name}_bucket{{{labels}{comma}le="{bound}"}} {total}'
                yield f"elman_{name}_sum{{{labels}}} {self._sums[own, labels]:.9g}"
                yield f"elman_{name}_count{{{labels}}} {total}"


def numbers(kind: str, names: Mapping[str, str], counts: Mapping[tuple[str, str], float]) -> Iterator[str]:
    """Lines of counters or gauges.

    Args:
        kind: counter or gauge. names: what each is. counts: values by name and labels.
    """
    for name, about in names.items():
        yield from (f"# HELP elman_{name} {about}", f"# TYPE elman_{name} {kind}")
        for (own, labels), value in counts.items():
            if own == name:
                yield f"elman_{name}{{{labels}}} {value:.15g}" if labels else f"elman_{name} {value:.15g}"


@lru_cache(1000)
def labelled(*labels: tuple[str, object]) -> str:
    """Names and values of labels, as they stand in braces."""

    def escaped(value: object) -> str:
        return str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return ",".join(f'{name}="{escaped(value)}"' for name, value in labels)
