"""What an export wrote, and how closely it agrees with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Format = Literal["model.py", "onnx", "pt2"]
FORMATS: tuple[Format, ...] = ("model.py", "onnx", "pt2")

TOLERANCE = 1e-5
"""Largest difference an export should have, relative to the largest output, or absolute where outputs are below 1."""


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written.

    Attributes:
        folder: Where.
        files: Names of the files, sorted.
        examples: Number of examples compared, together and in smaller batches.
        differences: By file (`model.py`, `model.onnx`, `model.pt2`) the largest difference from the searched model,
            divided by its largest output where that is above 1.
        warnings: What could not be done.
    """

    folder: Path
    files: tuple[str, ...]
    examples: int
    differences: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an exported model comes from, told in its README and in the head of `model.py`.

    Attributes:
        run: Name of the run.
        trial: Number in the study, −1 if unknown.
        seed: Seed of the training.
        validation, test: Its metrics; `test` may be empty.
        objective: What was optimised.
        notes: Remarks to tell.
    """

    run: str = ""
    trial: int = -1
    seed: int = 0
    validation: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, float] = field(default_factory=dict)
    objective: str = ""
    notes: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """As lines of text by name; what is not known is left out."""
        facts = {"run": self.run} if self.run else {}
        if self.trial >= 0:
            facts["trial"] = str(self.trial)
        for part, metrics in (("validation", self.validation), ("test", self.test)):
            if metrics:
                facts[part] = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        return facts
