"""Tests of the graph neural network as a predictor and as a member of the stack."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau

from gnas.errors import GnasError
from gnas.predictors.features import extractor_of_space
from gnas.predictors.gnn import GnnPredictor, GnnSettings
from gnas.predictors.gnn_flow import FlowEncoder
from gnas.predictors.gnn_member import EmbeddingMember, GnnMember
from gnas.predictors.gnn_space import Known, Pretraining, embedding_of_space
from gnas.predictors.gnn_train import Training, pretrain, ranking_loss
from gnas.predictors.graphs import GraphBatch
from gnas.predictors.members import Design
from gnas.predictors.protocol import Vector
from gnas.predictors.ranks import rank_gaussian
from gnas.space import load_space
from gnas.space.protocol import Codes
from gnas.testing.chain import ChainSpace
from gnas.testing.predictors import PredictorTestCase, labelled

SHORT = GnnSettings(width=8, hidden=16, steps=40, pretrain_steps=20, tuned_rate=1e-2)


def chains(n: int, seed: int = 0) -> tuple[ChainSpace, Codes, Vector]:
    space = ChainSpace()
    architectures, values = labelled(n, seed, space)
    return space, np.stack([space.encode(dict(a.assignment)) for a in architectures]), values


class TestGnn(PredictorTestCase):
    def predictor(self) -> GnnPredictor:
        return GnnPredictor(None, members=3, settings=SHORT)


@pytest.mark.parametrize("pretrained", [False, True])
def test_codes_are_predicted_as_their_architectures(pretrained: bool) -> None:
    space, codes, values = chains(20)
    asked = chains(6, seed=1)[1]
    predictor = GnnPredictor(space, members=2, pretrain=pretrained, settings=SHORT).fit_codes(codes, values)
    of_codes = predictor.predict_codes(asked)
    of_graphs = predictor.predict([space.decode(row) for row in asked])
    np.testing.assert_allclose(of_codes, of_graphs, rtol=1e-6)
    with pytest.raises(GnasError, match="finite"):
        predictor.fit_codes(codes, values[:-1])


def test_rows_of_a_yaml_space_are_predicted_without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space("nasbench201")
    codes = space.sample_codes(np.random.default_rng(0), 40)
    values = (codes == 3).sum(axis=1) + 0.1 * np.arange(40) / 40
    monkeypatch.setattr(type(space), "decode", None)
    predictor = GnnPredictor(space, members=2, settings=SHORT).fit_codes(codes, values)
    asked = space.sample_codes(np.random.default_rng(1), 300)
    truth = (asked == 3).sum(axis=1)
    assert kendalltau(predictor.predict_codes(asked)[0], truth)[0] > 0.3


def test_results_do_not_depend_on_threads_or_on_other_random_numbers() -> None:
    space, codes, values = chains(20)
    before = torch.get_num_threads()
    results = []
    for threads, seed in ((1, 0), (2, 1)):
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        predictor = GnnPredictor(space, members=2, settings=SHORT).fit_codes(codes, values)
        results.append(predictor.predict_codes(codes)[0])
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[1])


def test_pretraining_teaches_what_the_space_tells() -> None:
    space = ChainSpace()
    codes = space.sample_codes(np.random.default_rng(0), 300)
    features = extractor_of_space(space).features_of_codes(space, codes).astype(np.float32)
    graphs, encoder = GraphBatch.of_codes(space, codes), FlowEncoder(2, 8, 1, 0)
    left = pretrain(encoder, graphs, features, Training(60, 1e-2, dropout=0.0), 0)
    assert left < 0.6


def test_what_is_held_out_was_not_seen() -> None:
    space, codes, _ = chains(64)
    noise = np.random.default_rng(0).standard_normal(64)
    settings = GnnSettings(width=8, hidden=32, steps=100)
    predictor = GnnPredictor(space, members=3, settings=settings).fit_codes(codes, noise)
    seen = kendalltau(predictor.predict_codes(codes)[0], noise)[0]
    held_out = kendalltau(predictor.held_out(), noise)[0]
    assert seen > 0.35
    assert abs(held_out) < 0.3


def test_no_space_no_codes() -> None:
    space, codes, values = chains(10)
    with pytest.raises(GnasError, match="space"):
        GnnPredictor(None).fit_codes(codes, values)
    with pytest.raises(GnasError, match="fit"):
        GnnPredictor(space).predict_codes(codes)


def test_the_ranking_loss() -> None:
    labels = torch.tensor([0.0, 1.0, 1.0])
    ones = torch.ones(1, 3)
    exact = ranking_loss(labels[None], labels, ones)
    # No squared error; both pairs with distinct labels have margin 1, the tie has none.
    torch.testing.assert_close(exact, torch.log1p(torch.exp(torch.tensor(-2.0))))
    assert ranking_loss(-labels[None], labels, ones) > exact
    # A label without weight changes nothing.
    weights = torch.tensor([[1.0, 1.0, 0.0]])
    first = ranking_loss(torch.tensor([[0.1, 0.5, 9.0]]), labels, weights)
    torch.testing.assert_close(first, ranking_loss(torch.tensor([[0.1, 0.5, -9.0]]), labels, weights))
    assert ranking_loss(torch.zeros(2, 3), torch.zeros(3), torch.ones(2, 3)) == 0.0


@pytest.mark.parametrize("n", [3, 40])
def test_as_a_member_of_the_stack(n: int) -> None:
    space, codes, values = chains(n)
    design = Design(np.zeros((n, 0)), (), codes, np.zeros(0))
    member, z = GnnMember(space, members=2, settings=SHORT), rank_gaussian(values)
    held_out, variance = member.held_out(design, z)
    assert held_out.shape == (n,)
    assert variance is None
    fitted = member.fit(design, z)
    assert member.fit(design, z) is fitted
    mean, variance = fitted.predict(design)
    assert variance is None
    assert kendalltau(mean, values)[0] > (0.4 if n == 40 else -1.1)


def test_processes_read_the_embedding_beside_the_features() -> None:
    space, codes, values = chains(30)
    asked, truth = chains(60, seed=1)[1:]
    # No features at all: what the process knows, it has from the embedding.
    design, z = Design(np.zeros((30, 0)), (), codes, np.zeros(0)), rank_gaussian(values)
    member = EmbeddingMember(space, pretraining=Pretraining(members=2, width=8, steps=60))
    held_out, variance = member.held_out(design, z)
    assert held_out.shape == variance.shape == (30,)
    assert kendalltau(held_out, values)[0] > 0.3
    mean, _ = member.fit(design, z).predict(Design(np.zeros((60, 0)), (), asked, np.zeros(0)))
    assert kendalltau(mean, truth)[0] > 0.4


def test_an_embedding_of_a_space_is_scaled_and_remembered() -> None:
    space, settings = ChainSpace(), Pretraining(members=2, width=4, steps=10)
    embedding = embedding_of_space(space, settings)
    assert embedding_of_space(space, settings) is embedding
    x = embedding.features(space.sample_codes(np.random.default_rng(5), 500))
    assert x.shape == (500, embedding.width) == (500, 32)
    assert 0.7 < x.var(axis=0).sum() < 1.4


def test_encoders_learn_what_the_user_knows_of_unlabelled_architectures() -> None:
    space, codes, values = chains(150)
    settings = Pretraining(members=2, width=8, steps=60)
    told, asked = codes[:100], codes[100:]
    known = Known(told, np.stack([values[:100], np.full(100, np.nan)], axis=1))
    taught = embedding_of_space(space, settings, known)
    assert embedding_of_space(space, settings, Known(told.copy(), known.columns.copy())) is taught
    x, new = taught.features(told), taught.features(asked)
    slopes = np.linalg.solve(x.T @ x + 0.01 * np.eye(x.shape[1]), x.T @ rank_gaussian(values[:100]))
    assert kendalltau(new @ slopes, values[100:])[0] > 0.6
