"""Layers of random models: small networks of every pattern that cuts through channels, for four kinds of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from gnas.testing.model_values import Spec, Value, activation, block, mix, norm

LONGEST_ROW = 256


class Mix(nn.Module):
    """Mixes channels, then perhaps normalises and activates."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        made = Value(spec.value.kind, spec.width, spec.value.size)
        layers = [mix(spec.value, spec.width, spec.variant), norm(made, spec.variant), activation(spec.variant)]
        self.layers = nn.Sequential(*layers[: 1 + spec.variant % 3])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]


class Residual(nn.Module):
    """`x + f(x)`, once or several times with the same weights, perhaps scaled by a parameter a channel."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.body = block(spec.value, spec.width, spec.variant)
        self.times = 1 + spec.variant % 4 // 3
        shape = (spec.value.channels, 1, 1) if spec.value.kind == "map" else (spec.value.channels,)
        self.scale = nn.Parameter(torch.ones(shape)) if spec.variant % 3 == 0 else None

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            y = self.body(x)
            x = x + (y if self.scale is None else y * self.scale)
        return x


class Branches(nn.Module):
    """The sum of two or three parallel branches, one of them perhaps without parameters."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        free: tuple[nn.Module, ...] = (nn.Identity(), nn.Dropout(0.3), nn.ReLU())
        self.branches = nn.ModuleList(
            [
                block(spec.value, spec.width, spec.variant),
                mix(spec.value, spec.value.channels, spec.variant),
                *free[: spec.variant % 3 // 2],
                *([nn.MaxPool2d(3, 1, 1)] if spec.value.kind == "map" and spec.variant % 2 else []),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.branches[0](x)
        for branch in self.branches[1:]:
            y = y + branch(x)
        return y


class Concat(nn.Module):
    """Parallel branches of different widths side by side."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.axis = spec.value.axis
        self.wide, self.narrow = mix(spec.value, spec.width, spec.variant), mix(spec.value, 3, spec.variant + 1)
        self.skip = spec.variant % 2 == 0

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.wide(x), functional.relu(self.narrow(x)), *([x] if self.skip else [])], self.axis)


class Dense(nn.Module):
    """Layers that read all before them, as in DenseNet."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.axis, value = spec.value.axis, spec.value
        self.layers = nn.ModuleList(
            nn.Sequential(norm(grown, spec.variant), mix(grown, 4, spec.variant), nn.ReLU())
            for k in range(2)
            for grown in [Value(value.kind, value.channels + 4 * k, value.size)]
        )

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for layer in self.layers:
            values.append(layer(torch.cat(values, self.axis)))
        return torch.cat(values, self.axis)


class Gated(nn.Module):
    """`f(x) · σ(g(x))`, both from one layer split in two, or from two layers."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.axis, self.one = spec.value.axis, spec.variant % 2 == 0
        self.value = mix(spec.value, 2 * spec.width if self.one else spec.width, spec.variant)
        self.gate = nn.Identity() if self.one else mix(spec.value, spec.width, spec.variant)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.value(x).chunk(2, self.axis) if self.one else (self.value(x), self.gate(x))
        return a * torch.sigmoid(b)  # type: ignore[no-any-return]


class Split(nn.Module):
    """Uneven parts in another order, one of them transformed, as in ShuffleNet."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.axis, self.channels = spec.value.axis, spec.value.channels
        self.first = self.channels // (2 if spec.variant % 2 else 3)
        part = Value(spec.value.kind, self.first, spec.value.size)
        self.body = block(part, spec.width, spec.variant)
        self.residual = spec.variant % 3 == 0

    def forward(self, x: Tensor) -> Tensor:
        a, b = torch.split(x, [self.first, self.channels - self.first], self.axis)
        return torch.cat([b, a + self.body(a) if self.residual else self.body(a)], self.axis)


class Mixture(nn.Module):
    """Experts weighted by a softmax of the input, as in a dense mixture or a searchable mixed operation."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.experts = nn.ModuleList(block(spec.value, spec.width, spec.variant + k, spec.width) for k in range(2))
        self.given = spec.variant % 2 == 0
        self.router = mix(spec.value, 2, 5)
        self.weights = nn.Parameter(torch.zeros(2))
        self.axis = spec.value.axis

    def forward(self, x: Tensor) -> Tensor:
        values = torch.stack([expert(x) for expert in self.experts], -1)
        if self.given:
            weights = self.weights.softmax(0)
        elif self.axis == 1:
            weights = self.router(x).softmax(1).unsqueeze(1).movedim(2, -1)
        else:
            weights = self.router(x).softmax(-1).unsqueeze(-2)
        return (values * weights).sum(-1)


class Scale(nn.Module):
    """A bias and a factor a channel, as raw parameters, and a buffer."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        shape = (spec.value.channels, 1, 1) if spec.value.kind == "map" else (spec.value.channels,)
        self.bias, self.factor = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.ones(shape))
        self.register_buffer("mask", torch.ones(shape))
        self.mask: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.factor + self.bias) * self.mask


class SqueezeExcite(nn.Module):
    """A gate a channel from the mean of a map or sequence."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        channels = spec.value.channels
        self.dims = (2, 3) if spec.value.kind == "map" else (1,)
        self.gate = nn.Sequential(nn.Linear(channels, spec.width), nn.ReLU(), nn.Linear(spec.width, channels))
        self.residual = spec.variant % 2 == 0

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.gate(x.mean(self.dims)))
        y = x * gate.reshape(*gate.shape, 1, 1) if len(self.dims) == 2 else x * gate.unsqueeze(1)
        return x + y if self.residual else y


class Attention(nn.Module):
    """Self-attention of two heads: written out, by einsum, by the fused function, or torch's module."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        channels, self.variant, self.heads = spec.value.channels, spec.variant % 4, 2
        if self.variant == 3:
            heads = 2 if channels % 2 == 0 else 1
            self.module = nn.MultiheadAttention(channels, heads, batch_first=True)
            return
        self.qkv = nn.Linear(channels, 3 * self.heads * 4)
        self.out = nn.Linear(self.heads * 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.variant == 3:
            return x + self.module(x, x, x, need_weights=False)[0]  # type: ignore[no-any-return]
        n, time, _ = x.shape
        if self.variant == 0:
            q, k, v = (part.view(n, time, self.heads, -1).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
            y = ((q @ k.transpose(-1, -2)) / 2).softmax(-1) @ v
        else:
            q, k, v = self.qkv(x).reshape(n, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
            if self.variant == 1:
                y = torch.einsum("bhij,bhjd->bhid", torch.einsum("bhid,bhjd->bhij", q, k).softmax(-1), v)
            else:
                y = functional.scaled_dot_product_attention(q, k, v)
        return x + self.out(y.transpose(1, 2).reshape(n, time, -1))  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    """An LSTM or GRU, in one direction or both."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        both = spec.variant % 3 == 2
        make = nn.LSTM if spec.variant % 2 else nn.GRU
        self.layer = make(spec.value.channels, spec.width, batch_first=True, bidirectional=both)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]  # type: ignore[no-any-return]


class Shuffle(nn.Module):
    """Channels of two groups interleaved, by a reshape and a transpose."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.groups = 2 if spec.value.channels % 2 == 0 else 1
        self.after = mix(spec.value, spec.value.channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        y = (
            x.view(n, self.groups, channels // self.groups, height, width)
            .transpose(1, 2)
            .reshape(n, channels, height, width)
        )
        return self.after(y)  # type: ignore[no-any-return]


class Pool(nn.Module):
    """Half the size of a map: by pooling or a strided convolution."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        channels = spec.value.channels
        strided = nn.Conv2d(channels, channels, 3, 2, 1)
        self.layer = (nn.MaxPool2d(2), nn.AvgPool2d(2), strided)[spec.variant % 3]

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


class Enlarge(nn.Module):
    """Twice the size of a map: interpolated, by a transposed convolution, or from channels to space."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        channels = spec.value.channels
        self.layer: nn.Module = (
            nn.Upsample(scale_factor=2),
            nn.ConvTranspose2d(channels, channels, 2, 2),
            nn.Sequential(nn.Conv2d(channels, 4 * channels, 1), nn.PixelShuffle(2)),
        )[spec.variant % 3]

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


class ToSequence(nn.Module):
    """Places of a map as steps of a sequence, as patches in a vision transformer."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


def in_a_row(spec: Spec) -> int:
    """Length of a map or sequence as one vector where `ToVector` flattens it, 0 where it takes a mean or maximum."""
    length = spec.value.channels * spec.value.size ** (2 if spec.value.kind == "map" else 1)
    return length if spec.variant % 3 == 2 and length <= LONGEST_ROW else 0


class ToVector(nn.Module):
    """A map or sequence as one vector: its mean, its largest values, or all of it in a row."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.whole, self.largest = in_a_row(spec) > 0, spec.variant % 3 == 1
        self.dims = (2, 3) if spec.value.kind == "map" else (1,)

    def forward(self, x: Tensor) -> Tensor:
        if self.whole:
            return x.flatten(1)
        return x.amax(self.dims) if self.largest else x.mean(self.dims)


UNARY: Mapping[str, Callable[[Spec], nn.Module]] = {
    "mix": Mix,
    "residual": Residual,
    "branches": Branches,
    "concat": Concat,
    "dense": Dense,
    "gated": Gated,
    "split": Split,
    "mixture": Mixture,
    "scale": Scale,
    "squeeze-excite": SqueezeExcite,
    "attention": Attention,
    "recurrent": Recurrent,
    "shuffle": Shuffle,
    "pool": Pool,
    "enlarge": Enlarge,
    "to-sequence": ToSequence,
    "to-vector": ToVector,
}
"""Layers of one input by name."""
