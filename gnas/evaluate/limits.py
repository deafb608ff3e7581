"""Limits of one evaluation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What one training may take; None for no limit.

    Attributes:
        seconds: Wall-clock seconds.
        memory_mb: Mebibytes of resident memory above what the process held before.
    """

    seconds: float | None = None
    memory_mb: float | None = None
