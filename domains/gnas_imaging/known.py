"""Known good networks of the field, as assignments in `imaging/default`. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

from gnas.architecture import Value

__all__ = ["DEFAULT_NETWORK", "STARTING_POINTS"]

_WIDTHS = (16, 32, 64, 128)


def _network(
    block: str,
    *,
    widths: tuple[int, ...] = _WIDTHS[:3],
    more: int = 0,
    kernel: int = 3,
    squeeze: bool = False,
    expansion: int = 3,
    **others: Value,
) -> dict[str, Value]:
    """Stages of one kind of block, one stage for each width."""
    found: dict[str, Value] = {
        "stem_width": 16,
        "stem_stride": 1,
        "stages": len(widths),
        "shrink": "stride",
        "norm": "batch",
        "activation": "relu",
        "pool": "mean",
        "dropout": 0.2,
        **others,
    }
    for stage, width in enumerate(widths):
        found |= {f"stages.{stage}.block": block, f"stages.{stage}.more": more, f"stages.{stage}.first.width": width}
        if block != "convnext":
            found[f"stages.{stage}.kernel"] = kernel
        if block in ("residual", "mbconv"):
            found[f"stages.{stage}.squeeze"] = squeeze
        if block == "mbconv":
            found[f"stages.{stage}.expansion"] = expansion
    return found


DEFAULT_NETWORK: Mapping[str, Value] = _network("residual")
"""A residual network of three stages. Source: He et al. 2016, section 4.2 (their small networks), arXiv:1512.03385."""

PLAIN: Mapping[str, Value] = _network("conv", more=1, shrink="max_pool")
"""Pairs of convolutions between pools. Source: Simonyan and Zisserman 2015, arXiv:1409.1556."""

RESIDUAL_SQUEEZE: Mapping[str, Value] = _network("residual", widths=(16, 32, 64, 128), squeeze=True, stem_stride=2)
"""Four stages on half the image, channels weighed. Source: Hu et al. 2018, arXiv:1709.01507."""

INVERTED: Mapping[str, Value] = _network("mbconv", more=1, squeeze=True, activation="silu", stem_stride=2)
"""Inverted bottlenecks as in EfficientNet. Source: Tan and Le 2019, arXiv:1905.11946."""

CONVNEXT: Mapping[str, Value] = _network("convnext", more=1, activation="gelu", stem_stride=2)
"""Large depthwise kernels and perceptrons. Source: Liu et al. 2022, arXiv:2201.03545."""

SEPARABLE: Mapping[str, Value] = _network("separable_conv", more=1, pool="mean_max")
"""Depthwise-separable convolutions, few parameters. Source: Howard et al. 2017, arXiv:1704.04861."""

STARTING_POINTS: tuple[Mapping[str, Value], ...] = (
    DEFAULT_NETWORK,
    PLAIN,
    SEPARABLE,
    RESIDUAL_SQUEEZE,
    INVERTED,
    CONVNEXT,
)
