"""The shipped command, in this process: several targets, probabilities, awkward files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gnas_molecular import predict
from gnas_molecular.predict import Predictor, UnusableError, main, predict_all

from gnas.architecture import Value
from gnas.export.model import export_model

ROWS = [("C" * n + tail, n % 2, int(tail == "O")) for n in range(1, 16) for tail in ("O", "N")]


@pytest.fixture(scope="module")
def toxic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """An export of a network with two binary targets, some labels missing; the task; the network."""
    from gnas_molecular.domain import DOMAIN

    from gnas.space import load_space

    folder = tmp_path_factory.mktemp("toxic")
    lines = [f"{smiles},{odd},{'' if index % 5 == 0 else acid}" for index, (smiles, odd, acid) in enumerate(ROWS)]
    (folder / "data.csv").write_text("\n".join(["smiles,odd,acid", *lines]) + "\n", encoding="utf-8")
    data = DOMAIN.data_model.model_validate(
        {"file": "data.csv", "targets": ["odd", "acid"], "task": "binary", "split": {"kind": "random"}}
    )
    task = DOMAIN.task(data, metric=None, base=folder, cache=folder / "cache")
    space = load_space("molecular/small").bind(task.ops, task.inputs, task.output)
    values: dict[str, Value] = {
        "hidden": 32,
        "depth": 1,
        "conv": "gin",
        "norm": "none",
        "readout": "sum",
        "descriptors": False,
    }
    network = space.build(space.decode(space.encode(values))).eval()
    export_model(network, network.architecture, task, folder / "best", ("model.py", "onnx"))
    return folder / "best", task, network


@pytest.mark.parametrize("onnx", [False, True])
def test_probabilities_of_several_targets(toxic: tuple[Path, Any, Any], onnx: bool) -> None:
    folder, task, network = toxic
    predictor = Predictor(folder, onnx=onnx)
    assert predictor.columns == ("P(odd)", "P(acid)")
    smiles = task.smiles["train"][:5]
    example = {name: tensor for batch in task.batches("train", 1000) for name, tensor in batch.inputs.items()}
    with torch.no_grad():
        expected = task.predictions(network(*example.values()))[:5]
    assert predictor(smiles) == pytest.approx(expected, abs=1e-5)


def test_molecules_are_predicted_in_chunks_like_in_one(
    toxic: tuple[Path, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(toxic[0], onnx=True)
    molecules = [(f"line {index}", smiles) for index, (smiles, _, _) in enumerate(ROWS)]
    molecules.insert(3, ("line x", "C1CC"))
    whole = list(predict_all(predictor, molecules, lambda line: None))
    monkeypatch.setattr(predict, "CHUNK", 4)
    told: list[str] = []
    pieces = list(predict_all(predictor, molecules, told.append))
    assert len(told) == 1
    assert told[0].startswith("line x: no prediction for 'C1CC'")
    assert whole[3] is None and pieces[3] is None
    assert all(a == pytest.approx(b, abs=1e-6) for a, b in zip(whole, pieces, strict=True) if a is not None)


def test_awkward_files(
    toxic: tuple[Path, Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predict, "FOLDER", toxic[0])
    monkeypatch.setattr(Predictor.__init__, "__defaults__", (toxic[0],))
    source = tmp_path / "in.csv"
    source.write_text('\ufeffsmiles,note\nCCO\n\n"CCN","a, b"\n', encoding="utf-8")
    assert main(["--file", str(source), "--onnx"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "smiles,note,P(odd),P(acid)"
    assert lines[1].startswith("CCO,,0.")
    assert lines[2].startswith('CCN,"a, b",0.')
    assert main(["--file", str(source), "--column", "SMILES", "--onnx"]) == 1
    assert "no column 'SMILES'; columns: smiles, note" in capsys.readouterr().err
    source.write_text("", encoding="utf-8")
    assert main(["--file", str(source), "--onnx"]) == 1
    assert "the file is empty" in capsys.readouterr().err
    assert main(["--onnx", "not a molecule"]) == 1


def test_another_rdkit_and_missing_files_are_told(
    toxic: tuple[Path, Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("preprocess.json",):
        (tmp_path / name).write_bytes((toxic[0] / name).read_bytes())
    with pytest.raises(UnusableError, match=r"model\.onnx is absent"):
        Predictor(tmp_path, onnx=True)
    monkeypatch.setattr(predict, "descriptor_names", lambda: ("MolWt", "NewOne"))
    with pytest.raises(UnusableError, match="has other descriptors"):
        Predictor(toxic[0], onnx=True)
