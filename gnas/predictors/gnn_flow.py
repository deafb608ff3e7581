"""The encoder: information flows forwards through a graph and backwards again, node after node, changed by the ops.

Source: the asynchronous passes of Ning et al., "TA-GATES: An Encoding Scheme for Neural Network Architectures",
NeurIPS 2022, section 3, and Hwang et al., "FlowerFormer: Empowering Neural Architecture Encoding using a Flow-aware
Graph Transformer", CVPR 2024, arXiv:2403.12821, section 3.2. Deviations: a gated sum in place of attention and of a
recurrent unit, ops enter as gates and shifts, the backward pass starts from what the forward pass left at each node,
and there is no attention between distant nodes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from gnas.predictors.gnn_labels import LABEL_WIDTH
from gnas.predictors.gnn_plan import FlowPlan

_LEAST_ROWS = 16
"""Products of fewer rows go another way through the linear algebra library and differ in the last bit: a graph would be
told something else alone than in company. So there are never fewer.
"""


def _enough(rows: Tensor) -> Tensor:
    """Rows of zeros added to few rows, `(…, row, column)`."""
    return nn.functional.pad(rows, (0, 0, 0, max(_LEAST_ROWS - rows.shape[-2], 0)))


def _gathered(states: Tensor, rows: Tensor) -> Tensor:
    """Sum of the states of some rows, `(row + 1, column)` by `(n, slot)` to `(n, column)`; the last state is 0."""
    return states.index_select(0, rows[:, 0]) if rows.shape[1] == 1 else embedding_bag(rows, states, mode="sum")


def _mapped(rows: Tensor, maps: Tensor) -> Tensor:
    """Each member's columns through its own map, `(n, member * width)` by `(member, width, width)`."""
    members, width, _ = maps.shape
    mapped = torch.bmm(_enough(rows).view(-1, members, width).transpose(0, 1), maps).transpose(0, 1)
    return mapped[: len(rows)].reshape(rows.shape)


class FlowPass(torch.autograd.Function):
    """One pass over the levels of a plan: `hᵢ = gᵢ mᵢ + relu(mᵢ W + cᵢ)`, `mᵢ = wᵢ Σⱼ hⱼ` over what node i reads.

    The gradient is again a pass, against the direction of the first; written out, it needs no graph of small steps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        shifts: Tensor,
        gates: Tensor,
        maps: Tensor,
        weights: Tensor,
        levels: tuple[tuple[int, int], ...],
        reads: tuple[Tensor, ...],
        feeds: tuple[Tensor, ...],
    ) -> Tensor:
        """States, `(row, member * width)`.

        Args:
            ctx: What backward needs.
            shifts, gates: cᵢ and gᵢ, `(row, member * width)`.
            maps: W of each member, `(member, width, width)`.
            weights: wᵢ, `(row, 1)`.
            levels: Ranges of rows, in the order of the pass.
            reads: What the rows of each level read, all of it in levels before.
            feeds: Who reads them.
        """
        n, columns = shifts.shape
        states = shifts.new_zeros(n + 1, columns)
        messages, before = torch.empty_like(shifts), torch.empty_like(shifts)
        for (start, end), rows in zip(levels, reads, strict=True):
            message = torch.mul(_gathered(states, rows), weights[start:end], out=messages[start:end])
            mapped = torch.add(_mapped(message, maps), shifts[start:end], out=before[start:end])
            torch.addcmul(mapped.relu(), gates[start:end], message, out=states[start:end])
        ctx.save_for_backward(gates, maps, weights, messages, before)
        ctx.way = levels, feeds
        return states[:n]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of shifts, gates and maps."""
        gates, maps, weights, messages, before = ctx.saved_tensors
        levels, feeds = ctx.way
        n, columns = gates.shape
        members, width, _ = maps.shape
        active = (before > 0).to(gates.dtype)
        of_messages, of_states = gates.new_zeros(n + 1, columns), torch.empty_like(gates)
        transposed = maps.transpose(1, 2)
        for (start, end), rows in zip(reversed(levels), reversed(feeds), strict=True):
            arrived = torch.add(_gathered(of_messages, rows), gradients[0][start:end], out=of_states[start:end])
            passed = _mapped(arrived * active[start:end], transposed).addcmul_(gates[start:end], arrived)
            torch.mul(passed, weights[start:end], out=of_messages[start:end])
        of_shifts = of_states * active
        of_maps = torch.bmm(
            messages.view(n, members, width).permute(1, 2, 0), of_shifts.view(n, members, width).transpose(0, 1)
        )
        return of_shifts, of_states * messages, of_maps, None, None, None, None


def _flowed(*arguments: object) -> Tensor:
    """`FlowPass`, typed."""
    states: Tensor = FlowPass.apply(*arguments)  # type: ignore[no-untyped-call]
    return states


def _normal(generator: torch.Generator, *shape: int, sd: float) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, generator=generator) * sd)


