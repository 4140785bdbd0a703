"""Ngrams: counts of what followed the last tokens, mixed into what another model says.

Context by context, from none to the last `order` tokens, what was counted and what was said so far are averaged:

    p_k = w p_{k-1} + (1 - w) count(context, token) / count(context)

p_{-1} is the other model's probability, and p_k = p_{k-1} where a context is new. A weight w belongs to an order and to
how often and with how many different tokens the context was seen. It is itself a share of counts: of the tokens met
there, how many were owed to the lower part (a step of expectation-maximisation for each; old ones fade). So all is
sums, products and quotients, which IEEE-754 defines.

Source: Jelinek and Mercer (1980), whose weights are learned here on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..kernels import Array

ORDER = 7
"""Most tokens of a context."""
_MOST = 63.0
"""Tokens that a weight remembers; then it forgets half. On which text this and `first` were chosen was not recorded."""
_ALL = -1
"""Among the tokens of a context: the number of all."""


class Ngrams:
    """n-gram counts over a vocabulary of `vocab_size` tokens, with the weights that mix them.

    Args:
        first: what a weight starts as: of so many tokens, the share owed to the lower part.
    """

    def __init__(self, vocab_size: int, first: tuple[float, float] = (3.8, 4.0)) -> None:
        self._vocab_size, self._first = vocab_size, first
        self._counts: list[dict[int, dict[int, int]]] = [{} for _ in range(ORDER + 1)]
        self._weights: dict[tuple[int, int, int], list[float]] = {}
        self._contexts = [0]  # of each order, the last tokens as the digits of a number

    def restart(self, token: int) -> None:
        """Begin a text: `token` is its first, and no context reaches beyond it."""
        self._contexts = [0, token]

    def mixed(self, p: Array, contexts: Sequence[int]) -> Array:
        """The probabilities (V,) of every next token after `contexts`, of which another model says p (V,). Nothing is
        learned: what `mix` would return for each token, except for rounding."""
        for order, context in enumerate(contexts):
            seen = self._counts[order].get(context)
            if seen is not None:
                kept, all_kept = self._weights.get(self._kind(order, seen), self._first)
                p = p * (kept / all_kept)
                share = (1 - kept / all_kept) / seen[_ALL]
                for token, count in seen.items():
                    if token != _ALL:
                        p[token] += share * count
        return p

    def followed(self, contexts: Sequence[int], token: int) -> list[int]:
        """The contexts after one more token."""
        return [0, *(c * self._vocab_size + token for c in contexts[:ORDER])]

    def mix(self, token: int, p: float) -> float:
        """The probability of the next token, of which another model says p; and learn from it."""
        for order, context in enumerate(self._contexts):
            seen = self._counts[order].get(context)
            if seen is None:
                self._counts[order][context] = {_ALL: 1, token: 1}
                continue
            total, count = seen[_ALL], seen.get(token, 0)
            weight = self._weights.setdefault(self._kind(order, seen), [*self._first])
            lower = weight[0] / weight[1] * p
            p = lower + (1 - weight[0] / weight[1]) * (count / total)
            weight[0] += lower / p
            weight[1] += 1
            if weight[1] > _MOST:
                weight[0], weight[1] = weight[0] / 2, weight[1] / 2
            seen[_ALL], seen[token] = total + 1, count + 1
        self._contexts = self.followed(self._contexts, token)
        return p

    @staticmethod
    def _kind(order: int, seen: dict[int, int]) -> tuple[int, int, int]:
        """Which weight serves a context."""
        total = seen[_ALL]
        return order, total if total < 4 else 2 + total.bit_length(), min(len(seen), 5)
