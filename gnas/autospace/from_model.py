"""A model as a search space: `space_from_model`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gnas.architecture import Architecture, Assignment
from gnas.autospace.costs import MACS, N_PARAMS, CostTable
from gnas.autospace.cut import Mask, Removal
from gnas.autospace.joins import Depth
from gnas.autospace.model_space import ON, ModelSpace
from gnas.autospace.network import SubNetwork
from gnas.autospace.records import KEEP
from gnas.autospace.reduced import reduced
from gnas.autospace.structure import Structure
from gnas.autospace.trace import trace
from gnas.autospace.verify import difference
from gnas.errors import SpaceError
from gnas.space.protocol import Codes


class AutoSpace(ModelSpace):
    """The sub-networks of a PyTorch model: depth units, bypasses and widths in one space, weights inherited.

    Attributes:
        structure: What is known of the model.
    """

    def __init__(self, structure: Structure, name: str) -> None:
        self.structure = structure
        depth: Depth = structure.depth
        super().__init__(
            name,
            depth.circuit,
            depth.units,
            depth.bypasses,
            structure.widths.groups,
            self._reduced,
            self._network,
            structure.fingerprint,
        )

    def removal(self, assignment: Assignment | Mapping[str, Any]) -> Removal:
        """What an assignment of choices takes from the model; choices it does not name are kept, off and full."""
        return self.structure.removal(*self._chosen(assignment))

    def _chosen(self, assignment: Assignment | Mapping[str, Any]) -> tuple[Mask, Mask, NDArray[np.int64]]:
        """Units kept, bypasses taken, channels kept of each group."""
        chosen = dict(assignment)
        units = np.array([chosen.get(u.name, KEEP) == KEEP for u in self.units], dtype=np.bool_)
        bypasses = np.array([chosen.get(u.name) == ON for u in self.bypasses], dtype=np.bool_)
        widths = np.array([chosen.get(g.name, g.size) for g in self.groups], dtype=np.int64)
        return units, bypasses, widths

    @cached_property
    def cost_table(self) -> CostTable:
        """Counts the costs of sub-networks."""
        return CostTable(self.structure)

    def costs(self, choices: Architecture | Assignment | Mapping[str, Any]) -> dict[str, float]:
        """`n_params` and `macs` of a sub-network, which is not built; choices not named are kept, off and full."""
        assignment = choices.assignment if isinstance(choices, Architecture) else choices
        units, bypasses, widths = self._chosen(assignment)
        found = self.cost_table.of(units[None], bypasses[None], widths[None])
        return {name: float(found[name][0]) for name in (N_PARAMS, MACS)}

    def costs_of(self, codes: Codes) -> Mapping[str, NDArray[np.float64]]:
        """`n_params` and `macs` of rows of codes `(n, choice)`, each `(n,)`."""
        found = self.cost_table.of(self.kept(codes), self.bypassed(codes), self.widths(codes))
        return {name: found[name] for name in (N_PARAMS, MACS)}

    def difference(self, architecture: Architecture) -> float:
        """See `verify`."""
        return difference(self.structure, self.removal(architecture.assignment))

    def _reduced(self, assignment: Assignment) -> Architecture:
        return reduced(self.structure, self.removal(assignment))

    def _network(self, architecture: Architecture) -> SubNetwork:
        removal = self.removal(architecture.assignment)
        if self._reduced(architecture.assignment).digest != replace(architecture, assignment=()).digest:
            raise SpaceError("the architecture is not what its assignment leaves of this model", place=self.name)
        return self.structure.network(removal)


def space_from_model(
    model: nn.Module, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None, *, name: str | None = None
) -> AutoSpace:
    """Any PyTorch model as a search space whose every member runs and inherits weights.

    Args:
        model: The model; its weights are referred to, not copied.
        args: Example inputs given by position.
        kwargs: Example inputs given by name.
        name: Name of the space; the model's class if None.

    Raises:
        SpaceError: The model does not run on the example or cannot be traced.

    Source: the segment graph follows ASGNAS (Chen et al., arXiv 2305.18030); validity by a monotone circuit of
        liveness
        instead of connectivity, widths by equivalence of channels.
    """
    structure = Structure.of(trace(model, tuple(args), kwargs))
    return AutoSpace(structure, name or structure.traced.name)


def verify(space: AutoSpace, architecture: Architecture) -> float:
    """Largest difference on the example between a sub-network and the original with the removed parts set to zero.

    It is relative to the largest output, or absolute where all outputs are below one.
    """
    return space.difference(architecture)
