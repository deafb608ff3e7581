"""What a study depends on, as plain facts: a run refuses to continue a study whose facts differ."""

from __future__ import annotations

import hashlib
import math
import re
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from typing import TYPE_CHECKING

from gnas.domain import AnsweringTask
from gnas.evaluate.candidate import versions

if TYPE_CHECKING:
    from gnas.domain import Part, Task
    from gnas.problem import Problem

_FINGERPRINT_BATCH = 1024
_MEASURED = ("precision", "memory_format")


def study_facts(problem: Problem, *, algorithm: str) -> dict[str, object]:
    """Space, data, objective, constraints, recipe, algorithm and seed of a study; not the budget, which may grow."""
    spec = problem.spec
    return {
        "space": f"{problem.space.name} {problem.space.fingerprint}",
        "data": data_digest(problem.task.sealed()),
        "objective": f"{problem.objective.name} {problem.objective.direction}",
        "constraints": {constraint.name: constraint.upper for constraint in problem.constraints},
        "recipe": _recipe(problem),
        "search": {
            "algorithm": algorithm,
            "options": spec.search.options if algorithm == spec.search.algorithm else {},
            "start": spec.search.start if algorithm == spec.search.algorithm else "none",
            **({} if spec.search.pruner == "none" else {"pruner": spec.search.pruner}),
        },
        "seed": spec.seed,
    }


def _recipe(problem: Problem) -> dict[str, object]:
    """The recipe of candidates. What it leaves to a measurement is no part of it: the calibration keeps that."""
    dumped = problem.search_recipe.model_dump(mode="json")
    return {name: value for name, value in dumped.items() if value != "auto" or name not in _MEASURED}


def data_digest(task: Task) -> str:
    """Digest of the sealed task's name, inputs, sizes and targets.

    Sums of the targets enter with six digits, so that another machine's rounding does not make another study.
    """
    if isinstance(task, AnsweringTask):
        return task.fingerprint()
    parts: tuple[Part, ...] = ("train", "validation")
    told = [task.name, *(f"{name} {kind}" for name, kind in task.inputs.items()), str(task.output)]
    for part in parts:
        total = squares = labels = weighted = 0.0
        row = 0
        for batch in task.batches(part, _FINGERPRINT_BATCH):
            values = (batch.targets.double() * batch.mask.double()).flatten(1).sum(dim=1)
            total += float(values.sum())
            squares += float((values * values).sum())
            weighted += math.fsum(value * (row + i) for i, value in enumerate(values.tolist()))
            labels += float(batch.mask.double().sum())
            row += len(values)
        told.append(f"{part} {task.size(part)} {labels:.0f} {total:.4g} {squares:.6g} {weighted:.4g}")
    return hashlib.blake2b("\n".join(told).encode(), digest_size=16).hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of python, torch and gnas, and of the installed libraries that gnas and the plug-ins declare."""
    found = dict(versions())
    plugins = {point.dist.name for point in entry_points(group="gnas.domains") if point.dist is not None}
    for name in sorted({library for package in {"gnas", *plugins} for library in _declared(package)} - set(found)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _declared(package: str) -> set[str]:
    """Names of the libraries that a package needs or can use, its tools for development left out."""
    try:
        lines = requires(package) or []
    except PackageNotFoundError:
        return set()
    names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra == 'dev'" not in line}
    return {name.lower().replace("_", "-") for name in names} - {package}
