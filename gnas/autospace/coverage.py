"""How much of a model its space covers, and what it does not and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from gnas.architecture import Architecture, Value
from gnas.autospace.cut import Removal
from gnas.autospace.from_model import AutoSpace
from gnas.autospace.joins import join_kind
from gnas.autospace.model_space import ON
from gnas.autospace.reasons import Blocked, blocked, shown
from gnas.autospace.records import DROP
from gnas.autospace.structure import Structure

_ON_EVERY_PATH = "no join can do without it"


@dataclass(frozen=True, slots=True)
class UnitCover:
    """One depth choice.

    Attributes:
        name: Of the choice.
        kind: `operand`, `value` or `bypass`.
        module: The user's module that goes.
        source: File and line of the join or of the module's last call.
        n_params, macs: Parameters and multiply-accumulates (of one example) that go with it alone.
    """

    name: str
    kind: str
    module: str
    source: str
    n_params: int
    macs: float


@dataclass(frozen=True, slots=True)
class WidthCover:
    """One width choice.

    Attributes:
        name: Of the choice.
        size: Channels of the whole model.
        least: Channels of the smallest offer.
        n_params: Parameters that the channels index.
        places: Parameters and their dimensions.
    """

    name: str
    size: int
    least: int
    n_params: int
    places: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Still:
    """A module with parameters that no choice touches.

    Attributes:
        module: The user's name of it.
        n_params: How many such parameters.
        of: How many it has.
        reasons: Why.
    """

    module: str
    n_params: int
    of: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the space of a model covers.

    Attributes:
        name: Of the model.
        operations: Calls in the traced graph.
        segments: Vertices of the segment graph.
        joins: Operations that need only some of their operands.
        units: Depth choices, without bypasses.
        forced: Join operands that every valid sub-network keeps.
        pinned: Operands kept so that the space can be counted exactly.
        bypasses: Blocks and gates that can be passed by.
        widths: Width choices.
        count: Number of valid sub-networks, exactly.
        removable: Names of parameters that some depth choice takes away whole.
        n_params: Of the whole model.
        by_depth, by_width, by_any: Parameters that some choice of that kind touches.
        least: Parameters of the smallest sub-network found.
        macs, least_macs: Multiply-accumulates of one example, of the whole model and of that sub-network.
        blocked: What keeps channels whole.
        still: Modules with parameters that no choice touches, most parameters first.
        islands: Submodules that could not be traced: name, class, reason.
        notes: What happened while tracing.
    """

    name: str
    operations: int
    segments: int
    joins: int
    units: tuple[UnitCover, ...]
    forced: tuple[str, ...]
    pinned: tuple[str, ...]
    bypasses: tuple[UnitCover, ...]
    widths: tuple[WidthCover, ...]
    count: int
    removable: tuple[str, ...]
    n_params: int
    by_depth: int
    by_width: int
    by_any: int
    least: int
    macs: float
    least_macs: float
    blocked: tuple[Blocked, ...]
    still: tuple[Still, ...]
    islands: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]


def coverage(space: AutoSpace) -> Coverage:
    """What `space` covers of its model."""
    structure, full = space.structure, space.full()
    sizes = {n: t.numel() for n, t in structure.traced.tensors.items() if n in structure.traced.parameters}
    whole = needed_parameters(structure, space.removal({}))
    depth = _depth_choices(space)
    least = smallest(space, {unit.name: unit.n_params for unit in depth})
    gone = whole - needed_parameters(structure, space.removal(least.assignment))
    for unit in depth:
        gone |= whole - needed_parameters(structure, space.removal(_without(unit)))
    free = _free_elements(space)
    untouched = {n: 0 if n in gone else sizes[n] - free[n] for n in whole}
    reasons = blocked(structure)
    decisions = space.decisions
    costs, least_costs = space.costs({}), space.costs(least)
    return Coverage(
        name=space.name,
        operations=sum(n.op == "call_function" for n in structure.traced.evaluation.graph.nodes),
        segments=len(full.nodes),
        joins=sum(bool(join_kind(n)) for n in structure.traced.evaluation.graph.nodes),
        units=tuple(unit for unit in depth if unit.kind != "bypass"),
        forced=tuple(space.units[i].name for i in decisions.forced),
        pinned=tuple(space.units[i].name for i in decisions.pinned),
        bypasses=tuple(unit for unit in depth if unit.kind == "bypass"),
        widths=tuple(_widths(space, sizes)),
        count=space.count(),
        removable=tuple(sorted(gone)),
        n_params=sum(sizes[n] for n in whole),
        by_depth=sum(sizes[n] for n in gone),
        by_width=sum(free[n] for n in whole),
        by_any=sum(sizes[n] - untouched[n] for n in whole),
        least=round(least_costs["n_params"]),
        macs=costs["macs"],
        least_macs=least_costs["macs"],
        blocked=reasons,
        still=_still(sizes, untouched, reasons, structure),
        islands=tuple((n, type(m).__name__, _reason(n, structure)) for n, m in structure.traced.islands.items()),
        notes=structure.traced.notes,
    )


