"""Exact figures of a space: assignments, labelled graphs, isomorphism classes. All counted, none looked up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas.errors import SpaceError
from gnas.space.constraints import structural_choices
from gnas.space.count import with_parents
from gnas.space.program import Program
from gnas.space.protocol import Choice
from gnas.space.pruned import Graphs
from gnas.space.tree import AssignmentTree
from gnas.space.yaml_space import YamlSpace

ENUMERABLE = 1 << 20
_STRUCTURES = 1 << 22
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class UniqueCounts:
    """Different architectures of a space.

    Attributes:
        labelled_graphs: Graphs that differ once dead nodes are pruned, names of nodes counting.
        architectures: Isomorphism classes of those: different digests.
        method: How they were counted.
    """

    labelled_graphs: int
    architectures: int
    method: str


def describe(space: YamlSpace, exact: bool = True) -> dict[str, Any]:
    """Figures of a space, ready for JSON.

    Args:
        space: The space.
        exact: Whether to count different architectures, where the space is small or regular enough (seconds to a
        minute).

    Returns:
        `name`, `description`, `source`, `choices` (number), `assignments`, `labelled_graphs`, `architectures`
        (isomorphism classes), `method`, `cells` (assignments of each shared cell, where the space has cells), `inputs`,
        `constraints`. A figure that cannot be had is None.
    """
    definition = space.definition
    try:
        assignments: int | None = space.count()
    except SpaceError:
        assignments = None
    unique = count_unique(space) if exact else None
    return {
        "name": space.name,
        "description": definition.description,
        "source": definition.source,
        "inputs": list(definition.inputs),
        "choices": len(space.choices),
        "assignments": assignments,
        "labelled_graphs": unique.labelled_graphs if unique else None,
        "architectures": unique.architectures if unique else None,
        "method": unique.method if unique else "too many to enumerate" if exact else "not asked for",
        "cells": {cell: cell_count(space, cell) for cell in definition.cells},
        "constraints": [c.text for c in definition.constraints],
    }


def cell_count(space: YamlSpace, cell: str) -> int:
    """Assignments of the choices of a shared cell."""
    own = [c for c in space.choices if c.name.startswith(f"{cell}.")]
    named = {c.name for c in own}
    return AssignmentTree(
        Choice(c.name, c.values, c.ordinal, tuple(w for w in c.when if w[0] in named)) for c in own
    ).count


def count_unique(space: YamlSpace) -> UniqueCounts | None:
    """Count different architectures exactly; None where that is out of reach."""
    if space.size_bound <= ENUMERABLE:
        return _enumerate(space)
    return _structures_first(space)


def _enumerate(space: YamlSpace) -> UniqueCounts:
    program = space.definition.program
    labelled: set[bytes] = set()
    digests: set[bytes] = set()
    for codes in space.iterate_codes():
        graphs = program.graphs(codes)
        first = _new_rows(graphs, labelled)
        digests.update(program.digest_graphs(graphs.take(first)).tolist())
    return UniqueCounts(len(labelled), len(digests), "every assignment")


def _new_rows(graphs: Graphs, known: set[bytes]) -> NDArray[np.int64]:
    """Rows whose labelled graph is not in `known` yet, one of each; `known` learns them."""
    table = graphs.rows()
    keys: list[bytes] = table.view(f"V{table.shape[1] * 4}").ravel().tolist()
    found = []
    for row, key in enumerate(keys):
        if key not in known:
            known.add(key)
            found.append(row)
    return np.array(found, dtype=np.int64)


def _structures_first(space: YamlSpace) -> UniqueCounts | None:
    """Enumerate the shapes of the graphs, keep one of each isomorphism class, and try every labelling of those only.

    Two architectures can only be isomorphic if their shapes are, each node of a shape being marked with the set of
    labels open to it; and isomorphic shapes have isomorphic labellings. So the labellings of one shape of each class
    meet every class of architectures.
    """
    program = space.definition.program
    named = with_parents(_fixed_choices(space), space.choices)
    tied = [c for c in space.choices if c.name in named]
    tree = AssignmentTree(tied)
    domains = _free_domains(program, named)
    if domains is None or tree.count > _STRUCTURES:
        return None
    columns = [k for k, c in enumerate(space.choices) if c.name in named]
    marks = {i: program.domain_label(domain) for i, domain in domains.items()}
    labelled: set[bytes] = set()
    classes: set[bytes] = set()
    digests: set[bytes] = set()
    graphs_in_all = 0
    for start in range(0, tree.count, _CHUNK):
        part = tree.unrank(np.arange(start, min(start + _CHUNK, tree.count)))
        codes = np.full((len(part), len(space.choices)), -1, dtype=np.int16)
        codes[:, columns] = part
        codes = space.complete_first(codes)
        graphs = program.graphs(codes[space.contains_codes(codes)])
        for i, mark in marks.items():
            graphs.labels[i] = np.where(graphs.live[i], mark, graphs.labels[i])
        graphs = graphs.take(_new_rows(graphs, labelled))
        live = graphs.live[list(domains)]
        sizes = np.array([len(d) for d in domains.values()], dtype=object)
        graphs_in_all += sum(prod(sizes[mask]) for mask in live.T)
        fresh = _new_classes(program.digest_graphs(graphs), classes)
        if len(classes) * max(1, prod(int(n) for n in sizes)) > 64 * ENUMERABLE:
            return None
        for row in fresh:
            digests.update(_labellings(program, graphs, row, domains))
    return UniqueCounts(graphs_in_all, len(digests), "every labelling of one shape of each class")


def _new_classes(found: NDArray[np.bytes_], known: set[bytes]) -> list[int]:
    rows = []
    for row, digest in enumerate(found.tolist()):
        if digest not in known:
            known.add(digest)
            rows.append(row)
    return rows


def _labellings(program: Program, graphs: Graphs, row: int, domains: dict[int, NDArray[np.int32]]) -> list[bytes]:
    """Digests of every labelling of one shape."""
    live = [i for i in domains if graphs.live[i, row]]
    labels = np.array(list(product(*(domains[i].tolist() for i in live))), dtype=np.int32)
    several = graphs.take(np.full(len(labels), row))
    several.labels[live] = labels.T
    found: list[bytes] = program.digest_graphs(several).tolist()
    return found


def _fixed_choices(space: YamlSpace) -> set[str]:
    program = space.definition.program
    return set(structural_choices(program)).union(*(c.choices for c in space.definition.constraints))


def _free_domains(program: Program, named: set[str]) -> dict[int, NDArray[np.int32]] | None:
    """Labels open to each node whose label no structural choice decides; None where labels are not independent of each
    other.
    """
    parents = {c.name: {p for p, _ in c.when} for c in program.choices}
    owner: dict[str, int] = {}
    found: dict[int, NDArray[np.int32]] = {}
    for i, names in enumerate(program.label_choices):
        free = set(names) - named
        if not free:
            continue
        mixed = free != set(names) or any(not parents[n] <= free | named for n in free)
        if mixed or any(owner.setdefault(n, i) != i for n in free):
            return None
        found[i] = program.label_domain(i)
    return found
