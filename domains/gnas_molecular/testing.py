"""Random batches with the shapes of molecules, for tests of ops and spaces that need no chemistry."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gnas.ops import TensorType

__all__ = ["DEGREE_HISTOGRAM", "INPUTS", "permuted", "random_batch"]

INPUTS = {
    "atoms": TensorType("atoms", ("atom", 23)),
    "bonds": TensorType("bonds", ("bond", 7)),
    "edge_index": TensorType("edge_index", (2, "bond"), "int64"),
    "batch": TensorType("batch", ("atom",), "int64"),
    "positional": TensorType("positional", ("atom", 16)),
    "descriptors": TensorType("molecules", ("molecule", 19)),
    "fingerprints": TensorType("molecules", ("molecule", 31)),
}
"""Model inputs with widths unlike the real ones, so that a constant in an op shows."""

DEGREE_HISTOGRAM = (2, 40, 60, 30, 8)


def random_batch(sizes: Sequence[int], seed: int = 0) -> dict[str, Tensor]:
    """Model inputs of molecules with `sizes` atoms: random trees with, from five atoms on, a ring closed."""
    generator = torch.Generator().manual_seed(seed)
    ends: list[tuple[int, int]] = []
    first = 0
    for size in sizes:
        for atom in range(1, size):
            other = int(torch.randint(max(0, atom - 3), atom, (), generator=generator))
            ends += [(first + atom, first + other), (first + other, first + atom)]
        if size >= 5:
            ends += [(first, first + size - 1), (first + size - 1, first)]
        first += size

    def rows(n: int, name: str) -> Tensor:
        return torch.randn(n, int(INPUTS[name].shape[-1]), generator=generator)

    return {
        "atoms": rows(first, "atoms"),
        "bonds": rows(len(ends) // 2, "bonds").repeat_interleave(2, 0),
        "edge_index": torch.tensor(ends, dtype=torch.int64).reshape(-1, 2).T.contiguous(),
        "batch": torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(list(sizes))),
        "positional": rows(first, "positional").abs(),
        "descriptors": rows(len(sizes), "descriptors"),
        "fingerprints": rows(len(sizes), "fingerprints").abs(),
    }


def permuted(batch: dict[str, Tensor], seed: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """The same molecules with the atoms of each and the pairs of bonds in another order.

    Returns:
        The batch and `order`, `(atom,)`: the old place of each atom.
    """
    generator = torch.Generator().manual_seed(seed)
    n_atoms, n_pairs = len(batch["batch"]), batch["edge_index"].shape[1] // 2
    order = torch.argsort(batch["batch"] + torch.rand(n_atoms, generator=generator))
    place = torch.empty_like(order)
    place[order] = torch.arange(n_atoms)
    pairs = torch.randperm(n_pairs, generator=generator)
    edges = torch.stack([2 * pairs, 2 * pairs + 1], 1).flatten()
    changed = {
        "atoms": batch["atoms"][order],
        "positional": batch["positional"][order],
        "bonds": batch["bonds"][edges],
        "edge_index": place[batch["edge_index"][:, edges]],
    }
    return {**batch, **changed}, order
