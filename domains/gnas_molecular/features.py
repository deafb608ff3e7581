"""Featurised molecules as flat arrays, kept on disk under the hash of what they were made from."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import rdkit
from numpy.typing import NDArray

from gnas_molecular import featurise

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Features:
    """All molecules end to end.

    Attributes:
        atoms: `(atom, ATOM_FEATURES)` float32.
        bonds: `(bond, BOND_FEATURES)` float32, directed.
        edge_index: `(2, bond)` int32, positions within the molecule.
        positional: `(atom, WALK_LENGTH)` float32.
        n_atoms, n_bonds: `(molecule,)` int64.
        descriptors: `(molecule, descriptor)` float64, NaN where undefined.
        fingerprints: `(molecule, FINGERPRINT_BITS)` uint8.
    """

    atoms: Array
    bonds: Array
    edge_index: Array
    positional: Array
    n_atoms: Array
    n_bonds: Array
    descriptors: Array
    fingerprints: Array

    def __len__(self) -> int:
        return len(self.n_atoms)


def compute_features(smiles: Sequence[str]) -> Features:
    """Featurises molecules one after the other."""
    molecules = [featurise.parse(text) for text in smiles]
    graphs = [featurise.molecule_graph(molecule) for molecule in molecules]
    return Features(
        atoms=np.concatenate([graph.atoms for graph in graphs]),
        bonds=np.concatenate([graph.bonds for graph in graphs]),
        edge_index=np.concatenate([graph.edge_index for graph in graphs], axis=1).astype(np.int32),
        positional=np.concatenate([graph.positional for graph in graphs]),
        n_atoms=np.array([len(graph.atoms) for graph in graphs], dtype=np.int64),
        n_bonds=np.array([len(graph.bonds) for graph in graphs], dtype=np.int64),
        descriptors=np.stack([featurise.descriptors(molecule) for molecule in molecules]),
        fingerprints=featurise.morgan_counts(molecules),
    )


def cached_features(smiles: Sequence[str], cache: Path) -> Features:
    """Features of molecules, read from `cache` if they were made before by the same RDKit and featuriser.

    A damaged file is made anew. A cache that cannot be written costs time on the next run and nothing else.
    """
    path = cache / f"molecules-{content_hash(smiles)}.npz"
    found = _read(path, len(smiles))
    if found is not None:
        return found
    features = compute_features(smiles)
    _write(path, features)
    return features


def content_hash(smiles: Sequence[str]) -> str:
    """Hash of the molecules in order, of the featuriser's version and of RDKit's."""
    digest = hashlib.blake2b(f"{featurise.VERSION} {rdkit.__version__}\n".encode(), digest_size=16)
    digest.update("\n".join(smiles).encode())
    return digest.hexdigest()


def _read(path: Path, n: int) -> Features | None:
    names = [field.name for field in fields(Features)]
    try:
        # NOTE: given a path, NumPy leaves the file open when it is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            features = Features(**{name: archive[name] for name in names})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return features if _consistent(features, n) else None


def _consistent(features: Features, n: int) -> bool:
    n_atoms, n_bonds = int(features.n_atoms.sum()), int(features.n_bonds.sum())
    return (
        features.n_atoms.shape == features.n_bonds.shape == (n,)
        and features.atoms.shape == (n_atoms, featurise.ATOM_FEATURES)
        and features.bonds.shape == (n_bonds, featurise.BOND_FEATURES)
        and features.edge_index.shape == (2, n_bonds)
        and features.positional.shape == (n_atoms, featurise.WALK_LENGTH)
        and features.descriptors.shape == (n, len(featurise.descriptor_names()))
        and features.fingerprints.shape == (n, featurise.FINGERPRINT_BITS)
    )


def _write(path: Path, features: Features) -> None:
    """Writes aside and renames, so that a reader never sees half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError:
        return
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, **{field.name: getattr(features, field.name) for field in fields(Features)})
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
