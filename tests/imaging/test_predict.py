"""What is shipped beside a model sees an image as the training did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gnas_imaging.predict import Predictor, UnusableError, main
from gnas_imaging.reading import UnreadableError, read_image
from gnas_imaging.takeaway import shipped_source
from gnas_imaging.testing import arrays, task_of
from PIL import Image


def predictor_of(folder: Path, monkeypatch: pytest.MonkeyPatch, settings: object) -> Predictor:
    (folder / "preprocess.json").write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setattr("gnas_imaging.predict._torch_network", lambda folder: lambda images: images.mean(axis=(2, 3)))
    return Predictor(folder)


@pytest.mark.parametrize("window", [None, (20, 180)])
def test_an_image_is_prepared_as_for_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: tuple[int, int] | None
) -> None:
    content = arrays(channels=3)
    task = task_of(tmp_path, content, size=[9, 7], window=window)
    predictor = predictor_of(tmp_path, monkeypatch, task.preprocessing)
    (batch,) = task.batches("test", 100)
    Image.fromarray(content["test_images"][4]).save(tmp_path / "a.png")
    assert torch.allclose(
        torch.from_numpy(predictor.prepared(read_image(tmp_path / "a.png"))), batch.inputs["image"][4], atol=1e-6
    )
    Image.fromarray(content["test_images"][4]).convert("L").save(tmp_path / "b.png")
    assert predictor.prepared(read_image(tmp_path / "b.png")).shape == (3, 9, 7)


def test_outputs_become_predictions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = np.random.default_rng(0).normal(size=(5, 3))
    for kind, names in (
        ("multiclass", ["a", "b", "c"]),
        ("multilabel", ["a", "b", "c"]),
        ("regression", ["x", "y", "z"]),
    ):
        content = arrays(classes=3)
        if kind != "multiclass":
            for part in ("train", "val", "test"):
                content[f"{part}_labels"] = np.eye(3)[content[f"{part}_labels"][:, 0]]
        task = task_of(tmp_path, content, task=kind)
        predictor = predictor_of(tmp_path, monkeypatch, {**task.preprocessing, "names": names})
        expected = task.predictions(torch.from_numpy(raw))
        monkeypatch.setattr(predictor, "_network", lambda images: raw)
        assert np.allclose(predictor([np.zeros((1, 2, 2), dtype=np.float32)]), expected)
        assert predictor.columns == (tuple(names) if kind == "regression" else tuple(f"P({n})" for n in names))


def test_deep_images_and_volumes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = predictor_of(tmp_path, monkeypatch, task_of(tmp_path, arrays()).preprocessing)
    assert predictor.columns == ("P(1)",)
    Image.fromarray(np.zeros((8, 8), dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableError, match="8 bits"):
        predictor.prepared(read_image(tmp_path / "a.png"))
    np.save(tmp_path / "b.npy", np.zeros((5, 8, 9), dtype=np.uint8))
    with pytest.raises(UnreadableError, match="3 dimensions; the model reads 2"):
        predictor.prepared(read_image(tmp_path / "b.npy"))


def test_a_wrong_call_and_an_absent_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    (tmp_path / "preprocess.json").write_text("{}", encoding="utf-8")
    for onnx in (False, True):
        with pytest.raises(UnusableError, match=r"model\.(py|onnx) is absent"):
            Predictor(tmp_path, onnx=onnx)


def test_shipped_files_import_nothing_of_ours() -> None:
    for name in ("predict", "reading"):
        assert "gnas" not in shipped_source(name)
