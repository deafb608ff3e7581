"""Molecules to arrays: atom and bond features, positional encodings, descriptors, fingerprints.

This module needs RDKit and NumPy only: its source is shipped beside exported models, so that what a model reads in
use is what it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import Descriptors, rdFingerprintGenerator

FloatArray = NDArray[np.float32]

VERSION = 1
"""Raised when any array below changes its meaning; part of the cache key."""

ELEMENTS = (1, 5, 6, 7, 8, 9, 11, 14, 15, 16, 17, 19, 30, 33, 34, 35, 53)
DEGREES = (0, 1, 2, 3, 4, 5)
CHARGES = (-2, -1, 0, 1, 2)
HYDROGENS = (0, 1, 2, 3, 4)
HYBRIDISATIONS = ("S", "SP", "SP2", "SP3", "SP3D", "SP3D2")
CHIRALITIES = ("", "R", "S")
BOND_TYPES = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
BOND_STEREO = ("STEREONONE", "STEREOANY", "STEREOZ", "STEREOE", "STEREOCIS", "STEREOTRANS")

WALK_LENGTH = 16
FINGERPRINT_BITS = 1024
FINGERPRINT_RADIUS = 2
DESCRIPTOR_CLIP = 5.0


def descriptor_names() -> tuple[str, ...]:
    """Names of the RDKit descriptors, in the order of `descriptors`; 217 of them since RDKit 2024.09."""
    return tuple(name for name, _ in Descriptors._descList)


def _one_hot(value: object, choices: Sequence[object]) -> list[float]:
    """One position per choice and a last one for everything else."""
    row = [0.0] * (len(choices) + 1)
    row[choices.index(value) if value in choices else len(choices)] = 1.0
    return row


def _atom_row(atom: Chem.Atom) -> list[float]:
    return [
        *_one_hot(atom.GetAtomicNum(), ELEMENTS),
        *_one_hot(atom.GetDegree(), DEGREES),
        *_one_hot(atom.GetFormalCharge(), CHARGES),
        *_one_hot(atom.GetTotalNumHs(), HYDROGENS),
        *_one_hot(str(atom.GetHybridization()), HYBRIDISATIONS),
        *_one_hot(atom.GetProp("_CIPCode") if atom.HasProp("_CIPCode") else "", CHIRALITIES),
        float(atom.GetIsAromatic()),
        float(atom.IsInRing()),
        atom.GetMass() * 0.01,
    ]


def _bond_row(bond: Chem.Bond) -> list[float]:
    return [
        *_one_hot(str(bond.GetBondType()), BOND_TYPES),
        *_one_hot(str(bond.GetStereo()), BOND_STEREO),
        float(bond.GetIsConjugated()),
        float(bond.IsInRing()),
    ]


ATOM_FEATURES = sum(len(c) + 1 for c in (ELEMENTS, DEGREES, CHARGES, HYDROGENS, HYBRIDISATIONS, CHIRALITIES)) + 3
BOND_FEATURES = sum(len(c) + 1 for c in (BOND_TYPES, BOND_STEREO)) + 2


@dataclass(frozen=True, slots=True)
class MoleculeGraph:
    """One molecule as arrays.

    Attributes:
        atoms: `(atom, ATOM_FEATURES)`.
        bonds: `(2 · bond, BOND_FEATURES)`; rows 2k and 2k + 1 are the two directions of bond k.
        edge_index: `(2, 2 · bond)` int64, sources and targets.
        positional: `(atom, WALK_LENGTH)`.
    """

    atoms: FloatArray
    bonds: FloatArray
    edge_index: NDArray[np.int64]
    positional: FloatArray


def parse(smiles: str) -> Chem.Mol:
    """The molecule of a SMILES that is known to be good.

    Raises:
        ValueError: RDKit cannot read it.
    """
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"RDKit cannot read the SMILES {smiles!r}")
    return molecule


def molecule_graph(molecule: Chem.Mol) -> MoleculeGraph:
    """Atom and bond features of one molecule; a molecule without bonds has bond arrays of length zero."""
    atoms = np.array([_atom_row(atom) for atom in molecule.GetAtoms()], dtype=np.float32)
    rows: list[list[float]] = []
    ends: list[tuple[int, int]] = []
    for bond in molecule.GetBonds():
        row = _bond_row(bond)
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        rows += [row, row]
        ends += [(a, b), (b, a)]
    bonds = np.array(rows, dtype=np.float32).reshape(len(rows), BOND_FEATURES)
    edge_index = np.ascontiguousarray(np.array(ends, dtype=np.int64).reshape(len(ends), 2).T)
    return MoleculeGraph(atoms, bonds, edge_index, walk_returns(len(atoms), edge_index))


def walk_returns(n_atoms: int, edge_index: NDArray[np.int64]) -> FloatArray:
    """Probability that a random walk from each atom is back after 1 … WALK_LENGTH steps; shape `(atom, WALK_LENGTH)`.

    Source: Dwivedi et al., Graph Neural Networks with Learnable Structural and Positional Representations, eq. 13
    (arXiv:2110.07875).
    """
    step = np.zeros((n_atoms, n_atoms))
    step[edge_index[0], edge_index[1]] = 1.0
    step /= np.maximum(step.sum(1, keepdims=True), 1.0)
    returns = np.empty((n_atoms, WALK_LENGTH), dtype=np.float32)
    power = np.eye(n_atoms)
    for k in range(WALK_LENGTH):
        power = power @ step
        returns[:, k] = np.diagonal(power)
    return returns


def descriptors(molecule: Chem.Mol) -> NDArray[np.float64]:
    """The RDKit descriptors, NaN where one is not defined. `Ipc` grows beyond floats and is given as log(1 + Ipc)."""
    values = np.full(len(Descriptors._descList), np.nan)
    with rdBase.BlockLogs():
        for i, (name, function) in enumerate(Descriptors._descList):
            try:
                value = float(function(molecule))
            except (ValueError, ArithmeticError, RuntimeError, KeyError):
                continue
            values[i] = np.log1p(max(value, 0.0)) if name == "Ipc" else value
    values[~np.isfinite(values)] = np.nan
    return np.clip(values, -1e9, 1e9)


def morgan_counts(
    molecules: Sequence[Chem.Mol], bits: int = FINGERPRINT_BITS, radius: int = FINGERPRINT_RADIUS
) -> NDArray[np.uint8]:
    """Morgan count fingerprints, shape `(molecule, bits)`; counts above 255 are given as 255."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)
    counts = np.zeros((len(molecules), bits), dtype=np.uint8)
    for i, molecule in enumerate(molecules):
        counts[i] = np.minimum(generator.GetCountFingerprintAsNumPy(molecule), 255)
    return counts


