"""Every op: its declared type, its behaviour on graphs, its gradient and its ONNX export."""

from __future__ import annotations

import io
import logging
import pickle
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from gnas_molecular.ops import molecular_ops
from gnas_molecular.testing import DEGREE_HISTOGRAM, INPUTS, permuted, random_batch
from torch import Tensor, nn

from gnas.errors import InvalidShapeError
from gnas.ops import Params, TensorType

OPS = molecular_ops(DEGREE_HISTOGRAM, 3)
X = TensorType("atoms", ("atom", 8))
BONDS = INPUTS["bonds"]
MOLECULES = TensorType("molecules", ("molecule", 8))
SIZES = (6, 1, 9, 2)

CONVOLUTIONS: list[tuple[str, Params]] = [
    ("gcn", {"width": 12}),
    ("gin", {"activation": "silu"}),
    ("gine", {}),
    ("gine", {"width": 12, "activation": "gelu"}),
    ("gatv2", {"heads": 2}),
    ("gatv2", {"width": 12}),
    ("pna", {}),
    ("pna", {"width": 12, "towers": 3}),
    ("dmpnn", {"steps": 1}),
    ("dmpnn", {"width": 12, "steps": 3, "dropout": 0.1}),
    ("attentive_fp", {"dropout": 0.1}),
    ("gps", {"heads": 2, "dropout": 0.1}),
    ("bond_update", {"width": 5}),
]
ON_ATOMS: list[tuple[str, Params]] = [
    ("embed", {"width": 5}),
    *[("update", {"norm": norm, "dropout": 0.1}) for norm in ("none", "batch", "layer", "graph")],
    ("random_projection", {"width": 5}),
    ("virtual_node", {}),
    ("attention", {"heads": 2}),
    *[("readout", {"mode": m}) for m in ("sum", "mean", "max", "mean_max", "sum_mean_max", "attention")],
    ("readout", {"mode": "set2set", "steps": 3}),
    ("readout", {"mode": "attentive", "steps": 2}),
]
READS_BONDS = {"gine", "gatv2", "pna", "dmpnn", "attentive_fp", "gps", "bond_update"}
CASES = [*CONVOLUTIONS, *ON_ATOMS]
IDS = ["-".join([name, *(f"{key}={value}" for key, value in params.items())]) for name, params in CASES]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def types_of(name: str) -> tuple[TensorType, ...]:
    return (X, BONDS) if name in READS_BONDS else (X,)


def batch_of(*sizes: int) -> dict[str, Tensor]:
    batch = random_batch(sizes)
    x = torch.randn(len(batch["batch"]), 8, generator=torch.Generator().manual_seed(1))
    return {**batch, "x": x}


class Node(nn.Module):
    """One op as a network of the model inputs that it reads."""

    def __init__(self, name: str, params: Params) -> None:
        super().__init__()
        op = OPS[name]
        self.names = ("x", *(("bonds",) if name in READS_BONDS else ()), *op.context)
        self.module = op.layer(types_of(name), params).build()

    def forward(self, *values: Tensor) -> Tensor:
        result: Tensor = self.module(*values)
        return result

    def on(self, batch: dict[str, Tensor]) -> Tensor:
        result: Tensor = self(*[batch[name] for name in self.names])
        return result


@pytest.mark.parametrize(("name", "params"), CASES, ids=IDS)
def test_the_declared_type_is_the_real_one_and_gradients_flow(name: str, params: Params) -> None:
    declared = OPS[name].infer(types_of(name), params)
    node = Node(name, params).train()
    batch = batch_of(*SIZES)
    batch["x"].requires_grad_()
    result = node.on(batch)
    rows = {"atom": sum(SIZES), "bond": batch["edge_index"].shape[1], "molecule": len(SIZES)}
    assert tuple(result.shape) == tuple(rows[d] if isinstance(d, str) else d for d in declared.shape)
    assert f"torch.{declared.dtype}" == str(result.dtype)
    torch.autograd.backward(result.square().sum())
    gradients = [batch["x"].grad, *(parameter.grad for parameter in node.parameters())]
    assert all(gradient is not None and bool(torch.isfinite(gradient).all()) for gradient in gradients)


