"""From the text of a space definition to its program and constraints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gnas.architecture import INPUT, Value
from gnas.errors import SpaceError
from gnas.space.constraints import Constraint, read_constraints, structural_choices
from gnas.space.cube import ALWAYS
from gnas.space.marks import MarkedDict, MarkedList, check_keys, load_marked
from gnas.space.program import Program, Supernode, Term
from gnas.space.scope import Registry, Scope
from gnas.space.sources import read_sources
from gnas.space.steps import Expander
from gnas.space.values import declare_choices
from gnas.space.wiring import Wire

KEYS = ("name", "description", "source", "inputs", "choices", "cells", "graph", "output", "constraints")


@dataclass(frozen=True)
class Definition:
    """A space definition, compiled.

    Attributes:
        program: The compiled graph.
        constraints: What valid assignments must fulfil beyond their conditions.
        inputs: Names of the model inputs it may read.
        places: Where each choice stands in the file.
        cells: Names of its cells.
        description, source: Texts of the definition.
        file: Name of the file, for messages.
    """

    program: Program
    constraints: tuple[Constraint, ...]
    inputs: tuple[str, ...]
    places: Mapping[str, str]
    cells: tuple[str, ...]
    description: str
    source: str
    file: str


def compile_definition(text: str, file: str, restrict: Mapping[str, Iterable[Value]] | None = None) -> Definition:
    """Compile the YAML `text` of a space.

    Raises:
        SpaceError: With the place in the file.
    """
    data = load_marked(text, file)
    check_keys(data, KEYS, "a search space")
    for key in ("inputs", "graph"):
        if key not in data:
            raise SpaceError(f"a search space needs `{key}`", place=file, accepted=", ".join(KEYS))
    registry = Registry(dict(restrict or {}))
    scope = Scope(registry)
    inputs = _inputs(data, scope)
    if "choices" in data:
        declare_choices(data["choices"], scope, data.at("choices"))
    cells = data.get("cells") or {}
    if not isinstance(cells, Mapping) or any(not isinstance(c, MarkedDict) for c in cells.values()):
        raise SpaceError("`cells` maps names to cells", place=data.at("cells"), value=cells)
    entering = scope.wires[inputs[0]] if len(inputs) == 1 else None
    expander = Expander(cells)
    last = expander.body(data["graph"], scope, entering, data.at("graph"))
    for cell in cells:
        if cell not in expander.used_cells and not restrict:
            raise SpaceError(
                f"cell {cell!r} is used nowhere", place=data["cells"].at(cell), remedy="use it or delete it"
            )
    outputs: tuple[Wire, ...] = (last,)
    if "output" in data:
        outputs = read_sources(data["output"], scope, "output", data.at("output"))
    if not outputs:
        raise SpaceError("a search space needs an output", place=data.at("output"))
    registry.check_restrictions()
    program = Program(registry.choices.values(), registry.nodes, outputs)
    constraints = read_constraints(data.get("constraints"), program, data.at("constraints"))
    if not restrict:
        _check_all_used(program, constraints, registry)
    return Definition(
        program,
        constraints,
        inputs,
        registry.places,
        tuple(cells),
        str(data.get("description") or ""),
        str(data.get("source") or ""),
        file,
    )


def _check_all_used(program: Program, constraints: Iterable[Constraint], registry: Registry) -> None:
    """Refuse choices that change nothing: each would multiply the assignments of one architecture."""
    used = {name for names in program.label_choices for name in names} | set(structural_choices(program))
    used.update(parent for choice in program.choices for parent, _ in choice.when)
    used.update(name for constraint in constraints for name in constraint.choices)
    for choice in program.choices:
        if choice.name not in used and len(choice.values) > 1:
            raise SpaceError(
                f"choice {choice.name!r} is used nowhere",
                place=registry.places[choice.name],
                remedy=f"use it as ${choice.name}, or delete it",
            )


def _inputs(data: MarkedDict, scope: Scope) -> tuple[str, ...]:
    names = data["inputs"]
    if not isinstance(names, MarkedList) or not names or any(not isinstance(n, str) for n in names):
        raise SpaceError("`inputs` lists the model inputs that the graph reads", place=data.at("inputs"), value=names)
    if len(set(names)) < len(names):
        raise SpaceError("`inputs` lists a name twice", place=data.at("inputs"), value=list(names))
    for k, name in enumerate(names):
        params = (("name", ALWAYS, Term(const=name)),)
        scope.registry.nodes.append(Supernode(name, Term(const=INPUT), params, place=names.at(k)))
        scope.wires[name] = ((ALWAYS, len(scope.registry.nodes) - 1),)
    return tuple(names)
