"""Numerics are measured only where there is a choice; the same choice gives the same numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gnas.evaluate.flat import FlatParameters
from gnas.evaluate.recipe import Recipe
from gnas.evaluate.train import Fit, deterministic, predict, train
from gnas.evaluate.tuning import fixed_numerics, measured_numerics, tries_bf16
from gnas.numerics import PLAIN, Numerics
from gnas.testing.toy import FEATURES, OBJECTIVE, ToyTask
from gnas.testing.toy_layers import Convolved, Dense

TASK = ToyTask.make().sealed()
LAST = Numerics("fp32", "channels_last")
HALF = Numerics("bf16", "contiguous")
BOTH = Numerics("bf16", "channels_last")
Clock = Callable[[dict[Numerics, float]], list[Numerics]]


def network(*layers: nn.Module) -> nn.Sequential:
    with deterministic(0):
        middle = layers or (Convolved(FEATURES, 8), nn.Dropout(0.1))
        return nn.Sequential(*middle, Dense(8 if not layers else FEATURES, 1, "none"))


def fit(model: nn.Module, numerics: Numerics | None = None, **recipe: Any) -> Fit:
    options = {"epochs": 3, "batch_size": 32, "learning_rate": 1e-2, **recipe}
    return train(model, TASK, Recipe.model_validate(options), objective=OBJECTIVE, seed=3, numerics=numerics)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Steps take the seconds that numerics are given; what was asked for is listed."""

    def install(seconds: dict[Numerics, float]) -> list[Numerics]:
        asked: list[Numerics] = []

        def fake(step: Any, device: str) -> float:
            step()
            option: Numerics = step.args[5]
            asked.append(option)
            return seconds[option]

        monkeypatch.setattr("gnas.evaluate.tuning.step_seconds", fake)
        monkeypatch.setattr("gnas.evaluate.tuning.SHARE", 1e9)
        monkeypatch.setattr("gnas.evaluate.tuning.tries_bf16", lambda device: True)
        return asked

    return install


def test_without_convolutions_nothing_is_measured(clock: Clock) -> None:
    asked = clock({})
    assert fit(network(Dense(FEATURES, FEATURES))).numerics is None
    assert not asked


