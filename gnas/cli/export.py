"""`gnas export`: a model of a run as plain source, weights, ONNX or `torch.export` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The run folder.")],
) -> None:
    """Export a model of a run."""
