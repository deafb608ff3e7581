"""ONNX Runtime on one thread: how a model is run on an edge device's processor, and how exports are checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gnas.errors import MissingExtraError

Arrays = Mapping[str, NDArray[Any]]


def to_arrays(example: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
    """Model inputs as contiguous numpy arrays on the CPU."""
    return {name: np.ascontiguousarray(tensor.detach().cpu().numpy()) for name, tensor in example.items()}


class OnnxSession:
    """An ONNX model on one CPU thread, called by input names.

    Exporters drop inputs that a model does not use: `run` takes all of them and passes on those the model kept.

    Args:
        model: The serialised model, or the path of a file.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, model: bytes | Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError.of("onnxruntime", "edge") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # A spinning thread burns the core that a measurement beside it needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.log_severity_level = 4
        source = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.inputs: tuple[str, ...] = tuple(item.name for item in self._session.get_inputs())

    def bind(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """The entries of `arrays` that the model takes."""
        return {name: arrays[name] for name in self.inputs}

    def run(self, arrays: Arrays) -> NDArray[Any]:
        """The first output for inputs given by name."""
        output: NDArray[Any] = self._session.run(None, self.bind(arrays))[0]
        return output

    def run_all(self, arrays: Arrays) -> list[NDArray[Any]]:
        """All outputs for inputs given by name."""
        return list(self._session.run(None, self.bind(arrays)))

    def run_bound(self, bound: dict[str, NDArray[Any]]) -> None:
        """Runs on what `bind` returned and drops the output: the timed call of a meter."""
        self._session.run(None, bound)


def difference(expected: NDArray[Any], received: NDArray[Any]) -> float:
    """Largest absolute difference, divided by the scale of `expected` (its largest magnitude, at least 1).

    Infinite where shapes differ or where only one of the two is finite.
    """
    if expected.shape != received.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    if not np.array_equal(np.isfinite(expected), np.isfinite(received)):
        return float("inf")
    finite = np.isfinite(expected)
    if not finite.any():
        return 0.0
    a, b = expected[finite].astype(np.float64), received[finite].astype(np.float64)
    return float(np.abs(a - b).max() / max(1.0, np.abs(a).max()))
