"""README of an export folder: what the files are, how good the model is, what it was trained on, its limits."""

from __future__ import annotations

from collections.abc import Mapping

import gnas
from gnas.architecture import Architecture
from gnas.build import Network
from gnas.domain import Task
from gnas.export.report import TOLERANCE, ExportReport, Origin

_FILES: Mapping[str, str] = {
    "model.py": "the network as plain PyTorch: `from model import load; network = load()`",
    "weights.safetensors": "its trained weights",
    "model.onnx": "the network for ONNX Runtime; inputs by name, batches of any size",
    "model.pt2": 'the network as a `torch.export` program: `torch.export.load("model.pt2").module()`',
    "architecture.json": "the architecture as gnas reads it",
    "parity.json": "how closely the files above agree with the searched model",
}


def readme(
    task: Task, architecture: Architecture, network: Network, report: ExportReport, origin: Origin, usage: str
) -> str:
    """The whole text.

    Args:
        task: What the model was trained for.
        architecture: Of the model.
        network: The model.
        report: What was written.
        origin: Where the model comes from.
        usage: The domain's part: how to use the model, and its limits.
    """
    n_params = sum(parameter.numel() for parameter in network.parameters())
    parts = [
        f"# {task.name}: a network found by architecture search",
        f"Made by gnas {gnas.__version__}. {n_params:,} parameters, {len(network.layers)} layers, architecture "
        f"`{architecture.digest[:12]}`." + "".join(f" {note}" for note in origin.notes),
        usage.strip(),
        "## Files",
        "\n".join(f"- `{name}`: {_FILES[name]}" for name in report.files if name in _FILES),
        "## How good it is",
        _metrics(task, origin),
        "## Data",
        _data(task),
        "## Agreement with the searched model",
        _parity(report),
        "## Limits",
        "The network knows what its training data show and nothing else: expect larger errors on examples unlike them. "
        "Metrics above are of one split; another split gives other figures.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metrics(task: Task, origin: Origin) -> str:
    names = [metric for metric in task.metrics if metric.name in origin.validation or metric.name in origin.test]
    if not names:
        return "Not measured for this export."
    rows = ["| metric | validation | test |", "|---|---|---|"]
    for metric in names:
        cells = [_figure(part.get(metric.name)) for part in (origin.validation, origin.test)]
        unit = f" ({metric.unit})" if metric.unit else ""
        rows.append(f"| {metric.name}{unit} | {cells[0]} | {cells[1]} |")
    told = "The architecture was chosen on validation data"
    told += (
        "; the test part was read once, for this table." if origin.test else ", which flatters it; test was not read."
    )
    return "\n".join(rows) + f"\n\n{told}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _data(task: Task) -> str:
    summary = task.summary
    sizes = ", ".join(f"{part} {size:,}" for part, size in summary.parts.items())
    lines = [f"{summary.used:,} of {summary.rows:,} rows used: {sizes}."]
    lines += [f"- {name}: {text}" for name, text in summary.facts.items()]
    lines += [f"- {text}" for text in (*summary.notes, *summary.warnings)]
    return "\n".join(lines)


def _parity(report: ExportReport) -> str:
    lines = [
        f"Compared on {report.examples} examples, together and in smaller batches. Largest difference, divided by the "
        f"largest output where that is above 1 (tolerance {TOLERANCE:g}):",
        "\n".join(f"- `{name}`: {worst:.1e}" for name, worst in report.differences.items()),
        "\n".join(f"- {text}" for text in report.warnings),
    ]
    return "\n\n".join(line for line in lines if line)
