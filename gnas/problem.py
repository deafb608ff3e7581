"""Problem: a spec with its task, its bound space, objective, constraints and recipe, all checked together."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gnas.checking import suggest
from gnas.domain import AnsweringTask, TurningTask
from gnas.errors import MissingExtraError, SpaceError, SpecError, UserError
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Constraint, Objective
from gnas.spec import Spec, SpecFile, read_spec
from gnas.yamlfile import KeyPath

if TYPE_CHECKING:
    from gnas.domain import Task
    from gnas.space.protocol import Space


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything a run needs.

    Attributes:
        spec: As checked.
        path: The spec file, if it came from one.
        task: The full task, test part included: only the final comparison may use it unsealed.
        space: The search space, bound to the task's ops.
        objective: What the search optimises.
        constraints: Upper limits every candidate must keep.
        recipe: The domain's recipe with the spec's changes.
    """

    spec: Spec
    path: Path | None
    task: Task
    space: Space
    objective: Objective
    constraints: tuple[Constraint, ...]
    recipe: Recipe

    @property
    def search_recipe(self) -> Recipe:
        """The recipe of candidates while searching: with the epochs of `search.epochs`, where the spec gives them."""
        epochs = self.spec.search.epochs
        return self.recipe if epochs is None else self.recipe.model_copy(update={"epochs": epochs})


def load_problem(spec_path: Path, *, cache: Path | None = None, base: Path | None = None) -> Problem:
    """Reads a spec and everything it names.

    Args:
        spec_path: The spec file.
        cache: Folder for featurised data; by default `default_cache()`.
        base: Folder against which paths in the spec are read; by default `base_of(spec_path)`.

    Raises:
        SpecError: The spec file, with line and key path.
        DataError: The data it names.
        SpaceError: The space it names, or one that does not fit the task.
        MissingExtraError: A dependency it needs is absent.
    """
    read = read_spec(spec_path)
    base = (base or base_of(spec_path)).resolve()
    try:
        return _assemble(read, base, cache or default_cache())
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error.name or str(error), read.spec.domain) from error
    except UserError as error:
        located = read.file.relocate(error)
        if located is error:
            raise
        raise located from error


def base_of(spec_path: Path) -> Path:
    """Folder against which a spec's paths are read: its own; for the copy in a run folder that of the original."""
    try:
        held = json.loads((spec_path.parent / "run.json").read_bytes())["facts"]["base"]
    except (OSError, ValueError, KeyError, TypeError):
        return spec_path.parent
    return Path(held) if isinstance(held, str) and Path(held).is_dir() else spec_path.parent


def default_cache() -> Path:
    """Folder for featurised data: `GNAS_CACHE`, or `gnas` in the user's cache folder (`XDG_CACHE_HOME`)."""
    named = os.environ.get("GNAS_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gnas"


def _assemble(read: SpecFile, base: Path, cache: Path) -> Problem:
    spec = read.spec
    _check_machine(spec, read)
    task = read.domain.task(read.data, metric=spec.metric, base=base, cache=cache)
    objective = _objective(spec, task, read)
    _check_baselines(spec, task, read)
    _check_turns(spec, task, read)
    recipe = Recipe.model_validate(task.recipe.model_dump() | spec.recipe)
    limits = spec.constraints.model_dump(exclude_none=True)
    constraints = tuple(Constraint(name, float(upper)) for name, upper in limits.items())
    return Problem(spec, read.path, task, _space(read, task, base), objective, constraints, recipe)


def _check_machine(spec: Spec, read: SpecFile) -> None:
    """The device and the executor the spec names must be there."""
    if spec.device.startswith("cuda"):
        import torch

        _, _, index = spec.device.partition(":")
        if not torch.cuda.is_available() or int(index or 0) >= torch.cuda.device_count():
            raise SpecError(
                "no such CUDA device on this machine",
                place=read.file.place(("device",)),
                value=spec.device,
                remedy="write device: cpu, or run where the device is",
            )
    if spec.executor == "ray" and find_spec("ray") is None:
        raise MissingExtraError.of("ray", "ray")


def _objective(spec: Spec, task: Task, read: SpecFile) -> Objective:
    metrics = {metric.name: metric for metric in task.metrics}
    name = spec.metric or task.metrics[0].name
    if name not in metrics:
        raise SpecError(
            "unknown metric for this task",
            place=read.file.place(("metric",)),
            value=name,
            accepted=", ".join(metrics),
            remedy=suggest(name, list(metrics)) or None,
        )
    return Objective(name, metrics[name].direction)


def _check_baselines(spec: Spec, task: Task, read: SpecFile) -> None:
    for index, name in enumerate(() if spec.final.baselines == "all" else spec.final.baselines):
        if name not in task.baselines:
            raise SpecError(
                "unknown baseline",
                place=read.file.place(("final", "baselines", index)),
                value=name,
                accepted=", ".join(["all", *task.baselines]),
                remedy=suggest(name, list(task.baselines)) or None,
            )


def _check_turns(spec: Spec, task: Task, read: SpecFile) -> None:
    if spec.final.turns and not (isinstance(task, TurningTask) and task.turns > 1):
        raise SpecError(
            "the learning data cannot be divided anew",
            place=read.file.place(("final", "turns")),
            value=spec.final.turns,
            accepted="false for these data and this split",
            remedy="leave final.turns out, or use a split that is drawn from whole groups or at random",
        )


def _space(read: SpecFile, task: Task, base: Path) -> Space:
    """The space by name or file, narrowed, bound to the task's ops."""
    from gnas.space import load_space

    chosen = read.spec.space or task.default_space
    name, restrict = (chosen, {}) if isinstance(chosen, str) else (chosen.name, chosen.restrict)
    key: KeyPath = ("space",) if isinstance(chosen, str) else ("space", "name")
    is_file = name.endswith((".yaml", ".yml"))
    if is_file and not (base / name).is_file():
        raise SpecError(
            "no such space file", place=read.file.place(key), value=name, remedy=f"paths are relative to {base}"
        )
    try:
        space = load_space(base / name if is_file else name, restrict={k: tuple(v) for k, v in restrict.items()})
    except SpaceError as error:
        raise _placed(error, read, key) from error
    return space if isinstance(task, AnsweringTask) else space.bind(task.ops, task.inputs, task.output)


def _placed(error: SpaceError, read: SpecFile, key: KeyPath) -> SpaceError:
    """An error about the name or `restrict` with its place in the spec; others keep theirs in the space's file."""
    place = error.place or ""
    if not place:
        place = read.file.place(key)
    elif place.startswith("restrict."):
        place = read.file.place(("space", "restrict", place.removeprefix("restrict.")))
    return SpaceError(error.problem, place=place, value=error.value, accepted=error.accepted, remedy=error.remedy)
