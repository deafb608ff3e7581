from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from gnas.errors import ExportError
from gnas.export.source import SourceCollector

FIRST = '''
"""A module of layers."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from second_layers import Base, halve
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from pathlib import Path

SCALE = 2.0
UNUSED = 3.0


def double(x):
    """Twice."""
    return SCALE * x


def unused(x):
    return x


def decorated(kind):
    return kind


@decorated
class Layer(Base):
    """A layer."""

    def __init__(self, sizes: Sequence[int], place: Path | None = None) -> None:
        super().__init__()
        self.factor = math.prod(sizes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(double(halve(x))) * self.factor
'''
SECOND = """
from torch import nn

LIMITS: tuple[int, int] = (1, 2)


def halve(x):
    return x / LIMITS[1]


class Base(nn.Module):
    pass
"""


def load(folder: Path, name: str, text: str) -> ModuleType:
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    __import__(name)
    return sys.modules[name]


@pytest.fixture
def layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "first_layers", raising=False)
    monkeypatch.delitem(sys.modules, "second_layers", raising=False)
    load(tmp_path, "second_layers", SECOND)
    return load(tmp_path, "first_layers", FIRST)


def test_a_class_brings_all_it_uses_and_nothing_else(layers: ModuleType) -> None:
    sources = SourceCollector()
    assert sources.expression(layers.Layer) == "Layer"
    text = sources.import_block() + "\n\n\n" + "\n\n\n".join(sources.definitions())
    assert "UNUSED" not in text
    assert "unused" not in text
    assert "second_layers" not in text
    assert text.index("class Base") < text.index("class Layer")
    assert text.index("LIMITS") < text.index("def halve")
    assert "@decorated\nclass Layer" in text
    space: dict[str, object] = {"__name__": "alone"}
    exec("from __future__ import annotations\n" + text, space)
    layer = space["Layer"]([2, 3])  # type: ignore[operator]
    x = torch.randn(4)
    assert torch.equal(layer(x), layers.Layer([2, 3])(x))


def test_imports_are_sorted_into_sections(layers: ModuleType) -> None:
    sources = SourceCollector()
    sources.expression(layers.Layer)
    assert sources.import_block() == (
        "import math\nfrom collections.abc import Sequence\nfrom pathlib import Path\n\n"
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F"
    )


def test_layers_of_the_libraries_are_imported() -> None:
    from torch_geometric.nn import GCNConv

    sources = SourceCollector()
    assert sources.expression(nn.Linear) == "nn.Linear"
    assert sources.expression(GCNConv) == "GCNConv"
    assert sources.import_block() == "from torch import nn\nfrom torch_geometric.nn import GCNConv"
    assert sources.definitions() == []


def test_two_things_of_one_name_are_refused(
    layers: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "third_layers", raising=False)
    third = load(tmp_path, "third_layers", "from torch import nn\n\n\nclass Layer(nn.Module):\n    pass\n")
    sources = SourceCollector()
    sources.expression(layers.Layer)
    with pytest.raises(ExportError, match=r"one name.*'Layer'"):
        sources.expression(third.Layer)


def test_names_of_the_file_itself_are_reserved(layers: ModuleType) -> None:
    with pytest.raises(ExportError, match="'Layer'"):
        SourceCollector(reserved=frozenset({"Layer"})).expression(layers.Layer)


def test_a_class_within_another_is_refused() -> None:
    class Inner(nn.Module):
        pass

    with pytest.raises(ExportError, match="top of its module"):
        SourceCollector().expression(Inner)
