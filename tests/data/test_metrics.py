import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from gnas.data import metrics


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("rounded", [0, 1, 8])
def test_ranking_metrics_equal_the_reference_with_ties(rng: np.random.Generator, rounded: int) -> None:
    truth = (rng.random(200) < 0.3).astype(float)
    scores = np.round(rng.random(200), rounded)
    assert metrics.auroc(truth, scores) == pytest.approx(reference.roc_auc_score(truth, scores))
    assert metrics.auprc(truth, scores) == pytest.approx(reference.average_precision_score(truth, scores))


def test_regression_metrics_equal_the_reference(rng: np.random.Generator) -> None:
    truth, predicted = rng.normal(size=100), np.round(rng.normal(size=100), 1)
    assert metrics.rmse(truth, predicted) == pytest.approx(reference.root_mean_squared_error(truth, predicted))
    assert metrics.mae(truth, predicted) == pytest.approx(reference.mean_absolute_error(truth, predicted))
    assert metrics.r2(truth, predicted) == pytest.approx(reference.r2_score(truth, predicted))
    assert metrics.spearman(truth, predicted) == pytest.approx(stats.spearmanr(truth, predicted).statistic)


def test_log_loss_equals_the_reference_and_stays_finite(rng: np.random.Generator) -> None:
    truth, p = (rng.random(100) < 0.5).astype(float), rng.random(100)
    assert metrics.log_loss(truth, p) == pytest.approx(reference.log_loss(truth, p))
    assert metrics.log_loss(np.array([1.0]), np.array([0.0])) == pytest.approx(-math.log(1e-7))


def test_undefined_metrics_are_nan() -> None:
    ones, line = np.ones(4), np.arange(4.0)
    assert math.isnan(metrics.auroc(ones, line)) and math.isnan(metrics.auprc(ones, line))
    assert math.isnan(metrics.r2(ones, line)) and math.isnan(metrics.spearman(ones, line))
    assert metrics.spearman(line, ones) == 0.0


def test_class_log_loss_equals_the_reference(rng: np.random.Generator) -> None:
    truth, p = rng.integers(0, 3, 50).astype(float), rng.dirichlet(np.ones(3), 50)
    assert metrics.class_log_loss(truth, p) == pytest.approx(reference.log_loss(truth, p, labels=[0, 1, 2]))
