"""Ops that a live signal, or a microcontroller, allows: others are not there, and parameters take only what is safe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gnas.architecture import Value
from gnas.ops import Op, SimpleOp

Allowed = Mapping[str, Mapping[str, tuple[Value, ...]]]

_CAUSAL: Allowed = {
    "conv": {"causal": (True,)},
    "separable_conv": {"causal": (True,)},
    "temporal_block": {},
    "gru": {"bidirectional": (False,)},
    "lstm": {"bidirectional": (False,)},
    "residual": {},
    "stack": {},
    "global_pool": {"mode": ("mean", "max", "last", "mean_max")},
    "head": {},
}
"""What depends on no later step; what is pooled over time can be kept as a running value."""

_INT8: Allowed = {
    "conv": {"activation": ("relu", "none")},
    "separable_conv": {"activation": ("relu", "none")},
    "residual": {"activation": ("relu", "none")},
    "pool": {},
    "global_pool": {"mode": ("mean", "max")},
    "head": {"depth": (0,)},
}
"""What int8 kernels of small cores compute.

Source: Lai, Suda and Chandra, CMSIS-NN, 2018, arXiv:1801.06601, section 3.
"""


def restricted(ops: Mapping[str, Op], *, streaming: bool, mcu_safe: bool) -> Mapping[str, Op]:
    """Those of the domain's ops that are allowed, a parameter that may not keep its default having the first it may."""
    for asked, allowed in ((streaming, _CAUSAL), (mcu_safe, _INT8)):
        if asked:
            ops = {name: _limited(op, allowed[name]) for name, op in ops.items() if name in allowed}
    return ops


def _limited(op: Op, allowed: Mapping[str, tuple[Value, ...]]) -> Op:
    if not allowed or not isinstance(op, SimpleOp):
        return op
    defaults = {
        name: value if value in allowed.get(name, (value,)) else allowed[name][0] for name, value in op.defaults.items()
    }
    return replace(op, defaults=defaults, accepted={**op.accepted, **allowed})
