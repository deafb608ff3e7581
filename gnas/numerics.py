"""Numerics: the precision and the memory format in which one network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Precision = Literal["fp32", "bf16"]
MemoryFormat = Literal["contiguous", "channels_last"]


@dataclass(frozen=True, slots=True)
class Numerics:
    """How a network is trained, as far as speed is concerned. Both change the last bits of every number.

    Attributes:
        precision: Of the forward pass: `bf16` where autocast thinks it safe, with parameters kept in float32.
        memory_format: Of the kernels of convolutions.
    """

    precision: Precision = "fp32"
    memory_format: MemoryFormat = "contiguous"


PLAIN = Numerics()
Calibrated = Mapping[str, Numerics]
"""Numerics by digest of the architecture."""
