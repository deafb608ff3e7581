"""The verb's work from end to end: labels, predictor, pool, top."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gnas.predictors.store import load_predictor
from gnas.screening.conditions import read_conditions
from gnas.screening.costs import CostBook, CostModel, fit_cost_models, known_names
from gnas.screening.fitting import Fitted, fit_predictor, labels_as_json, restored, stored_labels
from gnas.screening.pool import FilePool, Pool, make_pool
from gnas.screening.request import Source, check_same_source, cost_book, read_labels
from gnas.screening.result import Candidate, Screening
from gnas.screening.screen import Limits, require_distinct, screen
from gnas.screening.sources import seen_of_run

_MOST_WORKERS = 8

Told = Callable[[str, int, int], None]


def screen_request(
    source: Source, *, pool: str, top: int, where: str | None, predictor: Path | None, seed: int, told: Told
) -> tuple[Fitted, Screening]:
    """Fits or loads a predictor and screens a pool.

    Args:
        source: Where labels come from.
        pool: A number, `all`, or the path of a CSV file.
        top: How many to return.
        where: Conditions on costs.
        predictor: A saved predictor to use instead of fitting one.
        seed: Of fit, folds and pool.
        told: Called with what is being done, how much of it is, and of how much.

    Raises:
        UserError: Something given cannot be used.
    """
    held = None if predictor is None else load_predictor(predictor)
    if held is None:
        labels = read_labels(source)
    else:
        check_same_source(source, held)
        labels = stored_labels(held)
        if source.folder is not None:
            labels = replace(labels, seen=np.concatenate([labels.seen, seen_of_run(source.folder, labels.space)]))
    # What is wrong with the pool or the conditions is told before anything is fitted.
    chosen = make_pool(labels.space, pool, seed=seed, extra=tuple(labels.extra))
    require_distinct(chosen.size, chosen.size, top)
    book, remarks = cost_book(source.folder, labels.space)
    conditions = read_conditions(where, known_names(labels, book))
    if held is None:
        fitted = fit_predictor(labels, book, seed=seed, told=lambda done, total: told("fit", done, total))
    else:
        fitted = restored(held, labels)
    models = fit_cost_models([c.name for c in conditions], labels, book, seed=seed)
    best, figures = screen(
        labels.space,
        fitted.model,
        chosen,
        objective=labels.objective,
        limits=Limits(conditions, models, book),
        seen=labels.seen,
        best_label=float(labels.values.max() if labels.objective.sign() > 0 else labels.values.min()),
        top=top,
        seed=seed,
        workers=_workers(),
        told=told,
    )
    report = fitted.model.report
    return fitted, Screening(
        space=labels.space.name,
        metric=labels.objective.name,
        direction=labels.objective.direction,
        labels=labels_as_json(labels),
        honesty=fitted.honesty,
        stack={"weights": dict(report.weights), "rmsce": report.rmsce, **fitted.about},
        pool=figures,
        conditions=tuple(str(condition) for condition in conditions),
        cost_models={name: model.tau for name, model in models.items() if name not in book.names},
        top=best,
        remarks=(*labels.remarks, *remarks, *_inactive(chosen), *fitted.remarks, *_shortfall(top, best, models, book)),
    )


def _shortfall(top: int, best: Sequence[Candidate], models: Mapping[str, CostModel], book: CostBook) -> Iterator[str]:
    if len(best) < top:
        yield f"only {len(best)} of the {top} asked for keep the conditions among the best looked at; try a larger pool"
    for name, model in models.items():
        if name not in book.names:
            yield (
                f"{name} cannot be counted here: it is estimated from the labels (rank correlation {model.tau:.2f} on "
                "left-out ones), so a row shown may break its limit"
            )


def _inactive(pool: Pool) -> Iterator[str]:
    if isinstance(pool, FilePool) and pool.dropped:
        yield f"{pool.dropped} cells of the pool name a value for a choice that is inactive in their row"


def _workers() -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, _MOST_WORKERS)
