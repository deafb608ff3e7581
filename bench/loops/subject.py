"""What is trained: candidates of one science."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from gnas.architecture import Architecture
from gnas.domain import Task
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Objective
from gnas.problem import load_problem
from gnas.space.protocol import Space


def thinned(source: Path, folder: Path, rows: int) -> Path:
    """A copy of an `.npz` with at most so many random rows to learn from, and a quarter of them in its other parts.

    Args:
        source: Arrays of as many rows each, or `train_…`, `val_…` and `test_…` arrays.
        folder: Where the copy is written.
        rows: Rows that stay.
    """
    with np.load(source) as held:
        arrays = {name: held[name] for name in held.files}
    rng, kept = np.random.default_rng(0), dict[str, NDArray[Any]]()
    for prefix, most in (("train_", rows), ("val_", rows // 4), ("test_", rows // 4), ("", rows)):
        group = [name for name in arrays if name.startswith(prefix) and name not in kept]
        if group:
            n = len(arrays[group[0]])
            chosen = np.sort(rng.choice(n, min(n, most), replace=False))
            kept.update({name: arrays[name][chosen] for name in group})
    path = folder / source.name
    np.savez(path, **kept)  # type: ignore[arg-type]
    return path


@dataclass(frozen=True, slots=True)
class Subject:
    """Candidates, and how they are trained.

    Attributes:
        name: Of the science.
        task: Sealed.
        space: That builds the candidates.
        recipe: Of all loops; no early stopping, so that all have the same epochs.
        objective: Validated after each epoch.
        candidates: Drawn at random.
    """

    name: str
    task: Task
    space: Space
    recipe: Recipe
    objective: Objective
    candidates: tuple[Architecture, ...]

    @classmethod
    def of(cls, name: str, spec: Mapping[str, Any], candidates: int, epochs: int, seed: int) -> Subject:
        """The subject of a spec: its space and recipe, with random candidates and so many epochs."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "spec.yaml"
            path.write_text(yaml.safe_dump(dict(spec)), encoding="utf-8")
            problem = load_problem(path)
        rng, found = np.random.default_rng(seed), dict[str, Architecture]()
        while len(found) < candidates:
            architecture = problem.space.sample(rng)
            found.setdefault(architecture.digest, architecture)
        recipe = problem.recipe.model_copy(update={"epochs": epochs, "patience": None})
        sealed = problem.task.sealed()
        return cls(name, sealed, problem.space, recipe, problem.objective, tuple(found.values()))
