"""A written `model.py` read back, as its user gets it."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from torch import nn

from gnas.errors import ExportError


def load_written(path: Path) -> nn.Module:
    """The network of a `model.py` of ours with the weights beside it.

    Args:
        path: Of the file; it is run.

    Raises:
        ExportError: Its `load` gives no network.
    """
    module = ModuleType("_gnas_exported_model")
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    network = module.__dict__["load"]()
    if not isinstance(network, nn.Module):
        raise ExportError("model.py does not give a network", place=str(path))
    return network
