from __future__ import annotations

import numpy as np
import pytest

from gnas.architecture import Architecture
from gnas.errors import GnasError, SpaceError
from gnas.predictors.protocol import Vector
from gnas.predictors.stack import StackPredictor, members_for
from gnas.predictors.stack_report import BEST_FEATURE
from gnas.space.protocol import Codes
from gnas.testing.chain import ChainSpace, chain_value
from gnas.testing.predictors import PredictorTestCase, labelled

SPACE = ChainSpace()
ALL = ("gp", "extra-trees", "boosting")


def rows(n: int, seed: int = 0) -> tuple[Codes, Vector]:
    architectures, values = labelled(n, seed, SPACE)
    return np.array([SPACE.encode(dict(a.assignment)) for a in architectures], dtype=np.int16), values


class TestConformance(PredictorTestCase):
    def predictor(self) -> StackPredictor:
        return StackPredictor(SPACE)

    def test_unknown_parts(self) -> None:
        asked, _ = labelled(10, space=ChainSpace(depth=4, ops=("new", "conv3"), widths=(8, 999)))
        with pytest.raises(SpaceError):
            self.predictor().fit(*labelled(12)).predict(asked)


def test_all_members_join_with_labels() -> None:
    assert members_for(59, True) == ("gp",)
    assert members_for(60, False) == ALL
    assert members_for(100, True) == ("gp", "gp-plain", "extra-trees", "boosting", "gnn")


def test_weights_favour_the_member_that_predicts() -> None:
    codes, values = rows(60)
    predictor = StackPredictor(SPACE, members=ALL).fit_codes(codes, values)
    report = predictor.report
    assert sum(report.weights.values()) == pytest.approx(1.0)
    assert max(report.weights, key=lambda name: report.weights[name]) == max(report.tau, key=lambda n: report.tau[n])
    assert report.stack_tau > 0.5
    assert report.features[BEST_FEATURE] < report.stack_tau


def test_report_agrees_with_labels_that_were_kept_back() -> None:
    codes, values = rows(200)
    predictor = StackPredictor(SPACE, members=ALL).fit_codes(codes[:100], values[:100])
    low, high = predictor.interval(codes[100:], 0.9)
    inside = ((values[100:] >= low) & (values[100:] <= high)).mean()
    assert abs(inside - 0.9) < 0.08
    assert abs(predictor.report.coverage90 - 0.9) < 0.05
    assert predictor.report.rmsce < 0.1


def test_intervals_nest_and_hold_the_median() -> None:
    codes, values = rows(60)
    predictor = StackPredictor(SPACE).fit_codes(codes[:40], values[:40])
    narrow, wide = (predictor.interval(codes[40:], level) for level in (0.5, 0.95))
    assert (wide[0] <= narrow[0]).all()
    assert (narrow[0] <= narrow[1]).all()
    assert (narrow[1] <= wide[1]).all()


def test_twins_count_once_with_their_mean() -> None:
    codes, values = rows(30)
    twice = np.concatenate([codes, codes[:5]])
    noisy = np.concatenate([values, values[:5] + 0.2])
    averaged = values.copy()
    averaged[:5] += 0.1
    predictor = StackPredictor(SPACE).fit_codes(twice, noisy)
    assert predictor.report.n_labels == 30
    np.testing.assert_allclose(predictor.labels[1], averaged)
    plain = StackPredictor(SPACE).fit_codes(codes, averaged)
    np.testing.assert_array_equal(predictor.predict_codes(codes)[0], plain.predict_codes(codes)[0])


def test_an_extra_column_that_tells_all_is_used() -> None:
    codes, values = rows(130)
    rng = np.random.default_rng(0)
    hidden = values + rng.normal(size=len(values)) * 3 * values.std()
    extra = np.stack([np.exp(hidden), rng.normal(size=len(values))], axis=1)
    with_it = StackPredictor(SPACE, extra=("telling", "noise")).fit_codes(codes[:60], hidden[:60], extra[:60])
    without = StackPredictor(SPACE).fit_codes(codes[:60], hidden[:60])
    error = np.abs(with_it.predict_codes(codes[60:], extra[60:])[0] - hidden[60:]).mean()
    assert error < 0.7 * np.abs(without.predict_codes(codes[60:])[0] - hidden[60:]).mean()
    assert with_it.report.features["telling"] == pytest.approx(1.0)


def test_more_rows_than_a_chunk() -> None:
    codes, values = rows(30)
    predictor = StackPredictor(SPACE).fit_codes(codes, values)
    many = np.concatenate([codes] * 150)
    np.testing.assert_allclose(
        predictor.predict_codes(many)[0].reshape(150, -1),
        np.tile(predictor.predict_codes(codes)[0], (150, 1)),
        rtol=1e-8,
    )


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_levels_are_checked(level: float) -> None:
    codes, values = rows(5)
    with pytest.raises(GnasError, match="between 0 and 1"):
        StackPredictor(SPACE).fit_codes(codes, values).interval(codes, level)


def test_unknown_members_and_wrong_columns() -> None:
    with pytest.raises(GnasError, match="extra-trees"):
        StackPredictor(SPACE, members=("forest",))
    codes, values = rows(5)
    with pytest.raises(GnasError, match="a column for each"):
        StackPredictor(SPACE, extra=("cost",)).fit_codes(codes, values)


def test_predict_before_fit() -> None:
    with pytest.raises(GnasError, match="fit before predict"):
        StackPredictor(SPACE).predict_codes(rows(2)[0])


def test_architectures_and_codes_agree() -> None:
    architectures: list[Architecture]
    architectures, values = labelled(20, 0, SPACE)
    codes, _ = rows(20)
    by_architecture = StackPredictor(SPACE).fit(architectures, values).predict(architectures)
    by_code = StackPredictor(SPACE).fit_codes(codes, values).predict_codes(codes)
    np.testing.assert_array_equal(by_architecture[0], by_code[0])
    assert chain_value(architectures[0]) == values[0]
