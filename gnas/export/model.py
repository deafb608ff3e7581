"""`export_model`: a trained network as a folder that stands alone, compared with the original file by file."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

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
from gnas.hardware.costs import evaluating
from gnas.hardware.inputs import Example, ordered
from gnas.hardware.onnx import dynamic_shapes, fast_onnx, quiet
from gnas.hardware.runtime import OnnxSession, difference, to_arrays

EXAMPLES = 100
_BATCHES = (EXAMPLES, 1, 2, 7)
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

    examples = _examples(task)
    expected = [_torch_run(network)(example) for example in examples]
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    (folder / "weights.safetensors").write_bytes(save(state))
    takeaway = dict(task.takeaway())
    usage = takeaway.pop("README.md", "")
    for name, text in {**takeaway, "architecture.json": architecture.to_json() + "\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    differences: dict[str, float] = {}
    problems: list[str] = []

    def compare(name: str, run: Run) -> None:
        differences[name] = max(difference(a, run(example)) for a, example in zip(expected, examples, strict=True))

    if "model.py" in formats:
        facts = {"made by": f"gnas {gnas.__version__}", "task": task.name, **origin.facts(), "licence": _LICENCE}
        (folder / "model.py").write_text(model_source(network, task.inputs, facts), encoding="utf-8")
        compare("model.py", _torch_run(_load_written(folder / "model.py")))
        _agree("model.py", differences["model.py"], problems)
    if "onnx" in formats:
        axes = task.dynamic_axes()
        model = fast_onnx(network, examples[-1], axes, checks=examples[:-1], preferred=TOLERANCE)
        (folder / "model.onnx").write_bytes(model)
        compare("model.onnx", _onnx_run(OnnxSession(folder / "model.onnx")))
        _agree("model.onnx", differences["model.onnx"], problems)
    if "pt2" in formats:
        try:
            compare("model.pt2", _torch_run(_write_program(network, examples[-1], task, folder / "model.pt2")))
        except Exception as error:  # torch.export raises anything
            (folder / "model.pt2").unlink(missing_ok=True)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            problems.append(f"model.pt2 was not written: torch.export: {reason[:200]}")
        else:
            if differences["model.pt2"] > TOLERANCE:
                (folder / "model.pt2").unlink()
                problems.append(f"model.pt2 was not kept: it differs by {differences.pop('model.pt2'):.2g}")
    count = len(expected[0])
    (folder / "parity.json").write_text(_parity_json(count, differences, problems), encoding="utf-8")
    files = sorted([*(path.name for path in folder.iterdir()), "README.md"])
    report = ExportReport(folder, tuple(files), count, differences, tuple(problems))
    (folder / "README.md").write_text(readme(task, architecture, network, report, origin, usage), encoding="utf-8")
    return report


def _examples(task: Task) -> list[dict[str, Tensor]]:
    """Model inputs in batches of several sizes, from many to a few; the last is the one exporters trace."""
    sizes = dict.fromkeys(min(size, task.size("train")) for size in _BATCHES)
    return [dict(task.example(size)) for size in sizes]


def _agree(name: str, worst: float, problems: list[str]) -> None:
    """Beyond float rounding it is another function; a little beyond the tolerance is told."""
    if worst > 10 * TOLERANCE:
        raise ExportError(
            f"{name} computes something else than the model: outputs differ by {worst:.2g} of their scale"
        )
    if worst > TOLERANCE:
        problems.append(f"{name} differs by {worst:.2g} of the outputs' scale, more than {TOLERANCE:g}")


def _torch_run(network: nn.Module) -> Run:
    def run(example: Example) -> NDArray[np.generic]:
        with evaluating(network):
            return np.asarray(network(*ordered(network, example).values()).cpu())

    return run


def _onnx_run(session: OnnxSession) -> Run:
    return lambda example: session.run(to_arrays(example))


def _load_written(path: Path) -> nn.Module:
    """The model as a user gets it: from the written file, with the written weights."""
    module = ModuleType("_gnas_exported_model")
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    network = module.__dict__["load"]()
    if not isinstance(network, nn.Module):
        raise ExportError("model.py does not give a network", place=str(path))
    return network


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


def _parity_json(examples: int, differences: Mapping[str, float], problems: Iterable[str]) -> str:
    content = {
        "what": "largest difference of outputs from the searched model, divided by its largest output if above 1",
        "tolerance": TOLERANCE,
        "examples": examples,
        "differences": dict(differences),
        "warnings": list(problems),
    }
    return json.dumps(content, indent=1) + "\n"


def _publish(source: Path, folder: Path, files: Iterable[str]) -> None:
    kept = set(files)
    for name in kept:
        (source / name).replace(folder / name)
    for name in _OWN:
        # A file of an earlier export would belong to another model.
        if name not in kept:
            (folder / name).unlink(missing_ok=True)


_LICENCE = "the network and this file are yours; layers copied from gnas are under Apache-2.0"
