from __future__ import annotations

import numpy as np

from gnas.predictors.gp import GaussianProcess, Hyper
from gnas.predictors.kernels import Floats
from gnas.predictors.protocol import Vector
from gnas.predictors.sparse import SparseProcess

SLICES = (slice(0, 2), slice(2, 5))
HYPER = Hyper(np.log([0.9, 1.3, 1.0, 1.6]), np.log([0.5, 0.2, 0.1, 0.4]), float(np.log(0.05)))


def data(n: int, seed: int = 0) -> tuple[Floats, Vector]:
    x = np.random.default_rng(seed).normal(size=(n, 5)) * 0.5
    return x, np.sin(3 * x[:, 0]) + x[:, 3]


def test_with_every_row_inducing_it_is_the_exact_process() -> None:
    x, z = data(40)
    at, _ = data(15, seed=1)
    exact = GaussianProcess.condition(HYPER, SLICES, x, z)
    sparse = SparseProcess.condition(HYPER, SLICES, x, x, z)
    for a, b in zip(exact.predict(at), sparse.predict(at), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    for a, b in zip(exact.leave_one_out(z), sparse.leave_one_out(z), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_few_inducing_rows_still_predict() -> None:
    x, z = data(600)
    at, truth = data(200, seed=1)
    mean, std = SparseProcess.condition(HYPER, SLICES, x[:100], x, z).predict(at)
    assert np.corrcoef(mean, truth)[0, 1] > 0.98
    assert (std > 0).all()


def test_leave_one_out_is_conditioning_on_the_others() -> None:
    x, z = data(50)
    means, variances = SparseProcess.condition(HYPER, SLICES, x[:20], x, z).leave_one_out(z)
    for i in (0, 7, 30):
        rest = np.delete(np.arange(50), i)
        mean, std = SparseProcess.condition(HYPER, SLICES, x[:20], x[rest], z[rest]).predict(x[i : i + 1])
        np.testing.assert_allclose(means[i], mean[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(variances[i], std[0] ** 2 + 0.05, rtol=1e-4)
