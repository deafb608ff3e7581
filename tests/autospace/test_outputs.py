"""Outputs that no trace can hold, and caches as decoders of language models begin them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from gnas.autospace import space_from_model, verify
from gnas.autospace.outputs import strange


class Cache:
    """Keys so far; a class that PyTorch cannot take apart."""

    def __init__(self) -> None:
        self.keys = torch.tensor([])

    def update(self, keys: Tensor) -> Tensor:
        self.keys = torch.cat([self.keys.to(keys.dtype), keys], dim=-2)
        return self.keys


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.keys, self.head = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Cache | str]]:
        cache = Cache()
        x = self.stem(x)
        x = x + cache.update(self.keys(x))
        return self.head(x), {"cache": cache, "kind": "decoder"}


def test_they_are_left_out_and_told() -> None:
    model = Decoder()
    space = space_from_model(model, (torch.randn(2, 5, 6),))
    assert any("Cache" in note and "left out" in note for note in space.structure.traced.notes)
    assert "forward" not in vars(model)
    rng = np.random.default_rng(0)
    for _ in range(8):
        architecture = space.sample(rng)
        logits, rest = space.build(architecture).eval()(torch.randn(3, 5, 6))
        assert logits.shape == (3, 5, 3)
        assert rest == {"cache": None, "kind": "decoder"}
        assert verify(space, architecture) < 1e-5


def test_an_empty_list_of_numbers_is_no_operand_to_be_left() -> None:
    names = [unit.name for unit in space_from_model(Decoder(), (torch.randn(2, 5, 6),)).units]
    assert names == ["cat into add of the model"]


def test_plain_values_are_not_strange() -> None:
    assert strange((torch.ones(1), {"a": None, "b": [1, 2.0, "c", True]})) == ()
    assert strange([Cache(), object()]) == ("Cache", "object")
