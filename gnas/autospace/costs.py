"""Parameters and multiply-accumulates of sub-networks without building them, for many at once."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from gnas.autospace.channels import Channels
from gnas.autospace.functional import op_name
from gnas.autospace.islands import island_of
from gnas.autospace.macs import Product, hint, macs_of
from gnas.autospace.needed import Mask, Needed
from gnas.autospace.program import value_of
from gnas.autospace.structure import Structure

N_PARAMS = "n_params"
MACS = "macs"
N_OPS = "n_ops"
Column = NDArray[np.float64]
_FOLDED = frozenset(
    {
        "batch_norm", "relu", "relu_", "dropout", "dropout_", "view", "reshape", "_unsafe_view", "flatten", "unflatten",
        "permute", "transpose", "t", "unsqueeze", "squeeze", "expand", "expand_as", "contiguous", "clone", "detach",
        "alias", "to", "_to_copy", "getitem", "sym_size", "select",
    }
)  # fmt: skip
"""Calls that a runtime folds into others or that move no data."""
Slots = tuple[int, ...]
Numbers = tuple[int, ...]


class CostTable:
    """Costs of the sub-networks of a model, equal to what is counted on the built ones.

    `n_params` counts elements of distinct parameters that either mode uses; `macs` is for one forward on the traced
    example in evaluation mode, divided by its number of rows (the first dimension of the first output). `n_ops` counts
    calls that cost a runtime something however small their tensors are: not normalisation, activations and reshaping.

    Args:
        structure: The model.
    """

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self._needed = [
            Needed(program, structure.depth, position) for position, program in enumerate(structure.traced.programs)
        ]
        self._channels = Channels(structure.classes, structure.widths)
        self._rows = _rows(structure)

    def of(self, units: Mask, bypasses: Mask, widths: NDArray[np.int64]) -> Mapping[str, Column]:
        """Costs of rows of choices.

        Args:
            units: Units kept, `(n, unit)`.
            bypasses: Bypasses taken, `(n, bypass)`.
            widths: Channels kept of each group, `(n, group)`.

        Returns:
            `n_params`, `macs` and `n_ops`, each `(n,)`.
        """
        there = np.concatenate([needed.rows(units, bypasses) for needed in self._needed])
        params, macs, ops = self._terms
        counts = self._channels.counts(widths).astype(np.float64)
        return {
            N_PARAMS: params.total(there, counts),
            MACS: macs.total(there, counts) / self._rows,
            N_OPS: ops.total(there, counts),
        }

    @cached_property
    def _terms(self) -> tuple[_Terms, _Terms, _Terms]:
        """Terms of parameters, multiply-accumulates and ops; building them makes all dimensions known."""
        params, macs, ops = _Terms(), _Terms(), _Terms()
        for name, slots in self._parameter_slots().items():
            params.add(slots, self._size(name), self._channels)
        first = self._needed[0]
        for node, slot in first.slot.items():
            for product in macs_of(self._structure.dimensions, node):
                macs.add((slot,), product, self._channels)
            if op_name(node) and op_name(node) not in _FOLDED:
                ops.add((slot,), Product.of(1), self._channels)
        for slots, size in self._islands():
            params.add(slots, Product.of(size), self._channels)
        for terms in (params, macs, ops):
            terms.close()
        return params, macs, ops

    def _parameter_slots(self) -> dict[str, tuple[int, ...]]:
        """For each parameter the slots in which it is needed, those of all programs one after another."""
        traced = self._structure.traced
        found: dict[str, list[int]] = defaultdict(list)
        for program, needed, start in zip(traced.programs, self._needed, self._starts, strict=True):
            for node, slot in needed.slot.items():
                name = program.state.get(node.name) if node.op == "placeholder" else None
                if name is not None and isinstance(traced.tensors[name], nn.Parameter):
                    found[name].append(start + slot)
        return {name: tuple(slots) for name, slots in found.items()}

    def _islands(self) -> list[tuple[tuple[int, ...], int]]:
        slots: dict[int, list[int]] = defaultdict(list)
        for needed, start in zip(self._needed, self._starts, strict=True):
            for node, slot in needed.slot.items():
                if op_name(node) == "island":
                    slots[id(island_of(int(node.args[1])).module)].append(start + slot)  # type: ignore[arg-type]
        modules = {id(module): module for module in self._structure.traced.islands.values()}
        return [(tuple(where), sum(p.numel() for p in modules[module].parameters())) for module, where in slots.items()]

    @property
    def _starts(self) -> list[int]:
        return [0, *itertools.accumulate(needed.n_slots for needed in self._needed)][:-1]

    def _size(self, name: str) -> Product:
        tensor = self._structure.traced.tensors[name]
        dims = self._structure.dimensions.tensors.get(name, (None,) * tensor.dim())
        return Product.of(*(s if a is None else a for s, a in zip(tensor.shape, dims, strict=True)))


class _Terms:
    """A sum of products of channel counts, each counted where one of its slots is there."""

    def __init__(self) -> None:
        self._made: dict[tuple[Slots, Numbers, Numbers], float] = defaultdict(float)

    def add(self, slots: Slots, product: Product, channels: Channels) -> None:
        """One more product."""
        numbers, summed = (
            tuple(sorted(channels.number(atoms) for atoms in some)) for some in (product.channels, product.summed)
        )
        self._made[tuple(sorted(set(slots))), numbers, summed] += product.factor

    def close(self) -> None:
        """No more products."""
        self._slots = list(dict.fromkeys(slots for slots, _, _ in self._made))
        place = {slots: i for i, slots in enumerate(self._slots)}
        alike: dict[tuple[int, Numbers], list[tuple[int, Numbers, float]]] = defaultdict(list)
        for (slots, numbers, summed), factor in self._made.items():
            alike[len(numbers), summed].append((place[slots], numbers, factor))
        self._parts = [
            (
                np.array([where for where, _, _ in terms], dtype=np.intp),
                np.array([numbers for _, numbers, _ in terms], dtype=np.intp).reshape(len(terms), length),
                np.array([factor for _, _, factor in terms]),
                list(summed),
            )
            for (length, summed), terms in alike.items()
        ]

    def total(self, there: Mask, counts: NDArray[np.float64]) -> Column:
        """Sums for rows: slots `(slot, n)`, counts `(dimension, n)` to `(n,)`."""
        used = np.array([np.logical_or.reduce(there[list(slots)], axis=0) for slots in self._slots], dtype=np.bool_)
        found = np.zeros(there.shape[1])
        for where, numbers, factors, summed in self._parts:
            products = used[where].astype(np.float64)
            for column in numbers.T:
                products *= counts[column]
            total = factors @ products
            found += np.where(counts[summed].max(0) > 1, total, 0.0) if summed else total
        return found


def _rows(structure: Structure) -> int:
    outputs = [value_of(v) for v in structure.traced.evaluation.outputs if isinstance(v, fx.Node)]
    first = next((v for v in outputs if isinstance(v, torch.Tensor)), None)
    return max(hint(first.shape[0]), 1) if first is not None and first.dim() else 1
