"""Random models from random graphs of layers, as Hypothesis strategies: what a tool for any model must cope with.

```python
@given(plan=plans())
def test_parses(plan: Plan) -> None:
    model, calls = build_model(plan), calls_of(plan)
```
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from gnas.testing.model_joins import BINARY
from gnas.testing.model_layers import UNARY, in_a_row
from gnas.testing.model_values import Kind, Spec, Value
from gnas.testing.networks import Call

CLASSES = 3
KINDS: tuple[Kind, ...] = ("map", "sequence", "vector")
WIDTHS = (4, 6, 8)
BATCHES = (3, 5)
_ANYWHERE = ("mix", "residual", "branches", "concat", "dense", "gated", "split", "mixture", "scale")
_OPS: dict[Kind, tuple[str, ...]] = {
    "map": (*_ANYWHERE, "squeeze-excite", "shuffle", "pool", "enlarge", "to-sequence", "to-vector"),
    "sequence": (*_ANYWHERE, "squeeze-excite", "attention", "recurrent", "to-vector"),
    "vector": _ANYWHERE,
    "nodes": _ANYWHERE,
}
_GRAPH_OPS = ("gcn", "gin", "sage", "gat")
_SIZES: dict[Kind, int] = {"map": 4, "sequence": 5, "vector": 0, "nodes": 0}


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of a random model.

    Attributes:
        op: Its name.
        reads: Positions of its inputs: 0 is the model's input, k what step k − 1 returned.
        width: A number of channels it uses.
        variant: Which form of the layer.
    """

    op: str
    reads: tuple[int, ...]
    width: int
    variant: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A random model, as a record that prints.

    Attributes:
        source: The model's input.
        steps: Its layers, in order.
        answer: Form of its output: 0 a tensor, 1 a tuple, 2 nested in a dictionary.
        seed: Of weights and inputs.
    """

    source: Value
    steps: tuple[Step, ...]
    answer: int
    seed: int

    @property
    def values(self) -> tuple[Value, ...]:
        """The input and what each step returns."""
        values = [self.source]
        for step in self.steps:
            values.append(returned(step, [values[k] for k in step.reads]))
        return tuple(values)

    @property
    def ends(self) -> tuple[int, ...]:
        """Positions of values that no step reads; the answer is made of them."""
        read = {k for step in self.steps for k in step.reads}
        return tuple(k for k in range(len(self.steps) + 1) if k not in read)


def returned(step: Step, inputs: Sequence[Value]) -> Value:
    """What a step returns for such inputs."""
    value, spec = inputs[0], Spec(inputs[0], step.width, step.variant)
    kind, channels, size = value.kind, value.channels, value.size
    same = partial(Value, kind, size=size)
    match step.op:
        case "mix" | "gated" | "mixture" | "gcn" | "gin" | "sage":
            return same(step.width)
        case "concat":
            return same(step.width + 3 + (channels if step.variant % 2 == 0 else 0))
        case "dense":
            return same(channels + 8)
        case "join":
            return same(channels + inputs[1].channels)
        case "recurrent" | "gat":
            return same(step.width * (2 if step.variant % 3 == 2 else 1))
        case "pool":
            return Value(kind, channels, size // 2)
        case "enlarge":
            return Value(kind, channels, size * 2)
        case "to-sequence":
            return Value("sequence", channels, size**2)
        case "to-vector":
            return Value("vector", in_a_row(spec) or channels)
        case _:
            return value


class RandomModel(nn.Module):
    """The model of a plan.

    Called with one tensor or, where its input is nodes, with `x` `(node, channel)`, `edge_index` `(2, edge)`, `batch`
    `(node,)` and `starts` `(graph + 1,)`, where the nodes of each graph begin.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan, values = plan, plan.values
        self.layers = nn.ModuleList(_layer(step, [values[k] for k in step.reads]) for step in plan.steps)
        self.heads = nn.ModuleList(nn.Linear(values[k].channels, CLASSES) for k in plan.ends)

    def forward(
        self, x: Tensor, edge_index: Tensor | None = None, batch: Tensor | None = None, starts: Tensor | None = None
    ) -> Any:
        values = [x]
        for step, layer in zip(self.plan.steps, self.layers, strict=True):
            inputs = [values[k] for k in step.reads]
            values.append(layer(*inputs, edge_index) if step.op in _GRAPH_OPS else layer(*inputs))
        pooled = [self._pooled(k, values[k], batch, starts) for k in self.plan.ends]
        logits = [head(value) for head, value in zip(self.heads, pooled, strict=True)]
        if self.plan.answer == 0:
            return sum(logits[1:], start=logits[0])
        if self.plan.answer == 1:
            return tuple(logits)
        return {"logits": sum(logits[1:], start=logits[0]), "more": [pooled[-1], {"first": logits[0]}]}

    def _pooled(self, place: int, x: Tensor, batch: Tensor | None, starts: Tensor | None) -> Tensor:
        kind = self.plan.values[place].kind
        if starts is not None:
            from torch_geometric.nn import global_mean_pool

            return global_mean_pool(x, batch, size=starts.shape[0] - 1)  # type: ignore[no-any-return]
        return x.mean((2, 3)) if kind == "map" else x[:, -1] if kind == "sequence" else x


