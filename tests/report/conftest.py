"""Runs made up in memory: a search on `ChainSpace`, random search, finals with baselines."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gnas.evaluation import Constraint, Evaluation, Objective, Status
from gnas.report import RunRecord
from gnas.results import FinalRow, RowKind, RunResults
from gnas.testing.chain import ChainSpace, chain_value

SPACE = ChainSpace()
RMSE = Objective("rmse", "minimize")
LONG = "RuntimeError: <b>mat1</b> and mat2 shapes cannot be multiplied (64x128 and 96x1)\n" + "  File …\n" * 400


def evaluations(
    n: int, seed: int, *, objective: Objective = RMSE, learn: bool = False, failing: bool = True
) -> tuple[Evaluation, ...]:
    """`n` evaluations; with `learn`, later ones are mutations of the best so far."""
    rng = np.random.default_rng(seed)
    found: list[Evaluation] = []
    best: tuple[float, np.ndarray] | None = None
    seen: set[str] = set()
    while len(found) < n:
        code = SPACE.sample_codes(rng, 1)[0]
        if learn and best is not None and len(found) > n // 4:
            code = SPACE.mutate_codes(best[1][None], rng)[0]
        architecture = SPACE.decode(code)
        if architecture.digest in seen and rng.random() < 0.9:
            continue
        seen.add(architecture.digest)
        score = chain_value(architecture) + 0.15 * rng.normal()
        value = 0.8 + 0.1 * score if objective.direction == "maximize" else 1.0 - 0.1 * score
        if best is None or score > best[0]:
            best = score, code
        width = dict(architecture.assignment)["width"]
        assert isinstance(width, int)
        number = len(found)
        status: Status = "ok"
        reason = ""
        if failing and number % 11 == 5:
            status, reason = "failed", f"DivergedError: loss became NaN in epoch {number}"
        if failing and number % 17 == 9:
            status, reason = "infeasible", f"n_params {width}00,000 > 500,000"
        if failing and number == 20:
            status, reason = "failed", LONG
        curve = tuple(float(value + 0.5 * np.exp(-epoch / 6) + 0.01 * rng.normal()) for epoch in range(30))
        costs = {"n_params": 3000.0 * width * len(architecture.nodes), "macs": 9e5 * width * len(architecture.nodes)}
        costs["memory_bytes"] = 4096.0 * width * len(architecture.nodes)
        costs["latency_ms"] = 0.05 + 0.002 * width * len(architecture.nodes) * float(np.exp(0.1 * rng.normal()))
        found.append(
            Evaluation(
                number=number,
                digest=architecture.digest,
                assignment=architecture.assignment,
                status=status,
                values={**costs, objective.name: value, "mae": 0.7 * value} if status == "ok" else costs,
                reason=reason,
                fidelity=30.0,
                seconds=4.0 + 3.0 * rng.random(),
                cpu_seconds=4.0,
                versions={"python": "3.11", "torch": "2.13", "gnas": "0.1.0"},
                curve=curve if status == "ok" else (),
                step=number,
            )
        )
    return tuple(found)


def final_rows(search: tuple[Evaluation, ...], objective: Objective, *, seeds: int = 3) -> tuple[FinalRow, ...]:
    """Three finalists, an ensemble, two forests, the default network and random search."""
    rng = np.random.default_rng(7)
    good = [e for e in search if e.status == "ok"]
    ranked = sorted(good, key=lambda e: -objective.sign() * e.values[objective.name])
    finalists = list({e.digest: e for e in reversed(ranked)}.values())[::-1][:3]
    base = 0.62 if objective.direction == "minimize" else 0.90
    better = objective.sign()
    rows: list[FinalRow] = []

    def add(kind: RowKind, name: str, shift: float, evaluation: Evaluation | None, sd: float = 0.01) -> None:
        for seed in range(seeds):
            value = base - better * shift + sd * float(rng.normal())
            costs = dict(evaluation.values) if evaluation else {}
            costs = {k: v for k, v in costs.items() if k not in (objective.name, "mae")}
            if costs:
                costs |= {"latency_low_ms": 0.97 * costs["latency_ms"], "latency_high_ms": 1.03 * costs["latency_ms"]}
            rows.append(
                FinalRow(
                    kind,
                    name,
                    seed,
                    digest=evaluation.digest if evaluation else "",
                    trial=evaluation.number if evaluation else -1,
                    validation={objective.name: value - better * 0.02, "mae": 0.7 * value},
                    test={objective.name: value, "mae": 0.7 * value},
                    costs=costs,
                    seconds=12.0,
                    cpu_seconds=11.5,
                )
            )

    for i, evaluation in enumerate(finalists, start=1):
        add("finalist", f"finalist {i}", 0.01 * i, evaluation)
    add("ensemble", "ensemble of finalists", -0.01, None, 0.003)
    add("baseline", "random forest", 0.10, None, 0.004)
    add("baseline", "histogram gradient boosting", 0.08, None, 0.004)
    add("default_network", "default network", 0.03, finalists[0], 0.02)
    add("random_search", "random search 1", 0.012, finalists[1])
    add("random_ensemble", "ensemble of finalists", 0.005, None)
    return tuple(rows)


def whole_record(*, objective: Objective = RMSE, n: int = 60) -> RunRecord:
    """A finished run."""
    search, random = evaluations(n, 1, objective=objective, learn=True), evaluations(n, 2, objective=objective)
    results = RunResults(
        objective=objective.name,
        direction=objective.direction,
        finals=final_rows(search, objective),
        chosen="finalist 1",
        stages={"search": 300.0, "random_search": 310.0, "finals": 120.0, "export": 4.0},
        cpu_seconds=1320.0,
        protocol={"split": "scaffold-balanced, seed 0", "what the searcher saw": "training and validation rows"},
        versions={"python": "3.11.9", "torch": "2.13.0", "gnas": "0.1.0"},
        summary={
            "rows": 645,
            "used": 642,
            "parts": {"train": 513, "validation": 64, "test": 65},
            "skipped": [["molécules.csv line 12", "SMILES cannot be parsed: C1CC"]],
            "notes": ["3 duplicates merged"],
            "warnings": ["the test part has fewer than 100 molecules"],
            "facts": {"target": "log S"},
        },
    )
    return RunRecord(
        name="Löslichkeit 水 <script>alert(1)</script>",
        folder="run-löslich",
        objective=objective,
        results=results,
        complete=True,
        constraints=(Constraint("n_params", 500_000.0), Constraint("latency_ms", 2.0)),
        search=search,
        random=random,
        space=SPACE,
        spec_text="domain: molecular\nname: Löslichkeit\n",
    )


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    """Makes a run record; any field can be replaced."""

    def make(*, objective: Objective = RMSE, n: int = 60, **changes: Any) -> RunRecord:
        return replace(whole_record(objective=objective, n=n), **changes)

    return make
