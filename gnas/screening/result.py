"""What a screening found: records, the table of the best, and their file."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnas.architecture import Assignment
from gnas.runfolder import write_whole, writing
from gnas.screening.honesty import Honesty
from gnas.space.scope import text_of


@dataclass(frozen=True, slots=True)
class Candidate:
    """One architecture of the top.

    Attributes:
        rank: From 1.
        digest: Canonical digest.
        assignment: Its choices.
        mean: Predicted value.
        low, high: 90 % interval of a new evaluation.
        costs: Counted costs.
        estimates: Costs that could only be estimated.
        nearest: Choices in which it differs from the nearest better-ranked one; None for the first.
    """

    rank: int
    digest: str
    assignment: Assignment
    mean: float
    low: float
    high: float
    costs: Mapping[str, float]
    estimates: Mapping[str, float]
    nearest: int | None


@dataclass(frozen=True, slots=True)
class Screened:
    """Figures of the pool.

    Attributes:
        kind: `sample`, `all` or `file`.
        drawn: Rows read or drawn.
        distinct: Different ones not evaluated before, which were screened.
        kept: Those whose estimated costs may keep every condition.
        beating: Those of them whose 90 % interval reaches beyond the best label.
        exact: The best of them, whose mean and interval are the predictor's own; all others have its student's.
        student_tau: Kendall's τ of the student with the predictor on rows it was not taught; None where there is none.
        counted: Networks built to count their costs.
        seconds: Wall clock, from the first row to the last candidate.
    """

    kind: str
    drawn: int
    distinct: int
    kept: int
    beating: int
    exact: int
    student_tau: float | None
    counted: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Screening:
    """A whole screening.

    Attributes:
        space, metric, direction: What was predicted, where.
        labels: Figures of the labels: `used`, `merged`, `dropped`, `source`.
        honesty: How good the predictor is on held-out labels.
        stack: What the predictor says of itself: weights of its members, calibration.
        pool: Figures of the pool.
        conditions: As text.
        cost_models: Rank correlation of the estimates of costs that could not be counted.
        top: The best, in order.
        remarks: Worth a line to the user.
    """

    space: str
    metric: str
    direction: str
    labels: Mapping[str, Any]
    honesty: Honesty
    stack: Mapping[str, Any]
    pool: Screened
    conditions: tuple[str, ...]
    cost_models: Mapping[str, float]
    top: tuple[Candidate, ...]
    remarks: tuple[str, ...]


def honesty_as_json(honesty: Honesty) -> dict[str, Any]:
    """Plain values."""
    return {
        "better": honesty.better,
        "sentence": honesty.sentence(),
        "kendall_tau": honesty.predictor.tau,
        "standard_error": honesty.predictor.error,
        "baselines": [{"name": m.name, "kendall_tau": m.tau, "standard_error": m.error} for m in honesty.baselines],
        "best_cheap_feature": honesty.feature,
        "difference": honesty.difference,
        "difference_standard_error": honesty.difference_error,
        "chance": honesty.chance,
        "coverage_90": honesty.coverage,
        "labels": honesty.n,
        "folds": honesty.folds,
    }


def as_json(screening: Screening) -> dict[str, Any]:
    """Plain values."""
    pool = screening.pool
    return {
        "better": screening.honesty.better,
        "sentence": screening.honesty.sentence(),
        "space": screening.space,
        "metric": screening.metric,
        "direction": screening.direction,
        "labels": dict(screening.labels),
        "held_out": honesty_as_json(screening.honesty),
        "predictor": dict(screening.stack),
        "pool": {
            "kind": pool.kind,
            "drawn": pool.drawn,
            "screened": pool.distinct,
            "may_keep_conditions": pool.kept,
            "may_beat_best_label": pool.beating,
            "counted": pool.counted,
            "exact": pool.exact,
            "student_kendall_tau": pool.student_tau,
            "seconds": pool.seconds,
        },
        "where": list(screening.conditions),
        "estimated_costs": dict(screening.cost_models),
        "top": [
            {
                "rank": c.rank,
                "digest": c.digest,
                "mean": c.mean,
                "low": c.low,
                "high": c.high,
                "costs": dict(c.costs),
                "estimated": dict(c.estimates),
                "nearest_better": c.nearest,
                "choices": dict(c.assignment),
            }
            for c in screening.top
        ],
        "remarks": list(screening.remarks),
    }


def write_top(screening: Screening, path: Path, names: tuple[str, ...]) -> None:
    """Writes the top: as JSON where the name ends so, else as CSV with a column for each choice.

    Args:
        screening: What was found.
        path: The file; replaced whole.
        names: The space's choices.

    Raises:
        StudyError: It cannot be written.
    """
    with writing(path, ""):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            write_whole(path, json.dumps(_finite(as_json(screening)), indent=2, ensure_ascii=False) + "\n")
        else:
            write_whole(path, _csv(screening, names))


def _csv(screening: Screening, names: tuple[str, ...]) -> str:
    costs = sorted({name for c in screening.top for name in c.costs})
    estimates = sorted({name for c in screening.top for name in c.estimates})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    predicted = [f"predicted_{screening.metric}", "low_90", "high_90"]
    # NOTE: a choice may bear the name of a cost; columns of choices come under their own names, ours give way.
    taken = set(names)
    head = [f"screen_{n}" if n in taken else n for n in ["rank", *predicted, *costs]]
    head += [f"estimated_{n}" for n in estimates] + ["nearest_better", "digest"]
    writer.writerow([*head, *names])
    for c in screening.top:
        values = dict(c.assignment)
        row = [c.rank, *(f"{v:.8g}" for v in (c.mean, c.low, c.high))]
        row += [f"{c.costs[n]:.10g}" for n in costs] + [f"{c.estimates[n]:.6g}" for n in estimates]
        row += ["" if c.nearest is None else c.nearest, c.digest]
        writer.writerow([*row, *(text_of(values[n]) if n in values else "" for n in names)])
    return out.getvalue()


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
