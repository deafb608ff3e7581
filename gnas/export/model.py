"""`export_model`: a trained network as a folder that stands alone, compared with the original file by file."""

from __future__ import annotations

import copy
import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import gnas
from gnas.architecture import Architecture
from gnas.build import Network
from gnas.domain import Task
from gnas.errors import ExportError
from gnas.export.model_file import model_source
from gnas.export.readme import readme
from gnas.export.report import FORMATS, TOLERANCE, ExportReport, Format, Origin
from gnas.export.written import load_written
from gnas.hardware.costs import evaluating
from gnas.hardware.inputs import Example, ordered
from gnas.hardware.onnx import dynamic_shapes, fast_onnx, quiet
from gnas.hardware.runtime import OnnxSession, difference, to_arrays

_BATCHES = (100, 1, 2, 7)
_OWN = ("model.py", "weights.safetensors", "model.onnx", "model.pt2", "architecture.json", "parity.json", "README.md")

Run = Callable[[Example], NDArray[np.generic]]


def export_model(
    network: nn.Module,
    architecture: Architecture,
    task: Task,
    folder: Path,
    formats: Sequence[Format] = FORMATS,
    *,
    origin: Origin = Origin(),  # noqa: B008 — frozen
) -> ExportReport:
    """Writes a trained network with all that is needed to use it without gnas.

    Everything is written aside and moved into `folder` at the end, file by file; files gnas did not write stay.

    Args:
        network: Trained, on the CPU; left as it was.
        architecture: What it was built from.
        task: Gives example inputs and the files that go along (`takeaway`).
        folder: Where to write; created.
        formats: Weights and the task's files are always written.
        origin: Told in the README.

    Raises:
        ExportError: `model.py` or `model.onnx` cannot be written or computes something else, or `folder` cannot be
            written. A failure of `pt2` is a warning of the report.
    """
    if not isinstance(network, Network):
        raise ExportError("only networks built from an architecture are exported", value=type(network).__name__)
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ExportError("unknown format", value=unknown[0], accepted=", ".join(FORMATS))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
            report = _write(network, architecture, task, Path(temporary), formats, origin)
            _publish(Path(temporary), folder, report.files)
    except OSError as error:
        raise ExportError("the export folder cannot be written", place=str(folder), remedy=str(error)) from error
    return ExportReport(folder, report.files, report.examples, report.differences, report.warnings)


