"""Molecules of varied size as a task, and every op of the molecular domain in one table."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

SMILES = (
    "C",
    "O",
    "N",
    "[Na+]",
    "C#N",
    "CO",
    "CCO",
    "C1CC1",
    "CC(=O)O",
    "c1ccccc1",
    "C[C@H](N)C(=O)O",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CC(C)(C)c1ccc(cc1)C(=O)Nc1ccc(cc1)S(=O)(=O)N",
    "C" * 40,
    "F/C=C/Cl",
    "O=C(O)c1ccccc1OC(C)=O",
    "CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O",
    "CCCCCCCCCCCCCCCC(=O)OCC(O)CO",
    "BrC(Br)Br",
)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small networks are fastest so, and tests share the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def molecules(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A regression task of forty molecules, from single atoms to forty of them."""
    from gnas_molecular.domain import DOMAIN

    folder = tmp_path_factory.mktemp("molecules")
    grown = [f"{text}.O" if index % 7 == 0 else text for index, text in enumerate(SMILES)]
    unique = dict.fromkeys([*grown, *(f"{'C' * n}N" for n in range(1, 21))])
    lines = [f"{text},{0.3 * len(text) - 2:.2f}" for text in unique]
    (folder / "molecules.csv").write_text("\n".join(["smiles,solubility", *lines]) + "\n", encoding="utf-8")
    data = DOMAIN.data_model.model_validate(
        {"file": "molecules.csv", "targets": "solubility", "unit": "mol/L", "split": {"kind": "random"}}
    )
    return DOMAIN.task(data, metric=None, base=folder, cache=folder / "cache")


@pytest.fixture(scope="session")
def molecule_inputs(molecules: Any) -> Callable[..., dict[str, Tensor]]:
    """Model inputs of given SMILES."""
    from gnas_molecular.featurise import model_inputs

    def inputs(*smiles: str) -> dict[str, Tensor]:
        arrays = model_inputs(smiles, molecules.preprocessing["descriptors"])
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    return inputs


@pytest.fixture(scope="session")
def trained_looking() -> Callable[[nn.Module], nn.Module]:
    """Makes every bias, scale and running statistic of a network differ from its initial value."""

    def change(network: nn.Module) -> nn.Module:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for name, buffer in network.named_buffers():
                if name.endswith("running_mean"):
                    buffer.normal_(0, 0.3, generator=generator)
                elif name.endswith("running_var"):
                    buffer.uniform_(0.5, 2.0, generator=generator)
            for parameter in network.parameters():
                if parameter.dim() <= 1:
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        return network.eval()

    return change


@pytest.fixture(scope="session")
def molecular_space(molecules: Any) -> Callable[[str], Any]:
    """A shipped molecular space bound to the task."""
    from gnas.space import load_space

    @cache
    def bound(name: str) -> Any:
        return load_space(name).bind(molecules.ops, molecules.inputs, molecules.output)

    return bound


_BLOCKER = """
import os, runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].partition("_")[0] == "gnas":
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="session")
def without_gnas(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a Python script in a process where gnas and its packages cannot be imported."""
    blocker = tmp_path_factory.mktemp("blocker") / "without_gnas.py"
    blocker.write_text(_BLOCKER, encoding="utf-8")

    def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(blocker), str(script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=blocker.parent)

    return run
