"""The reference network of latency measurements, and its milliseconds, calibrated once and kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from gnas.hardware.inputs import DynamicAxes, Example

_VERSION = 1


class ReferenceNetwork(nn.Module):
    """A fixed small network with what small networks are made of: matrix products, gathers, scatters, activations.

    Never change it: stored calibrations and latencies of older runs are in its units.
    """

    def __init__(self, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        self.wide = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(depth))
        self.narrow = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(depth))

    def forward(self, rows: Tensor, index: Tensor) -> Tensor:
        """Rows `(row, width)` and an index `(row,)` of rows to exchange with; returns `(row, width)`."""
        for wide, narrow in zip(self.wide, self.narrow, strict=True):
            gathered = torch.zeros_like(rows).scatter_add(0, index.unsqueeze(1).expand_as(rows), rows[index])
            rows = rows + torch.tanh(narrow(torch.relu(wide(rows + gathered))))
        return rows


def reference_network() -> tuple[ReferenceNetwork, Example, DynamicAxes]:
    """The network with fixed weights, its example of 64 rows, and its dynamic axes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ReferenceNetwork().eval()
        example = {"rows": torch.randn(64, 64), "index": torch.randperm(64)}
    return network, example, {"rows": {0: "row"}, "index": {0: "row"}}


def device_name() -> str:
    """The processor, one thread, and the runtime's version: what a latency holds for."""
    from importlib.metadata import version

    return f"{_processor()}, 1 thread, onnxruntime {version('onnxruntime')}"


def stored_calibration(folder: Path) -> float | None:
    """Milliseconds of the reference on this device, if a process of this run has calibrated it."""
    path = _path(folder)
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["milliseconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def store_calibration(folder: Path, milliseconds: float) -> float:
    """Stores the calibration unless another process was first; returns the one that stands."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _path(folder)
    if stored_calibration(folder) is None:
        path.unlink(missing_ok=True)
    content = json.dumps({"device": device_name(), "milliseconds": milliseconds}, indent=1) + "\n"
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".latency-reference-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        # A link appears whole and fails if the name exists: the first of several workers wins.
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    standing = stored_calibration(folder)
    return milliseconds if standing is None else standing


def _path(folder: Path) -> Path:
    key = hashlib.sha256(f"{_VERSION} {device_name()}".encode()).hexdigest()[:8]
    return folder / f"latency-reference-{key}.json"


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
