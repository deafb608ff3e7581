"""How long a network takes beside another in ONNX Runtime."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from gnas.hardware.latency import onnx_call
from gnas.hardware.onnx import fast_onnx
from gnas.hardware.pairing import Schedule, paired_ratios, thread_clock

_SCHEDULE = Schedule(rounds=41, seconds=0.75)
_SESSIONS = 5


def latency_ratio(network: nn.Module, reference: nn.Module, example: Sequence[Tensor]) -> float:
    """Ratio of a network's time to a reference's, taken in turns on one thread; both get `example`.

    The median over sessions of the median over pairs: where a session lies in memory moves its times by a few per cent.
    """
    names = list(inspect.signature(reference.forward).parameters)
    inputs = dict(zip(names, example, strict=True))
    found = []
    for _ in range(_SESSIONS):
        ours, theirs = (onnx_call(fast_onnx(module, inputs, {}), inputs) for module in (network, reference))
        found.append(np.median(paired_ratios(ours, theirs, thread_clock(), _SCHEDULE)))
    return float(np.median(found))
