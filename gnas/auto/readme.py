"""README of an exported sub-network: what the files are, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gnas.export.report import TOLERANCE
from gnas.report.text import cost, label

if TYPE_CHECKING:
    from gnas.auto.export import Exported

_FILES: Mapping[str, str] = {
    "model.py": "the network as plain PyTorch: `from model import load; network = load()`",
    "weights.safetensors": "its weights",
    "model.onnx": "the network for ONNX Runtime, inputs by name",
    "architecture.json": "which sub-network it is: `space.build(Architecture.from_json(text))`",
    "certificate.json": "what was proved of it and measured",
    "parity.json": "how closely the files above agree with the network",
}


def readme(name: str, report: Exported, facts: Mapping[str, str]) -> str:
    """The whole text.

    Args:
        name: Of the original model.
        report: What was written.
        facts: Where it comes from, name to text.
    """
    told = report.certificate
    zero, shapes = told["zero_equivalence"], told["shapes"]
    modes = " and ".join(mode for mode, found in shapes.items() if found["proved"])
    proved = f"proved in {modes} mode" if modes else "not proved, only run on the example"
    parts = [
        f"# A sub-network of {name}",
        f"Architecture `{told['digest'][:12]}`: "
        + ", ".join(f"{cost(k, told['costs'][k])} {label(k)}" for k in ("n_params", "macs") if k in told["costs"])
        + ".",
        "\n".join(f"- {key}: {text}" for key, text in facts.items()),
        "## Files",
        "\n".join(f"- `{file}`: {_FILES[file]}" for file in report.files if file in _FILES),
        "## What is certain",
        "\n".join(
            [
                f"- Shapes and types of the outputs are the original's, for all sizes the trace allows: {proved}.",
                f"- As it was cut it differed from the model it was cut from, with the removed parts set to zero, by "
                f"{zero['error']:.1e} of the largest output (tolerance {zero['tolerance']:g}).",
                "- Agreement of the files with the network, relative to the largest output where that is above 1 "
                f"(tolerance {TOLERANCE:g}): "
                + ", ".join(f"`{file}` {worst:.1e}" for file, worst in report.differences.items())
                + ".",
            ]
        ),
        "\n".join(f"- {text}" for text in report.warnings),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
