"""Conformance suite for predictors: subclass `PredictorTestCase`, return yours from `predictor`, and run pytest."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from gnas.architecture import Architecture
from gnas.errors import GnasError
from gnas.predictors.protocol import Predictor, Vector
from gnas.testing.chain import ChainSpace, chain_value


def labelled(n: int, seed: int = 0, space: ChainSpace | None = None) -> tuple[list[Architecture], Vector]:
    """`n` random chains of distinct digests with their values; the space must have several times as many."""
    space = space or ChainSpace()
    rng = np.random.default_rng(seed)
    found: dict[str, Architecture] = {}
    while len(found) < n:
        architecture = space.sample(rng)
        found.setdefault(architecture.digest, architecture)
    architectures = list(found.values())
    return architectures, np.array([chain_value(architecture) for architecture in architectures])


class PredictorTestCase:
    """What every predictor must do."""

    least_tau: float = 0.5
    """Rank correlation with held-out values that 80 labels of an easy landscape must give."""

    def predictor(self) -> Predictor:
        """The predictor under test, a fresh object at every call."""
        raise TypeError(f"{type(self).__name__} must define predictor()")

    @pytest.mark.parametrize("n", [1, 2, 3, 30])
    def test_shapes(self, n: int) -> None:
        known, values = labelled(n)
        asked, _ = labelled(7, seed=1)
        predictor = self.predictor()
        assert predictor.fit(known, values) is predictor
        mean, std = predictor.predict(asked)
        assert mean.shape == std.shape == (7,)
        assert mean.dtype == std.dtype == np.float64
        assert np.isfinite(mean).all()
        assert np.isfinite(std).all()
        assert (std >= 0).all()

    def test_nothing_asked(self) -> None:
        mean, std = self.predictor().fit(*labelled(5)).predict([])
        assert mean.shape == std.shape == (0,)

    def test_it_does_not_depend_on_company(self) -> None:
        predictor = self.predictor().fit(*labelled(30))
        asked, _ = labelled(9, seed=1)
        mean, std = predictor.predict(asked)
        alone = [predictor.predict([architecture]) for architecture in asked]
        np.testing.assert_allclose([m[0] for m, _ in alone], mean, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose([s[0] for _, s in alone], std, rtol=1e-6, atol=1e-9)

    def test_it_is_deterministic(self) -> None:
        known, values = labelled(25)
        asked, _ = labelled(9, seed=1)
        first = self.predictor().fit(known, values).predict(asked)
        again = self.predictor().fit(known, values)
        again.predict(known)
        for a, b in zip(first, again.predict(asked), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_refitting_forgets(self) -> None:
        known, values = labelled(25)
        asked, _ = labelled(9, seed=1)
        fresh = self.predictor().fit(known[:10], values[:10]).predict(asked)
        used = self.predictor().fit(known, -values).fit(known[:10], values[:10]).predict(asked)
        for a, b in zip(fresh, used, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_units(self) -> None:
        known, values = labelled(40)
        # Rounded, so that values tie exactly or not at all, in both units.
        values = values.round(2)
        asked, _ = labelled(20, seed=1)
        mean, std = self.predictor().fit(known, values).predict(asked)
        scaled_mean, scaled_std = self.predictor().fit(known, 1e4 * values - 7e4).predict(asked)
        np.testing.assert_allclose(scaled_mean, 1e4 * mean - 7e4, rtol=1e-4, atol=1.0)
        np.testing.assert_allclose(scaled_std, 1e4 * std, rtol=1e-3, atol=1.0)

    def test_it_ranks(self) -> None:
        known, values = labelled(80)
        asked, truth = labelled(200, seed=1)
        mean, _ = self.predictor().fit(known, values).predict(asked)
        assert kendalltau(mean, truth)[0] > self.least_tau

    def test_it_is_surer_near_data(self) -> None:
        known, values = labelled(40, space=ChainSpace(widths=(8, 16)))
        far = [a for a in labelled(200, seed=1)[0] if dict(a.assignment)["width"] == 64]
        predictor = self.predictor().fit(known, values)
        assert predictor.predict(known)[1].mean() < predictor.predict(far)[1].mean()

    def test_constant_labels(self) -> None:
        known, _ = labelled(20)
        mean, std = self.predictor().fit(known, np.full(20, 3.5)).predict(known)
        np.testing.assert_allclose(mean, 3.5, atol=1e-6)
        assert (std >= 0).all()

    def test_duplicates(self) -> None:
        known, values = labelled(10)
        noisy = np.concatenate([values, values + 0.1, values - 0.1])
        mean, std = self.predictor().fit(known * 3, noisy).predict(known)
        assert np.isfinite(mean).all()
        assert np.isfinite(std).all()
        assert kendalltau(mean, values)[0] > 0.5

    def test_unknown_parts(self) -> None:
        predictor = self.predictor().fit(*labelled(12, space=ChainSpace(depth=3, ops=("conv3",))))
        asked, _ = labelled(10, space=ChainSpace(depth=4, ops=("new", "conv3"), widths=(8, 999)))
        mean, std = predictor.predict(asked)
        assert np.isfinite(mean).all()
        assert np.isfinite(std).all()

    @pytest.mark.parametrize("values", [np.zeros(3), np.array([1.0, np.nan, 0.0, 0.0]), np.zeros((4, 1))])
    def test_bad_labels_are_refused(self, values: Vector) -> None:
        known, _ = labelled(4)
        with pytest.raises(GnasError, match="finite"):
            self.predictor().fit(known, values)