def _write(
    network: Network, architecture: Architecture, task: Task, folder: Path, formats: Sequence[Format], origin: Origin
) -> ExportReport:
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    (folder / "weights.safetensors").write_bytes(save(state))
    takeaway = dict(task.takeaway())
    usage = takeaway.pop("README.md", "")
    for name, text in {**takeaway, "architecture.json": architecture.to_json() + "\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    writer = _Writer(network, task, folder)
    if "model.py" in formats:
        writer.source(origin)
    if "onnx" in formats:
        writer.onnx()
    if "pt2" in formats:
        writer.program()
    (folder / "parity.json").write_text(writer.parity_json(), encoding="utf-8")
    files = sorted([*(path.name for path in folder.iterdir()), "README.md"])
    report = ExportReport(folder, tuple(files), writer.count, writer.differences, tuple(writer.problems))
    (folder / "README.md").write_text(readme(task, architecture, network, report, origin, usage), encoding="utf-8")
    return report


class _Writer:
    """Writes a network in one form after the other and compares each with it.

    Attributes:
        count: Number of examples compared.
        differences: By file.
        problems: What is to be told.
    """

    def __init__(self, network: Network, task: Task, folder: Path) -> None:
        self._network, self._task, self._folder = network, task, folder
        sizes = dict.fromkeys(min(size, task.size("train")) for size in _BATCHES)
        # The last one, of a few examples, is what exporters trace.
        self._examples = [dict(task.example(size)) for size in sizes]
        self._expected = [_torch_run(network)(example) for example in self._examples]
        self._rounding = self._own_rounding()
        self.count = len(self._expected[0])
        self.differences: dict[str, float] = {}
        self.problems: list[str] = []

    def source(self, origin: Origin) -> None:
        """`model.py`."""
        facts = {"made by": f"gnas {gnas.__version__}", "task": self._task.name, **origin.facts(), "licence": _LICENCE}
        path = self._folder / "model.py"
        path.write_text(model_source(self._network, self._task.inputs, facts), encoding="utf-8")
        self._compare(path.name, _torch_run(load_written(path)))

    def onnx(self) -> None:
        """`model.onnx`."""
        *checks, traced = self._examples
        model = fast_onnx(
            self._network,
            traced,
            self._task.dynamic_axes(),
            checks=checks,
            tolerance=self._limit,
            preferred=TOLERANCE,
        )
        path = self._folder / "model.onnx"
        path.write_bytes(model)
        self._compare(path.name, _onnx_run(OnnxSession(path)))

    def program(self) -> None:
        """`model.pt2`; its failure is a problem to tell."""
        path = self._folder / "model.pt2"
        try:
            self._compare(path.name, _torch_run(_write_program(self._network, self._examples[-1], self._task, path)))
        except Exception as error:  # torch.export raises anything
            path.unlink(missing_ok=True)
            self.differences.pop(path.name, None)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self.problems.append(f"model.pt2 was not written: {reason[:200]}")

    def parity_json(self) -> str:
        """What `parity.json` holds."""
        content = {
            "what": "largest difference of outputs from the searched model, divided by its largest output if above 1",
            "tolerance": TOLERANCE,
            "rounding": self._rounding,
            "examples": self.count,
            "differences": self.differences,
            "warnings": self.problems,
        }
        return json.dumps(content, indent=1) + "\n"

    @property
    def _limit(self) -> float:
        """Beyond it, two networks are not the same function computed in another order."""
        return max(10 * TOLERANCE, 3 * self._rounding)

    def _compare(self, name: str, run: Run) -> None:
        pairs = zip(self._expected, self._examples, strict=True)
        worst = max(difference(expected, run(example)) for expected, example in pairs)
        if worst > self._limit:
            raise ExportError(f"{name} is not the model: outputs differ by {worst:.2g} of their scale")
        self.differences[name] = worst
        if worst > TOLERANCE:
            self.problems.append(
                f"{name} differs by {worst:.2g} of the outputs' scale, more than {TOLERANCE:g}; single precision gives "
                f"the model's own outputs to {self._rounding:.2g}"
            )

    def _own_rounding(self) -> float:
        """Difference of the network from itself in double precision: how well its outputs are defined at all."""
        run = _torch_run(copy.deepcopy(self._network).double())
        exact = [
            {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in example.items()}
            for example in self._examples
        ]
        return max(difference(run(example), value) for example, value in zip(exact, self._expected, strict=True))


def _torch_run(network: nn.Module) -> Run:
    def run(example: Example) -> NDArray[np.generic]:
        with evaluating(network):
            return np.asarray(network(*ordered(network, example).values()).cpu())

    return run


def _onnx_run(session: OnnxSession) -> Run:
    return lambda example: session.run(to_arrays(example))


def _write_program(network: Network, example: Example, task: Task, path: Path) -> nn.Module:
    """Writes the `torch.export` program and returns it as it is read back."""
    inputs = ordered(network, example)
    with evaluating(network), quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(
            network, tuple(inputs.values()), dynamic_shapes=dynamic_shapes(network, inputs, task.dynamic_axes())
        )
        torch.export.save(program, path)
        loaded: nn.Module = torch.export.load(path).module(check_guards=False)
    return _Program(loaded)


class _Program(nn.Module):
    """A loaded program; it refuses to change its mode, which is for inference already."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self._call = program.forward

    def forward(self, *inputs: Tensor) -> Tensor:
        output: Tensor = self._call(*inputs)
        return output


def _publish(source: Path, folder: Path, files: Iterable[str]) -> None:
    kept = set(files)
    for name in kept:
        (source / name).replace(folder / name)
    for name in _OWN:
        # A file of an earlier export would belong to another model.
        if name not in kept:
            (folder / name).unlink(missing_ok=True)


_LICENCE = "the network and this file are yours; layers copied from gnas are under Apache-2.0"
