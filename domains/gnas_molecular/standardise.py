"""Standardising molecules: salts stripped, charges and tautomers optional; keys by which molecules are the same.

This module needs RDKit only: its source is shipped beside exported models.
"""

from __future__ import annotations

from dataclasses import dataclass

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize
from rdkit.Chem.Scaffolds import MurckoScaffold


class UnparsableError(ValueError):
    """A SMILES that is no molecule; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Standardiser:
    """How molecules are made comparable.

    Attributes:
        salts: Keep the largest fragment only.
        uncharge: Neutralise charges where that is possible.
        tautomers: Take the canonical tautomer (slow).
    """

    salts: bool = True
    uncharge: bool = False
    tautomers: bool = False

    def __call__(self, smiles: str) -> str:
        """Canonical SMILES of the standardised molecule.

        Raises:
            UnparsableError: It is no molecule.
        """
        with rdBase.BlockLogs():
            molecule = _parse(smiles)
            if self.salts:
                molecule = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(molecule)
            if self.uncharge:
                molecule = rdMolStandardize.Uncharger().uncharge(molecule)
            if self.tautomers:
                molecule = rdMolStandardize.TautomerEnumerator().Canonicalize(molecule)
            canonical = Chem.MolToSmiles(molecule)
            if Chem.MolFromSmiles(canonical) is None:
                raise UnparsableError("its canonical SMILES cannot be read back")
        return str(canonical)


def _parse(smiles: str) -> Chem.Mol:
    text = smiles.strip()
    if not text:
        raise UnparsableError("the SMILES is empty")
    molecule = Chem.MolFromSmiles(text)
    if molecule is not None:
        if molecule.GetNumAtoms() == 0:
            raise UnparsableError("the molecule has no atoms")
        return molecule
    loose = Chem.MolFromSmiles(text, sanitize=False)
    if loose is None:
        raise UnparsableError("not a SMILES")
    problems = [problem.Message() for problem in Chem.DetectChemistryProblems(loose)]
    raise UnparsableError(problems[0] if problems else "the molecule cannot be sanitised")


def inchi_key(smiles: str) -> str:
    """InChIKey of a molecule; the SMILES itself where InChI has none."""
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
        key = str(Chem.MolToInchiKey(molecule)) if molecule is not None else ""
    return key or smiles


def scaffold(smiles: str) -> str:
    """Bemis–Murcko scaffold as SMILES without chirality; empty for molecules without rings.

    Source: Bemis and Murcko, J. Med. Chem. 1996, 39, 2887 (doi:10.1021/jm9602928).
    """
    with rdBase.BlockLogs():
        return str(MurckoScaffold.MurckoScaffoldSmiles(smiles=smiles, includeChirality=False))
