"""Jobs become evaluations whatever happens."""

from __future__ import annotations

import pickle
import re

import pytest
from torch import nn

from gnas.architecture import Architecture
from gnas.evaluate.candidate import CandidateWork, derive_seed, evaluate_job, explain
from gnas.evaluate.job import Job
from gnas.evaluate.limits import Limits
from gnas.evaluate.recipe import Recipe
from gnas.evaluation import Evaluation
from gnas.hardware.costs import count_costs
from gnas.hardware.counter import CostCounter
from gnas.testing.toy import OBJECTIVE, ToySpace, ToyTask

TASK = ToyTask.make().sealed()


def architecture(op: str) -> tuple[ToySpace, Architecture]:
    space = ToySpace(ops=("relu", op))
    return space, space.decode(space.encode({"depth": 1, "width": 8, "op.1": op}))


def evaluate(op: str, *, limits: Limits | None = None, seed: int = 0) -> Evaluation:
    space, arch = architecture(op)
    job = Job(4, arch, Recipe(epochs=2, seed=seed), step=7, costs={"n_params": 3.0})
    return evaluate_job(job, space, TASK, OBJECTIVE, limits=limits or Limits())


def test_ok_evaluation_is_complete_and_reproducible() -> None:
    first, second = evaluate("tanh"), evaluate("tanh")
    assert first.status == "ok" and (first.number, first.step) == (4, 7)
    assert first.values["n_params"] == 3.0 and first.values == second.values and first.curve == second.curve
    assert len(first.curve) == first.fidelity == 2
    assert first.seconds > 0 and first.cpu_seconds > 0 and "torch" in first.versions
    assert evaluate("tanh", seed=1).values != first.values
    assert Evaluation.from_json(first.to_json()) == first


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        ("raises", r"^ValueError: this op raises on purpose \(toy_layers.py:\d+\)$"),
        ("diverges", r"^DivergedError: training loss is (nan|inf) in epoch 1"),
        ("huge", r"^OutOfMemoryError: memory ran out with batches of 16: "),
    ],
)
def test_failures_are_recorded_with_one_line(op: str, reason: str) -> None:
    evaluation = evaluate(op)
    assert evaluation.status == "failed"
    assert "\n" not in evaluation.reason
    assert re.search(reason, evaluation.reason), evaluation.reason


def test_time_and_memory_limits() -> None:
    assert evaluate("slow", limits=Limits(seconds=0.1)).reason.startswith("OutOfTimeError: time limit")
    assert evaluate("hungry", limits=Limits(memory_mb=40)).reason.startswith("OutOfMemoryError: ")


def test_seed_depends_on_labels_only() -> None:
    assert derive_seed(0, "ab") == derive_seed(0, "ab") != derive_seed(1, "ab")
    assert derive_seed(0, "a", "b") != derive_seed(0, "ab")
    assert 0 <= derive_seed(5) < 2**63


def test_explain_is_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        told = explain(error)
    assert told.startswith("ValueError: two lines (test_candidate.py:")


def test_work_is_picklable_and_reports_dead_workers() -> None:
    space, arch = architecture("tanh")
    work = pickle.loads(pickle.dumps(CandidateWork(space, TASK, OBJECTIVE)))
    job = Job(0, arch, Recipe(epochs=1))
    assert work.run(job).status == "ok"
    dead = work.failed(job, "worker died (signal 9)", 1.5)
    assert (dead.status, dead.reason, dead.seconds) == ("failed", "worker died (signal 9)", 1.5)


def test_costs_are_counted_where_the_job_has_none_and_change_nothing_else() -> None:
    space, arch = architecture("tanh")
    job = Job(0, arch, Recipe(epochs=2))
    plain = evaluate_job(job, space, TASK, OBJECTIVE)
    counted = evaluate_job(job, space, TASK, OBJECTIVE, count=CostCounter(TASK))
    costs = count_costs(space.build(arch), TASK.example(16), examples=16).as_values()
    assert counted.values == {**costs, **plain.values}

    def fails(network: nn.Module) -> dict[str, float]:
        raise RuntimeError("no forward")

    assert evaluate_job(job, space, TASK, OBJECTIVE, count=fails).values == plain.values
