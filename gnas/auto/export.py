"""A sub-network as a folder that stands alone: plain source, weights, ONNX, and its certificate."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

from gnas import __version__
from gnas.architecture import Architecture
from gnas.auto.certificate import certificate
from gnas.auto.example import Example
from gnas.auto.flat import Flat, dynamic_axes, positional
from gnas.auto.module_source import module_source
from gnas.auto.readme import readme
from gnas.auto.structure_text import signature_of
from gnas.autospace import AutoSpace
from gnas.autospace.network import SubNetwork
from gnas.errors import ExportError, MissingExtraError
from gnas.export.report import TOLERANCE
from gnas.export.written import load_written
from gnas.hardware.costs import evaluating
from gnas.hardware.onnx import SCORING_TOLERANCE, fast_onnx, onnx_differences
from gnas.hardware.runtime import difference

_FILES = (
    "README.md architecture.json certificate.json model.onnx model.py parity.json weights.safetensors".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written of a sub-network.

    Attributes:
        folder: Where.
        files: Names, sorted.
        differences: By file the largest difference of outputs from the network, relative to their scale.
        warnings: What could not be written.
        certificate: As in `certificate.json`.
    """

    folder: Path
    files: tuple[str, ...]
    differences: Mapping[str, float]
    warnings: tuple[str, ...]
    certificate: Mapping[str, Any]


def export_subnetwork(
    space: AutoSpace,
    architecture: Architecture,
    network: SubNetwork,
    model: nn.Module,
    example: Example,
    folder: Path,
    *,
    costs: Mapping[str, float],
    facts: Mapping[str, str],
) -> Exported:
    """Writes a sub-network with all that is needed to use it without gnas and without the original's code.

    Everything is written aside and moved into `folder` at the end; files gnas did not write stay.

    Args:
        space: Where it is from.
        architecture: Which it is.
        network: Its module, trained; left as it was.
        model: The original: its forward names the inputs.
        example: Inputs, on the CPU.
        folder: Where to write; created.
        costs: Counted and measured, for the certificate.
        facts: Told in the README and in the head of `model.py`, name to text.

    Raises:
        ExportError: The written module computes something else, or the folder cannot be written. That source or
            ONNX cannot be had for this network is a warning.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
            writer = _Writer(space, architecture, network, model, example, Path(temporary))
            report = writer.run({"made by": f"gnas {__version__}", **facts}, costs, folder)
            for name in _FILES:
                # A file of an earlier export would belong to another network.
                (folder / name).unlink(missing_ok=True)
            for name in report.files:
                (Path(temporary) / name).replace(folder / name)
    except OSError as error:
        raise ExportError("the export folder cannot be written", place=str(folder), remedy=str(error)) from error
    return report


class _Writer:
    def __init__(
        self,
        space: AutoSpace,
        architecture: Architecture,
        network: SubNetwork,
        model: nn.Module,
        example: Example,
        folder: Path,
    ) -> None:
        self._space, self._architecture, self._network = space, architecture, network
        self._model, self._example, self._folder = model, example, folder
        self._differences: dict[str, float] = {}
        self._warnings: list[str] = []

    def run(self, facts: Mapping[str, str], costs: Mapping[str, float], target: Path) -> Exported:
        """Writes all files; they are told as those of `target`."""
        digest = self._weights()
        self._source(facts)
        self._onnx()
        told = certificate(
            self._space, self._architecture, self._network, self._example, costs=costs, weights_sha256=digest
        )
        self._json("certificate.json", told)
        self._json(
            "parity.json", {"tolerance": TOLERANCE, "differences": self._differences, "warnings": self._warnings}
        )
        (self._folder / "architecture.json").write_text(self._architecture.to_json() + "\n", encoding="utf-8")
        files = tuple(sorted([*(path.name for path in self._folder.iterdir()), "README.md"]))
        report = Exported(target, files, dict(self._differences), tuple(self._warnings), told)
        (self._folder / "README.md").write_text(readme(self._space.name, report, facts), encoding="utf-8")
        return report

    def _weights(self) -> str:
        from safetensors.torch import save

        state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in _state(self._network).items()}
        content = save(state)
        (self._folder / "weights.safetensors").write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def _source(self, facts: Mapping[str, str]) -> None:
        path = self._folder / "model.py"
        try:
            signature = signature_of(self._network.program(training=False), positional(self._model))
            path.write_text(module_source(self._network, signature, facts), encoding="utf-8")
        except ExportError as error:
            self._warnings.append(f"model.py was not written: {error}")
            return
        self._differences[path.name] = worst = _parity(self._network, load_written(path), self._example)
        if worst > SCORING_TOLERANCE:
            raise ExportError(f"model.py is not the network: outputs differ by {worst:.2g} of their scale")

    def _onnx(self) -> None:
        flat = Flat(self._network, self._example, positional(self._model))
        inputs = flat.named(self._example)
        other = _other_size(self._network, self._example)
        reasons = []
        for axes, checks in ((dynamic_axes(inputs), [flat.named(other)]), ({}, [])) if other else (({}, []),):
            try:
                content = fast_onnx(flat, inputs, axes, checks=checks, preferred=TOLERANCE)
            except (ExportError, MissingExtraError) as error:
                reasons.append(str(error))
                continue
            (self._folder / "model.onnx").write_bytes(content)
            self._differences["model.onnx"] = max(onnx_differences(flat, content, (inputs, *checks)))
            if other and not axes:
                self._warnings.append("model.onnx takes inputs of the example's sizes only")
            return
        self._warnings.append(f"model.onnx was not written: {reasons[0]}")

    def _json(self, name: str, content: object) -> None:
        (self._folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _state(network: nn.Module) -> dict[str, Tensor]:
    """All tensors by name, those too that a state dict leaves out."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _parity(network: nn.Module, written: nn.Module, example: Example) -> float:
    found = []
    for one in (network, written):
        with evaluating(one):
            leaves = tree_flatten(one(*example.args, **example.kwargs))[0]
        found.append([np.asarray(v.cpu().resolve_conj()) for v in leaves if isinstance(v, Tensor)])
    return max((difference(_real(a), _real(b)) for a, b in zip(*found, strict=True)), default=0.0)


def _real(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.stack([value.real, value.imag], axis=-1) if np.iscomplexobj(value) else value


def _other_size(network: nn.Module, example: Example) -> Example | None:
    """The example twice over, if all its tensors have as many rows and the network runs on it."""
    tensors = [v for v in tree_flatten((example.args, example.kwargs))[0] if isinstance(v, Tensor)]
    if not tensors or len({t.shape[0] if t.dim() else -1 for t in tensors}) != 1 or not tensors[0].dim():
        return None
    args, kwargs = tree_map(
        lambda v: torch.cat([v, v, v]) if isinstance(v, Tensor) else v, (example.args, example.kwargs)
    )
    try:
        with evaluating(network):
            network(*args, **kwargs)
    except Exception:  # whatever it is, its sizes do not vary together
        return None
    return Example(args, kwargs)
