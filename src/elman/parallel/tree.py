"""A binary tree over S shards that S alone decides: in which order numbers are added, whoever adds them.

A node is a range of shards, from and to. Its sum is the sum of its left half, the smaller one, and its right half.
Where N processes share the shards in contiguous ranges and N is a power of two, each range is one node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

_Sum = TypeVar("_Sum")
Node = tuple[int, int]


def halves(node: Node) -> tuple[Node, Node]:
    first, last = node
    middle = (first + last) // 2
    return (first, middle), (middle, last)


def nodes(within: Node, root: Node) -> list[Node]:
    """The fewest nodes of the tree below `root` that make up the range `within`, in order."""
    first, last = max(within[0], root[0]), min(within[1], root[1])
    if first >= last:
        return []
    if (first, last) == root:
        return [root]
    left, right = halves(root)
    return nodes(within, left) + nodes(within, right)


def total(
    root: Node, known: Mapping[Node, Callable[[], _Sum | None]], add: Callable[[_Sum, _Sum], _Sum]
) -> _Sum | None:
    """The sum of a node.

    Args:
        known: how to find the sums of nodes that make up this one; None: there is nothing to add.
        add: the sum of two; it may write over the first.
    """
    if root in known:
        return known[root]()
    left, right = (total(half, known, add) for half in halves(root))
    if left is None or right is None:
        return right if left is None else left
    return add(left, right)
