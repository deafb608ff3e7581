"""Who enters the final comparison: the best of each search and the domain's unsearched network, with their costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gnas.evaluate.candidate import explain
from gnas.finals import Entrant, FinalsFile
from gnas.meters import cost_counter
from gnas.search_stage import ranked

if TYPE_CHECKING:
    from gnas.architecture import Architecture
    from gnas.domain import Task
    from gnas.problem import Problem
    from gnas.results import RowKind
    from gnas.space.protocol import Space
    from gnas.study import Study

_COSTS = ("n_params", "macs", "memory_bytes", "latency_ms", "latency_low_ms", "latency_high_ms")


def best_of_study(problem: Problem, study: Study, kind: RowKind, name: str) -> list[Entrant]:
    """The best of a study on validation, as many as the spec wants, built by the space called `search`."""
    best = ranked(study.evaluations, problem.objective)[: problem.spec.final.finalists]
    space = problem.space
    return [
        Entrant(
            kind,
            f"{name} {place}",
            space.decode(space.encode(dict(evaluation.assignment))),
            "search",
            evaluation.number,
            {cost: evaluation.values[cost] for cost in _COSTS if cost in evaluation.values},
        )
        for place, evaluation in enumerate(best, start=1)
    ]


def default_network(task: Task) -> tuple[Entrant, Space]:
    """The domain's unsearched network and its space, called `default`."""
    from gnas.space import load_space

    name, assignment = task.default_network
    space = load_space(name).bind(task.ops, task.inputs, task.output)
    architecture = space.decode(space.encode(assignment))
    costs = cost_counter(space, task.sealed())(architecture)
    return Entrant("default_network", "default network", architecture, "default", -1, costs), space


def with_latency(
    entrants: Sequence[Entrant],
    measures: Mapping[str, Callable[[Architecture], Mapping[str, float]]],
    file: FinalsFile,
    note: Callable[[str], None],
) -> list[Entrant]:
    """The entrants with their latency, measured while nothing else runs; without it where it cannot be measured.

    Args:
        entrants: Those with a latency keep it.
        measures: Measures an architecture, by the name of its space.
        file: What was measured for a row that is there is not measured again.
        note: Is told what could not be measured.
    """
    done: dict[str, dict[str, float]] = {}
    for entrant in entrants:
        digest = entrant.architecture.digest
        if digest in done or "latency_ms" in entrant.costs:
            continue
        held = next((r for r in file.rows if r.digest == digest and "latency_ms" in r.costs), None)
        try:
            done[digest] = dict(held.costs if held else measures[entrant.space](entrant.architecture))
        except Exception as error:
            done[digest] = {}
            note(f"latency of {entrant.name} not measured: {explain(error)}")
    return [replace(e, costs={**done.get(e.architecture.digest, {}), **e.costs}) for e in entrants]
