from __future__ import annotations

import pytest
import torch

from gnas.errors import InvalidShapeError
from gnas.ops import Params, TensorType
from gnas.ops_generic import ACTIVATIONS, GENERIC_OPS

ROW = TensorType("row", ("row", 6))
CASES: list[tuple[str, int, Params]] = [
    ("identity", 1, {}),
    ("add", 3, {}),
    ("multiply", 2, {}),
    ("maximum", 2, {}),
    ("concat", 2, {}),
    ("linear", 1, {"width": 5}),
    ("layer_norm", 1, {}),
    ("dropout", 1, {"rate": 0.5}),
    ("mlp", 1, {"width": 8, "depth": 2, "norm": True, "dropout": 0.1}),
    ("mlp", 3, {"width": 8, "depth": 1, "activation": "silu"}),
    ("mlp", 2, {"depth": 0}),
    ("feed_forward", 1, {"expansion": 3}),
    *[("activation", 1, {"kind": kind}) for kind in ACTIVATIONS],
]


@pytest.mark.parametrize(("name", "n_inputs", "params"), CASES)
def test_declared_types_equal_real_shapes(name: str, n_inputs: int, params: Params) -> None:
    op = GENERIC_OPS[name]
    inputs = (ROW,) * n_inputs
    declared = op.infer(inputs, params)
    module = op.layer(inputs, params).build()
    values = [torch.randn(4, 6, requires_grad=True) for _ in inputs]
    result = module(*values)
    assert result.shape == (4, declared.shape[1])
    assert declared.kind == "row"
    result.sum().backward()
    assert all(value.grad is not None and bool(torch.isfinite(value.grad).all()) for value in values)


def test_sums_products_and_maxima() -> None:
    a, b = torch.randn(2, 6), torch.randn(2, 6)
    torch.testing.assert_close(GENERIC_OPS["add"].layer((ROW, ROW), {}).build()(a, b), a + b)
    torch.testing.assert_close(GENERIC_OPS["multiply"].layer((ROW, ROW), {}).build()(a, b), a * b)
    torch.testing.assert_close(GENERIC_OPS["maximum"].layer((ROW, ROW), {}).build()(a, b), torch.stack([a, b]).amax(0))


@pytest.mark.parametrize(
    ("name", "inputs", "params", "message"),
    [
        ("add", (ROW, TensorType("row", ("row", 7))), {}, "expected all row"),
        ("concat", (ROW, TensorType("other", ("other", 6))), {}, "expected all"),
        ("linear", (ROW,), {"width": 0}, "expected 1 or more"),
        ("linear", (TensorType("index", ("row", 6), "int64"),), {}, "floating-point"),
        ("dropout", (ROW,), {"rate": 1.0}, "less than 1"),
        ("activation", (ROW,), {"kind": "rleu"}, "elu, gelu"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, inputs: tuple[TensorType, ...], params: Params, message: str) -> None:
    with pytest.raises(InvalidShapeError, match=message):
        GENERIC_OPS[name].infer(inputs, params)
