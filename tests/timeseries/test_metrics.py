import numpy as np
import pytest
from gnas_timeseries import metrics
from sklearn import metrics as reference


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_metrics_of_classes_equal_the_reference(rng: np.random.Generator) -> None:
    truth, p = rng.integers(0, 4, 80), rng.dirichlet(np.ones(4), 80)
    predicted = p.argmax(axis=1)
    found = metrics.score_classes(truth, p, ["a"] * 80)
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(truth, predicted))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, predicted))
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(truth, p, multi_class="ovr"))


def test_two_classes_have_one_curve(rng: np.random.Generator) -> None:
    truth, p = rng.integers(0, 2, 50), rng.dirichlet(np.ones(2), 50)
    assert metrics.macro_auroc(truth, p) == pytest.approx(reference.roc_auc_score(truth, p[:, 1]))


def test_the_worst_group_counts() -> None:
    truth = np.array([0, 0, 1, 1, 0, 1])
    p = np.eye(2)[[0, 0, 1, 0, 1, 1]]
    assert metrics.score_classes(truth, p, list("aabbcc"))["worst_group_accuracy"] == 0.5
    values = np.array([[1.0], [2.0], [3.0]])
    found = metrics.score_values(values, values + np.array([[0.0], [1.0], [-3.0]]), ["a", "a", "b"])
    assert found["worst_group_rmse"] == pytest.approx(3)


def test_late_errors_cost_more() -> None:
    zero = np.zeros(2)
    assert metrics.phm_score(zero, np.array([10.0, -13.0])) == pytest.approx(2 * (np.e - 1))
    assert np.isfinite(metrics.phm_score(zero, np.array([1e9, 0.0])))


def test_labels_of_a_multi_label_task(rng: np.random.Generator) -> None:
    truth = rng.integers(0, 2, (60, 2)).astype(float)
    p = rng.random((60, 2))
    found = metrics.score_labels(truth, p)
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, p > 0.5, average="macro"))
    truth[:10, 0] = np.nan
    first = reference.roc_auc_score(truth[10:, 0], p[10:, 0])
    assert metrics.score_labels(truth, p)["auroc"] == pytest.approx(
        (first + reference.roc_auc_score(truth[:, 1], p[:, 1])) / 2
    )
