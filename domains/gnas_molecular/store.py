"""A part of the data as contiguous tensors, from which batches are gathered with index arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from gnas_molecular.features import Features


def _starts(counts: torch.Tensor) -> torch.Tensor:
    return torch.cumsum(counts, 0) - counts


def _spread(counts: torch.Tensor) -> torch.Tensor:
    """`[0] * counts[0] + [1] * counts[1] + …`."""
    return torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)


@dataclass(frozen=True, slots=True)
class MoleculeStore:
    """Molecules end to end, on one device.

    Attributes:
        atoms: `(atom, F_a)`; `positional`: `(atom, 16)`.
        bonds: `(bond, F_b)`, directed; `edge_index`: `(2, bond)` int64, positions within the molecule.
        n_atoms, n_bonds: `(molecule,)` int64; `atom_start`, `bond_start`: where each molecule begins.
        descriptors: `(molecule, descriptor)` float64 and raw, or float32 once scaled.
        fingerprints: `(molecule, 1024)` uint8 counts.
        labels: `(molecule, target)` float64 in data units, NaN where missing, or float32 once scaled, 0 where missing.
        mask: `(molecule, target)` bool, labels present.
    """

    atoms: torch.Tensor
    positional: torch.Tensor
    bonds: torch.Tensor
    edge_index: torch.Tensor
    n_atoms: torch.Tensor
    n_bonds: torch.Tensor
    atom_start: torch.Tensor
    bond_start: torch.Tensor
    descriptors: torch.Tensor
    fingerprints: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor

    def __len__(self) -> int:
        return len(self.n_atoms)

    @classmethod
    def of(cls, features: Features, labels: NDArray[np.float64]) -> MoleculeStore:
        """The store of featurised molecules and their labels in data units."""
        n_atoms, n_bonds = torch.from_numpy(features.n_atoms), torch.from_numpy(features.n_bonds)
        values = torch.from_numpy(labels)
        return cls(
            atoms=torch.from_numpy(features.atoms),
            positional=torch.from_numpy(features.positional),
            bonds=torch.from_numpy(features.bonds),
            edge_index=torch.from_numpy(features.edge_index.astype(np.int64)),
            n_atoms=n_atoms,
            n_bonds=n_bonds,
            atom_start=_starts(n_atoms),
            bond_start=_starts(n_bonds),
            descriptors=torch.from_numpy(features.descriptors),
            fingerprints=torch.from_numpy(features.fingerprints),
            labels=values,
            mask=~torch.isnan(values),
        )

    def take(self, index: torch.Tensor) -> MoleculeStore:
        """A store of some molecules, in the order of `index` `(molecule,)`; shares no memory with this one."""
        n_atoms, n_bonds = self.n_atoms[index], self.n_bonds[index]
        atoms, bonds = self._atom_rows(index)[0], self._bond_rows(index)[0]
        return MoleculeStore(
            atoms=self.atoms[atoms],
            positional=self.positional[atoms],
            bonds=self.bonds[bonds],
            edge_index=self.edge_index[:, bonds],
            n_atoms=n_atoms,
            n_bonds=n_bonds,
            atom_start=_starts(n_atoms),
            bond_start=_starts(n_bonds),
            descriptors=self.descriptors[index],
            fingerprints=self.fingerprints[index],
            labels=self.labels[index],
            mask=self.mask[index],
        )

    def joined(self, other: MoleculeStore) -> MoleculeStore:
        """This store followed by another."""
        n_atoms = torch.cat([self.n_atoms, other.n_atoms])
        n_bonds = torch.cat([self.n_bonds, other.n_bonds])
        return MoleculeStore(
            atoms=torch.cat([self.atoms, other.atoms]),
            positional=torch.cat([self.positional, other.positional]),
            bonds=torch.cat([self.bonds, other.bonds]),
            edge_index=torch.cat([self.edge_index, other.edge_index], dim=1),
            n_atoms=n_atoms,
            n_bonds=n_bonds,
            atom_start=_starts(n_atoms),
            bond_start=_starts(n_bonds),
            descriptors=torch.cat([self.descriptors, other.descriptors]),
            fingerprints=torch.cat([self.fingerprints, other.fingerprints]),
            labels=torch.cat([self.labels, other.labels]),
            mask=torch.cat([self.mask, other.mask]),
        )

    def to(self, device: str) -> MoleculeStore:
        """The same store on another device."""
        return MoleculeStore(*(getattr(self, field.name).to(device) for field in fields(self)))

    def _atom_rows(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of the atoms of some molecules, and the position in `index` of each row's molecule."""
        return _gather_rows(self.atom_start[index], self.n_atoms[index])

    def _bond_rows(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return _gather_rows(self.bond_start[index], self.n_bonds[index])

    def inputs(self, index: torch.Tensor) -> dict[str, torch.Tensor]:
        """Model inputs of some molecules as one disjoint graph.

        Args:
            index: `(molecule,)` int64.
        """
        atoms, batch = self._atom_rows(index)
        bonds, bond_molecule = self._bond_rows(index)
        first_atom = _starts(self.n_atoms[index])
        return {
            "atoms": self.atoms[atoms],
            "bonds": self.bonds[bonds],
            "edge_index": self.edge_index[:, bonds] + first_atom[bond_molecule],
            "batch": batch,
            "positional": self.positional[atoms],
            "descriptors": self.descriptors[index],
            "fingerprints": torch.log1p(self.fingerprints[index].to(torch.float32)),
        }


def _gather_rows(starts: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    owner = _spread(counts)
    rows = torch.arange(len(owner), device=counts.device) + (starts - _starts(counts))[owner]
    return rows, owner