def needed_parameters(structure: Structure, removal: Removal) -> set[str]:
    """Names of the trainable tensors that a sub-network has in evaluation mode."""
    program, plan = structure.traced.evaluation, structure.plan(removal)
    names = {program.state[n.name] for n in plan.needed if n.op == "placeholder" and n.name in program.state}
    return names & structure.traced.parameters


def smallest(space: AutoSpace, n_params: Mapping[str, int]) -> Architecture:
    """The sub-network that drops units greedily, those with most parameters first, and takes the least widths."""
    return space.smallest([float(1 + n_params.get(unit.name, 0)) for unit in space.units])


def _without(unit: UnitCover) -> dict[str, Value]:
    return {unit.name: ON if unit.kind == "bypass" else DROP}


def _depth_choices(space: AutoSpace) -> tuple[UnitCover, ...]:
    """Units that are choices, then bypasses, with what goes with each alone."""
    whole = space.costs({})
    found = []
    for unit in (*(space.units[i] for i in space.decisions.open), *space.bypasses):
        plain = UnitCover(unit.name, unit.kind, unit.module, shown(unit.source), 0, 0.0)
        left = space.costs(_without(plain))
        n_params, macs = (whole[name] - left[name] for name in ("n_params", "macs"))
        found.append(replace(plain, n_params=round(n_params), macs=macs))
    return tuple(found)


def _searchable(space: AutoSpace) -> NDArray[np.bool_]:
    """Which classes some width choice removes, `(class,)`."""
    least = np.array([group.kept[0] for group in space.groups], dtype=np.int64)
    classes, widths = space.structure.classes, space.structure.widths
    found = np.zeros(len(classes.frozen), dtype=np.bool_)
    for members, width in zip(widths.members, least.tolist(), strict=True):
        found[members] = width < len(members)
    while True:
        before = int(found.sum())
        for whole, factors in classes.products:
            for axis, factor in enumerate(factors):
                found[whole] |= found[factor].reshape([-1 if i == axis else 1 for i in range(whole.ndim)])
        if int(found.sum()) == before:
            return found


def _free_elements(space: AutoSpace) -> dict[str, int]:
    """Elements of each parameter that some width choice removes."""
    structure, searchable = space.structure, _searchable(space)
    found = {}
    for name in structure.traced.parameters & set(structure.traced.tensors):
        tensor = structure.traced.tensors[name]
        dims = structure.dimensions.tensors.get(name) or (None,) * tensor.dim()
        fixed = prod(
            s if a is None else int((~searchable[structure.classes.label[a]]).sum())
            for a, s in zip(dims, tensor.shape, strict=True)
        )
        found[name] = tensor.numel() - fixed
    return found


def _widths(space: AutoSpace, sizes: dict[str, int]) -> Iterable[WidthCover]:
    for group in space.groups:
        if len(group.kept) > 1:
            names = {name for name, _ in group.places if name in sizes}
            yield WidthCover(group.name, group.size, group.kept[0], sum(sizes[n] for n in names), group.places)


def _still(
    sizes: dict[str, int], untouched: dict[str, int], reasons: tuple[Blocked, ...], structure: Structure
) -> tuple[Still, ...]:
    """Modules whose parameters no choice touches, with reasons for both ways in which they could have been."""
    why: dict[str, dict[str, None]] = defaultdict(dict)
    for found in reasons:
        for name, axis in found.tensors:
            where = f" ({found.source})" if found.source else ""
            text = f"{'outputs' if axis == 0 else 'inputs'}: {found.reason}{where}"
            if structure.traced.tensors[name].dim() < 3 or axis < 2:
                why[name][text] = None
    modules: dict[str, list[str]] = defaultdict(list)
    for name in untouched:
        modules[name.rpartition(".")[0]].append(name)
    rows = []
    for module, names in modules.items():
        left = sum(untouched[n] for n in names)
        if left:
            texts = dict.fromkeys(t for n in names if untouched[n] for t in why[n])
            rows.append(Still(module, left, sum(sizes[n] for n in names), (_ON_EVERY_PATH, *texts)))
    return tuple(sorted(rows, key=lambda s: (-s.n_params, s.module)))


def _reason(name: str, structure: Structure) -> str:
    return next((note for note in structure.traced.notes if note.startswith(f"{name} (")), "it could not be traced")
