"""Layers of random models that pass messages along edges; they need torch-geometric."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv

from gnas.testing.model_values import Spec


class GraphLayer(nn.Module):
    """A convolution of nodes, perhaps normalised, perhaps added to its input where channels agree."""

    def __init__(self, convolution: nn.Module, spec: Spec, out: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm1d(out) if spec.variant % 2 else nn.Identity()
        self.residual = out == spec.value.channels and spec.variant % 5 > 1

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        y: Tensor = self.norm(self.convolution(x, edge_index)).relu()
        return x + y if self.residual else y


def graph_layer(op: str, spec: Spec) -> nn.Module:
    """The layer called `gcn`, `gin`, `sage` or `gat`."""
    into, width = spec.value.channels, spec.width
    match op:
        case "gcn":
            return GraphLayer(GCNConv(into, width), spec, width)
        case "gin":
            inner = nn.Sequential(
                nn.Linear(into, 2 * width), nn.BatchNorm1d(2 * width), nn.ReLU(), nn.Linear(2 * width, width)
            )
            return GraphLayer(GINConv(inner, train_eps=spec.variant % 2 == 0), spec, width)
        case "sage":
            aggregation = ("mean", "max", "sum")[spec.variant % 3]
            return GraphLayer(SAGEConv(into, width, aggr=aggregation), spec, width)
        case _:
            both = spec.variant % 3 == 2
            return GraphLayer(GATConv(into, width, heads=2, concat=both), spec, width * (2 if both else 1))
