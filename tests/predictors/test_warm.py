from __future__ import annotations

import numpy as np
import pytest

from gnas.errors import SpaceError
from gnas.evaluation import Objective
from gnas.predictors.crossval import tau
from gnas.predictors.protocol import Vector
from gnas.predictors.store import StoredPredictor
from gnas.predictors.warm import Transfer, WarmStack
from gnas.space import Codes, Space, YamlSpace, load_space

CHAIN = """
inputs: [x]
graph:
  - name: layers
    repeat:
      times: {choice: [2, 3, 4], name: depth}
      body:
        - {name: op, op: {choice: [nor_conv_3x3, nor_conv_1x1, avg_pool_3x3]}}
"""


def convolutions(space: Space, codes: Codes) -> Vector:
    """How many of the wide convolutions there are, and a little for the narrow ones."""
    worth = {"nor_conv_3x3": 1.0, "nor_conv_1x1": 0.4}
    return np.array([sum(worth.get(node.op, 0.0) for node in space.decode(row).nodes) for row in codes])


@pytest.fixture(scope="module")
def source() -> StoredPredictor:
    space = load_space("nasbench201")
    codes = space.sample_codes(np.random.default_rng(0), 40)
    objective = Objective("accuracy", "maximize")
    values = convolutions(space, codes)
    return StoredPredictor(space, objective, codes, values, {}, {}, codes, 0)


@pytest.fixture(scope="module")
def target() -> YamlSpace:
    return YamlSpace("chain", CHAIN, "chain.yaml")


def test_what_was_learnt_in_one_space_ranks_another(source: StoredPredictor, target: YamlSpace) -> None:
    codes = np.concatenate([*target.iterate_codes()])
    prior = Transfer(source, target, seed=0).column(target, codes)
    assert tau(prior, convolutions(target, codes)) > 0.6


def test_a_warm_stack_is_better_from_few_labels(source: StoredPredictor, target: YamlSpace) -> None:
    codes = np.concatenate([*target.iterate_codes()])
    codes = codes[np.random.default_rng(1).permutation(len(codes))]
    truth = convolutions(target, codes)
    noisy = truth + np.random.default_rng(2).normal(0, 0.8, len(truth))
    marks = []
    for start in (None, source):
        stack = WarmStack(target, seed=0, source=start).fit_codes(codes[:10], noisy[:10])
        mean, std = stack.predict_codes(codes[10:])
        assert (std > 0).all()
        marks.append(tau(mean, truth[10:]))
    assert marks[1] > marks[0]


def test_the_users_columns_stand_beside_the_prior(source: StoredPredictor, target: YamlSpace) -> None:
    codes = target.sample_codes(np.random.default_rng(0), 16)
    values = np.linspace(0.0, 1.0, 16)
    extra = np.stack([values], axis=1)
    stack = WarmStack(target, extra=("proxy",), seed=0, source=source).fit_codes(codes, values, extra)
    mean, std = stack.predict_latent(codes, extra)
    low, high = stack.interval_of_latent(mean, std, 0.9)
    assert ((low < high) & np.isfinite(low) & np.isfinite(high)).all()


def test_spaces_that_share_nothing(source: StoredPredictor) -> None:
    other = YamlSpace("other", "inputs: [x]\ngraph:\n  - {name: a, op: {choice: [p, q, r]}}\n", "other.yaml")
    with pytest.raises(SpaceError, match="share no op"):
        Transfer(source, other, seed=0)
