"""What the user asked for, turned into labels, a cost counter and a place for the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gnas.errors import GnasError, SpaceError, SpecError, UserError
from gnas.evaluation import Direction
from gnas.meters import cost_counter
from gnas.predictors.store import StoredPredictor
from gnas.problem import load_problem
from gnas.screening.costs import CostBook
from gnas.screening.labels import Labels
from gnas.screening.sources import labels_of_run, labels_of_table
from gnas.space import load_space
from gnas.space.protocol import Codes, Space


@dataclass(frozen=True, slots=True)
class Source:
    """Where labels come from.

    Attributes:
        folder: A run folder.
        space: Name or file of a space; with `evaluations`, a CSV file.
        evaluations: That file.
        metric: What to predict; a run's objective by default.
        direction: Which direction is better, where the user said so.
        extra: Extra columns of the file.
    """

    folder: Path | None = None
    space: str | None = None
    evaluations: Path | None = None
    metric: str | None = None
    direction: Direction | None = None
    extra: tuple[str, ...] = ()


def read_labels(source: Source) -> Labels:
    """Labels from wherever the user has them.

    Raises:
        UserError: Options that do not go together, or what they name cannot be used.
    """
    if source.folder is not None:
        for name, given in (
            ("--space", source.space),
            ("--evaluations", source.evaluations),
            ("--extra", source.extra),
        ):
            if given:
                raise SpecError("not together with a run folder, which has its own", place=name, value=str(given))
        return labels_of_run(source.folder, source.metric, source.direction)
    if source.space is None or source.evaluations is None:
        raise SpecError(
            "nothing to learn from",
            accepted="a run folder, or --space SPACE with --evaluations FILE.csv",
            remedy="see: gnas screen --help",
        )
    if source.metric is None:
        raise SpecError("say which column to predict", place="--metric", accepted="the name of a column of the file")
    return labels_of_table(find_space(source.space), source.evaluations, source.metric, source.direction, source.extra)


def find_space(name: str) -> Space:
    """A space by name or file.

    Raises:
        SpaceError: No such space.
    """
    if name.endswith((".yaml", ".yml")) and not Path(name).is_file():
        raise SpaceError("no such space file", place="--space", value=name, remedy="see: gnas space list")
    return load_space(name)


def check_same_source(source: Source, held: StoredPredictor) -> None:
    """A loaded predictor brings its labels, its metric and its space along.

    Raises:
        SpecError: The user gave others too.
    """
    for name, given in (
        ("--evaluations", source.evaluations),
        ("--extra", source.extra),
        ("--metric", source.metric if source.metric != held.objective.name else None),
        ("--maximize/--minimize", source.direction if source.direction != held.objective.direction else None),
    ):
        if given:
            raise SpecError(
                "not together with --predictor, which has its own",
                place=name,
                value=str(given),
                remedy="leave it out, or fit another predictor with: gnas fit",
            )
    if source.space is not None and find_space(source.space).fingerprint != held.space.fingerprint:
        raise SpecError(
            "the predictor was fitted on another space",
            place="--space",
            value=source.space,
            accepted=held.space.name,
            remedy="leave it out, or warm-start a predictor of this space with: gnas fit --warm-start",
        )


def cost_book(folder: Path | None, space: Space) -> tuple[CostBook, tuple[str, ...]]:
    """Counts costs where the run's task can build networks of the space; else says why not.

    Returns:
        The book, and remarks.
    """
    if folder is None:
        return CostBook(None), ()
    spec = folder / "spec.yaml"
    try:
        problem = load_problem(spec)
        counted = cost_counter(problem.space, problem.task.sealed())
    except UserError as error:
        return CostBook(None), (f"costs are not counted: {error}",)
    if problem.space.fingerprint != space.fingerprint:
        return CostBook(None), ("costs are not counted: the run's space is another than the predictor's",)

    def count(row: Codes) -> Mapping[str, float]:
        return counted(problem.space.decode(row))

    some = space.sample_codes(np.random.default_rng(0), 1)[0]
    try:
        names = tuple(count(some))
    except GnasError as error:
        return CostBook(None), (f"costs are not counted: {error}",)
    return CostBook(count, names), ()
