"""Draw the imports between rooms: `make rooms`. Fails on an arrow back, and on a circle within a room."""

from __future__ import annotations

import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter

from test_imports import ALLOWED, PLACE, ROOMS, imported, place, sources


@cache
def arrows() -> dict[str, set[str]]:
    """room/file -> what it imports, as rooms or files of rooms."""
    return {
        name: {module for module in imported(path) if place(module) is not None and (name, module) not in ALLOWED}
        for name, path in sources()
    }


def room_of(module: str) -> str:
    return module if module in ROOMS else module.rpartition("/")[0]


def faults() -> list[str]:
    """What points back, or in a circle."""
    found, order = [], list(ROOMS)
    for name, modules in arrows().items():
        here = room_of(name)
        back = [m for m in modules if room_of(m) != here and order.index(room_of(m)) > order.index(here)]
        found += [f"{name} imports {module}, which comes after it" for module in sorted(back)]
    for room in ROOMS:
        within = {
            name: {module for module in modules if room_of(module) == room and module in PLACE}
            for name, modules in arrows().items()
            if room_of(name) == room and not name.endswith(("/__init__", "/__main__"))
        }
        try:
            TopologicalSorter(within).prepare()
        except CycleError as error:
            found.append(f"{room}: a circle of {' -> '.join(error.args[1])}")
    return found


def drawn() -> str:
    """A line for each room: those it imports, in the order of the house."""
    between: dict[str, set[str]] = {room: set() for room in ROOMS}
    for name, modules in arrows().items():
        between[room_of(name)] |= {room_of(module) for module in modules} - {room_of(name)}
    wide = max(map(len, ROOMS))
    lines = [f"{room:{wide}}  <-  {', '.join(r for r in ROOMS if r in found)}" for room, found in between.items()]
    return "\n".join(line.removesuffix("  <-  ").rstrip() for line in lines)


if __name__ == "__main__":
    print(drawn())
    wrong = faults()
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    sys.exit(bool(wrong))
