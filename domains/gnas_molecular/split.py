"""The split of the field: whole scaffolds, the largest first to training."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from gnas.data.parts import Fractions, Parts, fill_parts, groups_of


def scaffold_split(keys: Sequence[Hashable], fractions: Fractions) -> Parts:
    """Whole scaffolds, the largest first to training; the same every time.

    A scaffold goes to training if it still fits there, else to validation if it fits, else to test; ties in size go to
    the scaffold seen last.

    Source: Wu et al., MoleculeNet, Chem. Sci. 2018, 9, 513 (doi:10.1039/C7SC02664A), section 3.2, in the order of
    DeepChem and OGB.
    """
    groups = sorted(groups_of(keys), key=lambda group: (len(group), group[0]), reverse=True)
    return fill_parts(groups, len(keys), fractions)
