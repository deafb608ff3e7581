"""Where a search begins: the field's known networks that the space has, made narrower where they break a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from gnas.errors import SpaceError
from gnas.feasible import keeps_limits

if TYPE_CHECKING:
    from gnas.architecture import Architecture, Value
    from gnas.problem import Problem
    from gnas.space.protocol import Codes, Space

_WIDTH = "width"


def starting_architectures(problem: Problem) -> tuple[Architecture, ...]:
    """The field's known good networks that the problem's space has, with distinct digests.

    One that breaks a limit on counted costs is made narrower until it keeps it: its ordinal choices of widths go down
    together, step by step. Where even the narrowest breaks it, the network itself stands there.

    Source: Howard et al., MobileNets, 2017, section 3.3 (the width multiplier), arXiv:1704.04861.
    """
    if problem.spec.search.start == "none":
        return ()
    space, keeps = problem.space, keeps_limits(problem)
    found: dict[str, Architecture] = {}
    for assignment in problem.task.starting_points:
        try:
            architecture = space.decode(_narrowed(space, assignment, keeps))
        except SpaceError:
            continue
        if space.contains(architecture):
            found.setdefault(architecture.digest, architecture)
    return tuple(found.values())


def _narrowed(space: Space, assignment: Mapping[str, Value], keeps: Callable[[Codes], bool]) -> Codes:
    """Codes of the widest form of a network that keeps the limits; its own where none does.

    Raises:
        SpaceError: The space does not have it.
    """
    first = row = space.encode(assignment)
    values = {choice.name: choice.values for choice in space.choices if _is_width(choice.name) and choice.ordinal}
    current = dict(assignment)
    while not keeps(row):
        places = {name: values[name].index(value) for name, value in current.items() if name in values}
        if not any(places.values()):
            return first
        current |= {name: values[name][max(0, place - 1)] for name, place in places.items()}
        row = space.encode(current)
    return row


def _is_width(name: str) -> bool:
    return _WIDTH in name.rpartition(".")[2]
