from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from gnas.evaluation import Objective
from gnas.records import from_json, to_json
from gnas.screening.cheap import cheap_features
from gnas.screening.honesty import Honesty, assess
from gnas.screening.labels import Labels
from tests.screening.samples import ramp, some_codes, space, truth


def labels(n: int = 60, direction: str = "maximize") -> Labels:
    codes = some_codes(n)
    objective = Objective("y", "minimize" if direction == "minimize" else "maximize")
    values = truth(codes)
    return Labels(space(), objective, codes, -values if direction == "minimize" else values, {}, {}, codes)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_good_predictor_is_better_whichever_the_direction(direction: str) -> None:
    known = labels(direction=direction)
    noisy = known.values + np.random.default_rng(0).normal(0, 0.1, 60)
    weak = {"coin": np.random.default_rng(1).normal(size=60)}
    found = assess(known, noisy, 0.9, weak, None, seed=0)
    assert found.better
    assert found.predictor.tau == pytest.approx(kendalltau(noisy, known.values)[0])
    assert found.feature == "coin"
    assert found.difference > 3 * found.difference_error > 0
    assert "is better than the best cheap feature, coin" in found.sentence()


def test_one_that_only_copies_a_feature_is_not() -> None:
    known = labels()
    features = cheap_features([space().decode(row) for row in known.codes])
    found = assess(known, features["depth"], 0.9, {**features, "itself": known.values}, None, seed=0)
    assert not found.better
    assert found.feature == "itself"
    assert found.baselines[-1].tau == pytest.approx(1.0)
    assert found.sentence().startswith("WARNING: the predictor is not better than the best cheap feature, itself")


def test_one_that_only_copies_the_parameter_count_is_not() -> None:
    known = labels()
    params = known.values + np.random.default_rng(0).normal(0, 0.1, 60)
    coin = {"coin": np.random.default_rng(1).normal(size=60)}
    found = assess(known, params, 0.9, coin, params, seed=0)
    assert not found.better
    assert (found.baselines[0].name, found.difference) == ("the parameter count", 0.0)


def test_a_ranking_turned_round_counts_for_a_feature_but_not_for_the_predictor() -> None:
    known = labels()
    found = assess(known, -known.values, 0.9, {"turned": -known.values}, None, seed=0)
    assert found.predictor.tau == pytest.approx(-1.0)
    assert found.baselines[-1].tau == pytest.approx(1.0)


def test_chance_is_what_95_of_100_random_rankings_stay_below() -> None:
    known, rng = labels(20), np.random.default_rng(0)
    chance = assess(known, known.values, 0.9, {"coin": rng.normal(size=20)}, None, seed=0).chance
    random = [kendalltau(rng.normal(size=20), np.arange(20))[0] for _ in range(1000)]
    assert 0.03 < np.mean(np.array(random) > chance) < 0.07
    flat = assess(known, np.zeros(20), 0.9, {"coin": rng.normal(size=20)}, None, seed=0)
    assert not flat.better
    assert "not better than ranking at random" in flat.sentence()


def test_the_standard_error_is_that_of_repeated_draws() -> None:
    rng = np.random.default_rng(0)
    taus, errors = [], []
    known = labels(40)
    for _ in range(100):
        noisy = known.values + rng.normal(0, 1.5, 40)
        found = assess(known, noisy, 0.9, {"coin": rng.normal(size=40)}, None, seed=0)
        taus.append(found.predictor.tau)
        errors.append(found.predictor.error)
    # Labels are the same in every draw here, so their share of the error is missing from the spread.
    assert 0.5 * np.mean(errors) < np.std(taus) < 1.2 * np.mean(errors)


def test_round_trip() -> None:
    known = labels(20)
    found = assess(known, known.values, 0.9, {"coin": ramp(20)}, known.values, seed=0)
    assert from_json(Honesty, to_json(found)) == found


def test_cheap_features_are_named_and_right() -> None:
    codes = np.stack(
        [
            space().encode(
                {"hidden": 32, "depth": depth, "conv": conv, "norm": "none", "readout": "sum", "descriptors": False}
            )
            for depth, conv in ((1, "gin"), (3, "gcn"))
        ]
    )
    found = cheap_features([space().decode(row) for row in codes])
    assert found["number of gin"].tolist() == [1, 0]
    assert found["number of gcn"].tolist() == [0, 3]
    assert np.diff(found["depth"]).tolist() == [4]
    assert "sum of width" not in found