@pytest.mark.parametrize(("name", "params"), CASES, ids=IDS)
@pytest.mark.parametrize("training", [True, False])
def test_a_single_atom_without_bonds(name: str, params: Params, training: bool) -> None:
    result = Node(name, params).train(training).on(batch_of(1))
    assert bool(torch.isfinite(result).all())


@pytest.mark.parametrize(("name", "params"), CASES, ids=IDS)
def test_the_order_of_atoms_and_bonds_does_not_matter(name: str, params: Params) -> None:
    node = Node(name, params).eval()
    batch = batch_of(*SIZES)
    other, order = permuted(batch)
    expected, received = node.on(batch), node.on({**other, "x": batch["x"][order]})
    kind = OPS[name].infer(types_of(name), params).kind
    if kind == "bonds":
        expected, received = expected.sum(0), received.sum(0)
    torch.testing.assert_close(received, expected[order] if kind == "atoms" else expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "params"), CASES, ids=IDS)
def test_molecules_do_not_see_each_other(name: str, params: Params) -> None:
    node = Node(name, params).eval()
    together = batch_of(*SIZES)
    atoms, bonds = together["batch"] == 2, together["batch"][together["edge_index"][0]] == 2
    alone = {
        "x": together["x"][atoms],
        "batch": torch.zeros(SIZES[2], dtype=torch.int64),
        "bonds": together["bonds"][bonds],
        "edge_index": together["edge_index"][:, bonds] - SIZES[0] - SIZES[1],
        "descriptors": together["descriptors"][2:3],
    }
    rows = {"atoms": atoms, "bonds": bonds, "molecules": torch.arange(len(SIZES)) == 2}
    expected = node.on(together)[rows[OPS[name].infer(types_of(name), params).kind]]
    torch.testing.assert_close(node.on(alone), expected, atol=1e-5, rtol=1e-5)


AXES = {
    "x": {0: "atom"},
    "bonds": {0: "bond"},
    "edge_index": {1: "bond"},
    "batch": {0: "atom"},
    "descriptors": {0: "molecule"},
}


