"""Searchers side by side on a tabular benchmark, where an answer costs nothing.

Run `OMP_NUM_THREADS=1 python bench/search.py --data nasbench201.csv.gz --target cifar10_val_200ep --maximize`. Every
searcher begins a run with the same `--start` random architectures, then asks for `--batch` at a time until `--queries`
are spent or the optimum is found. Architectures count by isomorphism class: a class answers with the mean of its rows.
Standard errors are over runs. Each run is told on standard error as it ends.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from gnas_tabular.table import Table, read_table
from numpy.typing import NDArray

from gnas.evaluation import Direction, Objective
from gnas.searchers import make_searcher
from gnas.searchers.protocol import Searcher
from gnas.testing.chain import MemoryStudy

Floats = NDArray[np.float64]
_MARKS = (10, 20, 30, 50, 80, 100, 150, 200, 300, 500, 750, 1000)


def main() -> None:
    """Prints a table, or with `--json` an object."""
    options = _options()
    torch.set_num_threads(1)
    table = read_table(options.data, options.space)
    problem = Problem.of(table, options.target, options.report, "minimize" if options.minimize else "maximize")
    marks = tuple(m for m in _MARKS if m <= options.queries) + ((options.queries,) * (options.queries not in _MARKS))
    names = options.searchers.split(",")
    found = {}
    for name in names:
        searcher, limits = make(name), Limits(options.queries, options.start, options.batch, options.top > 0)
        runs = []
        for r in range(options.runs):
            runs.append(problem.play(searcher, limits, (options.seed, r)))
            print(f"{name}, run {r + 1}: {_told(problem, runs[-1], marks)}", file=sys.stderr, flush=True)
        found[name] = summary(problem, runs, marks)
        if options.top:
            found[name]["found_of_top"] = found_of_top(problem, runs, marks, options.top)
        if not options.json:
            print(_line(name, found[name], options.report), flush=True)
    if options.json:
        print(json.dumps(_document(options, problem, found), indent=1))


@dataclass(frozen=True, eq=False)
class Problem:
    """A column of a table to be searched.

    Attributes:
        table: The table.
        objective: Column and direction.
        answers: Value of each isomorphism class, `(class,)`, NaN where there is none.
        reports: Value of the report column, likewise.
        classes: Class of each digest.
    """

    table: Table
    objective: Objective
    answers: Floats
    reports: Floats
    classes: Mapping[str, int]

    @classmethod
    def of(cls, table: Table, target: str, report: str | None, direction: Direction) -> Problem:
        """The problem of a table's columns."""
        classes = {table.digests[row].decode(): k for k, row in enumerate(table.first_rows)}
        return cls(
            table,
            Objective(target, direction),
            table.of_classes(target),
            table.of_classes(report or target),
            classes,
        )

    def play(self, searcher: Searcher, limits: Limits, seed: tuple[int, int]) -> Run:
        """One run: random architectures, the same for every searcher, then what it asks for."""
        study, asked, best = MemoryStudy(self.table.space, self.objective), list[int](), np.nanmax(self.scores)
        random, began = make_searcher("random"), time.perf_counter()
        while len(asked) < limits.queries:
            if asked and not limits.past_optimum and max(self._score(k) for k in asked[-limits.batch :]) >= best:
                break
            starting = len(asked) < limits.start
            n = 1 if starting else min(limits.batch, limits.queries - len(asked))
            asker = random if starting else searcher
            proposed = asker.ask(study, n, np.random.default_rng([*seed, len(asked)]))
            if not proposed:
                break
            for architecture in proposed:
                k = self.classes.get(architecture.digest, -1)
                value = float(self.answers[k]) if k >= 0 else math.nan
                told = None if math.isnan(value) else value
                study = study.told(architecture, told, status="failed" if told is None else "ok")
                asked.append(-1 if told is None else k)
        return Run(tuple(asked), limits.queries, time.perf_counter() - began)

    def _score(self, k: int) -> float:
        return float(self.scores[k]) if k >= 0 else -math.inf

    @property
    def scores(self) -> Floats:
        """Answers with their sign turned so that larger is better."""
        return self.objective.sign() * self.answers


