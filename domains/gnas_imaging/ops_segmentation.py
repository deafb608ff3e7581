"""Ops of networks that give a class for every place: those of the domain, with a way up and another head."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from gnas.errors import InvalidShapeError
from gnas.ops import Layer, Op, Params, SimpleOp, TensorType
from gnas_imaging.ops import channels_of, imaging_ops

__all__ = ["segmentation_ops"]


def segmentation_ops(n_classes: int, size: tuple[int, ...]) -> Mapping[str, Op]:
    """All ops by name.

    Args:
        n_classes: Classes for each place, the background among them.
        size: Sides of the images.
    """
    head = SimpleOp(
        "mask_head", partial(_masked, n_classes, size), partial(_mask_head, n_classes, size), {"dropout": 0.0}
    )
    up = SimpleOp("up_join", _upped, _up_join, {"mode": "linear"}, {"mode": ("linear", "transposed")}, arity=(2, 2))
    plain = {name: op for name, op in imaging_ops(n_classes).items() if name != "head"}
    return {**plain, head.name: head, up.name: up}


def _upped(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    small, large = inputs
    channels = channels_of(small) + channels_of(large)
    if len(small.shape) != len(large.shape) or any(s > n for s, n in zip(_sides(small), _sides(large), strict=True)):
        raise InvalidShapeError("inputs", f"{small}, {large}", "a small image, then one at least as large")
    return TensorType(large.kind, (large.shape[0], channels, *large.shape[2:]), large.dtype)


def _masked(n_classes: int, size: tuple[int, ...], inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    channels_of(inputs[0])
    if len(inputs[0].shape) != len(size) + 2:
        raise InvalidShapeError("input", inputs[0], f"an image of {len(size)} dimensions")
    return TensorType("masks", (inputs[0].shape[0], n_classes, *size))


def _sides(value: TensorType) -> list[int]:
    return [int(n) for n in value.shape[2:]]


def _up_join(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_imaging.layers_segmentation import UpJoin

    size = _sides(inputs[1])
    scale = [-(-large // small) for small, large in zip(_sides(inputs[0]), size, strict=True)]
    return Layer(UpJoin, {"channels": channels_of(inputs[0]), "size": size, "scale": scale, "mode": params["mode"]})


def _mask_head(n_classes: int, size: tuple[int, ...], inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_imaging.layers_segmentation import MaskHead

    same = tuple(_sides(inputs[0])) == size
    arguments = {"channels": channels_of(inputs[0]), "out": n_classes, "size": None if same else list(size)}
    return Layer(MaskHead, {**arguments, "dims": len(size), "dropout": params["dropout"]})
