from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnas.errors import ExportError, MissingExtraError
from gnas.hardware import onnx
from gnas.hardware.onnx import fast_onnx, onnx_differences, torchscript_onnx
from gnas.hardware.runtime import OnnxSession, difference, to_arrays

AXES = {"x": {0: "row"}, "index": {0: "row"}}


def sample(n: int) -> dict[str, Tensor]:
    return {"x": torch.randn(n, 4), "index": torch.arange(n) % 3}


class Scatter(nn.Module):
    def __init__(self, *, by_index: bool = False) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 8)
        self.by_index = by_index

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        h = self.linear(x)
        empty = h.new_zeros(3, 8)
        if self.by_index:
            return torch.index_add(empty, 0, index, h)
        return torch.scatter_add(empty, 0, index.unsqueeze(1).expand_as(h), h)


def test_the_export_agrees_on_other_sizes() -> None:
    network = Scatter()
    model = fast_onnx(network, sample(6), AXES, checks=(sample(1), sample(50)))
    assert max(onnx_differences(network, model, (sample(2), sample(99)))) < 1e-6


def test_index_add_is_wrong_through_the_first_exporter_and_right_through_the_second() -> None:
    network = Scatter(by_index=True)
    assert max(onnx_differences(network, torchscript_onnx(network, sample(6), AXES), (sample(6),))) > 0.01
    model = fast_onnx(network, sample(6), AXES, checks=(sample(9),))
    assert max(onnx_differences(network, model, (sample(6), sample(21)))) < 1e-6


class Counting(nn.Module):
    """Its tracing freezes the number of rows."""

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        return x * torch.tensor(float(x.shape[0]))


def test_a_frozen_size_is_noticed_on_a_second_size() -> None:
    example = sample(6)
    frozen = torchscript_onnx(Counting(), example, AXES)
    assert onnx_differences(Counting(), frozen, (example,)) == (0.0,)
    try:
        model = fast_onnx(Counting(), example, AXES, checks=(sample(11),))
    except ExportError:
        return
    assert max(onnx_differences(Counting(), model, (sample(17),))) == 0.0


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        values: Tensor = torch.linalg.eigvalsh(x.transpose(0, 1) @ x)
        return values


class Unwritable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.spectrum = Spectrum()

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        values: Tensor = self.spectrum(self.first(x))
        return values


def test_what_cannot_be_exported_is_named() -> None:
    with pytest.raises(ExportError, match=r"spectrum \(Spectrum\)") as caught:
        fast_onnx(Unwritable(), sample(6), AXES)
    assert "TorchScript exporter" in str(caught.value)
    assert "dynamo exporter" in str(caught.value)


def test_a_failed_export_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    # Somebody else's failed export in the same process has left the switch on.
    torch._C._jit_set_onnx_log_enabled(True)
    for _ in range(2):
        with pytest.raises(ExportError):
            fast_onnx(Unwritable(), sample(4), AXES)
    assert capfd.readouterr().out == ""


class TwoOutputs(nn.Module):
    def __init__(self, wrong: float = 0.0) -> None:
        super().__init__()
        self.wrong = wrong

    def forward(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        del index
        return x * 2, x.sum(1) + self.wrong


def test_all_outputs_are_compared() -> None:
    example = sample(5)
    model = fast_onnx(TwoOutputs(), example, AXES, checks=[sample(9)])
    assert max(onnx_differences(TwoOutputs(), model, [example])) < 1e-6
    assert max(onnx_differences(TwoOutputs(wrong=1.0), model, [example])) > 0.01


def test_unused_inputs_are_dropped_by_the_exporter_and_bound_by_name() -> None:
    class First(nn.Module):
        def forward(self, index: Tensor, x: Tensor) -> Tensor:
            return x * 2

    example = {"index": torch.arange(3), "x": torch.randn(3, 4)}
    model = fast_onnx(First(), example, AXES)
    session = OnnxSession(model)
    assert session.inputs == ("x",)
    np.testing.assert_allclose(session.run(to_arrays(example)), example["x"].numpy() * 2)


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fast_onnx(network, {"x": torch.randn(5, 4)}, AXES)
    assert all(module.training for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"gnas\[edge\]"):
        fast_onnx(Scatter(), sample(4), AXES)


@pytest.mark.parametrize(
    ("expected", "received", "value"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.25),
        ([0.1, 0.2], [0.1, 0.3], 0.1),
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([1.0, np.nan], [1.0, 2.0], np.inf),
        ([1.0], [1.0, 2.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_differences_are_relative_to_the_scale(expected: list[float], received: list[float], value: float) -> None:
    assert difference(np.array(expected), np.array(received)) == pytest.approx(value)
