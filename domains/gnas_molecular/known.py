"""Known good networks of the field, as assignments in `molecular/default`. No torch here."""

from __future__ import annotations

from collections.abc import Mapping

from gnas.architecture import Value

__all__ = ["DEFAULT_NETWORK", "STARTING_POINTS"]

DEFAULT_NETWORK: Mapping[str, Value] = {
    "hidden": 128,
    "depth": 4,
    "conv": "gine",
    "bond_update": False,
    "norm": "batch",
    "activation": "relu",
    "dropout": 0.1,
    "residual": True,
    "virtual_node": False,
    "jump": "last",
    "positions": False,
    "readout": "sum",
    "descriptors": 128,
    "raw_descriptors": False,
    "fingerprints": 0,
    "head": "head",
    "head_depth": 1,
    "head_width": 128,
}
"""GINE with descriptors: the domain's unsearched network."""

DESCRIPTOR_ENSEMBLE: Mapping[str, Value] = {
    "hidden": 32,
    "depth": 0,
    "activation": "relu",
    "dropout": 0.2,
    "positions": False,
    "readout": "mean",
    "descriptors": 0,
    "raw_descriptors": True,
    "fingerprints": 0,
    "head": "shared_head",
    "members": 8,
    "head_depth": 2,
    "head_width": 128,
}
"""Perceptrons on descriptors and the mean atom: no message passing, trained in seconds, hard to beat on small data."""


PACKED_ENSEMBLE: Mapping[str, Value] = {
    **DESCRIPTOR_ENSEMBLE,
    "head": "packed_head",
    "members": 16,
    "part": 0.5,
    "member_projection": 0,
    "head_width": 64,
}
"""Perceptrons with weights of their own, each on half of the descriptors: what forests do, with networks."""

FINGERPRINT_ENSEMBLE: Mapping[str, Value] = {
    **PACKED_ENSEMBLE,
    "member_projection": 128,
    "head_width": 128,
    "dropout": 0.4,
}
"""The same with Morgan fingerprints, which each member projects at random for itself."""

GINE_ENSEMBLE: Mapping[str, Value] = {**DEFAULT_NETWORK, "depth": 2, "readout": "mean", "descriptors": 0} | {
    "raw_descriptors": True,
    "head": "shared_head",
    "members": 8,
    "head_depth": 2,
    "dropout": 0.2,
}
"""GINE whose read-out and descriptors enter a head of eight members."""

GINE_PACKED: Mapping[str, Value] = {**GINE_ENSEMBLE, "head": "packed_head", "part": 1.0, "member_projection": 0}
"""The same with members that have weights of their own."""

GINE_FINGERPRINTS: Mapping[str, Value] = {
    **GINE_PACKED,
    "hidden": 64,
    "part": 0.5,
    "member_projection": 128,
    "dropout": 0.3,
}
"""Atoms, descriptors and fingerprints together; narrower convolutions, which cost less and did as well."""

DMPNN: Mapping[str, Value] = {
    "hidden": 128,
    "depth": 1,
    "conv": "dmpnn",
    "steps": 2,
    "norm": "none",
    "residual": False,
    "virtual_node": False,
    "positions": False,
    "activation": "relu",
    "dropout": 0.0,
    "readout": "mean",
    "descriptors": 0,
    "raw_descriptors": True,
    "fingerprints": 0,
    "head": "head",
    "head_depth": 1,
    "head_width": 256,
}
"""D-MPNN with descriptors. Source: Yang et al. 2019, doi:10.1021/acs.jcim.9b00237."""

STARTING_POINTS: tuple[Mapping[str, Value], ...] = (
    FINGERPRINT_ENSEMBLE,
    GINE_FINGERPRINTS,
    PACKED_ENSEMBLE,
    GINE_PACKED,
    DMPNN,
    GINE_ENSEMBLE,
    DEFAULT_NETWORK,
)
