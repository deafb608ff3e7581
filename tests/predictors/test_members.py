from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from gnas.predictors import members
from gnas.predictors.gp import GaussianProcess
from gnas.predictors.members import Design, Member, ProcessMember
from gnas.predictors.protocol import Vector
from gnas.predictors.sparse import SparseProcess
from gnas.predictors.trees import TreeMember

SLICES = (slice(0, 2), slice(2, 5))
MEMBERS = (ProcessMember(), TreeMember("extra-trees"), TreeMember("boosting"))


def design(n: int, seed: int = 0) -> tuple[Design, Vector]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)) * 0.6
    z = np.sin(2 * x[:, 0]) + x[:, 3]
    return Design(x, SLICES, np.zeros((n, 1), dtype=np.int16)), (z - z.mean()) / z.std()


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: str(member.name))
def test_what_is_held_out_is_predicted_as_new_rows_are(member: Member) -> None:
    known, z = design(60)
    asked, truth = design(200, seed=1)
    held_out = kendalltau(member.held_out(known, z)[0], z)[0]
    new = kendalltau(member.fit(known, z).predict(asked)[0], truth)[0]
    assert new > 0.5
    assert new - 0.3 < held_out < new + 0.1


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: str(member.name))
def test_a_held_out_label_is_not_seen(member: Member) -> None:
    known, z = design(40)
    changed = z.copy()
    changed[7] += 3.0
    before, after = member.held_out(known, z)[0], member.held_out(known, changed)[0]
    assert before[7] == after[7]
    assert (before != after).any()


def test_variance_includes_the_noise() -> None:
    known, z = design(60)
    noisy = z + np.random.default_rng(0).normal(size=60)
    quiet, loud = (ProcessMember().fit(known, labels).predict(known)[1] for labels in (z, noisy))
    assert loud.mean() > quiet.mean() + 0.3


def test_many_labels_take_the_sparse_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_MOST_EXACT", 100)
    monkeypatch.setattr(members, "_INDUCING", 60)
    asked, truth = design(200, seed=1)
    for n, kind in ((100, GaussianProcess), (160, SparseProcess)):
        known, z = design(n)
        fitted = ProcessMember().fit(known, z)
        assert all(isinstance(process, kind) for process in fitted.processes)
        assert kendalltau(fitted.predict(asked)[0], truth)[0] > 0.85
    mean, variance = ProcessMember().held_out(known, z)
    assert kendalltau(mean, z)[0] > 0.85
    assert (variance > 0).all()