class FlowEncoder(nn.Module):
    """Several independent encoders side by side, one for each member of an ensemble.

    Args:
        members: How many.
        width: Of the states.
        rounds: Forward and backward passes over the graph.
        seed: Of the weights.
    """

    def __init__(self, members: int, width: int, rounds: int, seed: int) -> None:
        super().__init__()
        self.members, self.width, self.rounds = members, width, rounds
        generator = torch.Generator().manual_seed(seed)
        sd = 1.0 / math.sqrt(width)
        self.embed = _normal(generator, members, LABEL_WIDTH, width, sd=0.7)
        n = 2 * rounds
        self.maps = nn.ParameterList(_normal(generator, members, width, width, sd=sd) for _ in range(n))
        self.carries = nn.ParameterList(_normal(generator, members, width, width, sd=sd) for _ in range(n - 1))
        self.shifts = nn.ParameterList(_normal(generator, members, width, width, sd=sd) for _ in range(n))
        self.gates = nn.ParameterList(_normal(generator, members, width, width, sd=2 * sd) for _ in range(n))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(members, 2, width)) for _ in range(n))

    @property
    def out_width(self) -> int:
        """Width of what a member says of a graph."""
        return 4 * self.width

    def forward(self, plan: FlowPlan, labels: Tensor) -> Tensor:
        """Embeddings, `(member, graph, out_width)`.

        What the forward pass left at the outputs, the backward pass at the sources, and the sum of each over all nodes,
        divided by the root of their number.

        Args:
            plan: Of the graphs.
            labels: Vectors of the labels the plan speaks of, `(label, LABEL_WIDTH)`.
        """
        kinds = torch.relu(_enough(labels) @ self.embed)
        ahead = back = labels.new_zeros(plan.n_nodes, self.members * self.width)
        for turn in range(2 * self.rounds):
            shifts = self._of_nodes(kinds @ self.shifts[turn] + self.biases[turn][:, :1], plan)
            gates = self._of_nodes(torch.sigmoid(kinds @ self.gates[turn] + self.biases[turn][:, 1:]), plan)
            if turn:
                shifts = shifts + _mapped(back if turn % 2 == 0 else ahead, self.carries[turn - 1])
            if turn % 2 == 0:
                way = plan.read_weights, plan.levels, plan.reads, plan.feeds
                ahead = _flowed(shifts, gates, self.maps[turn], *way)
            else:
                way = plan.feed_weights, plan.levels[::-1], plan.feeds[::-1], plan.reads[::-1]
                back = _flowed(shifts, gates, self.maps[turn], *way)
        root = plan.sizes.rsqrt().index_select(0, plan.graphs)
        parts = [ahead * plan.sinks, back * plan.sources, ahead * root, back * root]
        nodes = torch.cat([part.view(-1, self.members, self.width) for part in parts], dim=2)
        of_graphs = nodes.new_zeros(len(plan.sizes), *nodes.shape[1:]).index_add(0, plan.graphs, nodes)
        return of_graphs.transpose(0, 1)

    def _of_nodes(self, of_labels: Tensor, plan: FlowPlan) -> Tensor:
        """What each node has of what its label has, `(member, label, width)` to `(row, member * width)`."""
        flat = of_labels.transpose(0, 1).reshape(-1, self.members * self.width)
        return flat.index_select(0, plan.labels)


class Scorer(nn.Module):
    """An encoder and, for each member, a small network from its embedding to a score.

    Args:
        encoder: The encoder.
        hidden: Width of the one hidden layer.
        seed: Of the weights.
    """

    def __init__(self, encoder: FlowEncoder, hidden: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder
        generator = torch.Generator().manual_seed(seed)
        members, width = encoder.members, encoder.out_width
        self.inner = _normal(generator, members, width, hidden, sd=1.0 / math.sqrt(width))
        self.inner_bias = nn.Parameter(torch.zeros(members, 1, hidden))
        self.outer = _normal(generator, members, hidden, 1, sd=1.0 / math.sqrt(hidden))
        self.outer_bias = nn.Parameter(torch.zeros(members, 1, 1))

    def hidden(self, plan: FlowPlan, labels: Tensor) -> Tensor:
        """The hidden layer, `(member, graph, hidden)`."""
        embedding = self.encoder(plan, labels)
        inner = torch.baddbmm(self.inner_bias, _enough(embedding), self.inner)
        return nn.functional.silu(inner[:, : embedding.shape[1]])

    def forward(self, plan: FlowPlan, labels: Tensor, kept: Tensor | None = None) -> Tensor:
        """Scores, `(member, graph)`; `kept` multiplies the hidden layer (dropout)."""
        hidden = self.hidden(plan, labels)
        scores = torch.baddbmm(self.outer_bias, _enough(hidden if kept is None else hidden * kept), self.outer)
        return scores[:, : hidden.shape[1], 0]
