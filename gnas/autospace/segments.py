"""Groups of weights that are zeroed together: those of a class of channels, and those that one unit's drop frees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gnas.autospace.atoms import Atoms
from gnas.autospace.cut import Mask, Removal
from gnas.autospace.gated import Column, nothing
from gnas.autospace.structure import Structure


@dataclass(frozen=True, slots=True)
class Segments:
    """Where groups of weights lie.

    Attributes:
        classes: By parameter, the class of each index of each dimension; None where a dimension has none.
        units: For each unit the parameters that no output needs without it.
        n_classes: How many classes there are.
        products: As in `Classes`: weights of a product belong to its factors.
    """

    classes: Mapping[str, tuple[Atoms | None, ...]]
    units: tuple[tuple[str, ...], ...]
    n_classes: int
    products: tuple[tuple[Atoms, tuple[Atoms, ...]], ...]

    @classmethod
    def of(cls, structure: Structure) -> Segments:
        """Of a model."""
        traced, label = structure.traced, structure.classes.label
        names = [name for name, tensor in traced.tensors.items() if isinstance(tensor, nn.Parameter)]
        classes = {
            name: tuple(None if a is None else label[a] for a in structure.dimensions.tensors.get(name, ()))
            for name in names
        }
        every = needed_parameters(structure, nothing(structure))
        units = []
        for k in range(len(structure.depth.units)):
            removal = nothing(structure)
            removal.units[k] = False
            units.append(tuple(sorted(every - needed_parameters(structure, removal))))
        return cls(classes, tuple(units), len(structure.classes.frozen), structure.classes.products)

    def sums(self, values: Mapping[str, Tensor]) -> tuple[Column, Column]:
        """Sums of values of parameters over the weights of each class, `(class,)`, and of each unit, `(unit,)`."""
        classes = np.zeros(self.n_classes)
        for name, dims in self.classes.items():
            if name not in values:
                continue
            value = values[name].detach().double()
            for axis, labels in enumerate(dims):
                if labels is not None:
                    rest = [i for i in range(value.dim()) if i != axis]
                    np.add.at(classes, labels, (value.sum(rest) if rest else value).cpu().numpy())
        for whole, factors in self.products:
            for axis, factor in enumerate(factors):
                rest = [i for i in range(whole.ndim) if i != axis]
                np.add.at(classes, factor, classes[whole].sum(axis=tuple(rest)))
        units = np.array([sum(float(values[n].detach().double().sum()) for n in u if n in values) for u in self.units])
        return classes, units

    def mask(self, name: str, shape: tuple[int, ...], removal: Removal) -> NDArray[np.bool_]:
        """Which weights of a parameter a removal zeroes, of its shape."""
        lost: Mask = np.zeros(shape, dtype=np.bool_)
        if any(name in unit for unit, kept in zip(self.units, removal.units.tolist(), strict=True) if not kept):
            lost[...] = True
        for axis, labels in enumerate(self.classes.get(name, ())):
            if labels is not None:
                lost |= ~removal.classes[labels].reshape([-1 if i == axis else 1 for i in range(len(shape))])
        return lost


def needed_parameters(structure: Structure, removal: Removal) -> set[str]:
    """Names of the parameters that a sub-network has."""
    found = set()
    for position, program in enumerate(structure.traced.programs):
        for node in structure.plan(removal, position).needed:
            if node.op == "placeholder" and node.name in program.state:
                found.add(program.state[node.name])
    return {name for name in found if isinstance(structure.traced.tensors[name], torch.nn.Parameter)}