def scale_descriptors(raw: NDArray[np.float64], scaler: Mapping[str, Any]) -> FloatArray:
    """Descriptors as networks read them: gaps filled, standardised, clipped.

    Args:
        raw: `(molecule, descriptor)`, NaN where undefined.
        scaler: `fill`, `mean`, `std` (each of length descriptor) and `clip`.
    """
    fill, mean, std = (np.asarray(scaler[key], dtype=np.float64) for key in ("fill", "mean", "std"))
    filled = np.where(np.isnan(raw), fill, raw)
    clip = float(scaler["clip"])
    return np.clip((filled - mean) / std, -clip, clip).astype(np.float32)


def model_inputs(smiles: Sequence[str], scaler: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Inputs of a network for a list of standardised SMILES, by name, in the order of its forward.

    Args:
        smiles: At least one.
        scaler: Of the descriptors, see `scale_descriptors`.
    """
    molecules = [parse(text) for text in smiles]
    graphs = [molecule_graph(molecule) for molecule in molecules]
    sizes = np.array([len(graph.atoms) for graph in graphs], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    edges = [graph.edge_index + start for graph, start in zip(graphs, starts, strict=True)]
    raw = np.stack([descriptors(molecule) for molecule in molecules])
    return {
        "atoms": np.concatenate([graph.atoms for graph in graphs]),
        "bonds": np.concatenate([graph.bonds for graph in graphs]),
        "edge_index": np.concatenate(edges, axis=1),
        "batch": np.repeat(np.arange(len(graphs), dtype=np.int64), sizes),
        "positional": np.concatenate([graph.positional for graph in graphs]),
        "descriptors": scale_descriptors(raw, scaler),
        "fingerprints": np.log1p(morgan_counts(molecules).astype(np.float32)),
    }