def exported(node: Node) -> bytes:
    batch, buffer = batch_of(*SIZES), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            node,
            tuple(batch[name] for name in node.names),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=18,
            input_names=list(node.names),
            dynamic_axes={name: AXES[name] for name in node.names},
        )
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "params"), CASES, ids=IDS)
def test_onnx_runtime_gives_the_same_for_other_numbers_of_atoms_bonds_and_molecules(name: str, params: Params) -> None:
    runtime = pytest.importorskip("onnxruntime")
    node = Node(name, params).eval()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(exported(node), options, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    for sizes, scale in [
        ((6, 1, 9, 2), 1.0),
        ((1,), 1.0),
        ((1, 1), 1.0),
        ((12, 3), 1.0),
        ((5, 1, 30, 8, 2, 1, 7), 100.0),
    ]:
        batch = batch_of(*sizes)
        batch["x"] = batch["x"] * scale
        with torch.no_grad():
            expected = node.on(batch).numpy()
        (received,) = session.run(None, {n: batch[n].numpy() for n in node.names if n in wanted})
        assert received.shape == expected.shape
        worst = np.abs(received - expected).max(initial=0.0) / max(1.0, np.abs(expected).max(initial=0.0))
        assert worst < 1e-5


@pytest.mark.parametrize(
    ("name", "inputs", "params", "message"),
    [
        ("gine", (X,), {}, "gine: received 1 inputs, expected 2 inputs"),
        ("gcn", (X, BONDS), {}, "gcn: received 2 inputs, expected 1 inputs"),
        ("gine", (BONDS, X), {}, "gine: .*one row for every bond"),
        ("gine", (X, BONDS), {"widht": 3}, "did you mean 'width'"),
        ("gine", (X, BONDS), {"width": 0}, "width=0, expected 1 or more"),
        ("gine", (X, BONDS), {"activation": "swich"}, "activation='swich', expected elu"),
        ("gatv2", (X, BONDS), {"heads": 3}, "heads=3, expected a divisor of the width 8"),
        ("gps", (X, BONDS), {"dropout": 1.0}, "dropout=1.0, expected a number from 0 to less than 1"),
        ("dmpnn", (X, BONDS), {"steps": 0}, "steps=0, expected 1 or more"),
        ("update", (X, INPUTS["atoms"]), {}, "expected all atoms"),
        ("embed", (X, BONDS), {}, "expected all"),
        ("readout", (MOLECULES,), {}, "one row for every atom"),
        ("readout", (INPUTS["batch"],), {}, "one row for every atom"),
        ("head", (X,), {}, "one row for every molecule"),
        ("head", (MOLECULES,), {"width": 0}, "width=0"),
        ("shared_head", (MOLECULES,), {"depth": 0}, "depth=0, expected 1 or more"),
        ("shared_head", (MOLECULES,), {"members": 0}, "members=0, expected 1 or more"),
        ("packed_head", (MOLECULES,), {"depth": 0}, "depth=0, expected 1 or more"),
        ("packed_head", (MOLECULES,), {"part": 0.0}, "part=0.0, expected above 0 and at most 1"),
        ("packed_head", (MOLECULES,), {"part": 1.5}, "part=1.5, expected above 0 and at most 1"),
        ("packed_head", (MOLECULES,), {"projection": 8}, "received 1, expected 2 or more"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, inputs: tuple[TensorType, ...], params: Params, message: str) -> None:
    with pytest.raises(InvalidShapeError, match=message):
        OPS[name].infer(inputs, params)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_head_joins_branches_and_gives_the_targets(depth: int) -> None:
    op, inputs = OPS["head"], (MOLECULES, INPUTS["descriptors"])
    params: Params = {"depth": depth, "width": 4, "norm": True}
    assert op.infer(inputs, params) == TensorType("molecules", ("molecule", 3))
    module = op.layer(inputs, params).build()
    assert module(torch.randn(5, 8), torch.randn(5, 19)).shape == (5, 3)


@pytest.mark.parametrize("name", ["shared_head", "packed_head"])
def test_a_head_of_several_members_gives_the_targets(name: str) -> None:
    inputs = (MOLECULES, INPUTS["descriptors"])
    params: Params = {"depth": 1, "width": 4, "norm": True, "members": 6}
    assert OPS[name].infer(inputs, params) == TensorType("molecules", ("molecule", 3))
    module = OPS[name].layer(inputs, params).build()
    values = torch.randn(5, 8), torch.randn(5, 19)
    assert module.train()(*values).shape == (5, 6, 3)
    assert module.eval()(*values).shape == (5, 3)


def test_pna_is_bound_to_the_degrees_it_was_given() -> None:
    kwargs = molecular_ops((0, 0, 7))["pna"].layer((X, BONDS), {}).kwargs
    assert kwargs["mean_log_degree"] == pytest.approx(np.log(3))
    assert molecular_ops((4,))["pna"].layer((X, BONDS), {}).kwargs["mean_log_degree"] == 1.0


def test_ops_travel_between_processes() -> None:
    ops = pickle.loads(pickle.dumps(dict(OPS)))
    assert all(ops[name].infer(types_of(name), params) for name, params in CASES)


def test_layers_are_written_as_python() -> None:
    for name, params in CASES:
        layer = OPS[name].layer(types_of(name), params)
        assert eval(repr(layer.kwargs), {}) == layer.kwargs
