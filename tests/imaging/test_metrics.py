from __future__ import annotations

import numpy as np
import pytest
from gnas_imaging.metrics import (
    balanced_accuracy,
    metrics_of,
    score_classes,
    score_numbers,
    sensitivity_at,
)
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("specificity", [0.5, 0.8, 0.9, 0.95])
def test_sensitivity_is_that_of_the_roc_curve(specificity: float) -> None:
    truth = RNG.integers(0, 2, 200).astype(float)
    scores = np.round(truth + RNG.normal(size=200), 1)
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    expected = true[1 - false >= specificity - 1e-12].max()
    assert sensitivity_at(truth, scores, specificity) == pytest.approx(expected)
    assert np.isnan(sensitivity_at(np.ones(3), np.ones(3), specificity))


def test_several_classes_are_taken_one_against_the_rest() -> None:
    classes = RNG.integers(0, 3, 150)
    chance = RNG.dirichlet(np.ones(3), 150)
    found = score_classes("multiclass", np.eye(3)[classes], chance, 0.9)
    assert found["auroc"] == pytest.approx(roc_auc_score(classes, chance, multi_class="ovr"))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(classes, chance.argmax(1)))
    assert balanced_accuracy(classes, chance.argmax(1)) == found["balanced_accuracy"]


def test_missing_labels_and_absent_classes_are_left_out() -> None:
    truth = np.array([[0, 1.0], [1, np.nan], [0, 1], [1, 1]])
    found = score_classes("multilabel", truth, np.array([[0.1, 0.5], [0.9, 0.5], [0.2, 0.5], [0.8, 0.9]]), 0.9)
    assert found["auroc"] == 1.0 and found["accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    numbers = score_numbers(np.array([[1.0, np.nan], [2.0, 5.0]]), np.array([[1.0, 9.0], [2.0, 7.0]]))
    assert numbers["mae"] == 1.0


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_metrics_are_those_declared(kind: str) -> None:
    width = {"binary": 1, "multiclass": 3, "multilabel": 2}[kind]
    truth = np.eye(3)[np.arange(9) % 3] if kind == "multiclass" else (np.arange(9 * width).reshape(9, width) % 2)
    found = score_classes(kind, truth.astype(float), RNG.random((9, width)), 0.8)  # type: ignore[arg-type]
    assert set(found) == {metric.name for metric in metrics_of(kind, 0.8)}  # type: ignore[arg-type]
