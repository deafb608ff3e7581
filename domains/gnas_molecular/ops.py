"""Ops of the molecular domain: message passing, read-outs, heads, and the generic ones.

Values: `atoms` (atom, width), `bonds` (bond, width), `molecules` (molecule, width). Convolutions take the atoms and, if
they read them, the bonds; the rest of what they need (`edge_index`, `batch`) comes as context.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from gnas.architecture import Value
from gnas.errors import InvalidShapeError
from gnas.ops import (
    Construction,
    Inference,
    Layer,
    Op,
    Params,
    SimpleOp,
    TensorType,
    features,
    same_type,
    with_features,
)
from gnas.ops_generic import ACTIVATIONS, GENERIC_OPS, side_by_side, whole

__all__ = ["molecular_ops"]

_KINDS: tuple[Value, ...] = tuple(ACTIVATIONS)
_NORMS: tuple[Value, ...] = ("none", "batch", "layer", "graph")
_POOLS: Mapping[str, tuple[str, ...]] = {
    "sum": ("sum",),
    "mean": ("mean",),
    "max": ("max",),
    "mean_max": ("mean", "max"),
    "sum_mean_max": ("sum", "mean", "max"),
}
_READOUTS: tuple[Value, ...] = (*_POOLS, "attention", "set2set", "attentive")
_BY_MOLECULE = ("batch", "descriptors")


def molecular_ops(degree_histogram: Sequence[int], n_targets: int = 1) -> Mapping[str, Op]:
    """All ops of the domain by name.

    Args:
        degree_histogram: Number of atoms of the training part by degree, for PNA's scalers.
        n_targets: Width of what the heads return.
    """
    atoms = sum(degree_histogram)
    log_degree = sum(count * math.log(degree + 1) for degree, count in enumerate(degree_histogram))
    pna = partial(_pna, log_degree / atoms if log_degree else 1.0)
    ops = (
        *_convolutions(),
        _with_bonds("pna", pna, {"width": None, "towers": 4}, divisor="towers"),
        *_structure(),
        *_heads(n_targets),
    )
    return {**GENERIC_OPS, **{op.name: op for op in ops}}


def _convolutions() -> tuple[SimpleOp, ...]:
    active: Params = {"width": None, "activation": "relu"}
    kinds = {"activation": _KINDS}
    return (
        SimpleOp("gcn", _atoms_out, _gcn, {"width": None}, context=("edge_index",)),
        SimpleOp("gin", _atoms_out, _gin, active, kinds, context=("edge_index",)),
        _with_bonds("gine", _gine, active, kinds),
        _with_bonds("gatv2", _gatv2, {"width": None, "heads": 4}, divisor="heads"),
        _with_bonds("dmpnn", _dmpnn, {"width": None, "steps": 3, "activation": "relu", "dropout": 0.0}, kinds),
        _with_bonds("attentive_fp", _attentive_fp, {"dropout": 0.0}),
        _with_bonds(
            "gps",
            _gps,
            {"heads": 4, "activation": "relu", "dropout": 0.0},
            kinds,
            context=("edge_index", *_BY_MOLECULE),
            divisor="heads",
        ),
        SimpleOp(
            "bond_update",
            _bonds_out,
            _bond_update,
            active,
            kinds,
            arity=(2, 2),
            context=("edge_index",),
        ),
    )


def _structure() -> tuple[SimpleOp, ...]:
    active: Params = {"activation": "relu", "dropout": 0.0}
    kinds = {"activation": _KINDS}
    with_none = {"activation": ("none", *_KINDS)}
    return (
        SimpleOp("embed", _embedded, _embed, {"width": 64, "activation": "none"}, with_none, arity=(1, None)),
        SimpleOp(
            "update",
            _same_atoms,
            _update,
            {"norm": "batch", **active},
            {"norm": _NORMS, **with_none},
            arity=(1, 2),
            context=_BY_MOLECULE,
        ),
        SimpleOp("random_projection", _projected, _random_projection, {"width": 128, "scale": 0.1}),
        SimpleOp("virtual_node", _same_atoms, _virtual_node, active, kinds, context=_BY_MOLECULE),
        SimpleOp(
            "attention",
            partial(_heads_divide, "heads", _same_atoms),
            _attention,
            {"heads": 4, "dropout": 0.0},
            context=_BY_MOLECULE,
        ),
        SimpleOp(
            "readout",
            _read_out_type,
            _read_out,
            {"mode": "sum", "steps": 2, "dropout": 0.0},
            {"mode": _READOUTS},
            context=_BY_MOLECULE,
        ),
    )


def _heads(n_targets: int) -> tuple[SimpleOp, ...]:
    plain: Params = {"width": 128, "depth": 1, "activation": "relu", "dropout": 0.0, "norm": False}
    several: Params = {**plain, "members": 8}
    kinds, any_number = {"activation": _KINDS}, (1, None)
    of, ensemble = partial(_head_type, n_targets), partial(_ensemble_type, n_targets)
    return (
        SimpleOp("head", of, partial(_head, n_targets), plain, kinds, any_number),
        SimpleOp("shared_head", ensemble, partial(_shared_head, n_targets), several, kinds, any_number),
        SimpleOp(
            "packed_head",
            partial(_packed_type, n_targets),
            partial(_packed_head, n_targets),
            {**several, "part": 0.5, "projection": 0},
            kinds,
            any_number,
        ),
    )


def _with_bonds(
    name: str,
    construction: Construction,
    defaults: Params,
    accepted: Mapping[str, tuple[Value, ...]] | None = None,
    *,
    context: tuple[str, ...] = ("edge_index",),
    divisor: str | None = None,
) -> SimpleOp:
    inference = partial(_heads_divide, divisor, _convolved) if divisor else _convolved
    return SimpleOp(name, inference, construction, defaults, accepted or {}, (2, 2), context)


def _rows(value: TensorType, of: str) -> int:
    """Width of a floating-point value with one row for every `of`.

    Raises:
        InvalidShapeError: It is something else.
    """
    if len(value.shape) != 2 or value.shape[0] != of or value.dtype != "float32":
        raise InvalidShapeError(
            "input", f"{value} of {value.dtype}", f"one row for every {of}: ['{of}', width] of float32"
        )
    return features(value)


def _width(inputs: tuple[TensorType, ...], params: Params) -> int:
    """The parameter `width`, by default the width of the first input."""
    if params.get("width") is None:
        return features(inputs[0])
    width = whole(params, "width")
    if width < 1:
        raise InvalidShapeError("parameter", f"width={width}", "1 or more")
    return width


def _atoms_out(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _rows(inputs[0], "atom")
    return TensorType("atoms", ("atom", _width(inputs, params)))


def _convolved(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _rows(inputs[1], "bond")
    _check_steps(params)
    return _atoms_out(inputs, params)


def _check_steps(params: Params) -> None:
    if "steps" in params and whole(params, "steps") < 1:
        raise InvalidShapeError("parameter", f"steps={params['steps']}", "1 or more")


def _bonds_out(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    return TensorType("bonds", ("bond", features(_convolved(inputs, params))))


def _heads_divide(name: str, inference: Inference, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    result = inference(inputs, params)
    parts = whole(params, name)
    if parts < 1 or features(result) % parts:
        raise InvalidShapeError("parameter", f"{name}={parts}", f"a divisor of the width {features(result)}")
    return result


def _same_atoms(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _rows(inputs[0], "atom")
    return same_type(inputs, params)


def _embedded(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    return with_features(side_by_side(inputs, params), _width(inputs, params))


def _projected(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    if not inputs[0].dtype.startswith("float"):
        raise InvalidShapeError("input", f"{inputs[0]} of {inputs[0].dtype}", "a floating-point value")
    return with_features(inputs[0], _width(inputs, params))


def _read_out_type(inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _check_steps(params)
    mode = str(params["mode"])
    times = len(_POOLS[mode]) if mode in _POOLS else 2 if mode == "set2set" else 1
    return TensorType("molecules", ("molecule", times * _rows(inputs[0], "atom")))


def _head_type(n_targets: int, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    _rows(side_by_side(inputs, params), "molecule")
    if not whole(params, "width"):
        raise InvalidShapeError("parameter", "width=0", "1 or more")
    return TensorType("molecules", ("molecule", n_targets))


def _ensemble_type(n_targets: int, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    for name in ("members", "depth"):
        if whole(params, name) < 1:
            raise InvalidShapeError("parameter", f"{name}={params[name]}", "1 or more")
    part = params.get("part", 1.0)
    if not 0 < float(str(part)) <= 1:
        raise InvalidShapeError("parameter", f"part={part}", "above 0 and at most 1")
    return _head_type(n_targets, inputs, params)


def _packed_type(n_targets: int, inputs: tuple[TensorType, ...], params: Params) -> TensorType:
    if whole(params, "projection") and len(inputs) < 2:
        raise InvalidShapeError("inputs", f"{len(inputs)}", "2 or more, the last one to be projected")
    return _ensemble_type(n_targets, inputs, params)


def _gcn(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from torch_geometric.nn import GCNConv

    return Layer(GCNConv, {"in_channels": features(inputs[0]), "out_channels": _width(inputs, params)})


def _gin(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers import GIN

    return Layer(
        GIN,
        {"channels": features(inputs[0]), "width": _width(inputs, params), "activation": params["activation"]},
    )


def _ends(inputs: tuple[TensorType, ...]) -> dict[str, object]:
    return {"channels": features(inputs[0]), "bond_channels": features(inputs[1])}


def _gine(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers import GINE

    return Layer(GINE, {**_ends(inputs), "width": _width(inputs, params), "activation": params["activation"]})


def _gatv2(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_attention import GATv2

    return Layer(GATv2, {**_ends(inputs), "width": _width(inputs, params), "heads": params["heads"]})


def _pna(mean_log_degree: float, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers import PNA

    width = _width(inputs, params)
    towers = params["towers"]
    return Layer(PNA, {**_ends(inputs), "width": width, "towers": towers, "mean_log_degree": mean_log_degree})


def _dmpnn(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers import DMPNN

    return Layer(DMPNN, {**_ends(inputs), **params, "width": _width(inputs, params)})


def _attentive_fp(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_attention import AttentiveFP

    return Layer(AttentiveFP, {**_ends(inputs), **params})


def _gps(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_attention import GPS

    return Layer(GPS, {**_ends(inputs), **params})


def _bond_update(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers import BondUpdate

    return Layer(BondUpdate, {**_ends(inputs), "width": _width(inputs, params), "activation": params["activation"]})


def _embed(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_molecule import Embedding

    channels = features(side_by_side(inputs, params))
    return Layer(Embedding, {"channels": channels, "width": params["width"], "activation": params["activation"]})


def _update(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_molecule import Update

    return Layer(Update, {"channels": features(inputs[0]), **params})


def _random_projection(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_molecule import RandomProjection

    return Layer(RandomProjection, {"channels": features(inputs[0]), **params})


def _virtual_node(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_molecule import VirtualNode

    return Layer(VirtualNode, {"channels": features(inputs[0]), **params})


def _attention(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_attention import MoleculeAttention

    return Layer(MoleculeAttention, {"channels": features(inputs[0]), **params})


def _read_out(inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular import layers_molecule as layers

    mode, channels = str(params["mode"]), features(inputs[0])
    if mode in _POOLS:
        return Layer(layers.ReadOut, {"modes": list(_POOLS[mode])})
    if mode == "attention":
        return Layer(layers.AttentionReadOut, {"channels": channels})
    if mode == "set2set":
        return Layer(layers.Set2SetReadOut, {"channels": channels, "steps": params["steps"]})
    steps, dropout = params["steps"], params["dropout"]
    return Layer(layers.AttentiveReadOut, {"channels": channels, "steps": steps, "dropout": dropout})


def _head_arguments(n_targets: int, inputs: tuple[TensorType, ...], params: Params) -> dict[str, object]:
    channels, activation = features(side_by_side(inputs, params)), ACTIVATIONS[str(params["activation"])]
    return {"channels": channels, **params, "activation": activation, "out": n_targets}


def _head(n_targets: int, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas.layers import Perceptron

    return Layer(Perceptron, _head_arguments(n_targets, inputs, params))


def _shared_head(n_targets: int, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_head import EnsembleHead

    return Layer(EnsembleHead, _head_arguments(n_targets, inputs, params))


def _packed_head(n_targets: int, inputs: tuple[TensorType, ...], params: Params) -> Layer:
    from gnas_molecular.layers_head import PackedHead

    projected = features(inputs[-1]) if params["projection"] else 0
    plain = inputs[:-1] if projected else inputs
    return Layer(PackedHead, {**_head_arguments(n_targets, plain, params), "projected": projected})
