from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from gnas.build import Network, build_network
from gnas.errors import ExportError
from gnas.export.model_file import literal, model_source
from gnas.testing.toy import ToySpace, ToyTask


def toy_network(seed: int = 0) -> Network:
    space = ToySpace()
    network = space.build(space.sample(np.random.default_rng(seed)))
    assert isinstance(network, Network)
    return network


def executed(source: str) -> dict[str, object]:
    space: dict[str, object] = {"__name__": "alone", "__file__": "model.py"}
    exec(compile(source, "model.py", "exec"), space)
    return space


@pytest.mark.parametrize("seed", range(4))
def test_the_file_computes_the_network(seed: int) -> None:
    network, task = toy_network(seed), ToyTask.make()
    model = executed(model_source(network, task.inputs, {}))["Model"]()  # type: ignore[operator]
    assert list(model.state_dict()) == list(network.state_dict())
    model.load_state_dict(network.state_dict())
    x = task.example(9)["x"]
    with torch.no_grad():
        assert torch.equal(model(x), network(x))


def test_the_file_imports_torch_only_and_names_shapes() -> None:
    source = model_source(toy_network(), ToyTask.make().inputs, {"run": 'a "quoted" \\ name\nand a line'})
    assert "import gnas" not in source
    assert "from gnas" not in source
    assert "# rows (row, 1)" in source
    assert "run: a 'quoted' / name and a line" in source
    assert source == model_source(toy_network(), ToyTask.make().inputs, {"run": 'a "quoted" \\ name\nand a line'})


def test_the_file_is_formatted(tmp_path: Path) -> None:
    ruff = shutil.which("ruff") or str(Path(__import__("sys").executable).with_name("ruff"))
    if not Path(ruff).exists():
        pytest.skip("ruff is not installed")
    (tmp_path / "model.py").write_text(model_source(toy_network(), ToyTask.make().inputs, {}), encoding="utf-8")
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [ruff, *command, "--isolated", "--line-length", "120", str(tmp_path / "model.py")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_literals_read_back() -> None:
    for value in (None, True, 3, -0.5, 1e-30, "a\"b'c\n", [1, [2.0, "x"]], (1,), (1, 2), {"a": [1], "b": None}):
        assert eval(literal(value)) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), torch.ones(1), {1, 2}])
def test_what_is_no_literal_is_refused(value: object) -> None:
    with pytest.raises(ExportError, match="cannot be written as source"):
        literal(value)


def test_long_calls_are_wrapped() -> None:
    space = ToySpace(depth=3)
    architecture = space.sample(np.random.default_rng(0))
    task = ToyTask.make()
    from dataclasses import replace

    nodes = tuple(
        node if node.op == "input" else replace(node, name=f"{'very_' * 12}long_{index}")
        for index, node in enumerate(architecture.nodes)
    )
    network = build_network(replace(architecture, nodes=nodes), task.ops, task.inputs, task.output)
    source = model_source(network, task.inputs, {})
    assert max(map(len, source.splitlines())) <= 170
    executed(source)
