"""Exported sub-networks: the written module is the network, and its certificate says what holds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gnas.auto.certificate import weight_map
from gnas.auto.example import Example
from gnas.auto.export import Exported, export_subnetwork
from gnas.autospace import AutoSpace, space_from_model
from gnas.autospace.network import SubNetwork
from gnas.autospace.shapes import output_shapes


class Mixed(nn.Module):
    """Named and nested inputs, normalisation that is slimmed, dropout, a buffer of no state dict, nested outputs."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(6, 16)
        self.parts = nn.ModuleDict({"odd-name": nn.Linear(16, 16), "b": nn.Linear(16, 16)})
        self.norm = nn.LayerNorm(16)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(16, 3)
        self.register_buffer("mask", torch.tensor([1.0, 0.0, 2.0]), persistent=False)

    def forward(
        self, pair: tuple[Tensor, Tensor], *, scale: Tensor, deep: bool = True
    ) -> dict[str, Tensor | tuple[Tensor, None]]:
        x = self.stem(pair[0]) + self.stem(pair[1])
        for part in self.parts.values():
            x = x + self.drop(torch.relu(part(self.norm(x))))
        out = self.head(x) * scale
        return {"logits": out * self.mask, "rest": (x.sum(1) if deep else out, None)}


class Branch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if float(x.sum()) > 0 else -x


class Opaque(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.branch, self.b = nn.Linear(4, 8), Branch(), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.a(x))
        out: Tensor = self.b(self.branch(y + y.flip(1)))
        return out


def mixed_example(rows: int = 3) -> Example:
    return Example(((torch.randn(rows, 6), torch.randn(rows, 6)),), {"scale": torch.randn(rows, 1), "deep": True})


def export(model: nn.Module, example: Example, folder: Path, seed: int = 1) -> tuple[AutoSpace, SubNetwork, Exported]:
    space = space_from_model(model, example.args, example.kwargs)
    architecture = space.sample(np.random.default_rng(seed))
    network = space.build(architecture).eval()
    assert isinstance(network, SubNetwork)
    costs = space.costs(architecture)
    report = export_subnetwork(
        space, architecture, network, model, example, folder, costs=costs, facts={"from": 'a "test"\nof gnas'}
    )
    return space, network, report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def mixed(folder: Path) -> tuple[AutoSpace, SubNetwork, Exported]:
    torch.manual_seed(0)
    return export(Mixed(), mixed_example(), folder)


def leaves(value: Any) -> list[Tensor]:
    if isinstance(value, Mapping):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves(item)]
    return [value] if isinstance(value, Tensor) else []


def loaded(folder: Path) -> nn.Module:
    scope: dict[str, Any] = {"__file__": str(folder / "model.py")}
    exec((folder / "model.py").read_text(encoding="utf-8"), scope)
    network: nn.Module = scope["load"]()
    return network


def test_the_files(mixed: tuple[AutoSpace, SubNetwork, Exported]) -> None:
    report = mixed[2]
    assert {"model.py", "weights.safetensors", "certificate.json", "README.md", "model.onnx"} <= set(report.files)
    assert sorted(path.name for path in report.folder.iterdir()) == list(report.files)
    assert report.warnings == ()
    assert report.differences["model.py"] == 0.0
    assert report.differences["model.onnx"] < 1e-5


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("rows", [3, 7])
def test_the_plain_module_is_the_network(
    mixed: tuple[AutoSpace, SubNetwork, Exported], training: bool, rows: int
) -> None:
    _, network, report = mixed
    written, example = loaded(report.folder), mixed_example(rows)
    outputs = []
    for one in (network, written):
        one.train(training)
        torch.manual_seed(5)
        outputs.append(one(*example.args, **example.kwargs))
    network.eval()
    assert list(outputs[1]) == ["logits", "rest"]
    assert outputs[1]["rest"][1] is None
    for a, b in zip(leaves(outputs[0]), leaves(outputs[1]), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_plain_module_has_the_names_of_the_original(mixed: tuple[AutoSpace, SubNetwork, Exported]) -> None:
    names = {name for name, _ in loaded(mixed[2].folder).named_parameters()}
    assert names <= {name for name, _ in Mixed().named_parameters()}


def test_a_fixed_input_is_refused_when_it_differs(mixed: tuple[AutoSpace, SubNetwork, Exported]) -> None:
    example = mixed_example()
    with pytest.raises(ValueError, match="deep was True when the model was traced"):
        loaded(mixed[2].folder)(*example.args, **{**example.kwargs, "deep": False})


def test_it_runs_where_gnas_is_not_installed(mixed: tuple[AutoSpace, SubNetwork, Exported]) -> None:
    code = (
        "import sys; sys.modules['gnas'] = None; import torch; from model import load; m = load();"
        "print(m((torch.zeros(2, 6), torch.zeros(2, 6)), scale=torch.ones(2, 1))['logits'].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=mixed[2].folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.strip() == "torch.Size([2, 3])", done.stderr


def test_the_certificate(mixed: tuple[AutoSpace, SubNetwork, Exported]) -> None:
    space, network, report = mixed
    told = json.loads((report.folder / "certificate.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(report.certificate))
    assert told["shapes"]["evaluation"]["proved"] is True
    assert told["shapes"]["training"]["proved"] is True
    assert told["zero_equivalence"]["holds"] is True
    assert told["zero_equivalence"]["error"] < 1e-5
    assert told["runs"] == {"evaluation": True, "gradients": True}
    assert told["costs"]["n_params"] == sum(p.numel() for p in network.parameters())
    assert told["space"] == space.fingerprint
    assert space.decode(space.encode(told["assignment"])).digest == told["digest"]


def test_the_weight_map_gives_the_weights(mixed: tuple[AutoSpace, SubNetwork, Exported]) -> None:
    space, network, report = mixed
    told = json.loads((report.folder / "certificate.json").read_text(encoding="utf-8"))
    architecture = space.decode(space.encode(told["assignment"]))
    state = load_file(report.folder / "weights.safetensors")
    found = weight_map(space, architecture, network)
    assert set(found) == set(state)
    assert any(axis is not None for axes in found.values() for axis in axes)
    for name, axes in found.items():
        tensor = space.structure.traced.tensors[name].detach()
        for dimension, places in enumerate(axes):
            tensor = tensor if places is None else tensor.index_select(dimension, torch.tensor(places))
        torch.testing.assert_close(state[name], tensor, rtol=0, atol=0)


def test_shapes_are_expressions_of_the_batch(mixed: tuple[AutoSpace, SubNetwork, Exported]) -> None:
    first, second = output_shapes(mixed[1])
    assert first.equal
    assert second.equal
    assert first.shape.startswith("(s")
    assert first.shape.endswith(", 3)")


def test_what_could_not_be_traced_is_told_and_the_rest_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    report = export(Opaque(), Example((torch.randn(3, 4),), {}), tmp_path)[2]
    assert "model.py" not in report.files
    assert {"weights.safetensors", "certificate.json", "README.md"} <= set(report.files)
    assert any("branch" in warning and "model.py was not written" in warning for warning in report.warnings)
    assert report.certificate["zero_equivalence"]["holds"]


def test_an_earlier_export_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("old", encoding="utf-8")
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    export(Opaque(), Example((torch.randn(3, 4),), {}), tmp_path)
    assert not (tmp_path / "model.py").exists()
    assert (tmp_path / "mine.txt").exists()
