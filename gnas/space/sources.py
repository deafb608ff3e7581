"""The `from:` of a step: which values it reads, and the choices among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from gnas.errors import SpaceError
from gnas.space.cube import ALWAYS, Cube, make_cube
from gnas.space.marks import MarkedDict, MarkedList, accepted_names, check_keys, suggestion
from gnas.space.scope import Scope, guard, text_of
from gnas.space.values import read_term, value_list, when_cube
from gnas.space.wiring import Wire

ACCEPTED = (
    "a name, a list, {choice: […]}, {subset: […], size: k}, {optional: name}, {use: name, when: {…}}, "
    "{by: $x, cases: {…}}"
)


def read_sources(data: Any, scope: Scope, name: str, place: str) -> tuple[Wire, ...]:
    """The wires of a `from:`; inline choices are named `name`.

    Raises:
        SpaceError: Unknown names or a malformed form.
    """
    if isinstance(data, MarkedList):
        return tuple(
            wire
            for k, item in enumerate(data)
            for wire in read_sources(item, scope, f"{name}.{k}" if isinstance(item, MarkedDict) else name, data.at(k))
        )
    if isinstance(data, MarkedDict):
        return _read_form(data, scope, name, place)
    if isinstance(data, str) and data.startswith("$"):
        term = read_term(data, scope, name, place)
        if not term.choice:
            return _named(text_of(term.const), scope, place)
        values = scope.registry.choices[term.choice].values
        return _pick([(term.choice, k, _named(text_of(v), scope, place)) for k, v in enumerate(values)])
    if isinstance(data, str | int) and not isinstance(data, bool):
        return _named(str(data), scope, place)
    raise SpaceError("`from` cannot be read", place=place, value=data, accepted=ACCEPTED)


def _read_form(data: MarkedDict, scope: Scope, name: str, place: str) -> tuple[Wire, ...]:
    if "choice" in data:
        term = read_term(data, scope, name, place)
        values = scope.registry.choices[term.choice].values
        return _pick([(term.choice, k, _named(text_of(v), scope, place)) for k, v in enumerate(values)])
    if "subset" in data:
        return _subset(data, scope, name, place)
    if "optional" in data:
        check_keys(data, ("optional", "name"), "an optional input")
        choice = scope.declare(
            str(data.get("name") or f"{name}.{data['optional']}"), (False, True), place, ordinal=False
        )
        cube = make_cube({choice: scope.registry.codes(choice, [True])})
        return tuple(guard(w, cube) for w in read_sources(data["optional"], scope, name, place)) if cube[0][1] else ()
    if "use" in data:
        check_keys(data, ("use", "when"), "a conditional input")
        used = when_cube(data["when"], scope, data.at("when")) if "when" in data else ()
        return () if used is None else tuple(guard(w, used) for w in read_sources(data["use"], scope, name, place))
    if "by" in data:
        return _by(data, scope, name)
    raise SpaceError(
        "`from` cannot be read",
        place=place,
        value=dict(data),
        accepted=ACCEPTED,
        remedy=suggestion(next(iter(data), ""), ("choice", "subset", "optional", "use", "by")) or None,
    )


def _by(data: MarkedDict, scope: Scope, name: str) -> tuple[Wire, ...]:
    check_keys(data, ("by", "cases"), "a case distinction")
    selector = read_term(f"${str(data['by']).removeprefix('$')}", scope, name, data.at("by"))
    cases = data.get("cases")
    if not isinstance(cases, MarkedDict):
        raise SpaceError("`cases` is a mapping of values to sources", place=data.at("cases"), value=cases)
    values = scope.registry.choices[selector.choice].values if selector.choice else (selector.const,)
    found = []
    for k, value in enumerate(values):
        key = text_of(value)
        if key not in cases:
            raise SpaceError(f"no case for {value!r}", place=cases.place, accepted=accepted_names(cases))
        cube = make_cube({selector.choice: [k]}) if selector.choice else ()
        inner = scope.inner("", cube)
        if inner is not None:
            found.append((selector.choice, k, read_sources(cases[key], inner, name, cases.at(key))))
    return _pick(found) if selector.choice else found[0][2]


def _pick(options: Sequence[tuple[str, int, tuple[Wire, ...]]]) -> tuple[Wire, ...]:
    """Wires that follow a choice: slot `s` reads the s-th wire of the option taken."""
    slots = max((len(wires) for _, _, wires in options), default=0)
    return tuple(
        tuple(
            part
            for choice, code, wires in options
            if s < len(wires)
            for part in guard(wires[s], make_cube({choice: [code]}))
        )
        for s in range(slots)
    )


def _subset(data: MarkedDict, scope: Scope, name: str, place: str) -> tuple[Wire, ...]:
    check_keys(data, ("subset", "size", "min", "max", "name"), "a subset")
    names = [text_of(v) for v in value_list(data["subset"], data.at("subset"))]
    low, high = subset_sizes(data, len(names), place)
    named = {n: _named(n, scope, place) for n in names}
    return subset_wires(scope, str(data.get("name") or name), named, low, high, place).wires


def subset_sizes(data: MarkedDict, available: int, place: str) -> tuple[int, int]:
    """Smallest and largest size of a subset, from `size`, or `min` and `max`.

    Raises:
        SpaceError: Not numbers, or out of range.
    """
    low = data.get("size", data.get("min", 1))
    high = data.get("size", data.get("max", available))
    good = isinstance(low, int) and isinstance(high, int) and not isinstance(low, bool) and not isinstance(high, bool)
    if not good or not 0 <= low <= high or low > available:
        raise SpaceError("impossible size of a subset", place=place, value=(low, high), accepted=f"0 to {available}")
    return low, min(high, available)


@dataclass(frozen=True, slots=True)
class Subset:
    """A chosen subset of named sources.

    Attributes:
        wires: Slot `s` reads the s-th of the sources chosen.
        filled: For each slot, the condition under which it is filled.
        chosen: For each source, the condition under which it is chosen.
    """

    wires: tuple[Wire, ...]
    filled: tuple[Cube, ...]
    chosen: tuple[Cube, ...]


def subset_wires(
    scope: Scope, name: str, named: dict[str, tuple[Wire, ...]], low: int, high: int, place: str
) -> Subset:
    """Wires for a chosen subset of named sources, each of one wire; no choice is declared where only one subset is
    possible.
    """
    subsets = [s for size in range(low, high + 1) for s in combinations(named, size)]
    if len(subsets) == 1:
        wires = tuple(w for n in subsets[0] for w in named[n])
        return Subset(wires, (ALWAYS,) * len(wires), (ALWAYS,) * len(named))
    choice = scope.declare(name, tuple("+".join(s) for s in subsets), place, ordinal=False)
    by_text = {"+".join(s): s for s in subsets}
    taken = [by_text[str(v)] for v in scope.registry.choices[choice].values]
    wires = _pick([(choice, k, tuple(w for n in names for w in named[n])) for k, names in enumerate(taken)])
    filled = (make_cube({choice: [k for k, names in enumerate(taken) if len(names) > s]}) for s in range(len(wires)))
    chosen = (make_cube({choice: [k for k, names in enumerate(taken) if n in names]}) for n in named)
    return Subset(wires, tuple(ALWAYS if len(c[0][1]) == len(taken) else c for c in filled), tuple(chosen))


def _named(name: str, scope: Scope, place: str) -> tuple[Wire, ...]:
    if name in scope.wires:
        return (scope.wires[name],)
    if name in scope.collections:
        return scope.collections[name]
    known = [*scope.wires, *scope.collections]
    raise SpaceError(
        f"no step or input is named {name!r} here",
        place=place,
        accepted=accepted_names(known),
        remedy=suggestion(name, known) or "a step may read inputs and earlier steps",
    )