@dataclass(frozen=True, slots=True)
class Limits:
    """How a run goes.

    Attributes:
        queries: Answers it may ask for.
        start: Random architectures it begins with.
        batch: How many a searcher is asked for at once, before their answers are told.
        past_optimum: Whether it goes on once the optimum was found.
    """

    queries: int
    start: int
    batch: int = 1
    past_optimum: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What a searcher asked for.

    Attributes:
        asked: Classes, −1 where there was no answer; it ends early where the optimum was found.
        queries: How many it might have asked.
        seconds: It took.
    """

    asked: tuple[int, ...]
    queries: int
    seconds: float

    def best(self, scores: Floats) -> NDArray[np.intp]:
        """The best class after each query, −1 before any answer; the optimum, once found, to the end."""
        out, best = np.full(self.queries, -1, dtype=np.intp), -1
        for step, k in enumerate(self.asked):
            if k >= 0 and (best < 0 or scores[k] > scores[best]):
                best = k
            out[step:] = best
        return out


def summary(problem: Problem, runs: Sequence[Run], marks: Sequence[int]) -> dict[str, object]:
    """Means over runs with standard errors, medians, shares."""
    scores = problem.scores
    best = np.stack([run.best(scores) for run in runs])
    optimum = np.nanmax(scores)
    first = np.array([_first(scores[run.best(scores)] >= optimum) for run in runs])
    ordered = np.sort(-scores[np.isfinite(scores)])
    ranks = 1 + np.searchsorted(ordered, -scores[best], side="left")
    return {
        "mean_best": {m: _mean_se(problem.answers[best[:, m - 1]]) for m in marks},
        "mean_report": {m: _mean_se(problem.reports[best[:, m - 1]]) for m in marks},
        "median_rank": {m: float(np.median(ranks[:, m - 1])) for m in marks},
        "found_within": {m: float(np.mean(first <= m)) for m in marks},
        "median_queries_to_optimum": _finite(np.median(first)),
        "seconds_a_query": statistics.fmean(run.seconds / max(len(run.asked), 1) for run in runs),
    }


def found_of_top(
    problem: Problem, runs: Sequence[Run], marks: Sequence[int], top: int
) -> dict[int, tuple[float, float]]:
    """How many of the `top` best classes were asked for by each mark: mean over runs, standard error."""
    scores = np.where(np.isfinite(problem.scores), problem.scores, -np.inf)
    best = np.argsort(-scores, kind="stable")[:top]
    return {m: _mean_se(np.array([float(np.isin(best, run.asked[:m]).sum()) for run in runs])) for m in marks}


def _first(hits: NDArray[np.bool_]) -> float:
    """Queries until the first hit; infinite if there is none."""
    return float(hits.argmax() + 1) if hits.any() else math.inf


def _mean_se(values: Floats) -> tuple[float, float]:
    spread = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return float(values.mean()), float(spread)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def make(name: str) -> Searcher:
    """A searcher by name, with options after colons: `bayes:acquisition=ucb:beta=1`."""
    algorithm, *settings = name.split(":")
    pairs = (setting.partition("=") for setting in settings)
    return make_searcher(algorithm, {key: yaml.safe_load(value) for key, _, value in pairs})


def _told(problem: Problem, run: Run, marks: Sequence[int]) -> str:
    best = problem.answers[run.best(problem.scores)]
    return ", ".join(f"{best[m - 1]:.5g}@{m}" for m in marks) + f"; {len(run.asked)} asked, {run.seconds:.0f} s"


def _line(name: str, found: dict[str, object], report: str | None) -> str:
    parts = [f"{name}:"]
    for title, key in (("best", "mean_best"), ("report", "mean_report")):
        values = found[key]
        if isinstance(values, dict) and (key == "mean_best" or report):
            parts.append(f"{title} " + ", ".join(f"{v[0]:.5g}±{v[1]:.2g}@{m}" for m, v in values.items()))
    for title, key in (("median rank", "median_rank"), ("optimum found", "found_within")):
        values = found[key]
        if isinstance(values, dict):
            parts.append(f"{title} " + ", ".join(f"{v:g}@{m}" for m, v in values.items()))
    of_top = found.get("found_of_top")
    if isinstance(of_top, dict):
        parts.append("of the top found " + ", ".join(f"{v[0]:.1f}±{v[1]:.1f}@{m}" for m, v in of_top.items()))
    parts.append(f"median queries to the optimum {found['median_queries_to_optimum']}")
    parts.append(f"{found['seconds_a_query']:.3f} s a query")
    return "\n  ".join(parts)


def _document(options: argparse.Namespace, problem: Problem, found: Mapping[str, object]) -> dict[str, object]:
    scores = problem.scores
    return {
        "data": Path(options.data).name,
        "space": problem.table.space.name,
        "target": options.target,
        "report": options.report,
        "direction": problem.objective.direction,
        "classes": len(problem.answers),
        "optimum": float(problem.answers[np.nanargmax(scores)]),
        "queries": options.queries,
        "start": options.start,
        "batch": options.batch,
        "top": options.top,
        "runs": options.runs,
        "seed": options.seed,
        "searchers": found,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the table: CSV, plain or gzip, or NAS-Bench-101 as .npz")
    parser.add_argument("--space", help="name of the space; by default that of the published layout")
    parser.add_argument("--target", required=True, help="column that is searched")
    parser.add_argument("--report", help="column read for the best of the search, never seen by it")
    direction = parser.add_mutually_exclusive_group()
    direction.add_argument("--maximize", action="store_true", help="larger is better (the default)")
    direction.add_argument("--minimize", action="store_true", help="smaller is better")
    parser.add_argument("--queries", type=int, default=150, help="answers a run may ask for")
    parser.add_argument("--runs", type=int, default=20, help="runs of each searcher")
    parser.add_argument("--start", type=int, default=10, help="random architectures a run begins with")
    parser.add_argument("--batch", type=int, default=1, help="how many are asked for at once")
    parser.add_argument(
        "--top",
        type=int,
        default=0,
        help="tell how many of so many best classes are found; runs go on past the optimum",
    )
    parser.add_argument("--searchers", default="bayes,evolution,local,tpe,random", help="names, options after colons")
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    parser.add_argument("--json", action="store_true", help="print an object instead of text")
    options = parser.parse_args()
    if min(options.queries, options.runs, options.batch) < 1 or min(options.start, options.top) < 0:
        parser.error("--queries, --runs and --batch must be at least 1, --start and --top at least 0")
    return options


if __name__ == "__main__":
    main()
