"""Every op of the molecular domain through every exporter, on molecules of all sizes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gnas.architecture import Architecture
from gnas.build import Network
from gnas.export.model import export_model
from gnas.export.model_file import model_source
from gnas.export.report import TOLERANCE
from gnas.hardware.costs import count_costs, evaluating
from gnas.hardware.onnx import onnx_differences, torchscript_onnx
from gnas.hardware.runtime import difference

Inputs = Callable[..., dict[str, Tensor]]
Trained = Callable[[nn.Module], Any]
COVERING = 10

# A hundred molecules, from single atoms to sixty of them.
HUNDRED = (
    *("C", "O", "N", "S", "F", "[Na+]", "[Cl-]", "C#N", "C=O", "O=C=O", "C#C", "CC", "C1CC1", "OO", "NN"),
    *("c1ccccc1", "Cc1ccccc1", "c1ccncc1", "c1ccc2ccccc2c1", "C1CCCCC1", "c1ccsc1", "c1cc[nH]c1", "C1CCNCC1"),
    *("CC(=O)Oc1ccccc1C(=O)O", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "C[C@H](N)C(=O)O"),
    *("F/C=C/Cl", "F/C=C\\Cl", "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O", "OCC1OC(O)C(O)C(O)C1O", "BrC(Br)Br"),
    *("CS(=O)(=O)C", "C[N+](=O)[O-]", "CP(=O)(O)O", "C[Si](C)(C)C", "B(O)(O)c1ccccc1", "CC(C)(C)C", "IC(I)I"),
    *("N" + "C" * n for n in range(1, 61)),
    "C" * 60,
)


def covering(space: Any, n: int) -> list[Architecture]:
    """Architectures that together take as many pairs of choices' values as so few can, every value among them."""
    rng = np.random.default_rng(0)
    pool = [space.sample(rng) for _ in range(800)]
    # Wide and deep networks take time and show nothing else.
    small = [a for a in pool if dict(a.assignment)["hidden"] == 32 and len(a.nodes) < 18]
    pool = small or pool

    def pairs(architecture: Architecture) -> set[object]:
        values = architecture.assignment
        return {(a, b) for i, a in enumerate(values) for b in values[i:]}

    covered: set[object] = set()
    chosen: list[Architecture] = []
    for _ in range(n):
        best = max(pool, key=lambda a: (len({p for p in pairs(a) - covered if p[0] == p[1]}), len(pairs(a) - covered)))  # type: ignore[index]
        chosen.append(best)
        covered |= pairs(best)
    return chosen


def differences(network: nn.Module, example: dict[str, Tensor], axes: Any, checks: list[dict[str, Tensor]]) -> float:
    model = torchscript_onnx(network, example, axes)
    return max(onnx_differences(network, model, checks))


@pytest.fixture(scope="module")
def sizes(molecule_inputs: Inputs) -> list[dict[str, Tensor]]:
    """One atom without a bond; one molecule; atoms without any bond in several molecules; a hundred molecules."""
    return [
        molecule_inputs("C"),
        molecule_inputs("CCO"),
        molecule_inputs("C", "O", "[Na+]"),
        molecule_inputs(*HUNDRED),
    ]


def test_a_hundred_molecules() -> None:
    assert len(HUNDRED) == len(set(HUNDRED)) == 100


def check_space(space: Any, architectures: list[Architecture], sizes: Any, molecules: Any, change: Trained) -> None:
    wrong = []
    for index, architecture in enumerate(architectures):
        torch.manual_seed(index)
        network = change(space.build(architecture))
        worst = differences(network, dict(molecules.example(6)), molecules.dynamic_axes(), sizes)
        if worst > TOLERANCE and worst > tolerance(network, sizes):
            wrong.append(f"{worst:.2g} {dict(architecture.assignment)}")
    assert not wrong, "\n".join(wrong)


def tolerance(network: nn.Module, sizes: list[dict[str, Tensor]]) -> float:
    """1e-5, or a few times what single precision leaves of the network's own outputs where that is more."""
    import copy

    double = copy.deepcopy(network).double()
    own = 0.0
    for example in sizes:
        exact = {name: value.double() if value.is_floating_point() else value for name, value in example.items()}
        with evaluating(double), evaluating(network):
            own = max(own, difference(double(*exact.values()).numpy(), network(*example.values()).numpy()))
    return max(TOLERANCE, 3 * own)


@pytest.mark.parametrize("name", ["molecular/default", "molecular/cells"])
def test_spaces_export_to_onnx(
    name: str, molecules: Any, molecular_space: Callable[[str], Any], sizes: Any, trained_looking: Trained
) -> None:
    space = molecular_space(name)
    count = COVERING if name == "molecular/default" else 6
    check_space(space, covering(space, count), sizes, molecules, trained_looking)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["molecular/default", "molecular/cells", "molecular/small"])
