"""What a plan tells beforehand."""

from __future__ import annotations

import pytest
import torch

from gnas.plan import plan
from gnas.testing.toy import KnownPerceptron, Ridge, ToyTask, toy_problem


def test_known_networks_are_timed_by_a_step_and_not_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"ridge": Ridge(), "known": KnownPerceptron()}
    monkeypatch.setattr(ToyTask, "baselines", known)
    monkeypatch.setattr("gnas.evaluate.tuning.step_seconds", lambda step, device: (step(), 2.0)[1])
    problem = toy_problem()
    report = plan(problem, samples=1)
    assert list(report.baselines) == ["ridge", "known"]
    assert report.baselines["known"] == {} and report.baselines["ridge"]
    steps = -(-problem.task.size("train") // problem.recipe.batch_size) * problem.recipe.epochs
    assert report.estimate.baselines_seconds == pytest.approx(2.0 * steps * problem.spec.final.seeds, rel=0.1)


def test_timing_leaves_the_random_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyTask, "baselines", {"known": KnownPerceptron()})
    problem = toy_problem()
    before = torch.random.get_rng_state()
    plan(problem, samples=1)
    assert torch.equal(before, torch.random.get_rng_state())
