"""The layers against other statements of the same maths: torch-geometric's, torch's, or loops written out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from gnas_molecular.layers import DMPNN, GINE, PNA, BondUpdate
from gnas_molecular.layers_attention import AttentiveFP, GatedUpdate, GATv2, MoleculeAttention, attend
from gnas_molecular.layers_molecule import (
    AttentionReadOut,
    Embedding,
    RandomProjection,
    ReadOut,
    Set2SetReadOut,
    Update,
    VirtualNode,
)
from gnas_molecular.testing import random_batch
from torch import Tensor, nn
from torch_geometric.nn import AttentionalAggregation, GATv2Conv, PNAConv, Set2Set

WIDTH = 8


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def batch_of(*sizes: int) -> dict[str, Tensor]:
    """A batch whose atoms have `WIDTH` features."""
    batch = random_batch(sizes)
    return {**batch, "x": torch.randn(len(batch["batch"]), WIDTH)}


def copy(target: nn.Module | nn.Parameter, source: nn.Module | nn.Parameter) -> None:
    if isinstance(target, nn.Module) and isinstance(source, nn.Module):
        target.load_state_dict(source.state_dict())
    elif isinstance(target, nn.Parameter) and isinstance(source, nn.Parameter):
        with torch.no_grad():
            target.copy_(source.reshape(target.shape))


def test_gatv2_equals_torch_geometric() -> None:
    data = batch_of(6, 1, 9)
    ours = GATv2(WIDTH, 7, 12, 3)
    theirs = GATv2Conv(WIDTH, 4, heads=3, edge_dim=7, add_self_loops=False, residual=True)
    copy(theirs.lin_l, ours.source)
    copy(theirs.lin_r, ours.target)
    copy(theirs.lin_edge, ours.bond)
    copy(theirs.att, ours.query)
    with torch.no_grad():
        theirs.res.weight.copy_(ours.own.weight)
        theirs.bias.copy_(ours.own.bias)
    expected = theirs(data["x"], data["edge_index"], data["bonds"])
    torch.testing.assert_close(ours(data["x"], data["bonds"], data["edge_index"]), expected, atol=1e-5, rtol=1e-5)


def test_pna_equals_torch_geometric() -> None:
    data = batch_of(6, 9, 4)
    theirs = PNAConv(
        WIDTH,
        WIDTH,
        ["mean", "max", "min", "std"],
        ["identity", "amplification", "attenuation"],
        torch.tensor([0, 5, 9, 4]),
        edge_dim=7,
        towers=1,
    )
    degree_term = float(theirs.aggr_module.avg_deg_log)
    ours = PNA(WIDTH, 7, WIDTH, 1, degree_term)
    (pre,), (post,) = theirs.pre_nns[0], theirs.post_nns[0]
    with torch.no_grad():
        target, source, bond = pre.weight.split(WIDTH, 1)
        ours.target.weight.copy_(target)
        ours.target.bias.copy_(pre.bias + bond @ theirs.edge_encoder.bias)
        ours.source.weight.copy_(source)
        ours.bond.weight.copy_(bond @ theirs.edge_encoder.weight)
        own, *scaled = post.weight.split([WIDTH, 4 * WIDTH, 4 * WIDTH, 4 * WIDTH], 1)
        ours.own.weight.copy_(own)
        ours.own.bias.copy_(post.bias)
        ours.mix.copy_(torch.cat([part.T for part in scaled], 1).unsqueeze(0))
        ours.output.load_state_dict(theirs.lin.state_dict())
    expected = theirs(data["x"], data["edge_index"], data["bonds"])
    torch.testing.assert_close(ours(data["x"], data["bonds"], data["edge_index"]), expected, atol=1e-4, rtol=1e-4)


def test_dmpnn_equals_messages_written_out() -> None:
    data = batch_of(5, 3)
    x, bonds, (sources, targets) = data["x"], data["bonds"], data["edge_index"].tolist()
    layer = DMPNN(WIDTH, 7, 6, 2, "relu", 0.0)
    first = [layer.atom(x[s]) + layer.bond(bonds[e]) for e, s in enumerate(sources)]
    held = [torch.relu(value) for value in first]
    for _ in range(2):
        heard = []
        for e, s in enumerate(sources):
            arriving = [held[k] for k, t in enumerate(targets) if t == s and sources[k] != targets[e]]
            heard.append(torch.stack(arriving).sum(0) if arriving else torch.zeros(6))
        held = [torch.relu(first[e] + layer.update(heard[e])) for e in range(len(sources))]
    gathered = torch.stack([sum((held[e] for e, t in enumerate(targets) if t == v), torch.zeros(6)) for v in range(8)])
    expected = torch.relu(layer.output(torch.cat([x, gathered], 1)))
    torch.testing.assert_close(layer(x, bonds, data["edge_index"]), expected)


def test_bond_update_sees_the_bond_and_its_two_ends_in_order() -> None:
    data = batch_of(4)
    layer = BondUpdate(WIDTH, 7, 5, "relu")
    source, target = layer.ends.weight.chunk(2)
    joined = torch.cat([source, target, layer.bond.weight], 1)
    x, index = data["x"], data["edge_index"]
    values = torch.cat([x[index[0]], x[index[1]], data["bonds"]], 1)
    bias = sum(layer.ends.bias.chunk(2))
    torch.testing.assert_close(layer(x, data["bonds"], index), layer.inner(values @ joined.T + bias))


def test_gru_equals_torch() -> None:
    ours, theirs = GatedUpdate(WIDTH), nn.GRUCell(WIDTH, WIDTH)
    with torch.no_grad():
        theirs.weight_ih.copy_(ours.message.weight)
        theirs.bias_ih.copy_(ours.message.bias)
        theirs.weight_hh.copy_(ours.state.weight)
        theirs.bias_hh.copy_(ours.state.bias)
    message, state = torch.randn(5, WIDTH), torch.randn(5, WIDTH)
    torch.testing.assert_close(ours(message, state), theirs(message, state))


def test_attention_stays_within_each_molecule() -> None:
    data = batch_of(3, 1, 7)
    layer = MoleculeAttention(WIDTH, 2, 0.0)
    parts = []
    for molecule in range(3):
        own = layer.projection(data["x"][data["batch"] == molecule]).reshape(-1, 3, 2, WIDTH // 2)
        query, key, value = own.permute(1, 2, 0, 3)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        parts.append(layer.output(mixed.transpose(0, 1).flatten(1)))
    torch.testing.assert_close(layer(data["x"], data["batch"], data["descriptors"]), torch.cat(parts))


def test_set2set_equals_torch_geometric() -> None:
    data = batch_of(3, 1, 7)
    ours, theirs = Set2SetReadOut(WIDTH, 3), Set2Set(WIDTH, 3)
    copy(theirs.lstm, ours.memory)
    torch.testing.assert_close(ours(data["x"], data["batch"], data["descriptors"]), theirs(data["x"], data["batch"]))


def test_attention_read_out_equals_torch_geometric() -> None:
    data = batch_of(3, 1, 7)
    ours = AttentionReadOut(WIDTH)
    theirs = AttentionalAggregation(ours.score)
    torch.testing.assert_close(ours(data["x"], data["batch"], data["descriptors"]), theirs(data["x"], data["batch"]))


def test_attend_is_a_softmax_and_does_not_overflow() -> None:
    scores = torch.tensor([[1e4], [1e4 - 1.0], [-1e4]])
    values = torch.tensor([[[1.0]], [[2.0]], [[5.0]]])
    result = attend(scores, values, torch.tensor([0, 0, 2]), 3)
    weights = torch.tensor([0.0, -1.0]).softmax(0)
    expected = torch.stack([weights[0] + 2 * weights[1], torch.tensor(0.0), torch.tensor(5.0)]).unsqueeze(1)
    torch.testing.assert_close(result, expected)


def test_read_outs_of_each_kind() -> None:
    data = batch_of(3, 1, 7)
    layer = ReadOut(["sum", "mean", "max"])
    parts = [data["x"][data["batch"] == k] for k in range(3)]
    expected = torch.stack([torch.cat([p.sum(0), p.mean(0), p.amax(0)]) for p in parts])
    torch.testing.assert_close(layer(data["x"], data["batch"], data["descriptors"]), expected)


def test_an_atom_without_bonds_keeps_its_own_features_only() -> None:
    data = batch_of(1)
    x, bonds, index = data["x"], data["bonds"], data["edge_index"]
    gine = GINE(WIDTH, 7, WIDTH, "relu")
    torch.testing.assert_close(gine(x, bonds, index), gine.convolution.nn((1 + gine.convolution.eps) * x))
    gat = GATv2(WIDTH, 7, WIDTH, 2)
    torch.testing.assert_close(gat(x, bonds, index), gat.own(x))
    attentive = AttentiveFP(WIDTH, 7, 0.0)
    message = nn.functional.elu(attentive.context.bias).unsqueeze(0)
    torch.testing.assert_close(attentive(x, bonds, index), torch.relu(attentive.update(message, x)))


@pytest.mark.parametrize("norm", ["none", "batch", "layer", "graph"])
def test_update_trains_on_a_single_atom_and_adds_what_was_before(norm: str) -> None:
    data = batch_of(1)
    layer = Update(WIDTH, norm, "relu", 0.0).train()
    before = torch.randn(1, WIDTH)
    plain = layer(data["x"], data["batch"], data["descriptors"])
    torch.testing.assert_close(layer(data["x"], before, data["batch"], data["descriptors"]), plain + before)


def test_virtual_node_tells_all_atoms_of_a_molecule_the_same() -> None:
    data = batch_of(3, 4)
    told = VirtualNode(WIDTH, "relu", 0.0)(data["x"], data["batch"], data["descriptors"]) - data["x"]
    torch.testing.assert_close(told[:3], told[:1].expand(3, -1))
    assert not torch.allclose(told[0], told[3])


def test_embedding_of_two_inputs_is_a_sum_of_embeddings() -> None:
    layer = Embedding(5, 4, "none")
    a, b = torch.randn(6, 3), torch.randn(6, 2)
    first, second = layer.linear.weight[:, :3], layer.linear.weight[:, 3:]
    torch.testing.assert_close(layer(a, b), a @ first.T + b @ second.T + layer.linear.bias)


def test_a_random_projection_keeps_distances_and_trains_nothing() -> None:
    torch.manual_seed(0)
    layer, x = RandomProjection(300, 2000, 2000**-0.5), torch.randn(6, 300)
    ratio = torch.pdist(layer(x)) / torch.pdist(x)
    assert bool(((ratio > 0.9) & (ratio < 1.1)).all())
    assert not list(layer.parameters())
    assert set(layer.state_dict()) == {"matrix"}
