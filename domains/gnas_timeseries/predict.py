"""Predicts for new signals with an exported model.

    python predict.py --file series.csv --out predictions.csv
    python predict.py --file series.npz
    python predict.py --footprint

A CSV is wide: one row a series, its columns of values channel after channel. An `.npz` holds `X`, shape
(series, channel, step). Shipped beside `model.py`, which it needs, with NumPy and either torch or, with --onnx,
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
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

CHUNK = 256
"""Series computed at once."""

FOLDER = Path(__file__).resolve().parent

Network = Callable[[NDArray[np.float32]], NDArray[Any]]


class UnusableError(Exception):
    """Nothing can be predicted; the message says why."""


def scaled(values: NDArray[Any], steps: NDArray[np.int64], settings: Mapping[str, Any]) -> NDArray[np.float32]:
    """Scaled series, as the network reads them.

    Args:
        values: `(series, channel, step)` in data units.
        steps: `(series,)`, how many of the steps are there.
        settings: `kind` (`channel`, `series` or `none`), `mean` and `std` of the channels, and `mask`.

    Returns:
        Shape `(series, channel, step)`, zeros where steps are not there; `mask` adds a channel, 1 where they are.
    """
    there = (np.arange(values.shape[2]) < steps[:, None])[:, None]
    x = values.astype(np.float32)
    if settings["kind"] == "series":
        count = steps[:, None, None].astype(np.float32)
        mean = np.where(there, x, 0.0).sum(axis=2, keepdims=True) / count
        spread = np.sqrt(np.where(there, np.square(x - mean), 0.0).sum(axis=2, keepdims=True) / count)
        x = (x - mean) / np.where(spread > 1e-6 * np.maximum(1.0, np.abs(mean)), spread, 1.0)
    else:
        mean, std = (np.asarray(settings[name], dtype=np.float32)[:, None] for name in ("mean", "std"))
        x = (x - mean) / std
    x = np.where(there, x, 0.0).astype(np.float32)
    if settings["mask"]:
        x = np.concatenate([x, there.astype(np.float32)], axis=1)
    return np.ascontiguousarray(x, dtype=np.float32)


def probabilities(raw: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Probabilities `(series, class or target)` from outputs; those of the classes of a classification sum to 1."""
    if kind == "classification":
        exponent = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(raw, -500, 500))))


