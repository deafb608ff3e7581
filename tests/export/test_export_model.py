from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from gnas.architecture import Architecture
from gnas.build import Network
from gnas.errors import ExportError
from gnas.export import FORMATS, Origin
from gnas.export import model as exporting
from gnas.export.model import export_model
from gnas.export.written import load_written
from gnas.testing.toy import ToySpace, ToyTask


@dataclass(frozen=True)
class TakingAway(ToyTask):
    """The toy task with files of its own."""

    def takeaway(self) -> MappingProxyType[str, str]:
        return MappingProxyType({"usage.txt": "use it\n", "README.md": "## Use\n\nJust use it."})


@pytest.fixture
def network() -> Network:
    space = ToySpace()
    built = space.build(space.sample(np.random.default_rng(3)))
    assert isinstance(built, Network)
    return built


@pytest.fixture
def task() -> TakingAway:
    return TakingAway(ToyTask.make().data)


def test_everything_is_written_and_agrees(network: Network, task: TakingAway, tmp_path: Path) -> None:
    origin = Origin("trial run", 7, 2, {"rmse": 0.5}, {"rmse": 0.625}, "rmse")
    report = export_model(network, network.architecture, task, tmp_path / "best", origin=origin)
    assert report.files == tuple(sorted(path.name for path in (tmp_path / "best").iterdir()))
    assert set(report.files) == {
        "README.md",
        "architecture.json",
        "model.onnx",
        "model.pt2",
        "model.py",
        "parity.json",
        "usage.txt",
        "weights.safetensors",
    }
    assert report.examples == 100
    assert set(report.differences) == {"model.py", "model.onnx", "model.pt2"}
    assert max(report.differences.values()) <= 1e-5
    assert report.differences["model.py"] == 0.0
    assert report.warnings == ()
    parity = json.loads((tmp_path / "best" / "parity.json").read_text(encoding="utf-8"))
    assert parity["differences"] == dict(report.differences)
    readme = (tmp_path / "best" / "README.md").read_text(encoding="utf-8")
    assert "Just use it." in readme
    assert "| rmse | 0.5 | 0.625 |" in readme


def test_weights_and_architecture_read_back(network: Network, task: TakingAway, tmp_path: Path) -> None:
    export_model(network, network.architecture, task, tmp_path, ("model.py",))
    weights = load_file(tmp_path / "weights.safetensors")
    assert list(weights) == sorted(network.state_dict())
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())
    text = (tmp_path / "architecture.json").read_text(encoding="utf-8")
    assert Architecture.from_json(text).digest == network.architecture.digest


def test_weights_that_share_memory_are_written(network: Network, task: TakingAway, tmp_path: Path) -> None:
    flat = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    start = 0
    for parameter in network.parameters():
        parameter.data = flat[start : start + parameter.numel()].view_as(parameter)
        start += parameter.numel()
    assert export_model(network, network.architecture, task, tmp_path, ("model.py",)).differences["model.py"] == 0.0


def test_a_second_export_replaces_the_first_and_leaves_other_files(
    network: Network, task: TakingAway, tmp_path: Path
) -> None:
    export_model(network, network.architecture, task, tmp_path, ("model.py", "onnx"))
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    report = export_model(network, network.architecture, task, tmp_path, ("model.py",))
    assert "model.onnx" not in report.files
    assert not (tmp_path / "model.onnx").exists()
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert not list(tmp_path.glob(".export-*"))


def test_the_files_are_the_same_each_time(network: Network, task: TakingAway, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_model(network, network.architecture, task, tmp_path / name, ("model.py", "onnx"))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_an_export_that_differs_is_refused_and_nothing_is_left(
    network: Network, task: TakingAway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(path: Path) -> nn.Module:
        loaded = honest(path)
        with torch.no_grad():
            next(loaded.parameters()).add_(0.1)
        return loaded

    honest: Callable[[Path], nn.Module] = load_written
    monkeypatch.setattr(exporting, "load_written", wrong)
    with pytest.raises(ExportError, match=r"model\.py is not the model"):
        export_model(network, network.architecture, task, tmp_path, FORMATS)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_program_is_a_warning(
    network: Network, task: TakingAway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("unsupported\ndetails")

    monkeypatch.setattr(torch.export, "export", fails)
    report = export_model(network, network.architecture, task, tmp_path, ("pt2",))
    assert report.warnings == ("model.pt2 was not written: unsupported",)
    assert "model.pt2" not in report.files
    assert "unsupported" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_bad_arguments_are_told(network: Network, task: TakingAway, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"unknown format.*model\.py, onnx, pt2"):
        export_model(network, network.architecture, task, tmp_path, ("tflite",))  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="Linear"):
        export_model(nn.Linear(2, 2), network.architecture, task, tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ExportError, match="cannot be written"):
        export_model(network, network.architecture, task, tmp_path / "file" / "best")