def test_random_architectures_export_to_onnx(
    name: str, molecules: Any, molecular_space: Callable[[str], Any], sizes: Any, trained_looking: Trained
) -> None:
    space = molecular_space(name)
    rng = np.random.default_rng(1)
    check_space(space, [space.sample(rng) for _ in range(40)], sizes, molecules, trained_looking)


def test_model_py_of_every_op_computes_the_network(
    molecules: Any, molecular_space: Callable[[str], Any], sizes: Any, trained_looking: Trained
) -> None:
    ops = set()
    for name in ("molecular/default", "molecular/cells"):
        space = molecular_space(name)
        for architecture in covering(space, 16):
            ops |= {node.op for node in architecture.nodes}
            network = trained_looking(space.build(architecture))
            source = model_source(network, molecules.inputs, {})
            assert "gnas" not in source.replace("gnas_", "gnas"), architecture.assignment
            namespace: dict[str, Any] = {"__name__": "alone", "__file__": "model.py"}
            exec(compile(source, "model.py", "exec"), namespace)
            model = namespace["Model"]().eval()
            assert list(model.state_dict()) == list(network.state_dict())
            model.load_state_dict(network.state_dict())
            with torch.no_grad():
                for example in sizes:
                    assert torch.equal(model(*example.values()), network(*example.values()))
    assert {"gcn", "gin", "gine", "gatv2", "pna", "dmpnn", "attentive_fp", "gps", "virtual_node"} <= ops


def test_costs_are_counted_for_every_op(
    molecules: Any, molecular_space: Callable[[str], Any], molecule_inputs: Inputs
) -> None:
    space = molecular_space("molecular/default")
    for architecture in covering(space, 6):
        network = space.build(architecture)
        one, many = (count_costs(network, molecule_inputs(*(["CCO"] * n))) for n in (1, 5))
        assert one.macs == pytest.approx(many.macs)
        assert one.macs > 0
        assert one.memory_bytes == pytest.approx(many.memory_bytes, rel=0.02)


@pytest.fixture(scope="module")
def exported(
    molecules: Any,
    molecular_space: Callable[[str], Any],
    trained_looking: Trained,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Network]:
    """An export of a network with descriptors."""
    space = molecular_space("molecular/small")
    values = {"hidden": 32, "depth": 2, "conv": "gatv2", "norm": "batch", "readout": "max", "descriptors": True}
    network = trained_looking(space.build(space.decode(space.encode(values))))
    assert isinstance(network, Network)
    folder = tmp_path_factory.mktemp("run") / "best"
    report = export_model(network, network.architecture, molecules, folder)
    assert report.warnings == ()
    assert max(report.differences.values()) <= TOLERANCE
    return folder, network


def test_predictions_are_those_of_the_network(
    exported: tuple[Path, Network], molecules: Any, molecule_inputs: Inputs, without_gnas: Any
) -> None:
    folder, network = exported
    with torch.no_grad():
        expected = molecules.predictions(network(*molecule_inputs("CCO", "c1ccccc1", "C").values()))[:, 0]
    for options in ((), ("--onnx",)):
        done = without_gnas(folder / "predict.py", "CCO", "c1ccccc1", "C", *options)
        assert done.returncode == 0, done.stderr
        header, *rows = done.stdout.splitlines()
        assert header == "smiles,solubility"
        assert [float(row.split(",")[1]) for row in rows] == pytest.approx(expected.tolist(), rel=1e-4)


def test_molecules_that_cannot_be_read_stay_empty(
    exported: tuple[Path, Network], tmp_path: Path, without_gnas: Any
) -> None:
    folder, _ = exported
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('id,SMI,solubility\n1,CCO,0.5\n2,C(C,1\n3,"",\n4,CC(=O)[O-].[Na+],2\n', encoding="utf-8")
    done = without_gnas(folder / "predict.py", "--file", str(source), "--column", "SMI", "--out", str(out), "--onnx")
    assert done.returncode == 0, done.stderr
    lines = out.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "id,SMI,solubility,predicted solubility"
    assert lines[2].endswith(",")
    assert lines[3].endswith(",")
    assert float(lines[4].rpartition(",")[2]) != float(lines[1].rpartition(",")[2])
    assert "line 3: no prediction for 'C(C'" in done.stderr
    assert "2 of 4 molecules could not be read" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--file", "absent.csv"), "absent.csv"),
        (("--onnx", "nonsense"), "no prediction for 'nonsense'"),
        ((), "give either SMILES or --file"),
    ],
)
def test_a_prediction_that_cannot_be_made_is_told(
    exported: tuple[Path, Network], without_gnas: Any, arguments: tuple[str, ...], message: str
) -> None:
    done = without_gnas(exported[0] / "predict.py", *arguments)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_shipped_needs_no_gnas(exported: tuple[Path, Network]) -> None:
    folder, _ = exported
    for path in folder.glob("*.py"):
        code = [line for line in path.read_text(encoding="utf-8").splitlines() if "import" in line]
        assert not [line for line in code if "gnas" in line], path.name
    settings = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
    assert settings["targets"] == ["solubility"]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "python predict.py" in readme
    assert "`solubility` in mol/L" in readme
