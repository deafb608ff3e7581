import math

import numpy as np
import pytest
from gnas_molecular import metrics

from gnas.data.metrics import log_loss


def test_scores_are_means_over_the_targets_that_define_them() -> None:
    nan = float("nan")
    truth = np.array([[1, 1, nan], [0, 1, nan], [1, nan, nan], [0, 1, nan]])
    predicted = np.array([[0.9, 0.5, 0.1], [0.2, 0.5, 0.1], [0.3, 0.5, 0.1], [0.6, 0.5, 0.1]])
    found = metrics.score("binary", truth, predicted)
    assert found["auroc"] == pytest.approx(0.75)
    first = log_loss(truth[:, 0], predicted[:, 0])
    assert found["log_loss"] == pytest.approx((first - math.log(0.5)) / 2)
