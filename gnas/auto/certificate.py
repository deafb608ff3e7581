"""The certificate of a sub-network: what was proved of it and measured, with digests of all it was made from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from gnas import __version__
from gnas.architecture import Architecture
from gnas.auto.example import Example
from gnas.auto.target import first_line
from gnas.autospace import AutoSpace, verify
from gnas.autospace.network import SubNetwork
from gnas.autospace.shapes import output_shapes

TOLERANCE = 1e-5


def certificate(
    space: AutoSpace,
    architecture: Architecture,
    network: SubNetwork,
    example: Example,
    *,
    costs: Mapping[str, float],
    weights_sha256: str,
) -> dict[str, Any]:
    """What holds of a sub-network, as plain JSON types.

    Args:
        space: Where it is from.
        architecture: Which it is.
        network: Its module, trained or not.
        example: Inputs of the whole model.
        costs: Counted and measured.
        weights_sha256: Of the file of its weights.
    """
    error = verify(space, architecture)
    return {
        "gnas": __version__,
        "torch": torch.__version__,
        "model": space.name,
        "space": space.fingerprint,
        "digest": architecture.digest,
        "assignment": dict(architecture.assignment),
        "shapes": {mode: _shapes(network, mode == "training") for mode in ("evaluation", "training")},
        "runs": _runs(network, example),
        "zero_equivalence": {
            "what": "largest difference on the example between the sub-network as it was cut, with inherited weights, "
            "and the model it was cut from with the removed parts set to zero; divided by the largest output where "
            "that is above 1",
            "error": error,
            "tolerance": TOLERANCE,
            "holds": bool(error <= TOLERANCE),
        },
        "weights": {"sha256": weights_sha256, "map_blake2b": weight_map_digest(space, architecture, network)},
        "costs": dict(costs),
    }


def weight_map(space: AutoSpace, architecture: Architecture, network: SubNetwork) -> dict[str, list[list[int] | None]]:
    """For each tensor of a sub-network and each of its dimensions the places of the original it has; None for all."""
    structure = space.structure
    kept = space.removal(architecture.assignment).classes
    found: dict[str, list[list[int] | None]] = {}
    names = {name for name, _ in [*network.named_parameters(), *network.named_buffers()]}
    for name in sorted(names & set(structure.traced.tensors)):
        axes: list[list[int] | None] = []
        for atoms in structure.dimensions.tensors.get(name, ()):
            mask = None if atoms is None else kept[structure.classes.label[atoms]]
            axes.append(None if mask is None or mask.all() else np.flatnonzero(mask).tolist())
        found[name] = axes
    return found


def weight_map_digest(space: AutoSpace, architecture: Architecture, network: SubNetwork) -> str:
    """BLAKE2b-128 of the weight map as JSON with sorted keys."""
    text = json.dumps(weight_map(space, architecture, network), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _shapes(network: SubNetwork, training: bool) -> dict[str, Any]:
    """Proof by symbols; where an operation does not take symbols, why not."""
    if training and True not in network.modes:
        return {"proved": False, "reason": "training mode could not be traced; the network runs as in evaluation"}
    try:
        outputs = output_shapes(network, training=training)
    except Exception as error:  # operations raise anything
        return {"proved": False, "reason": f"{type(error).__name__}: {first_line(error)}"}
    proved = all(output.equal for output in outputs)
    by_value = not proved and any(re.search(r"\bu\d+\b", output.shape) for output in outputs)
    return {
        "proved": proved,
        **({"reason": "sizes of outputs depend on values of the inputs"} if by_value else {}),
        "outputs": [{"shape": o.shape, "dtype": o.dtype, "original": o.original} for o in outputs],
    }


def _runs(network: SubNetwork, example: Example) -> dict[str, Any]:
    """The network on the example in both modes: finite outputs, and finite gradients."""
    was_training = network.training
    before = {name: tensor.detach().clone() for name, tensor in network.named_buffers()}
    try:
        with torch.random.fork_rng(devices=[]):
            network.eval()
            with torch.no_grad():
                outputs = _floats(network(*example.args, **example.kwargs))
            network.train()
            loss = sum(
                (value.abs().sum() for value in _floats(network(*example.args, **example.kwargs))), torch.zeros(())
            )
            gradients = _gradients(network, loss)
    finally:
        network.train(was_training)
        for name, tensor in network.named_buffers():
            tensor.detach().copy_(before[name])
    return {
        "evaluation": all(bool(torch.isfinite(value).all()) for value in outputs),
        "gradients": all(bool(torch.isfinite(g).all()) for g in gradients),
    }


def _gradients(network: SubNetwork, loss: Tensor) -> list[Tensor]:
    trained = [p for p in network.parameters() if p.requires_grad]
    if not trained or not loss.requires_grad:
        return []
    return [g for g in torch.autograd.grad(loss, trained, allow_unused=True) if g is not None]


def _floats(outputs: Any) -> list[Tensor]:
    found = [v for v in tree_flatten(outputs)[0] if isinstance(v, Tensor)]
    return [v for v in found if v.is_floating_point() or v.is_complex()]
