"""Pruners decide as Optuna's do, from the study alone; what a pruned candidate is worth follows its rank."""

from __future__ import annotations

import math
import pickle
from typing import Any, Literal

import numpy as np
import optuna
import pytest

from gnas.evaluate.candidate import evaluate_job
from gnas.evaluate.job import Job
from gnas.evaluate.pruning import STUDY, Bars, CurveWatch, Pruner, estimated_value, make_pruner
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Direction, Evaluation, Objective
from gnas.testing.toy import OBJECTIVE, ToySpace, ToyTask

LOSS, GAIN = Objective("rmse", "minimize"), Objective("auroc", "maximize")


def finished(number: int, curve: tuple[float, ...], objective: Objective = LOSS, status: Any = "ok") -> Evaluation:
    values = {objective.name: curve[-1]} if status == "ok" else {}
    return Evaluation(number, f"d{number}", (), status, values, curve=curve, step=number)


def theirs(name: str, direction: Direction, pruner: Pruner, curves: np.ndarray) -> list[int]:
    """Epochs that Optuna lets each of the candidates train."""
    first, epochs = pruner.first_epoch, curves.shape[1]
    rival: optuna.pruners.BasePruner = (
        optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=first)
        if name == "median"
        else optuna.pruners.HyperbandPruner(min_resource=first, max_resource=epochs, reduction_factor=3)
    )
    study = optuna.create_study(study_name=STUDY, direction=direction, pruner=rival)
    lengths = []
    for curve in curves:
        trial = study.ask()
        for epoch, value in enumerate(curve, start=1):
            trial.report(float(value), epoch)
            if epoch < epochs and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, float(curve[-1]))
        lengths.append(epoch)
    return lengths


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("epochs", [1, 2, 12, 27])
@pytest.mark.parametrize("name", ["median", "hyperband"])
def test_decisions_are_those_of_optuna(name: Literal["median", "hyperband"], epochs: int, direction: Direction) -> None:
    objective = Objective("value", direction)
    pruner = Pruner(name, objective, epochs)
    rng = np.random.default_rng(epochs)
    curves = np.round(rng.normal(size=(40, 1)) + rng.normal(size=(40, epochs)).cumsum(axis=1) / 4, 1)
    study: list[Evaluation] = []
    for step, curve in enumerate(curves):
        bars, length = pruner.bars(study, step), epochs
        for epoch in range(1, epochs + 1):
            if bars.reason([float(v) for v in curve[:epoch]]):
                length = epoch
                break
        told = tuple(float(v) for v in curve[:length])
        study.append(finished(step, told, objective, "ok" if length == epochs else "pruned"))
    lengths = [len(evaluation.curve) for evaluation in study]
    assert lengths == theirs(name, direction, pruner, curves)
    assert (min(lengths) < epochs) == (epochs > 1)


def test_nothing_is_pruned_at_the_end_or_before_a_ninth() -> None:
    study = [finished(i, tuple([0.1 * i] * 40)) for i in range(30)]
    for name in ("median", "hyperband"):
        pruner = make_pruner(name, LOSS, 40)
        assert pruner is not None
        epochs = {epoch for step in range(60) for epoch in pruner.bars(study, step).values}
        assert min(epochs) == 4 and max(epochs) < 40
    assert make_pruner("none", LOSS, 40) is None


def test_the_watch_tells_why() -> None:
    watch = CurveWatch(Bars(LOSS, {2: 1.0}, True, "the median"))
    assert [watch(1, 9.0), watch(2, 1.5)] == [False, True]
    assert watch.reason == "rmse 1.5 after epoch 2 is worse than 1, the median"
    assert not CurveWatch(Bars(LOSS, {2: 1.0}, True, "")).reason
    best = CurveWatch(Bars(LOSS, {2: 1.0}, True, ""))
    assert not best(1, 0.5) and not best(2, 1.5)
    own = CurveWatch(Bars(LOSS, {2: 1.0}, False, ""))
    assert not own(1, 0.5) and own(2, 1.5)
    assert not CurveWatch(None)(1, math.inf)


def test_the_watch_begins_again_with_the_training() -> None:
    watch = CurveWatch(Bars(LOSS, {2: 1.0}, True, ""))
    assert [watch(1, 0.5), watch(1, 2.0), watch(2, 1.5)] == [False, False, True]


@pytest.mark.parametrize(
    ("objective", "last", "estimate"),
    [(LOSS, 0.5, 0.1), (LOSS, 9.0, 1.0), (LOSS, 3.5, 0.56), (LOSS, 3.0, 0.4), (GAIN, 9.0, 1.0), (GAIN, 0.5, 0.1)],
)
def test_the_estimate_follows_the_rank(objective: Objective, last: float, estimate: float) -> None:
    """Curves stand at 1, 2, 3, 4 and 5 after two epochs, and end at 0.1, 0.2, 0.4, 0.8 and 1."""
    ends = (0.1, 0.2, 0.4, 0.8, 1.0)
    study = [finished(i, (7.0, float(i + 1), end), objective) for i, end in enumerate(ends)]
    study.append(finished(9, (0.0,), objective, "pruned"))
    pruned = finished(10, (7.0, last), objective, "pruned")
    assert estimated_value(pruned, study, objective) == pytest.approx(estimate)
    assert estimated_value(pruned, study[-1:], objective) == last


def evaluate(bars: Bars | None) -> Evaluation:
    space = ToySpace()
    architecture = space.decode(space.encode({"depth": 1, "width": 8, "op.1": "tanh"}))
    job = Job(4, architecture, Recipe(epochs=6, batch_size=64), costs={"n_params": 3.0}, bars=bars)
    return evaluate_job(pickle.loads(pickle.dumps(job)), space, ToyTask.make().sealed(), OBJECTIVE)


def test_a_pruned_evaluation_has_its_curve_and_no_value() -> None:
    whole = evaluate(Bars(OBJECTIVE, {2: 1e9}, True, ""))
    pruned = evaluate(Bars(OBJECTIVE, {2: 0.0, 1: 1e9}, True, "nothing"))
    assert whole.status == "ok" and whole.fidelity == 6 and "rmse" in whole.values
    assert pruned.status == "pruned" and pruned.fidelity == 2 and pruned.values == {"n_params": 3.0}
    assert pruned.curve == whole.curve[:2] == evaluate(None).curve[:2]
    assert "after epoch 2 is worse than 0, nothing" in pruned.reason
