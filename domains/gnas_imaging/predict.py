"""Predicts for new images with an exported model.

    python predict.py image.png other.png
    python predict.py --folder images --out predictions.csv

Shipped beside `model.py` and `reading.py`, which it needs, with NumPy, Pillow and either torch or, with --onnx,
onnxruntime.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnas_imaging.reading import (
    AbsentPackageError,
    Pixels,
    UnreadableError,
    as_bytes,
    nearest,
    read_image,
    resized,
    with_channels,
)

FOLDER = Path(__file__).resolve().parent

Network = Callable[[NDArray[np.float32]], NDArray[Any]]
Row = tuple[Path, NDArray[np.float64] | None]


class UnusableError(Exception):
    """Nothing can be predicted; the message says why."""


class Predictor:
    """An exported model with what surrounds it.

    Args:
        folder: The export folder.
        onnx: Use `model.onnx` instead of `model.py`.

    Attributes:
        columns: Name of each prediction: the target, or `P(class)` for a probability.
        masks: Whether it predicts masks.

    Raises:
        UnusableError: A file or a package is absent.
    """

    def __init__(self, folder: Path = FOLDER, *, onnx: bool = False) -> None:
        self._settings: Mapping[str, Any] = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        self._network = _onnx_network(folder) if onnx else _torch_network(folder)
        names = self._settings["names"]
        kind = self._settings["task"]
        shown = names[1:] if kind == "binary" else names
        form = {"regression": "{}", "segmentation": "share of {}"}.get(kind, "P({})")
        self.columns = tuple(form.format(name) for name in shown)
        self.masks = kind == "segmentation"

    def prepared(self, pixels: Pixels) -> NDArray[np.float32]:
        """An image `(…, channel)` as the model reads it, `(channel, …)`.

        Raises:
            UnreadableError: It has another number of dimensions, or more bits.
        """
        settings = self._settings
        size = settings["size"]
        if pixels.ndim != len(size) + 1:
            raise UnreadableError(f"{pixels.ndim - 1} dimensions; the model reads {len(size)}")
        if settings["window"] is None and pixels.dtype != np.uint8:
            raise UnreadableError(f"values of {pixels.dtype}; the model was trained on images of 8 bits")
        pixels = with_channels(resized(pixels, size), settings["channels"])
        values = np.moveaxis(as_bytes(pixels, settings["window"]), -1, 0).astype(np.float32) / 255.0
        shape = (-1, *[1] * len(size))
        mean, std = (np.array(settings[key], dtype=np.float32).reshape(shape) for key in ("image_mean", "image_std"))
        return np.ascontiguousarray((values - mean) / std)

    def __call__(self, images: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """Values in the units of the training data, or probabilities, `(image, column)`; of masks `(image, class, …)`.

        Args:
            images: As `prepared` gives them; at least one.
        """
        raw = self._network(np.stack(images)).astype(np.float64)
        if self._settings["task"] in ("multiclass", "segmentation"):
            weight = np.exp(raw - raw.max(axis=1, keepdims=True))
            return np.asarray(weight / weight.sum(axis=1, keepdims=True))
        if self._settings["task"] == "regression":
            return np.asarray(
                raw * np.asarray(self._settings["target_std"]) + np.asarray(self._settings["target_mean"])
            )
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(raw, -500, 500))))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 if anything was predicted, 1 if not, 2 for a wrong call."""
    parser = argparse.ArgumentParser(description="Predicts for new images.")
    parser.add_argument("images", nargs="*", type=Path, help="image files")
    parser.add_argument("--folder", type=Path, help="folder all files of which are read")
    parser.add_argument("--out", type=Path, help="CSV file to write (default: the screen)")
    parser.add_argument("--masks", type=Path, help="folder to write predicted masks to")
    parser.add_argument("--onnx", action="store_true", help="use model.onnx through onnxruntime instead of torch")
    options = parser.parse_args(arguments)
    if bool(options.images) == (options.folder is not None):
        parser.error("give either images or --folder")
    try:
        paths = options.images or sorted(path for path in options.folder.rglob("*") if path.is_file())
        predictor = Predictor(onnx=options.onnx)
        if options.masks is not None and not predictor.masks:
            parser.error("this model predicts no masks")
        rows, failed = _predicted(predictor, paths, options.masks)
        if options.out is None:
            _write(csv.writer(sys.stdout, lineterminator="\n"), predictor.columns, rows)
        else:
            with options.out.open("w", newline="", encoding="utf-8") as file:
                _write(csv.writer(file, lineterminator="\n"), predictor.columns, rows)
    except (UnusableError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if failed:
        print(f"{failed} of {len(paths)} images could not be read", file=sys.stderr)
    return 0 if failed < len(paths) else 1


def _predicted(predictor: Predictor, paths: Sequence[Path], masks: Path | None) -> tuple[list[Row], int]:
    """A row for each image, None where it cannot be read, and how many cannot."""
    rows: list[Row] = []
    failed = 0
    for path in paths:
        try:
            pixels = read_image(path)
            found = predictor([predictor.prepared(pixels)])[0]
            if predictor.masks:
                classes = found.argmax(axis=0)
                found = np.array([(classes == c).mean() for c in range(len(found))])
                if masks is not None:
                    _save_mask(nearest(classes, pixels.shape[:-1]).astype(np.uint8), masks, path)
            rows.append((path, found))
        except AbsentPackageError as error:
            raise UnusableError(f"{path} needs {error}: pip install {error}") from error
        except UnreadableError as error:
            print(f"warning: no prediction for {path}: {error}", file=sys.stderr)
            rows.append((path, None))
            failed += 1
    return rows, failed


def _save_mask(mask: NDArray[np.uint8], folder: Path, path: Path) -> None:
    """A mask of an image as PNG, of a volume as NumPy file, under the name of its image."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = path.name.partition(".")[0]
    if mask.ndim == 3:
        np.save(folder / f"{stem}.npy", mask)
        return
    from PIL import Image

    Image.fromarray(mask).save(folder / f"{stem}.png")


def _write(writer: Any, columns: Sequence[str], rows: Sequence[Row]) -> None:
    writer.writerow(["image", *columns])
    for path, row in rows:
        writer.writerow([str(path), *([""] * len(columns) if row is None else (f"{value:.6g}" for value in row))])


def _torch_network(folder: Path) -> Network:
    _require("torch", folder / "model.py")
    import torch

    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    if spec is None or spec.loader is None:
        raise UnusableError(f"{folder / 'model.py'} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load(folder / "weights.safetensors")

    def run(images: NDArray[np.float32]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(images)))

    return run


def _onnx_network(folder: Path) -> Network:
    _require("onnxruntime", folder / "model.onnx")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    file = str(folder / "model.onnx")
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (name,) = [item.name for item in session.get_inputs()]
    return lambda images: np.asarray(session.run(None, {name: images})[0])


def _require(package: str, file: Path) -> None:
    if not file.is_file():
        raise UnusableError(f"{file} is absent")
    if importlib.util.find_spec(package) is None:
        raise UnusableError(f"{file.name} needs {package}: pip install {package}")


if __name__ == "__main__":
    raise SystemExit(main())
