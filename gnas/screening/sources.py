"""Where labels come from: a run folder, or a table the user brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gnas.errors import DataError, SpaceError, StudyError
from gnas.evaluation import FREE_COSTS, Direction, Evaluation, Objective
from gnas.predictors.protocol import Vector
from gnas.report.read import read_run
from gnas.screening.coding import Coder, number_columns, numbers
from gnas.screening.labels import Labels, clean_labels
from gnas.screening.tables import Block, read_table
from gnas.space.marks import accepted_names, suggestion
from gnas.space.protocol import Codes, Space

_SMALLER = ("error", "err", "loss", "rmse", "mae", "mse", "latency", "perplexity", "energy", "ms", "seconds", "params")


def labels_of_run(folder: Path, metric: str | None, direction: Direction | None) -> Labels:
    """Labels from the evaluations of a run, search and random search alike.

    Args:
        folder: The run folder, finished or not.
        metric: A value of its evaluations; by default its objective.
        direction: By default the objective's; smaller is better for costs.

    Raises:
        StudyError: No run folder, a damaged one, or one whose space cannot be read.
        DataError: An unknown metric, or labels that are too few or all equal.
    """
    record = read_run(folder)
    if record.space is None:
        reason = next((r for r in record.remarks if "space" in r), "the space it searched is not known")
        raise StudyError(reason.rstrip("."), place=str(folder), remedy="restore the space's file, or use --evaluations")
    evaluations = [*record.search, *record.random]
    usable = [e for e in evaluations if e.status == "ok"]
    name = metric or record.objective.name
    known = sorted({key for e in usable for key in e.values})
    if known and name not in known:
        raise DataError(
            "unknown metric",
            place="--metric",
            value=name,
            accepted=accepted_names(known),
            remedy=suggestion(name, known) or None,
        )
    default: Direction | None = record.objective.direction if name == record.objective.name else None
    if name in FREE_COSTS or name == "latency_ms":
        default = default or "minimize"
    objective = Objective(name, direction or default or _guess(name))
    rows = _encode(record.space, usable, folder)
    others = [key for key in known if key != name]
    return clean_labels(
        record.space,
        objective,
        rows,
        np.array([e.values.get(name, np.nan) for e in usable], dtype=np.float64),
        extra={},
        numbers={key: np.array([e.values.get(key, np.nan) for e in usable], dtype=np.float64) for key in others},
        source=str(folder),
        unusable=len(evaluations) - len(usable),
        seen=_encode(record.space, evaluations, folder),
    )


def seen_of_run(folder: Path, space: Space) -> Codes:
    """Every architecture a run has evaluated, `(m, choice)`.

    Raises:
        StudyError: No run folder, or one of another space.
    """
    record = read_run(folder)
    return _encode(space, [*record.search, *record.random], folder)


def labels_of_table(
    space: Space, path: Path, metric: str, direction: Direction | None, extra: Sequence[str] = ()
) -> Labels:
    """Labels from a CSV file with one column for each choice and one for each metric.

    Args:
        space: The space the rows are in.
        path: The file.
        metric: Name of the column to predict.
        direction: None guesses from the name, and refuses names that sound like an error or a cost.
        extra: Numeric columns given to the predictor beside the graph.

    Raises:
        DataError: The file, with line and column; or labels that are too few or all equal.
    """
    block = read_table(path)
    choices = tuple(choice.name for choice in space.choices)
    for name, place in [(metric, "--metric"), *((name, "--extra") for name in extra)]:
        if name not in block.names or name in choices:
            others = [n for n in block.names if n not in choices]
            raise DataError(
                f"no column of {path} that is no choice has this name",
                place=place,
                value=name,
                accepted=accepted_names(others),
                remedy=suggestion(name, others) or None,
            )
    if metric in extra:
        raise DataError("the metric cannot be an extra column too", place="--extra", value=metric)
    coder = Coder(space)
    codes = coder.codes(block)
    objective = Objective(metric, direction or _guess(metric))
    remarks = _remarks(coder)
    return clean_labels(
        space,
        objective,
        codes,
        numbers(block, metric),
        extra={name: numbers(block, name) for name in extra},
        numbers=number_columns(block, (*choices, metric, *extra)),
        source=str(path),
        remarks=remarks,
    )


def extra_of_block(block: Block, extra: Sequence[str]) -> dict[str, Vector]:
    """The extra columns of rows of a pool.

    Raises:
        DataError: A column the predictor was fitted with is not in the file, or a cell of it is empty.
    """
    found = {}
    for name in extra:
        if name not in block.names:
            raise DataError(
                f"the pool has no column {name!r}, which the predictor uses (--extra)",
                place=str(block.file),
                accepted=accepted_names(block.names),
                remedy="add the column to the pool, or leave it out of --extra",
            )
        column = numbers(block, name)
        empty = np.flatnonzero(~np.isfinite(column))
        if empty.size:
            raise DataError("an empty cell", place=block.place(int(empty[0]), name), accepted="a finite number")
        found[name] = column
    return found


def _encode(space: Space, evaluations: Sequence[Evaluation], folder: Path) -> Codes:
    rows = []
    for evaluation in evaluations:
        try:
            rows.append(space.encode(dict(evaluation.assignment)))
        except SpaceError as error:
            raise StudyError(
                f"trial {evaluation.number} is not in space {space.name}: {error.problem}",
                place=str(folder),
                remedy="the space has changed since the run: restore it",
            ) from error
    return np.array(rows, dtype=np.int16).reshape(-1, len(space.choices))


def _guess(metric: str) -> Direction:
    words = metric.lower().replace("-", "_").split("_")
    sounding = next((word for word in words if word in _SMALLER), None)
    if sounding is not None:
        raise DataError(
            "say which direction is better: this name sounds like smaller is, but it may be a share that is right",
            place="--metric",
            value=metric,
            accepted="--minimize or --maximize",
        )
    return "maximize"


def _remarks(coder: Coder) -> tuple[str, ...]:
    if not coder.dropped:
        return ()
    return (f"{coder.dropped} cells name a value for a choice that is inactive in their row; they change nothing",)