def filled(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Series without gaps, and how many steps each has; NaN at an end in all channels makes it shorter.

    Args:
        values: `(series, channel, step)`.

    Raises:
        UnusableError: A channel of a series is empty.
    """
    present = np.asarray(~np.isnan(values).all(axis=1))
    steps = np.where(present.any(axis=1), values.shape[2] - present[:, ::-1].argmax(axis=1), 0)
    result = values.copy()
    for row, channel in np.argwhere(np.isnan(values).any(axis=2)).tolist():
        line = result[row, channel, : steps[row]]
        gaps = np.isnan(line)
        if gaps.all():
            raise UnusableError(f"series {row + 1}: channel {channel + 1} is empty")
        line[gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), line[~gaps])
    return np.nan_to_num(result, nan=0.0), steps.astype(np.int64)


def reflected(place: NDArray[np.int64], length: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in series; one before the beginning is that as far behind it, back and forth where a series is short.

    Args:
        place: `(series, step)`, of which those before the beginning are negative.
        length: `(series, 1)`, steps of each series.
    """
    period = np.maximum(2 * (length - 1), 1)
    back = np.abs(place) % period
    return np.asarray(np.where(place < 0, np.minimum(back, period - back), place))


def lengthened(values: NDArray[np.float64], there: NDArray[np.int64], steps: int) -> NDArray[np.float64]:
    """Series of `steps` steps that end where the given ones do; what is missing before is the signal reflected.

    Args:
        values: `(series, channel, step)`.
        there: `(series,)`, how many of the steps are there.
        steps: Of the result.
    """
    place = reflected(np.arange(steps) - (steps - there[:, None]), there[:, None])
    return np.take_along_axis(values, np.repeat(place[:, None], values.shape[1], axis=1), axis=2)


def capped(values: NDArray[np.float64], cap: float | None) -> NDArray[np.float64]:
    """Values, those above the largest that a target can have being that one."""
    return values if cap is None else np.minimum(values, cap)


class Predictor:
    """An exported model with what surrounds it.

    Args:
        folder: The export folder.
        onnx: Use `model.onnx` instead of `model.py`.

    Attributes:
        settings: What `preprocess.json` holds.
        columns: Names of the predictions: `P(class)`, `P(target)`, or the target.

    Raises:
        UnusableError: A file or a package is absent.
    """

    def __init__(self, folder: Path = FOLDER, *, onnx: bool = False) -> None:
        self.settings: Mapping[str, Any] = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        self._network = _onnx_network(folder) if onnx else _torch_network(folder)
        names = self.settings["classes"] or self.settings["targets"]
        self.columns = tuple(names if self.settings["task"] == "regression" else (f"P({name})" for name in names))

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Values in the units of the training data, or probabilities, shape `(series, class or target)`.

        Args:
            values: `(series, channel, step)` in the units of the training data; NaN where missing.

                Where the model was trained on windows that begin before their recording, the missing earlier steps of
                a shorter series are the signal reflected, as they were then.

        Raises:
            UnusableError: Another number of channels or steps than the model reads.
        """
        channels, steps = len(self.settings["channels"]), int(self.settings["steps"])
        if values.ndim != 3 or values.shape[1] != channels:
            raise UnusableError(f"series of shape {values.shape}; the model reads (series, {channels}, {steps})")
        whole, there = filled(np.asarray(values, dtype=np.float64)[:, :, :steps])
        mask, least = bool(self.settings["signals"]["mask"]), self.settings.get("least")
        if least and len(whole) and int(there.min()) >= least:
            whole, there = lengthened(whole, there, steps), np.full(len(whole), steps)
        if not len(whole) or (not mask and int(there.min()) < steps) or int(there.min()) < 1:
            raise UnusableError(f"a series has fewer than the {least or steps} steps that the model reads")
        padded = np.zeros((len(whole), channels, steps))
        padded[:, :, : whole.shape[2]] = whole
        x = scaled(padded, there, self.settings["signals"])
        parts = [self._network(x[first : first + CHUNK]) for first in range(0, len(x), CHUNK)]
        raw = np.concatenate(parts).astype(np.float64)
        if self.settings["task"] == "regression":
            values = raw * np.asarray(self.settings["target_std"]) + np.asarray(self.settings["target_mean"])
            return capped(values, self.settings.get("cap"))
        return probabilities(raw, self.settings["task"])


def footprint(folder: Path = FOLDER) -> Mapping[str, int]:
    """Bytes that the model takes at int8 on a microcontroller, estimated from shapes.

    Returns:
        `flash_bytes`: one a parameter. `ram_bytes`: the largest input and output of one layer together, one a value, as
        normalisation and activations are computed in place; what a residual connection keeps meanwhile comes on top.
    """
    model = _exported(folder)
    import torch

    settings = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
    pairs = [0]

    def watch(module: Any, inputs: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if first.shape != inputs[0].shape or any(weight.dim() > 1 for weight in module.parameters()):
            pairs.append(sum(value.numel() for value in inputs) + first.numel())

    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(watch)
    channels = len(settings["channels"]) + bool(settings["signals"]["mask"])
    with torch.no_grad():
        model(torch.zeros(1, channels, int(settings["steps"])))
    return {"flash_bytes": sum(weight.numel() for weight in model.parameters()), "ram_bytes": max(pairs)}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0, or 1 if nothing could be predicted."""
    parser = argparse.ArgumentParser(description="Predicts for new signals.")
    parser.add_argument("--file", type=Path, help="wide CSV, or .npz with X (series, channel, step)")
    parser.add_argument("--out", type=Path, help="CSV file to write (default: the screen)")
    parser.add_argument("--onnx", action="store_true", help="use model.onnx through onnxruntime instead of torch")
    parser.add_argument("--footprint", action="store_true", help="estimate what a microcontroller needs at int8")
    options = parser.parse_args(arguments)
    if options.footprint == (options.file is not None):
        parser.error("give either --file or --footprint")
    try:
        if options.footprint:
            print(", ".join(f"{name} {value}" for name, value in footprint().items()))
            return 0
        predictor = Predictor(onnx=options.onnx)
        predicted = predictor(_read(options.file, len(predictor.settings["channels"])))
        if options.out is None:
            _write(sys.stdout, predictor, predicted)
        else:
            with options.out.open("w", newline="", encoding="utf-8") as file:
                _write(file, predictor, predicted)
    except (UnusableError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _read(path: Path, channels: int) -> NDArray[Any]:
    """Series `(series, channel, step)`."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            if "X" not in archive.files:
                raise UnusableError(f"{path}: no array X; arrays: {', '.join(archive.files)}")
            values: NDArray[Any] = archive["X"]
        return values[:, None] if values.ndim == 2 else values
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row][1:]
    if not rows:
        raise UnusableError(f"{path}: no rows after the header")
    try:
        table = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in rows])
    except ValueError as error:
        raise UnusableError(f"{path}: {error}; all columns must be values of the series") from error
    if table.shape[1] % channels:
        raise UnusableError(f"{path}: {table.shape[1]} columns cannot be shared out to {channels} channels")
    return table.reshape(len(table), channels, -1)


def _write(file: TextIO, predictor: Predictor, predicted: NDArray[np.float64]) -> None:
    """One row a series: the predictions, and for a classification the likeliest class before them."""
    classes = predictor.settings["classes"]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*(["class"] if classes else []), *predictor.columns])
    for row in predicted:
        first = [classes[int(row.argmax())]] if classes else []
        writer.writerow([*first, *(f"{value:.6g}" for value in row)])


def _exported(folder: Path) -> Any:
    """The model with its weights."""
    _require("torch", folder / "model.py")
    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    if spec is None or spec.loader is None:
        raise UnusableError(f"{folder / 'model.py'} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(folder / "weights.safetensors")


def _torch_network(folder: Path) -> Network:
    network = _exported(folder)
    import torch

    def run(series: NDArray[np.float32]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(network(torch.from_numpy(series)))

    return run


def _onnx_network(folder: Path) -> Network:
    _require("onnxruntime", folder / "model.onnx")
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    return lambda series: np.asarray(session.run(None, {session.get_inputs()[0].name: series})[0])


def _require(package: str, file: Path) -> None:
    if not file.is_file():
        raise UnusableError(f"{file} is absent")
    if importlib.util.find_spec(package) is None:
        raise UnusableError(f"{file.name} needs {package}: pip install {package}")


if __name__ == "__main__":
    raise SystemExit(main())