def test_a_short_training_is_not_worth_measuring(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four numerics of three steps each, of 192 rows in batches of 64."""
    asked = clock({PLAIN: 1.0, LAST: 0.5, HALF: 0.6, BOTH: 0.7})
    monkeypatch.setattr("gnas.evaluate.tuning.SHARE", 0.1)
    assert measured_numerics(network(), TASK, Recipe(epochs=39)) is None and not asked
    assert measured_numerics(network(), TASK, Recipe(epochs=40)) == LAST and len(asked) == 12


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({PLAIN: 1.0, LAST: 0.9, HALF: 1.2, BOTH: 0.95}, PLAIN),
        ({PLAIN: 1.0, LAST: 0.7, HALF: 1.2, BOTH: 0.8}, LAST),
        ({PLAIN: 1.0, LAST: 0.9, HALF: 0.5, BOTH: 0.3}, BOTH),
        ({PLAIN: 1.0, LAST: 0.8, HALF: 0.5, BOTH: 10.0}, HALF),
    ],
    ids=["noise", "layout", "both", "precision"],
)
def test_what_is_faster_by_far_is_taken(clock: Clock, seconds: dict[Numerics, float], best: Numerics) -> None:
    asked = clock(seconds)
    assert measured_numerics(network(), TASK, Recipe()) == best
    assert [asked.count(option) for option in (PLAIN, LAST, HALF)] == [3, 3, 3]
    assert asked.count(BOTH) == (1 if seconds[BOTH] > 3 else 3)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ({"precision": "fp32"}, {PLAIN, LAST}),
        ({"memory_format": "channels_last"}, {LAST, BOTH}),
        ({"memory_format": "contiguous"}, {PLAIN, HALF}),
        ({"precision": "bf16", "memory_format": "contiguous"}, set()),
    ],
    ids=["precision", "last", "contiguous", "all"],
)
def test_what_the_recipe_says_is_not_measured(clock: Clock, recipe: dict[str, Any], options: set[Numerics]) -> None:
    asked = clock({PLAIN: 1.0, LAST: 1.0, HALF: 1.0, BOTH: 1.0})
    chosen = measured_numerics(network(), TASK, Recipe.model_validate(recipe))
    assert set(asked) == options and (chosen is None) == (not options)


def test_series_have_no_layout_to_choose(clock: Clock) -> None:
    class Series(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv1d(1, 1, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.convolution(x[:, None])[:, 0]
            return out

    asked = clock({PLAIN: 1.0, HALF: 0.5})
    assert measured_numerics(network(Series()), TASK, Recipe()) == HALF
    assert set(asked) == {PLAIN, HALF}


def test_what_raises_in_bfloat16_is_out(clock: Clock) -> None:
    class Summing(nn.Module):
        """As graph layers do: fails under autocast."""

        def forward(self, x: Tensor) -> Tensor:
            linear = nn.functional.linear(x, torch.eye(FEATURES))
            return torch.zeros(len(x), FEATURES).index_add(0, torch.arange(len(x)), linear)

    clock({PLAIN: 1.0, LAST: 1.0, HALF: 0.1, BOTH: 0.1})
    model = network(nn.Sequential(Convolved(FEATURES, FEATURES), Summing()))
    assert measured_numerics(model, TASK, Recipe()) == PLAIN


def test_a_network_that_cannot_be_trained_keeps_plain_numerics(clock: Clock) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("broken on purpose")

    clock({})
    model = network(nn.Sequential(Convolved(FEATURES, FEATURES), Broken()))
    assert measured_numerics(model, TASK, Recipe()) == PLAIN
    with pytest.raises(ValueError, match="broken on purpose"):
        fit(model)


def test_measuring_leaves_no_trace(clock: Clock) -> None:
    clock({PLAIN: 1.0, LAST: 1.0, HALF: 1.0, BOTH: 1.0})
    measured, fixed = network(), network()
    random = torch.get_rng_state()
    a = fit(measured)
    assert a.numerics == PLAIN and torch.equal(torch.get_rng_state(), random)
    b = fit(fixed, precision="fp32", memory_format="contiguous")
    assert b.numerics is None and (a.curve, a.values) == (b.curve, b.values)
    for p, q in zip(measured.state_dict().values(), fixed.state_dict().values(), strict=True):
        assert torch.equal(p, q) and p.stride() == q.stride()


def test_default_settings_change_no_bit_where_there_is_no_convolution() -> None:
    """`auto` equals the training loop without numerics: plain views, no autocast."""
    ours = network(Dense(FEATURES, FEATURES))
    fixed = copy.deepcopy(ours)
    a, b = fit(ours), fit(fixed, precision="fp32", memory_format="contiguous")
    assert (a.curve, a.values) == (b.curve, b.values)
    for p, q in zip(ours.parameters(), fixed.parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("numerics", [PLAIN, LAST, HALF, BOTH])
def test_known_numerics_are_used_and_repeat_to_the_bit(clock: Clock, numerics: Numerics) -> None:
    asked = clock({})
    first, second, plain = network(), network(), network()
    a, b = fit(first, numerics), fit(second, numerics)
    c = fit(plain, PLAIN)
    assert not asked and a.numerics == numerics and (a.curve, a.values) == (b.curve, b.values)
    assert a.curve == pytest.approx(c.curve, rel=2e-3 if numerics.precision == "fp32" else 2e-2)
    for p, q in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(p, q) and p.dtype == torch.float32
    assert TASK.score("validation", predict(first, TASK, "validation")) == a.values


def test_the_recipe_overrules_what_is_known() -> None:
    assert fixed_numerics(Recipe(precision="fp32"), BOTH) == LAST
    assert fixed_numerics(Recipe(memory_format="contiguous"), BOTH) == HALF
    assert fixed_numerics(Recipe()) == PLAIN


def test_flat_parameters_lay_channels_last() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(2, 4, 2), nn.Conv1d(2, 4, 3), nn.Linear(3, 2))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    flat = FlatParameters(model, "channels_last")
    (whole,) = flat.flats
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, old) and parameter.grad is not None
        assert parameter.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
        assert parameter.grad.stride() == parameter.stride()
        layout = {4: torch.channels_last, 5: torch.channels_last_3d}.get(parameter.dim(), torch.contiguous_format)
        assert parameter.is_contiguous(memory_format=layout)


def test_bfloat16_is_tried_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for capability, tried in (("AVX2", False), ("DEFAULT", False), ("AVX512", True)):
        monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda capability=capability: capability)
        assert tries_bf16("cpu") == tried
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert tries_bf16("cpu")
    for supported in (True, False):
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda supported=supported: supported)
        assert tries_bf16("cuda:0") == supported