def _layer(step: Step, inputs: Sequence[Value]) -> nn.Module:
    spec = Spec(inputs[0], step.width, step.variant)
    if step.op in _GRAPH_OPS:
        from gnas.testing.graph_layers import graph_layer

        return graph_layer(step.op, spec)
    return BINARY[step.op](spec, inputs[1]) if step.op in BINARY else UNARY[step.op](spec)


def build_model(plan: Plan) -> nn.Module:
    """The model in eval mode, normalisation layers and whatever starts constant with other values."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        model = RandomModel(plan).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if bool((parameter == parameter.flatten()[0]).all()):
                    parameter.add_(0.3 * torch.randn_like(parameter))
            for name, buffer in model.named_buffers():
                if name.endswith("running_mean"):
                    buffer.add_(0.1 * torch.randn_like(buffer))
                if name.endswith("running_var"):
                    buffer.add_(torch.rand_like(buffer) - 0.5)
    return model


def calls_of(plan: Plan) -> tuple[Call, ...]:
    """Two calls of the model: batches of two sizes, or graphs of two sizes."""
    return tuple((_arguments(plan, n), {}) for n in BATCHES)


def _arguments(plan: Plan, n: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(plan.seed)
    source = plan.source
    match source.kind:
        case "map":
            shape: tuple[int, ...] = (n, source.channels, source.size, source.size)
        case "sequence":
            shape = (n, source.size, source.channels)
        case "vector":
            shape = (n, source.channels)
        case "nodes":
            sizes = torch.randint(2, 6, (n,), generator=generator)
            shape = (int(sizes.sum()), source.channels)
    x = torch.randn(shape, generator=generator)
    if source.kind != "nodes":
        return (x,)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    batch = torch.repeat_interleave(torch.arange(n), sizes)
    ends = torch.randint(0, 2**30, (2, 4 * len(batch)), generator=generator)
    owner = torch.randint(0, n, (4 * len(batch),), generator=generator)
    return x, starts[owner] + ends % sizes[owner], batch, starts


@st.composite
def plans(draw: st.DrawFn, kinds: Sequence[Kind] = KINDS, steps: int = 5) -> Plan:
    """Plans of models with one to `steps` layers.

    Args:
        draw: Hypothesis's.
        kinds: Kinds of input; `nodes` needs torch-geometric.
        steps: Most layers.
    """
    kind = draw(st.sampled_from(kinds))
    source = Value(kind, draw(st.sampled_from(WIDTHS)), _SIZES[kind])
    plan = Plan(source, (), draw(st.sampled_from((0, 0, 1, 2))), draw(st.integers(0, 99)))
    for _ in range(draw(st.integers(1, steps))):
        step = draw(_steps(plan))
        plan = Plan(source, (*plan.steps, step), plan.answer, plan.seed)
    return plan


def _steps(plan: Plan) -> st.SearchStrategy[Step]:
    """One more step, of one of the last three values or of two that fit each other."""
    values = plan.values
    late = range(max(0, len(values) - 3), len(values))
    makers = [
        st.builds(Step, op=st.sampled_from(_ops(values[k])), reads=st.just((k,)), width=_WIDTH, variant=_VARIANT)
        for k in reversed(late)
    ]
    pairs = [
        (a, b)
        for a in late
        for b in late
        if a != b and (values[a].kind, values[a].size) == (values[b].kind, values[b].size)
    ]
    if pairs:
        binary = st.sampled_from(sorted(BINARY))
        makers.append(st.builds(Step, op=binary, reads=st.sampled_from(pairs), width=_WIDTH, variant=_VARIANT))
    return st.one_of(makers)


def _ops(value: Value) -> tuple[str, ...]:
    ops = _OPS[value.kind]
    if value.kind == "map":
        left_out = {"pool"} if value.size < 2 else {"enlarge"} if value.size > 4 else set()
        return tuple(op for op in ops if op not in left_out)
    return (*ops, *_GRAPH_OPS) if value.kind == "nodes" else ops


_WIDTH = st.sampled_from(WIDTHS)
_VARIANT = st.integers(0, 59)
