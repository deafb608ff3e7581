"""Predicts for new molecules with an exported model.

    python predict.py "CCO" "c1ccccc1"
    python predict.py --file molecules.csv --column smiles --out predictions.csv

Shipped beside `model.py`, `featurise.py` and `standardise.py`, which it needs, with NumPy, RDKit and either torch or,
with --onnx, onnxruntime.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from gnas_molecular.featurise import descriptor_names, model_inputs
from gnas_molecular.standardise import Standardiser, UnparsableError

CHUNK = 256
"""Molecules computed at once."""

FOLDER = Path(__file__).resolve().parent

Network = Callable[[Mapping[str, NDArray[Any]]], NDArray[Any]]


class UnusableError(Exception):
    """Nothing can be predicted; the message says why."""


class Predictor:
    """An exported model with what surrounds it.

    Args:
        folder: The export folder.
        onnx: Use `model.onnx` instead of `model.py`.

    Attributes:
        columns: Name of each prediction: the target, or `P(target)` for a probability.

    Raises:
        UnusableError: A file or a package is absent, or this RDKit has other descriptors.
    """

    def __init__(self, folder: Path = FOLDER, *, onnx: bool = False) -> None:
        self._settings: Mapping[str, Any] = json.loads((folder / "preprocess.json").read_text(encoding="utf-8"))
        self._binary = self._settings["task"] == "binary"
        self._standardise = Standardiser(**self._settings["standardise"])
        _check_descriptors(self._settings["descriptor_names"])
        self._network = _onnx_network(folder) if onnx else _torch_network(folder, self._settings["inputs"])
        self.columns = tuple(f"P({name})" if self._binary else name for name in self._settings["targets"])

    def standardised(self, smiles: str) -> str:
        """The molecule as the model reads it.

        Raises:
            UnparsableError: It is no molecule.
        """
        return self._standardise(smiles)

    def __call__(self, smiles: Sequence[str]) -> NDArray[np.float64]:
        """Values in the units of the training data, or probabilities, shape `(molecule, target)`.

        Args:
            smiles: As `standardised` gives them; at least one.
        """
        raw = self._network(model_inputs(smiles, self._settings["descriptors"])).astype(np.float64)
        if self._binary:
            return np.asarray(1.0 / (1.0 + np.exp(-np.clip(raw, -500, 500))))
        return np.asarray(raw * np.asarray(self._settings["target_std"]) + np.asarray(self._settings["target_mean"]))


def predict_all(
    predictor: Predictor, molecules: Sequence[tuple[str, str]], warn: Callable[[str], None]
) -> Iterator[NDArray[np.float64] | None]:
    """One row of predictions a molecule, None where it cannot be read, which `warn` is told.

    Args:
        predictor: The model.
        molecules: Place (`line 7`) and SMILES of each.
        warn: Gets one line for each that cannot be read.
    """
    for start in range(0, len(molecules), CHUNK):
        chunk = molecules[start : start + CHUNK]
        readable: dict[int, str] = {}
        for index, (place, smiles) in enumerate(chunk):
            try:
                readable[index] = predictor.standardised(smiles)
            except UnparsableError as error:
                warn(f"{place}: no prediction for {smiles!r}: {error}")
        rows = dict(zip(readable, predictor(list(readable.values())), strict=True)) if readable else {}
        yield from (rows.get(index) for index in range(len(chunk)))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code: 0 if anything was predicted, 1 if not, 2 for a wrong call."""
    parser = argparse.ArgumentParser(description="Predicts for new molecules.")
    parser.add_argument("smiles", nargs="*", help="molecules as SMILES")
    parser.add_argument("--file", type=Path, help="CSV file with a column of SMILES")
    parser.add_argument("--column", default="smiles", help="name of that column (default: smiles)")
    parser.add_argument("--out", type=Path, help="CSV file to write (default: the screen)")
    parser.add_argument("--onnx", action="store_true", help="use model.onnx through onnxruntime instead of torch")
    options = parser.parse_args(arguments)
    if bool(options.smiles) == (options.file is not None):
        parser.error("give either SMILES or --file")
    try:
        header, rows, molecules = _read(options)
        predictor = Predictor(onnx=options.onnx)
        warned: list[str] = []
        predictions = list(predict_all(predictor, molecules, lambda line: _warn(line, warned)))
        if options.out is None:
            _write(sys.stdout, header, rows, predictor.columns, predictions)
        else:
            with options.out.open("w", newline="", encoding="utf-8") as file:
                _write(file, header, rows, predictor.columns, predictions)
    except (UnusableError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if warned:
        print(f"{len(warned)} of {len(molecules)} molecules could not be read", file=sys.stderr)
    return 0 if len(warned) < len(molecules) else 1


def _read(options: argparse.Namespace) -> tuple[list[str], list[list[str]], list[tuple[str, str]]]:
    """Header, rows, and place and SMILES of each row."""
    if options.file is None:
        return ["smiles"], [[text] for text in options.smiles], [("argument", text) for text in options.smiles]
    with options.file.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        if options.column not in header:
            names = ", ".join(header) or "none, the file is empty"
            raise UnusableError(f"{options.file}: no column {options.column!r}; columns: {names}")
        rows, molecules = [], []
        position = header.index(options.column)
        for row in reader:
            if not row:
                continue
            row += [""] * (len(header) - len(row))
            rows.append(row)
            molecules.append((f"{options.file} line {reader.line_num}", row[position]))
    return header, rows, molecules


def _write(
    file: TextIO,
    header: list[str],
    rows: list[list[str]],
    columns: Sequence[str],
    predictions: Sequence[NDArray[np.float64] | None],
) -> None:
    """The rows with the predictions after them; a prediction whose name is taken gets another."""
    named = [f"predicted {name}" if name in header else name for name in columns]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*header, *named])
    for row, prediction in zip(rows, predictions, strict=True):
        cells = [""] * len(named) if prediction is None else [f"{value:.6g}" for value in prediction]
        writer.writerow([*row, *cells])


def _warn(line: str, warned: list[str]) -> None:
    warned.append(line)
    print(f"warning: {line}", file=sys.stderr)


def _check_descriptors(expected: Sequence[str]) -> None:
    present = descriptor_names()
    if tuple(expected) != tuple(present):
        import rdkit

        changed = sorted(set(expected) ^ set(present))[:3]
        raise UnusableError(
            f"RDKit {rdkit.__version__} has other descriptors than the model was trained on "
            f"({', '.join(changed) or 'another order'}); install the RDKit version named in README.md"
        )


def _torch_network(folder: Path, names: Sequence[str]) -> Network:
    _require("torch", folder / "model.py")
    import torch

    spec = importlib.util.spec_from_file_location("exported_model", folder / "model.py")
    if spec is None or spec.loader is None:
        raise UnusableError(f"{folder / 'model.py'} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load(folder / "weights.safetensors")

    def run(inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(network(*(torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in names)))

    return run


def _onnx_network(folder: Path) -> Network:
    _require("onnxruntime", folder / "model.onnx")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Errors only: sizes that vary with the molecules make it warn.
    options.log_severity_level = 3
    file = str(folder / "model.onnx")
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    return lambda inputs: np.asarray(session.run(None, {name: inputs[name] for name in names})[0])


def _require(package: str, file: Path) -> None:
    if not file.is_file():
        raise UnusableError(f"{file} is absent")
    if importlib.util.find_spec(package) is None:
        raise UnusableError(f"{file.name} needs {package}: pip install {package}")


if __name__ == "__main__":
    raise SystemExit(main())
