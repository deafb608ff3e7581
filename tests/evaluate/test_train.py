"""The training loop: reproducible, restores the best weights, fails in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gnas.errors import DivergedError, OutOfMemoryError, OutOfTimeError
from gnas.evaluate.flat import FlatParameters
from gnas.evaluate.limits import Limits
from gnas.evaluate.recipe import Recipe
from gnas.evaluate.schedule import factors
from gnas.evaluate.train import Fit, deterministic, predict, train
from gnas.testing.toy import FEATURES, OBJECTIVE, ToyTask
from gnas.testing.toy_layers import Diverging, Huge, Slow

TASK = ToyTask.make().sealed()


def network(seed: int = 0, middle: nn.Module | None = None) -> nn.Sequential:
    with deterministic(seed):
        return nn.Sequential(
            nn.Linear(FEATURES, 16),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.Dropout(0.1),
            middle or nn.Identity(),
            nn.Linear(16, 1),
        )


def fit(model: nn.Module, **recipe: Any) -> Fit:
    options = {"epochs": 4, "batch_size": 32, "learning_rate": 1e-2, **recipe}
    return train(model, TASK, Recipe.model_validate(options), objective=OBJECTIVE, seed=3)


def test_same_seed_same_bits_and_torch_left_as_it_was() -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first, second = network(), network()
    a, b = fit(first), fit(second)
    assert torch.equal(torch.get_rng_state(), state)
    assert a.curve == b.curve and a.values == b.values
    for p, q in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(p, q)
    other = train(network(), TASK, Recipe(epochs=4, batch_size=32), objective=OBJECTIVE, seed=4)
    assert other.curve != a.curve


def test_it_learns_and_keeps_the_best_epoch() -> None:
    model = network()
    result = fit(model, epochs=30)
    best = min(result.curve)
    assert best < 0.75 * result.curve[0]
    assert result.values["rmse"] == best
    assert result.best_epoch == result.curve.index(best) + 1
    assert TASK.score("validation", predict(model, TASK, "validation"))["rmse"] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("window", [2, 5])
def test_epochs_are_compared_by_their_smoothed_values(window: int) -> None:
    model = network()
    result = fit(model, epochs=12, learning_rate=0.1, smoothing=window)
    means = [float(np.mean(result.curve[max(0, end - window) : end])) for end in range(1, 13)]
    assert result.best_epoch == 1 + int(np.argmin(means))
    assert result.values["rmse"] == result.curve[result.best_epoch - 1]
    assert TASK.score("validation", predict(model, TASK, "validation"))["rmse"] == pytest.approx(result.values["rmse"])


def test_the_last_epoch_is_kept_where_the_recipe_says_so() -> None:
    model, straight = network(), network()
    result = fit(model, epochs=12, learning_rate=0.05, schedule="constant", keep="last")
    assert result.best_epoch == result.epochs == 12
    assert result.values["rmse"] == result.curve[-1] > min(result.curve)
    recipe = Recipe(epochs=12, batch_size=32, learning_rate=0.05, schedule="constant")
    train(straight, TASK, recipe, objective=OBJECTIVE, seed=3, stop_after=12)
    for p, q in zip(model.parameters(), straight.parameters(), strict=True):
        assert torch.equal(p, q)


def test_early_stopping_waits_for_patience() -> None:
    result = fit(network(), epochs=60, patience=3, learning_rate=0.1)
    assert result.epochs == result.best_epoch + 3 < 60
    assert len(result.curve) == result.epochs


@pytest.mark.parametrize(
    "recipe",
    [
        {"optimizer": "sgd", "learning_rate": 0.05},
        {"optimizer": "adam"},
        {"schedule": "onecycle"},
        {"schedule": "constant", "warmup": 0.0},
        {"schedule": "plateau"},
        {"ema": 0.9},
        {"gradient_clip": None},
        {"gradient_clip": 0.5},
    ],
)
def test_every_recipe_trains(recipe: dict[str, Any]) -> None:
    result = fit(network(), epochs=12, **recipe)
    assert min(result.curve) < result.curve[0]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_flat_optimiser_equals_torch_on_separate_parameters(
    name: str, fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without clipping and schedule, moving the parameters into one tensor changes nothing."""
    monkeypatch.setattr("gnas.evaluate.optimizers._FUSED", ("cpu",) if fused else ())
    ours, theirs = (nn.Sequential(*(m for m in network() if isinstance(m, nn.Linear | nn.ReLU))) for _ in range(2))
    fit(ours, optimizer=name, schedule="constant", warmup=0.0, gradient_clip=None, epochs=1, weight_decay=0.01)
    options: dict[str, Any] = {"lr": 1e-2, "weight_decay": 0.01}
    optimizer: torch.optim.Optimizer = {
        "adamw": lambda: torch.optim.AdamW(theirs.parameters(), **options),
        "adam": lambda: torch.optim.Adam(theirs.parameters(), **options),
        "sgd": lambda: torch.optim.SGD(theirs.parameters(), momentum=0.9, nesterov=True, **options),
    }[name]()  # type: ignore[no-untyped-call]
    theirs.train()
    for batch in TASK.batches("train", 32, generator=torch.Generator().manual_seed(3)):
        optimizer.zero_grad()
        TASK.loss(theirs(batch.inputs["x"]), batch, Recipe()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


def test_flat_parameters_keep_values_and_clip_like_torch() -> None:
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    flat = FlatParameters(model)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    model(torch.randn(8, FEATURES)).square().sum().mul(100).backward()
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    flat.clip_grad(1.0)
    norm = math.sqrt(sum(float(g.square().sum()) for g in gradients))
    for p, g in zip(model.parameters(), gradients, strict=True):
        assert p.grad is not None
        torch.testing.assert_close(p.grad, g / norm, rtol=1e-4, atol=1e-6)
    flat.zero_grad()
    assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_stop_after_trains_without_validating() -> None:
    result = train(network(), TASK, Recipe(epochs=8, batch_size=32), objective=OBJECTIVE, seed=0, stop_after=3)
    assert (result.epochs, result.best_epoch, result.curve, dict(result.values)) == (3, 3, (), {})


def test_on_epoch_hears_the_curve() -> None:
    heard: list[tuple[int, float]] = []
    result = train(
        network(), TASK, Recipe(epochs=3), objective=OBJECTIVE, seed=0, on_epoch=lambda n, v: heard.append((n, v))
    )
    assert heard == list(enumerate(result.curve, start=1))


def test_divergence_is_told() -> None:
    with pytest.raises(DivergedError, match=r"loss is (nan|inf) in epoch 1"):
        fit(network(middle=Diverging(16, 16)))


def test_time_limit() -> None:
    with pytest.raises(OutOfTimeError, match="epoch"):
        train(
            network(middle=Slow(16, 16)),
            TASK,
            Recipe(epochs=50),
            objective=OBJECTIVE,
            limits=Limits(seconds=0.2),
        )


def test_allocator_failure_halves_the_batch_then_gives_up() -> None:
    with pytest.raises(OutOfMemoryError, match="batches of 8"):
        fit(network(middle=Huge(16, 16)), batch_size=32)


class OnlySmall(nn.Module):
    """Runs out of memory on large training batches."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and len(x) > 16:
            raise MemoryError
        return x


def test_halving_gives_what_the_smaller_batch_gives() -> None:
    halved = fit(network(middle=OnlySmall()), batch_size=64)
    assert halved.batch_size == 16
    assert halved.curve == fit(network(), batch_size=16).curve


def test_other_runtime_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        fit(network(middle=nn.Linear(3, 16)))


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "constant", "plateau"])
def test_schedules_rise_to_one_and_stay_positive(schedule: str) -> None:
    factor = factors(Recipe.model_validate({"schedule": schedule, "warmup": 0.1}), 100)
    values = [factor(step) for step in range(100)]
    assert max(values) == pytest.approx(1.0, abs=0.02)
    assert min(values) > 0 and values[0] < 0.5
    assert (values[-1] < 0.01) == (schedule in ("cosine", "onecycle"))


def test_prediction_halves_its_batches_where_memory_runs_out() -> None:
    class Narrow(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return x

    model, most = network(middle=Narrow()), 512
    whole = predict(model, TASK, "validation")
    most = 9
    torch.testing.assert_close(predict(model, TASK, "validation"), whole)
    most = 0
    with pytest.raises(torch.OutOfMemoryError):
        predict(model, TASK, "validation")
