"""Example inputs as text: a grammar of its own, never Python."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from gnas.auto.example import read_example
from gnas.errors import SpecError

MODEL = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("text", "shape", "dtype"),
    [
        ("1x3x8x8", (1, 3, 8, 8), torch.float32),
        ("2x3", (2, 3), torch.float32),
        ("float32[2, 3]", (2, 3), torch.float32),
        (" float64[5] ", (5,), torch.float64),
        ("int64[2,4]<7", (2, 4), torch.int64),
        ("bool[3]", (3,), torch.bool),
        ("float32[]", (), torch.float32),
        ("complex64[2,2]", (2, 2), torch.complex64),
    ],
)
def test_one_tensor(text: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    (value,) = read_example(text, MODEL).args
    assert value.shape == shape
    assert value.dtype is dtype


def test_whole_numbers_keep_their_bound() -> None:
    (value,) = read_example("int64[500]<7", MODEL).args
    assert value.min() == 0
    assert value.max() == 6
    (mask,) = read_example("int64[500]", MODEL).args
    assert mask.max() == 1


def test_several_by_position_and_by_name() -> None:
    example = read_example("4x2; int64[2,9]<4; mask=bool[4]; deep=true; skip=none; rate=0.5; k=-3", MODEL)
    assert [tuple(v.shape) for v in example.args] == [(4, 2), (2, 9)]
    assert example.kwargs["mask"].dtype is torch.bool
    assert {k: v for k, v in example.kwargs.items() if k != "mask"} == {
        "deep": True,
        "skip": None,
        "rate": 0.5,
        "k": -3,
    }


def test_the_same_text_gives_the_same_values() -> None:
    first, second = (read_example("3x4; int64[6]<9", MODEL).args for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_on_meta_nothing_is_allocated() -> None:
    model = nn.Linear(4, 4, device="meta")
    (value,) = read_example("100000x100000x100", model).args
    assert value.is_meta


@pytest.mark.parametrize(
    "text",
    [
        "",
        "__import__('os').system('true')",
        "torch.ones(3)",
        "[1,2]",
        "float32[2,x]",
        "3x",
        "float32",
        "int64[2]<0",
        "float32[2]<3",
        "int64[2]<-1",
        "x=2x2; 3x3",
        "x=2x2; x=3x3",
        "flaot32[2]",
        "100000x100000",
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_example(text, MODEL)
    assert caught.value.place == "--example"


def test_a_type_misspelt_is_suggested() -> None:
    with pytest.raises(SpecError, match="did you mean 'float32'"):
        read_example("flaot32[2]", MODEL)


@pytest.mark.parametrize(
    ("body", "n_args", "names"),
    [
        ("torch.ones(2)", 1, []),
        ("(torch.ones(2), torch.ones(3))", 2, []),
        ("{'x': torch.ones(2)}", 0, ["x"]),
        ("((torch.ones(2),), {'y': 1})", 1, ["y"]),
    ],
)
def test_a_function_gives_inputs(tmp_path: Path, body: str, n_args: int, names: list[str]) -> None:
    (tmp_path / "data.py").write_text(f"import torch\ndef inputs():\n    return {body}\n", encoding="utf-8")
    example = read_example("data.py:inputs", MODEL, folder=tmp_path)
    assert len(example.args) == n_args
    assert list(example.kwargs) == names


def test_a_function_that_gives_something_else(tmp_path: Path) -> None:
    (tmp_path / "data.py").write_text("def inputs():\n    return 'text'\n", encoding="utf-8")
    with pytest.raises(SpecError, match="does not return inputs"):
        read_example("data.py:inputs", MODEL, folder=tmp_path)
